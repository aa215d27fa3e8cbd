/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run: its options. */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "tool.h"

#define FORMAT_OPEN (-2) /* not said */

static void usage(FILE *to)
{
	fputs("Usage: memhook run [OPTION...] [--] CMD [ARG...]\n"
	      "Run CMD under the hook; when it ends, by whatever cause, show who owned\n"
	      "its memory.  The exit status is CMD's (128+signal when it was killed).\n\n"
	      RUN_USAGE_OWNERS
	      "  -f, --format=text|json  the report's format (default: text)\n"
	      "  -o, --output=FILE       write it there, not to standard error\n"
	      RUN_USAGE_FOLLOW
	      RUN_USAGE_CHECKS
	      "      --leaks             only what was never freed\n"
	      "  -i, --interval=S        write the state every S seconds, too: a JSON\n"
	      "                          object a line; needs --output\n"
	      RUN_USAGE_SYMBOLS
	      "      --help              print this\n", to);
}

static int parse_by(const char *text)
{
	static const char *const known[] = { "library", "thread", "site", "none" };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(text, known[i]) == 0)
			return 0;
	complain("--by=%s: it is library, thread, site or none", text);
	return -1;
}

static int parse_through(const char *text)
{
	if (*text && !strchr(text, '/'))
		return 0;
	complain("--through=%s: name libraries without their folders (default,libfoo),"
		 " or none", text);
	return -1;
}

static int parse_check(const char *text)
{
	if (strcmp(text, "off") == 0 || strcmp(text, "on") == 0 ||
	    strcmp(text, "strict") == 0)
		return 0;
	complain("--check=%s: it is off, on or strict", text);
	return -1;
}

static int parse_rate(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits && digits < 10 && !text[digits] && strtoul(text, NULL, 10))
		return 0;
	complain("--guard-rate=%s: it is a number from 1 to 999999999", text);
	return -1;
}

/* Milliseconds, or 0 after a complaint. */
static long parse_interval(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (isdigit((unsigned char)*text) && !*end && seconds >= 0.01 && seconds <= 86400)
		return (long)(seconds * 1000 + 0.5);
	complain("--interval=%s: it is a number of seconds, from 0.01 to 86400", text);
	return 0;
}

int run_option(int option, struct run_options *o)
{
	switch (option) {
	case 'b':
		o->by = optarg;
		return parse_by(optarg);
	case 'T':
		o->through = optarg;
		return parse_through(optarg);
	case 'C':
		o->check = optarg;
		return parse_check(optarg);
	case 'G':
		o->guard_rate = optarg;
		return parse_rate(optarg);
	case 'M':
		o->oom_report = optarg ? optarg : "";
		return 0;
	case 'i':
		o->interval_ms = parse_interval(optarg);
		return o->interval_ms ? 0 : -1;
	case 'S':
		o->no_symbols = 1;
		return 0;
	case 'o':
		o->output = optarg;
		return 0;
	default:
		o->follow = 1;
		return 0;
	}
}

/* 0, or -1 after a complaint. */
static int parse_one(int option, struct run_options *o)
{
	switch (option) {
	case 'f':
		o->format = parse_format(optarg);
		return o->format < 0 ? -1 : 0;
	case 'l':
		o->leaks = 1;
		return 0;
	default:
		return run_option(option, o);
	}
}

/* What goes with what. */
static int check(struct run_options *o)
{
	if (o->interval_ms && !o->output) {
		complain("--interval writes many objects: name a file for them"
			 " (--output=FILE)");
		return -1;
	}
	if (o->interval_ms && o->format == MEMHOOK_TEXT) {
		complain("--interval writes JSON, an object a line: leave out"
			 " --format=text");
		return -1;
	}
	if (o->format == FORMAT_OPEN)
		o->format = o->interval_ms ? MEMHOOK_JSON : MEMHOOK_TEXT;
	if (*o->command)
		return 0;
	complain("which program? (memhook run -- CMD [ARG...])");
	return -1;
}

int run_parse(int argc, char **argv, struct run_options *o)
{
	static const struct option longs[] = { RUN_OPTIONS,
					       { "format", 1, NULL, 'f' },
					       { "help", 0, NULL, 'h' },
					       { "leaks", 0, NULL, 'l' },
					       { NULL, 0, NULL, 0 } };
	int c, bad = 0;

	o->format = FORMAT_OPEN;
	while ((c = getopt_long(argc, argv, "+f:" RUN_LETTERS, longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		if (c == '?') {
			usage(stderr);
			return EXIT_USAGE + 1;
		}
		bad |= parse_one(c, o);
	}
	o->command = argv + optind;
	return bad || check(o) ? EXIT_USAGE + 1 : 0;
}
