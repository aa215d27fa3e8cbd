/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffers that grow by an eighth, as vectors and strings do. */
#include <stdlib.h>

#include "bench.h"

static void growth(struct job *job)
{
	size_t most = (size_t)job->arg[0];
	long n = job->n;

	while (n--) {
		size_t size = 16;
		char *p = NULL;

		while (size < most) {
			p = realloc(p, size);
			if (!p)
				no_memory();
			p[size - 1] = 1;
			size += size / 8 + 8;
		}
		free(p);
	}
}

const struct workload growth_workloads[] = {
	{ "growth", "bytes", growth, NULL },
	{ 0 },
};
