/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks made by one thread and freed by another.  They are handed over by
 * the hundred, as queues of work do it: with one at a time the line that goes
 * from processor to processor would be what is measured.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define HANDFUL 100
#define RING	16
#define PAIRS	8

struct handful {
	atomic_int full; /* acquire and release: the blocks go with it */
	void *blocks[HANDFUL];
};
static _Alignas(64) struct handful ring[PAIRS][RING];

/* Not for ever: the other one may wait for this processor. */
__attribute__((noinline))
static void wait_until(atomic_int *full, int wanted)
{
	int i = 0;

	while (atomic_load_explicit(full, memory_order_acquire) != wanted)
		if (++i % 1000 == 0)
			sched_yield();
}

static void produce(struct job *job, struct handful *to)
{
	long i;
	int k;

	for (i = 0; i < job->n; i++) {
		struct handful *h = &to[i % RING];

		wait_until(&h->full, 0);
		for (k = 0; k < HANDFUL; k++)
			h->blocks[k] = get(draw_size(&job->seed, job->arg[0], job->arg[1]));
		atomic_store_explicit(&h->full, 1, memory_order_release);
	}
}

static void consume(struct job *job, struct handful *from)
{
	long i;
	int k;

	for (i = 0; i < job->n; i++) {
		struct handful *h = &from[i % RING];

		wait_until(&h->full, 1);
		for (k = 0; k < HANDFUL; k++)
			free(h->blocks[k]);
		atomic_store_explicit(&h->full, 0, memory_order_release);
	}
}

/* Threads in twos: the first one makes, the second one frees. */
static void remote(struct job *job)
{
	struct handful *mine = ring[job->index / 2];

	if (job->index % 2)
		consume(job, mine);
	else
		produce(job, mine);
}

static void check(const struct job *job)
{
	if (job->threads % 2 || job->threads > 2 * PAIRS) {
		fprintf(stderr, "loops: remote takes 2 to %d threads, in twos\n", 2 * PAIRS);
		exit(2);
	}
}

const struct workload remote_workloads[] = {
	{ "remote", "lowest highest", remote, check },
	{ 0 },
};
