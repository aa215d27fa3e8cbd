/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `memhook run` is tried on: holds ten blocks of 100,000 bytes, then
 * ends as its first argument says.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *volatile held[64];
static char *volatile nowhere = (char *)8;

static void hold(int from, int to)
{
	for (; from < to; from++) {
		held[from] = malloc(100000);
		memset(held[from], 1, 100000);
	}
}

/* Until the kernel has enough of it: 2 GiB at most. */
static void devour(void)
{
	int i;

	for (i = 0; i < 2048; i++) {
		char *volatile p = malloc(1 << 20);

		if (!p)
			exit(8);
		memset(p, 1, 1 << 20);
	}
}

static int wait_for_file(const char *path)
{
	struct timespec t = { .tv_nsec = 10000000 };
	struct stat st;

	while (stat(path, &st))
		nanosleep(&t, NULL);
	return 3;
}

/* A child of vfork shares our memory: its end is not ours. */
static void vfork_and_die(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	raise(SIGKILL);
}

/* A worker's worker, then the end of the worker. */
static void nest(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		hold(10, 12);
		exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* One worker of each kind, one after the other; the last one lies unburied. */
static int family(void)
{
	static void (*const ends[])(void) = { NULL, nest, vfork_and_die, NULL, NULL };
	siginfo_t info;
	pid_t pid;
	int i;

	for (i = 0; i < 5; i++) {
		pid = fork();
		if (pid == 0) {
			hold(10, 11 + i);
			if (ends[i])
				ends[i]();
			if (i == 3)
				_exit(0);
			if (i == 4)
				raise(SIGKILL);
			exit(0);
		}
		waitid(P_PID, (id_t)pid, &info, WEXITED | (i == 4 ? WNOWAIT : 0));
	}
	return 0;
}

static int many(int n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid == 0)
			exit(0);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

/* A worker that is another program by now, and stays when we end. */
static int leave(char **argv)
{
	int done[2];
	char c;

	if (pipe2(done, O_CLOEXEC))
		return 9;
	if (fork() == 0) {
		close(1);
		close(2);
		execv(argv[0], argv);
		_exit(9);
	}
	close(done[1]);
	return read(done[0], &c, 1) < 0 ? 9 : 0;
}

static int act(char **argv);

static int parent(char **argv)
{
	pid_t pid = fork();

	if (pid == 0)
		exit(act(argv));
	waitpid(pid, NULL, 0);
	return 0;
}

static int act(char **argv)
{
	const char *what = argv[0], *arg = argv[1];

	if (strcmp(what, "exit") == 0)
		return atoi(arg);
	if (strcmp(what, "_exit") == 0)
		_exit(atoi(arg));
	if (strcmp(what, "signal") == 0)
		raise(atoi(arg));
	if (strcmp(what, "abort") == 0)
		abort();
	if (strcmp(what, "fault") == 0)
		*nowhere = 1;
	if (strcmp(what, "devour") == 0)
		devour();
	if (strcmp(what, "wait") == 0)
		return wait_for_file(arg);
	if (strcmp(what, "rename") == 0)
		return prctl(PR_SET_NAME, arg);
	if (strcmp(what, "close") == 0)
		closefrom(3);
	if (strcmp(what, "exec") == 0 || strcmp(what, "close") == 0)
		execv(arg, argv + 1);
	if (strcmp(what, "family") == 0)
		return family();
	if (strcmp(what, "many") == 0)
		return many(atoi(arg));
	if (strcmp(what, "leave") == 0)
		return leave(argv + 1);
	if (strcmp(what, "parent") == 0)
		return parent(argv + 1);
	return 9;
}

int main(int argc, char **argv)
{
	hold(0, 10);
	return argc < 2 ? 9 : act(argv + 1);
}
