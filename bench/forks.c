/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork, _exit and waitpid, over and over, by a process with other threads that
 * have allocated and sleep.
 *
 *     forks [THREADS [BLOCKS]]      prints the median nanoseconds of one of 1,000
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORKS 1000

static pthread_barrier_t ready;

static void *sleeper(void *arg)
{
	void *block = malloc(100);

	memset(block, 1, 100);
	free(malloc(1000));
	pthread_barrier_wait(&ready);
	pause();
	free(block);
	return arg;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 0, i;
	long blocks = argc > 2 ? atol(argv[2]) : 1000;
	static uint64_t took[FORKS];
	pthread_t t;
	pid_t pid;

	pthread_barrier_init(&ready, NULL, threads + 1);
	for (i = 0; i < threads; i++)
		if (pthread_create(&t, NULL, sleeper, NULL))
			return 1;
	pthread_barrier_wait(&ready);
	while (blocks--)
		memset(malloc(100), 1, 100);
	for (i = 0; i < FORKS; i++) {
		took[i] = now();
		pid = fork();
		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return 1;
		took[i] = now() - took[i];
	}
	qsort(took, FORKS, sizeof(*took), order);
	printf("%llu\n", (unsigned long long)took[FORKS / 2]);
	fflush(stdout);
	_exit(0);
}
