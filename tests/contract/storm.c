/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads load, call and unload libraries that lie at each other's addresses,
 * under a profiler's signals: every block is charged to the library that made
 * it.
 *
 *     storm [SECONDS [THREADS]]        2 and 8
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../common.h"
#include "copies.h"

#define PLUGINS 6
#define BLOCKS 200

static char path[PLUGINS][4096];
static _Atomic int stop;
static _Atomic unsigned long loads, blocks, wrong;

static void check(const void *block, const char *name)
{
	struct memhook_stats s = { .size = sizeof(s) };
	struct memhook_block b = { .size = sizeof(b) };

	memhook_inspect(block, &b);
	if (memhook_stats(b.owner, &s) || strcmp(s.name, name)) {
		if (atomic_fetch_add(&wrong, 1) == 0)
			fprintf(stderr, "charged to \"%s\", made by %s\n", s.name, name);
	}
}

static void visit(int plugin, void **set)
{
	void *handle = dlopen(path[plugin], RTLD_NOW | RTLD_LOCAL);
	const char *name = strrchr(path[plugin], '/') + 1;
	void *(*make)(size_t);
	int i;

	if (!handle) {
		if (!atomic_exchange(&stop, 1))
			fprintf(stderr, "%s\n", dlerror());
		atomic_fetch_add(&wrong, 1);
		return;
	}
	make = (void *(*)(size_t))dlsym(handle, "plugin_make");
	for (i = 0; i < BLOCKS; i++) {
		free(set[i]);
		set[i] = make((size_t)(16 + i));
		check(set[i], name);
	}
	dlclose(handle);
	atomic_fetch_add(&loads, 1);
	atomic_fetch_add(&blocks, BLOCKS);
}

static void *run(void *arg)
{
	unsigned r = (unsigned)(uintptr_t)arg;
	void *set[BLOCKS] = { NULL };
	int i;

	while (!atomic_load(&stop)) {
		r = r * 1103515245 + 12345;
		visit((int)(r >> 16) % PLUGINS, set);
	}
	for (i = 0; i < BLOCKS; i++)
		free(set[i]);
	return NULL;
}

static _Atomic unsigned long ticks;

static void tick(int signal)
{
	(void)signal;
	atomic_fetch_add(&ticks, 1);
}

/* A thousand times a second of the processor's time. */
static void profile(void)
{
	struct itimerval each = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };

	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &each, NULL);
}

static void blow(unsigned seconds, unsigned threads)
{
	struct timespec pause = { .tv_sec = seconds };
	pthread_t *t = calloc(threads, sizeof(*t));
	unsigned i;

	for (i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, run, (void *)(uintptr_t)(i + 1)))
			exit(99);
	profile();
	while (nanosleep(&pause, &pause))
		; /* a signal */
	atomic_store(&stop, 1);
	for (i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	free(t);
}

int main(int argc, char **argv)
{
	int i;

	copies_by_library(argv, path, PLUGINS);
	blow(argc > 1 ? (unsigned)atoi(argv[1]) : 2, argc > 2 ? (unsigned)atoi(argv[2]) : 8);
	printf("%lu loads, %lu blocks, %lu signals, %lu charged to another\n", loads, blocks,
	       ticks, wrong);
	for (i = 0; i < PLUGINS; i++)
		unlink(path[i]);
	rmdir(scratch());
	return wrong || !loads || !ticks;
}
