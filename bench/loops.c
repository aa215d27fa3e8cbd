/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare loops over malloc and free, one workload per run.
 *
 *     loops WORKLOAD THREADS N [ARGUMENT...]    prints the nanoseconds of the work
 *     loops                                     lists the workloads
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define MOST_THREADS 256

static const struct workload *const kinds[] = {
	aligned_workloads, churn_workloads, fixed_workloads, growth_workloads,
	held_workloads, large_workloads, live_workloads, owners_workloads,
	remote_workloads, threads_workloads,
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

void no_memory(void)
{
	fprintf(stderr, "loops: no memory\n");
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static const struct workload *find(const char *name)
{
	const struct workload *w;
	size_t k;

	for (k = 0; k < KINDS; k++)
		for (w = kinds[k]; w->name; w++)
			if (!strcmp(w->name, name))
				return w;
	return NULL;
}

struct thread {
	struct job job;
	const struct workload *w;
	pthread_t id;
};

static void *run(void *arg)
{
	struct thread *t = arg;

	t->w->work(&t->job);
	return NULL;
}

/* With one thread the program has none but its first: libraries know that. */
static uint64_t measure(const struct workload *w, const struct job *job)
{
	static struct thread all[MOST_THREADS];
	uint64_t start;
	int i;

	for (i = 0; i < job->threads; i++) {
		all[i].w = w;
		all[i].job = *job;
		all[i].job.index = i;
		all[i].job.seed = 42 + (unsigned)i;
	}
	if (w->prepare)
		w->prepare(job);
	start = now();
	for (i = 1; i < job->threads; i++) {
		if (pthread_create(&all[i].id, NULL, run, &all[i])) {
			fprintf(stderr, "loops: cannot start thread %d\n", i);
			exit(1);
		}
	}
	run(&all[0]);
	for (i = 1; i < job->threads; i++)
		pthread_join(all[i].id, NULL);
	return now() - start;
}

static int usage(FILE *to)
{
	const struct workload *w;
	size_t k;

	fprintf(to, "usage: loops WORKLOAD THREADS N [ARGUMENT...]\n");
	for (k = 0; k < KINDS; k++)
		for (w = kinds[k]; w->name; w++)
			fprintf(to, "  %-10s %s\n", w->name, w->args);
	return to == stderr ? 2 : 0;
}

int main(int argc, char **argv)
{
	const struct workload *w = argc > 3 ? find(argv[1]) : NULL;
	struct job job = { 0 };
	int i;

	if (argc == 1 || (argc == 2 && !strcmp(argv[1], "--help")))
		return usage(stdout);
	if (!w || argc > 4 + ARGS)
		return usage(stderr);
	job.threads = atoi(argv[2]);
	job.n = atol(argv[3]);
	for (i = 4; i < argc; i++)
		job.arg[i - 4] = atol(argv[i]);
	if (job.threads < 1 || job.threads > MOST_THREADS || job.n < 1)
		return usage(stderr);
	printf("%llu\n", (unsigned long long)measure(w, &job));
	return 0;
}
