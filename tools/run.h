/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "oom.h"
#include "reader.h"
#include "smaps.h"

/* Signals that we ignore while CMD runs. */
#define RUN_SIGNALS 4
extern const int run_signals[RUN_SIGNALS];

struct run_options {
	const char *by;
	const char *through; /* NULL: the library's own list */
	const char *check, *guard_rate; /* NULL: as in the environment */
	const char *oom_report; /* likewise; "": on standard error */
	int format;
	const char *output;
	long interval_ms; /* between snapshots; 0: none */
	struct recording *recording; /* they go there; NULL: to the output */
	int follow;
	int leaks;
	int no_symbols;
	char **command;
	/* what CMD shall find as we found it */
	int ignored[RUN_SIGNALS];
	sigset_t mask;
};

/* The program that a worker was when it was last looked at. */
struct run_image {
	int pid;
	uint64_t start_unix_ms; /* of the slot */
	uint64_t started;       /* proc_start(): another one has this number by now? */
	char exe[64];           /* its file's name; "": not known */
};

/*
 * The last look at smaps, unless the process is so large that looking would
 * take more than 2 % of the time.
 */
struct run_sample {
	struct mh_maps maps;
	uint64_t due_us; /* not before */
};

/* One run, from the start of CMD to the report. */
struct run {
	const struct run_options *options;
	int segment, output;
	pid_t pid;
	/* seen while it lived */
	char exe[64];  /* CMD's file */
	char comm[16]; /* its name, as it was then */
	uint64_t rss;
	struct run_sample sample;
	struct run_image *others; /* by slot: the other processes */
	uint32_t other_count;
	struct oom oom;
	int report_failed;
	/* its end */
	int ended;
	int status; /* of wait(2) */
	char last_comm[16];
	uint64_t time_unix_ms;
	uint64_t max_rss;
};

/* run-options.c: 0, or an exit status + 1. */
int run_parse(int argc, char **argv, struct run_options *o);

/* What memhook record takes as well: getopt_long()'s tables, and --help. */
#define RUN_LETTERS "b:i:o:"
#define RUN_OPTIONS                                                              \
	{ "by", 1, NULL, 'b' }, { "check", 1, NULL, 'C' },                       \
	{ "follow", 0, NULL, 'F' }, { "guard-rate", 1, NULL, 'G' },              \
	{ "interval", 1, NULL, 'i' }, { "no-symbols", 0, NULL, 'S' },            \
	{ "oom-report", 2, NULL, 'M' }, { "output", 1, NULL, 'o' },              \
	{ "through", 1, NULL, 'T' }
#define RUN_USAGE_OWNERS                                                         \
	"  -b, --by=library|thread|site|none\n"                                  \
	"                          whom to charge outside of scopes: the calling\n" \
	"                          shared library (default), the thread, the call\n" \
	"                          itself, or nobody\n"                          \
	"      --through=LIST      charge the callers of these libraries, as in\n" \
	"                          default,libfoo (default: libc, ld.so,\n"      \
	"                          libstdc++, libglib-2.0; none: no library)\n"
#define RUN_USAGE_CHECKS                                                         \
	"      --check=off|on|strict\n"                                              \
	"                          find misuse of memory: writes beyond blocks and\n" \
	"                          after their free (on), any access (strict)\n" \
	"      --guard-rate=N      any access beyond one block in N (with --check=off)\n" \
	"      --oom-report[=FILE] when memory runs out, show who has it\n"
#define RUN_USAGE_FOLLOW                                                         \
	"      --follow            hook the programs that CMD starts, too\n"
#define RUN_USAGE_SYMBOLS                                                        \
	"      --no-symbols        leave call sites as library+offset\n"

/* One of them, with optarg: 0, or -1 after a complaint. */
int run_option(int option, struct run_options *o);

/* run.c: the exit status; o->command, which is not empty, has run. */
int run_command(struct run_options *o);

/* run-wait.c: until CMD has ended */
void run_arrange_signals(struct run_options *o);
void run_wait(struct run *run);

/* run-watch.c: what death wipes, looked at while it lives */
void run_watch(struct run *run);
void run_watch_last(struct run *run); /* it has ended, and was not waited for */
uint64_t run_namespace(void);         /* of PIDs, as slots give it */
int run_exe(int pid, char *name, size_t size); /* its file's name; -1: left alone */

/* run-sample.c: for when it is dead */
void run_sample(int segment, int pid, struct run_sample *sample);
/* The process's own last look, or ours if it had none. */
void run_sample_use(struct mh_snapshot *s, int exited, const struct run_sample *sample);

/* run-members.c: the processes of the run, and the programs that they were */
enum run_state {
	RUN_RUNNING,
	RUN_ENDED,    /* it said goodbye */
	RUN_REPLACED, /* it went on as another program */
	RUN_GONE,     /* without a word: killed, or replaced unseen */
	RUN_UNKNOWN   /* in another PID namespace */
};

struct run_member {
	uint32_t i; /* slot */
	struct mh_slot slot;
	enum run_state state;
	char command[64];
	char file[64]; /* of the program: what /proc/PID/exe leads to */
	char became[64]; /* the program that it went on as, "" if none was seen */
	const struct run_member *successor; /* ... if that is hooked, too */
};

struct run_members {
	struct run_member *list;
	uint32_t count;
	struct run_member *main; /* CMD as it is now, or NULL */
};

/* 0, or -1 with r->error. */
int run_members(const struct run *run, struct reader *r, struct run_members *m);
const char *run_state_name(enum run_state state);

void run_members_free(struct run_members *m);

/*
 * run-tree.c: the processes of the run for people, when there are several;
 * kills: what else the OOM killer ended
 */
struct mh_out;
void run_tree(const struct run *run, struct mh_out *out, struct reader *r,
	      const struct run_members *m, uint64_t kills);

/* run-report.c: of a run that goes on, or has ended.  0, or -1 after a complaint */
int run_report(const struct run *run);

#endif /* RUN_H */
