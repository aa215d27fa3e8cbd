/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What gdb looks at: two owners, two threads, blocks of every kind.  It says
 * where they are, then ends as its argument says, or waits to be looked at.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memhook.h>

static char *live, *freed, *aligned, *large, *zero;
static char *volatile kept[4];

static void *another_thread(void *owner)
{
	memhook_owner was = memhook_enter(*(memhook_owner *)owner);

	kept[0] = malloc(300);
	kept[1] = malloc(70);
	free(kept[1]);
	memhook_leave(was);
	return NULL;
}

static void allocate(void)
{
	memhook_owner db = memhook_owner_create("db");
	memhook_owner cache = memhook_owner_create("cache"), was;
	pthread_t thread;

	was = memhook_enter(db);
	live = malloc(1000);
	freed = malloc(48);
	kept[2] = malloc(5000);
	memhook_leave(cache);
	aligned = aligned_alloc(4096, 8192);
	large = malloc(3 << 20);
	memhook_leave(was);
	pthread_create(&thread, NULL, another_thread, &db);
	pthread_join(thread, NULL);
	free(freed);
}

__attribute__((noinline)) static char *unclaimed(void)
{
	char *volatile p = malloc(777);

	return p;
}

__attribute__((noinline)) static void free_again(char *p)
{
	char *volatile hidden = p;

	free(hidden);
	hidden = NULL; /* else this frame would be gone by then */
}

static void worker_aborts(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		free(live);
		abort();
	}
	waitpid(pid, NULL, 0);
	exit(0);
}

int main(int argc, char **argv)
{
	const char *end = argc > 1 ? argv[1] : "wait";
	int i;

	allocate();
	kept[3] = unclaimed();
	zero = malloc(0);
	/* Many owners: their rows fill more than one page. */
	for (i = 0; argc > 2 && i < atoi(argv[2]); i++) {
		char name[24];
		memhook_owner was;

		snprintf(name, sizeof(name), "owner %d", i);
		was = memhook_enter(memhook_owner_create(name));
		kept[0] = malloc(10000 + (size_t)i);
		memhook_leave(was);
	}
	printf("live=%p freed=%p aligned=%p large=%p zero=%p here=%p\n", (void *)live,
	       (void *)freed, (void *)aligned, (void *)large, (void *)zero, (void *)&i);
	fflush(stdout);
	if (strcmp(end, "abort") == 0)
		abort();
	if (strcmp(end, "twice") == 0)
		free_again(freed);
	if (strcmp(end, "worker") == 0)
		worker_aborts();
	else if (strcmp(end, "wait"))
		return 1;
	for (;;)
		pause();
}
