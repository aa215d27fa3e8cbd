/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the workloads of the program "loops" share: one file for each kind.
 *
 * The work is fixed, the time is measured.  A workload is called once in each
 * thread and does the whole work there.  Blocks are written to as programs
 * do: the first byte at least.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARGS 3

struct job {
	int index;	/* of this thread, from 0 */
	int threads;
	long n;		/* how often */
	long arg[ARGS]; /* 0 where none was given */
	unsigned seed;
};

struct workload {
	const char *name;
	const char *args; /* what arg[] means */
	void (*work)(struct job *);
	void (*prepare)(const struct job *); /* before the clock starts; or NULL */
};

extern const struct workload aligned_workloads[], churn_workloads[], fixed_workloads[],
	growth_workloads[], held_workloads[], large_workloads[], live_workloads[],
	owners_workloads[], remote_workloads[], threads_workloads[];

/* The upper bits of a linear congruence: cheap beside malloc. */
static inline unsigned draw(unsigned *r)
{
	*r = *r * 1103515245 + 12345;
	return *r >> 8;
}

/* A number from low to high. */
static inline size_t draw_size(unsigned *r, long low, long high)
{
	return (size_t)(low + (long)(draw(r) % (unsigned)(high - low + 1)));
}

static inline void touch(void *p)
{
	*(volatile char *)p = 1;
}

/* The end: a benchmark that runs out of memory measured nothing. */
__attribute__((noreturn, cold)) void no_memory(void);

static inline void *get(size_t size)
{
	void *p = malloc(size);

	if (__builtin_expect(!p, 0))
		no_memory();
	touch(p);
	return p;
}

#endif /* BENCH_H */
