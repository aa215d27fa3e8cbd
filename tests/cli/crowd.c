/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OWNERS owners, of each of which THREADS living threads hold a block of 100
 * bytes.  Prints its pid when they do, and waits; "close" closes all but the
 * standard descriptors before.
 *
 *     crowd OWNERS THREADS [close]
 *     crowd holes                      0 where pagemap tells pages from holes
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../abilities.h"
#include "memhook.h"

static memhook_owner *owners;
static unsigned count;
static pthread_barrier_t done;

static void *hold(void *arg)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		memhook_owner previous = memhook_enter(owners[i]);
		char *volatile p = malloc(100);

		memhook_leave(previous);
		if (!p)
			_exit(99);
	}
	pthread_barrier_wait(&done);
	for (;;)
		pause();
	return arg;
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 1, i;
	char name[32];
	pthread_t t;

	if (argc == 2)
		return !pagemap_is_true();
	alarm(600);
	count = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
	owners = calloc(count, sizeof(*owners));
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		owners[i] = memhook_owner_create(name);
	}
	pthread_barrier_init(&done, NULL, threads + 1);
	for (i = 0; i < threads; i++)
		if (pthread_create(&t, NULL, hold, NULL))
			return 99;
	pthread_barrier_wait(&done);
	if (argc > 3)
		closefrom(3);
	printf("%d\n", getpid());
	fflush(stdout);
	for (;;)
		pause();
}
