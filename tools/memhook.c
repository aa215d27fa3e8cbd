/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool: one subcommand per file. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#ifdef MEMHOOK_PASSTHROUGH
#define MODE "passthrough"
#else
#define MODE "jemalloc"
#endif

const char *subcommand;

static const struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", run_main, "run a program and show who owned its memory" },
	{ "stat", stat_main, "show the owners of a running process" },
	{ "list", list_main, "list the processes that can be read" },
	{ "mark", mark_main, "remember its numbers for stat --since-mark" },
	{ "diff", diff_main, "show who grew between two reports" },
	{ "record", record_main, "write what a process holds to a file, again and again" },
	{ "report", report_main, "make a page to look at of such a file" },
	{ "verify", verify_main, "audit the counters of a running process" },
	{ "top", top_main, "watch the owners of a running process, full screen" },
	{ "pprof", pprof_main, "write a heap profile for pprof, or a flame graph" },
	{ "export", export_main, "serve the numbers of all processes to Prometheus" },
	{ "header", header_main, "print a redirect header for a project's own names" },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void usage(FILE *to)
{
	size_t i;

	fputs("Usage: memhook COMMAND [OPTION...]\n"
	      "Know who owns every byte of a running process.\n\n", to);
	for (i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n  memhook COMMAND --help    what a command takes\n"
	      "  memhook --version\n\n"
	      "    memhook run -- python3 -c 'import json'\n", to);
}

void complain(const char *format, ...)
{
	va_list args;

	if (subcommand)
		fprintf(stderr, "memhook %s: ", subcommand);
	else
		fputs("memhook: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int counts_nothing(void)
{
#ifdef MEMHOOK_PASSTHROUGH
	complain("this memhook was built --without-jemalloc and counts nothing");
	return 1;
#else
	return 0;
#endif
}

void out_of_memory(void)
{
	complain("out of memory");
	exit(1);
}

int parse_format(const char *text)
{
	if (strcmp(text, "text") == 0)
		return MEMHOOK_TEXT;
	if (strcmp(text, "json") == 0)
		return MEMHOOK_JSON;
	complain("--format=%s: it is text or json", text);
	return -1;
}

/* A link that is the user's own or root's, as /dev/stdout is, was meant. */
static int is_trusted_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) &&
	       (st.st_uid == geteuid() || st.st_uid == 0);
}

int open_output(const char *path, int otherwise)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY;
	int fd;

	if (!path)
		return otherwise;
	fd = open(path, flags | O_NOFOLLOW, 0666);
	if (fd < 0 && errno == ELOOP && is_trusted_link(path))
		fd = open(path, flags, 0666);
	if (fd < 0 && errno == ELOOP)
		complain("cannot write %s: it is a link that another user made", path);
	else if (fd < 0)
		complain("cannot write %s: %s", path, strerror(errno));
	return fd;
}

int close_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	complain("cannot write to standard output: %s", strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return close_stdout();
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("memhook " MEMHOOK_VERSION " (" MODE ")");
		return close_stdout();
	}
	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			subcommand = commands[i].name;
			return commands[i].main(argc - 1, argv + 1);
		}
	}
	complain("unknown command '%s' (memhook --help lists them)", argv[1]);
	return EXIT_USAGE;
}
