/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OWNERS owners, of each of which THREADS living threads hold a block of 100
 * bytes.  Prints its pid when they do, and waits; "close" closes all but the
 * standard descriptors before.
 *
 *     crowd OWNERS THREADS [close]
 *     crowd holes PID                  0 where its pagemap tells pages from holes
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

/*
 * The first page of its segment it has read: so pagemap must say, where maps
 * say that this page is.  An emulator's may not, or in another byte order.
 */
static int tells_holes(int pid)
{
	unsigned long long start, offset;
	uint64_t flags = 0;
	char line[4352];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/maps", pid);
	f = fopen(line, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "/memfd:memhook") && !flags &&
		    sscanf(line, "%llx-%*x %*s %llx", &start, &offset) == 2 && !offset)
			flags = page_entry(pid, start) >> 58;
	if (f)
		fclose(f);
	return flags == 40; /* present, a file's */
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 1, i;
	char name[32];
	pthread_t t;

	if (argc == 3 && strcmp(argv[1], "holes") == 0)
		return !tells_holes(atoi(argv[2]));
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
