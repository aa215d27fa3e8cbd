/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One command under several preloads, in turn, and what the kernel says that
 * it took: time from start to end, processor time, page faults, peak RSS.
 *
 *     spawn [-n ROUNDS] [-q] NAME=LIBRARY... NAME=@TOOL... -- CMD [ARG...]
 *
 * A NAME without a library runs the command as it is; @TOOL runs it by
 * `TOOL run`.  Medians, and differences to the second column, which is meant
 * to be plain jemalloc.  -q: the command's output goes to /dev/null.
 *
 * chrt -f 20 in front of it keeps other programs of a busy machine away.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define VARIANTS_MAX 8

enum { WALL_US, CPU_US, FAULTS, RSS_KIB, NUMBERS };

struct variant {
	const char *name;
	char **argv;
	char **env;
	double *number[NUMBERS];
};

static posix_spawn_file_actions_t actions;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "spawn: %s: %s\n", what, why);
	exit(2);
}

/* The environment without any LD_PRELOAD, and with this one. */
static char **environment(const char *library)
{
	size_t n = 0, to = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 2, sizeof(*env));
	for (n = 0; environ[n]; n++)
		if (strncmp(environ[n], "LD_PRELOAD=", 11))
			env[to++] = environ[n];
	if (*library && asprintf(&env[to], "LD_PRELOAD=%s", library) < 0)
		fail(library, strerror(errno));
	return env;
}

/* TOOL run -o /dev/null -- CMD */
static char **by_run(char *tool, char **cmd)
{
	static char *const head[] = { "run", "-o", "/dev/null", "--" };
	size_t n = 0, i;
	char **argv;

	while (cmd[n])
		n++;
	argv = calloc(n + 6, sizeof(*argv));
	argv[0] = tool;
	for (i = 0; i < 4; i++)
		argv[i + 1] = head[i];
	memcpy(argv + 5, cmd, n * sizeof(*cmd));
	return argv;
}

static void prepare(struct variant *v, char *text, char **cmd, unsigned rounds)
{
	char *library = strchr(text, '=');
	int i;

	if (!library)
		fail(text, "is not NAME=LIBRARY");
	*library++ = '\0';
	v->name = text;
	v->env = environment(*library == '@' ? "" : library);
	v->argv = *library == '@' ? by_run(library + 1, cmd) : cmd;
	for (i = 0; i < NUMBERS; i++)
		v->number[i] = calloc(rounds, sizeof(double));
}

static double us(struct timeval t)
{
	return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void run(struct variant *v, unsigned round)
{
	double began = now_us();
	struct rusage used;
	int status, rc;
	pid_t pid;

	rc = posix_spawnp(&pid, v->argv[0], &actions, NULL, v->argv, v->env);
	if (rc)
		fail(v->argv[0], strerror(rc));
	if (wait4(pid, &status, 0, &used) != pid || status)
		fail(v->name, "the command failed");
	v->number[WALL_US][round] = now_us() - began;
	v->number[CPU_US][round] = us(used.ru_utime) + us(used.ru_stime);
	v->number[FAULTS][round] = (double)used.ru_minflt;
	v->number[RSS_KIB][round] = (double)used.ru_maxrss;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(struct variant *v, int number, unsigned rounds)
{
	qsort(v->number[number], rounds, sizeof(double), order);
	return v->number[number][rounds / 2];
}

static void table(struct variant *variant, int variants, unsigned rounds)
{
	static const char *const name[NUMBERS] = { "wall us", "cpu us", "faults",
						   "peak RSS KiB" };
	double first, n;
	int i, v;

	printf("%-12s", "");
	for (v = 0; v < variants; v++)
		printf(" %22s", variant[v].name);
	for (i = 0; i < NUMBERS; i++) {
		first = median(&variant[variants > 1], i, rounds);
		printf("\n%-12s", name[i]);
		for (v = 0; v < variants; v++) {
			n = median(&variant[v], i, rounds);
			printf(" %8.0f %+6.0f %5.3f", n, n - first, n / first);
		}
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	struct variant variant[VARIANTS_MAX];
	unsigned rounds = 100, r;
	int option, quiet = 0, variants = 0, cmd, i;

	while ((option = getopt(argc, argv, "+n:q")) != -1) {
		if (option == 'n')
			rounds = (unsigned)atoi(optarg);
		else if (option == 'q')
			quiet = 1;
		else
			return 2;
	}
	for (cmd = optind; cmd < argc && strchr(argv[cmd], '='); cmd++)
		;
	if (cmd < argc && strcmp(argv[cmd], "--") == 0)
		cmd++;
	if (cmd >= argc || rounds < 1)
		fail("usage", "spawn [-n ROUNDS] [-q] NAME=LIBRARY... -- CMD [ARG...]");
	posix_spawn_file_actions_init(&actions);
	if (quiet)
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
						 O_WRONLY, 0);
	for (i = optind; i < argc && strchr(argv[i], '=') && i < cmd; i++)
		if (variants < VARIANTS_MAX)
			prepare(&variant[variants++], argv[i], argv + cmd, rounds);
	for (r = 0; r < rounds; r++)
		for (i = 0; i < variants; i++)
			run(&variant[i], r);
	table(variant, variants, rounds);
	return 0;
}
