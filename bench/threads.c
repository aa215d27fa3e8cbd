/* SPDX-License-Identifier: BSD-2-Clause */
/* Many threads that live a moment: a hundred blocks of 16 to 512 bytes each. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define BLOCKS 100

static void *moment(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	void *blocks[BLOCKS];
	int i;

	for (i = 0; i < BLOCKS; i++)
		blocks[i] = get(draw_size(&seed, 16, 512));
	for (i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return NULL;
}

static void moments(struct job *job)
{
	long i;

	for (i = 0; i < job->n; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, moment, (void *)(uintptr_t)draw(&job->seed))) {
			fprintf(stderr, "loops: cannot start a thread\n");
			exit(1);
		}
		pthread_join(t, NULL);
	}
}

const struct workload threads_workloads[] = {
	{ "moments", "", moments, NULL },
	{ 0 },
};
