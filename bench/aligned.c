/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks with an alignment of their own, a hundred at a time. */
#include <stdlib.h>

#include "bench.h"

#define BATCH 100

static void aligned(struct job *job)
{
	size_t alignment = (size_t)job->arg[0], size = (size_t)job->arg[1];
	void *batch[BATCH];
	long n = job->n;
	int i;

	while (n--) {
		for (i = 0; i < BATCH; i++) {
			if (posix_memalign(&batch[i], alignment, size))
				no_memory();
			touch(batch[i]);
		}
		for (i = 0; i < BATCH; i++)
			free(batch[i]);
	}
}

const struct workload aligned_workloads[] = {
	{ "aligned", "alignment bytes", aligned, NULL },
	{ 0 },
};
