/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many blocks held at once, every byte written, then all freed: what is asked
 * here is how much memory that takes.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static void fill(void **blocks, long i, size_t size)
{
	blocks[i] = get(size);
	memset(blocks[i], 1, size);
}

static void drop(void **blocks, long n)
{
	while (n--)
		free(blocks[n]);
	free(blocks);
}

static void held(struct job *job)
{
	void **blocks = get((size_t)job->n * sizeof(*blocks));
	long i;

	for (i = 0; i < job->n; i++)
		fill(blocks, i, draw_size(&job->seed, job->arg[0], job->arg[1]));
	drop(blocks, job->n);
}

/* 16 to 8192: each power as many bytes as the others. */
static void held_powers(struct job *job)
{
	void **blocks = get((size_t)job->n * sizeof(*blocks));
	size_t size = 16, filled = 0, share = (size_t)job->arg[0];
	long i;

	for (i = 0; i < job->n && size <= 8192; i++) {
		fill(blocks, i, size);
		filled += size;
		if (filled >= share) {
			filled = 0;
			size *= 2;
		}
	}
	drop(blocks, i);
}

const struct workload held_workloads[] = {
	{ "held", "lowest highest", held, NULL },
	{ "powers-held", "bytes-of-each", held_powers, NULL },
	{ 0 },
};
