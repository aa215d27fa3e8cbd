/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments that several subcommands take; each complains of what it refuses. */
#ifndef ARGS_H
#define ARGS_H

#include <stddef.h>
#include <stdio.h>

#include "growth.h"

/* How owners are shown, whatever shows them. */
struct view {
	int format;          /* enum memhook_format */
	const char *output;  /* a file, NULL: standard output */
	enum growth_key key; /* the order */
	size_t limit;        /* rows before the rest is summed, 0: all */
	int rollup;
};

/* getopt_long()'s tables for them: the letters and the long names. */
#define VIEW_LETTERS "f:o:s:l:r"
#define VIEW_OPTIONS                                                             \
	{ "format", 1, NULL, 'f' }, { "output", 1, NULL, 'o' },                  \
	{ "sort", 1, NULL, 's' }, { "limit", 1, NULL, 'l' },                     \
	{ "rollup", 0, NULL, 'r' }
#define VIEW_USAGE                                                               \
	"  -f, --format=text|json  the report's format (default: text)\n"        \
	"  -o, --output=FILE       write it there, not to standard output\n"     \
	"  -s, --sort=live|blocks|peak|allocs|rate|growth|name\n"                \
	"                          the order of the owners\n"                    \
	"  -l, --limit=N           N owners, and the others in one row\n"        \
	"  -r, --rollup            add up \"db/cache\", \"db/log\" as \"db/\"\n"

/* 1: it was one of them.  0: it was not.  -1: refused. */
int args_view(int option, const char *value, struct view *view);

/* Where the view goes, or NULL after a complaint. */
FILE *args_output(const struct view *view);

/* A process number, or 0. */
int args_pid(const char *text);
/* The one PID that is left after the options, or 0. */
int args_only_pid(int argc, char **argv, int from);
/* 1 and more, or 0; `what` names it in the complaint. */
long args_count(const char *what, const char *text);
/* Seconds as milliseconds, 10 and more, or 0. */
long args_milliseconds(const char *what, const char *text);

#endif /* ARGS_H */
