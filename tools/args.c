/* SPDX-License-Identifier: BSD-2-Clause */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/* Digits only: strtol() would take " 5" and "+5" as well. */
static long digits(const char *text, long most)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)*text))
		return 0;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno || *end || n > most ? 0 : n;
}

int args_pid(const char *text)
{
	int pid = (int)digits(text, 1 << 30);

	if (!pid)
		complain("'%s' is no process number", text);
	return pid;
}

int args_only_pid(int argc, char **argv, int from)
{
	if (argc - from == 1)
		return args_pid(argv[from]);
	if (argc == from)
		complain("which process? (memhook %s PID)", subcommand);
	else
		complain("one process at a time");
	return 0;
}

long args_count(const char *what, const char *text)
{
	long n = digits(text, 1 << 30);

	if (!n)
		complain("%s=%s: it is a number from 1 on", what, text);
	return n;
}

long args_milliseconds(const char *what, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (isdigit((unsigned char)*text) && !*end && seconds >= 0.01 && seconds <= 1e6)
		return (long)(seconds * 1000 + 0.5);
	complain("%s=%s: it is a number of seconds from 0.01 to 1000000", what, text);
	return 0;
}

int args_view(int option, const char *value, struct view *view)
{
	switch (option) {
	case 'f':
		view->format = parse_format(value);
		return view->format < 0 ? -1 : 1;
	case 'o':
		view->output = value;
		return 1;
	case 's':
		if (growth_key(value, &view->key) == 0)
			return 1;
		complain("--sort=%s: it is live, blocks, peak, allocs, rate, growth or"
			 " name", value);
		return -1;
	case 'l':
		view->limit = (size_t)args_count("--limit", value);
		return view->limit ? 1 : -1;
	case 'r':
		view->rollup = 1;
		return 1;
	}
	return 0;
}

FILE *args_output(const struct view *view)
{
	int fd = open_output(view->output, STDOUT_FILENO);
	FILE *to = fd < 0 ? NULL : fd == STDOUT_FILENO ? stdout : fdopen(fd, "w");

	if (fd >= 0 && !to)
		complain("cannot write %s: %s", view->output, strerror(errno));
	return to;
}
