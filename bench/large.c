/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large blocks, sixteen of them alive, first and last byte written: what the
 * allocator does about pages is what is measured.
 */
#include <stdlib.h>

#include "bench.h"

#define SET 16

static void large(struct job *job)
{
	char *set[SET] = { 0 };
	long n = job->n;
	int i;

	while (n--) {
		size_t size = draw_size(&job->seed, job->arg[0], job->arg[1]);
		unsigned k = draw(&job->seed) % SET;

		free(set[k]);
		set[k] = get(size);
		touch(set[k] + size - 1);
	}
	for (i = 0; i < SET; i++)
		free(set[i]);
}

const struct workload large_workloads[] = {
	{ "large", "lowest highest", large, NULL },
	{ 0 },
};
