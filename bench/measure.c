/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run a program under an allocator: its time and its peak of resident memory.
 *
 *     BENCH_PRELOAD=LIBRARY BENCH_BY=KIND BENCH_CHECK=LEVEL \
 *             measure own|wall [NAME=VALUE...] COMMAND [ARGUMENT...]
 *
 * prints nanoseconds and KiB: the time that the program itself tells on its
 * standard output ("own"), or from its start to its end ("wall").  Only the
 * program is preloaded.  A peak begins with what the process was before exec:
 * this one is small.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void move_variable(const char *from, const char *to)
{
	const char *value = getenv(from);

	unsetenv(to);
	if (value && *value)
		setenv(to, value, 1);
	unsetenv(from);
}

static void become(char **command, int output)
{
	for (; *command && strchr(*command, '='); command++)
		putenv(*command);
	if (!*command)
		_exit(127);
	dup2(output, STDOUT_FILENO);
	move_variable("BENCH_PRELOAD", "LD_PRELOAD");
	move_variable("BENCH_BY", "MEMHOOK_BY");
	move_variable("BENCH_CHECK", "MEMHOOK_CHECK");
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

/* The first bytes of the output, all of which is read. */
static void drain(int fd, char *text, size_t size)
{
	size_t used = 0;
	char rest[4096];
	ssize_t n;

	while ((n = read(fd, rest, sizeof(rest))) > 0) {
		size_t part = (size_t)n < size - 1 - used ? (size_t)n : size - 1 - used;

		memcpy(text + used, rest, part);
		used += part;
	}
	text[used] = '\0';
}

int main(int argc, char **argv)
{
	int own = argc > 2 && !strcmp(argv[1], "own"), status, out[2];
	struct rusage usage;
	char text[64];
	uint64_t took;
	pid_t child;

	if (argc < 3 || (!own && strcmp(argv[1], "wall"))) {
		fprintf(stderr, "usage: measure own|wall [NAME=VALUE...] COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (pipe(out))
		fail("pipe");
	took = now();
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		close(out[0]);
		become(argv + 2, out[1]);
	}
	close(out[1]);
	drain(out[0], text, sizeof(text));
	if (wait4(child, &status, 0, &usage) < 0)
		fail("wait4");
	took = now() - took;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return 127; /* it said why */
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "measure: %s ended with status %#x\n", argv[2], status);
		return 1;
	}
	if (own && !isdigit((unsigned char)text[0])) {
		fprintf(stderr, "measure: %s told no time\n", argv[2]);
		return 1;
	}
	printf("%llu %ld\n", own ? strtoull(text, NULL, 10) : (unsigned long long)took,
	       usage.ru_maxrss);
	return 0;
}
