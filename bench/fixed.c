/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of one size, and of powers of two: freed at once, or after a hundred
 * others were made, which is more than an allocator keeps at hand.
 */
#include <stdlib.h>

#include "bench.h"

static void pairs(struct job *job)
{
	size_t size = (size_t)job->arg[0];
	long n = job->n;

	while (n--)
		free(get(size));
}

static void zeroed(struct job *job)
{
	size_t size = (size_t)job->arg[0];
	long n = job->n;

	while (n--) {
		void *p = calloc(1, size);

		touch(p);
		free(p);
	}
}

#define BATCH 100

static void batches(struct job *job)
{
	size_t size = (size_t)job->arg[0];
	void *batch[BATCH];
	long n = job->n;
	int i;

	while (n--) {
		for (i = 0; i < BATCH; i++)
			batch[i] = get(size);
		for (i = 0; i < BATCH; i++)
			free(batch[i]);
	}
}

/* 16 to 8192 in turn: with a cookie each of them is of the next size class. */
static void powers(struct job *job)
{
	void *batch[BATCH];
	long n = job->n;
	int i;

	while (n--) {
		for (i = 0; i < BATCH; i++)
			batch[i] = get((size_t)16 << i % 10);
		for (i = 0; i < BATCH; i++)
			free(batch[i]);
	}
}

const struct workload fixed_workloads[] = {
	{ "pairs", "bytes", pairs, NULL },
	{ "zeroed", "bytes", zeroed, NULL },
	{ "batches", "bytes", batches, NULL },
	{ "powers", "", powers, NULL },
	{ 0 },
};
