/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random sizes with a live set, as a server has it: each step frees a block
 * anywhere in the set and makes another in its place.  As in the benchmark
 * of Larson and Krishnan a thread ends after a while and hands its set to a
 * new one, which frees what it did not make.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define GENERATIONS 10

struct set {
	struct job *job;
	void **blocks;
	long count;
	unsigned seed;
};

static void *replace(void *arg)
{
	struct set *s = arg;
	long low = s->job->arg[1], high = s->job->arg[2];
	long n = s->job->n / GENERATIONS;

	while (n--) {
		long k = (long)(draw(&s->seed) % (unsigned)s->count);

		free(s->blocks[k]);
		s->blocks[k] = get(draw_size(&s->seed, low, high));
	}
	return NULL;
}

static void start(struct set *s, struct job *job)
{
	long i;

	s->job = job;
	s->seed = job->seed;
	s->count = job->arg[0];
	s->blocks = get((size_t)s->count * sizeof(*s->blocks));
	for (i = 0; i < s->count; i++)
		s->blocks[i] = get(draw_size(&s->seed, job->arg[1], job->arg[2]));
}

static void finish(struct set *s)
{
	while (s->count--)
		free(s->blocks[s->count]);
	free(s->blocks);
}

static void live(struct job *job)
{
	struct set s;
	int i;

	start(&s, job);
	for (i = 0; i < GENERATIONS; i++)
		replace(&s);
	finish(&s);
}

static void larson(struct job *job)
{
	struct set s;
	int i;

	start(&s, job);
	for (i = 0; i < GENERATIONS; i++) {
		pthread_t next;

		if (pthread_create(&next, NULL, replace, &s)) {
			fprintf(stderr, "loops: cannot start a thread\n");
			exit(1);
		}
		pthread_join(next, NULL);
	}
	finish(&s);
}

const struct workload live_workloads[] = {
	{ "live", "blocks lowest highest", live, NULL },
	{ "larson", "blocks lowest highest", larson, NULL },
	{ 0 },
};
