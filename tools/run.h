/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct run_options {
	const char *by;
	const char *through; /* NULL: the library's own list */
	int format;
	const char *output;
	int follow;
	int no_symbols;
	char **command;
	/* what CMD shall find as we found it */
	int sigint_ignored, sigquit_ignored;
	sigset_t mask;
};

/* How it ended. */
struct run_end {
	int status; /* of wait(2) */
	uint64_t time_unix_ms;
	uint64_t sampled_rss; /* last seen while it lived */
	uint64_t max_rss;
};

/* run-options.c: 0, or an exit status + 1. */
int run_parse(int argc, char **argv, struct run_options *o);

/* run-wait.c */
void run_arrange_signals(struct run_options *o);
void run_wait(pid_t pid, struct run_end *end);

/* Report the run to a descriptor.  0, or -1 after a complaint. */
int run_report(const struct run_options *o, int segment, int output, pid_t pid,
	       const struct run_end *end);

#endif /* RUN_H */
