/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hooked process that does what it is told, one line at a time, and answers
 * each with a line of its own:
 *
 *     alloc OWNER BLOCKS SIZE     fork OWNER BLOCKS SIZE (the child waits)
 *     free OWNER                  exec (itself, anew)
 *     retire OWNER                busy THREADS, rest: threads that allocate
 *     leave                       end the child that was forked last
 *
 * It ends with its input.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memhook.h>

#define BLOCKS 4096

static struct block {
	void *p;
	char owner[64];
} blocks[BLOCKS];
static atomic_int busy;
static pthread_t threads[16];
static pid_t child;

static void make(const char *owner, int n, size_t size)
{
	memhook_owner previous = memhook_enter(memhook_owner_create(owner));
	int i;

	for (i = 0; i < BLOCKS && n; i++) {
		if (blocks[i].p)
			continue;
		blocks[i].p = malloc(size);
		snprintf(blocks[i].owner, sizeof(blocks[i].owner), "%s", owner);
		n--;
	}
	memhook_leave(previous);
}

static void drop(const char *owner)
{
	int i;

	for (i = 0; i < BLOCKS; i++)
		if (blocks[i].p && strcmp(blocks[i].owner, owner) == 0) {
			free(blocks[i].p);
			blocks[i].p = NULL;
		}
}

static void *work(void *arg)
{
	memhook_owner previous = memhook_enter(memhook_owner_create("busy"));
	size_t n = 0;

	while (atomic_load(&busy)) {
		char *volatile p = malloc(64 + n++ % 512);

		free(p);
	}
	memhook_leave(previous);
	return arg;
}

static void start(int n)
{
	atomic_store(&busy, n);
	while (n--)
		if (pthread_create(&threads[n], NULL, work, NULL))
			abort();
}

static void rest(void)
{
	int n = atomic_exchange(&busy, 0);

	while (n--)
		pthread_join(threads[n], NULL);
}

static int fork_child(const char *owner, int n, size_t size)
{
	int ready[2];
	char c;

	if (pipe(ready))
		abort();
	child = fork();
	if (child == 0) {
		make(owner, n, size);
		if (write(ready[1], "", 1) != 1)
			abort();
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		abort();
	close(ready[0]);
	return child;
}

static void obey(char **argv, char *line)
{
	char what[16] = "", owner[64] = "";
	unsigned long n = 0, size = 0;

	sscanf(line, "%15s %63s %lu %lu", what, owner, &n, &size);
	if (strcmp(what, "alloc") == 0)
		make(owner, (int)n, size);
	else if (strcmp(what, "free") == 0)
		drop(owner);
	else if (strcmp(what, "retire") == 0)
		memhook_owner_retire(memhook_owner_create(owner));
	else if (strcmp(what, "busy") == 0)
		start(atoi(owner) > 16 ? 16 : atoi(owner));
	else if (strcmp(what, "rest") == 0)
		rest();
	else if (strcmp(what, "fork") == 0)
		printf("%d ", fork_child(owner, (int)n, size));
	else if (strcmp(what, "exec") == 0)
		execv("/proc/self/exe", argv);
	else if (strcmp(what, "leave") == 0)
		waitpid((kill(child, SIGKILL), child), NULL, 0);
	else
		exit(99);
}

int main(int argc, char **argv)
{
	static char in[4096], out[4096];
	char line[256];

	(void)argc;
	/* Its own buffers would come and go between two looks at it. */
	setvbuf(stdin, in, _IONBF, 0);
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	do {
		printf("%d\n", getpid());
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			break;
		obey(argv, line);
	} while (1);
	return 0;
}
