/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands share. */
#ifndef TOOL_H
#define TOOL_H

#include <stddef.h>
#include <stdint.h>

#include "reader.h"
#include "report.h"

#define EXIT_USAGE 2

/* One subcommand: argv[0] is its name.  Returns the exit status. */
int run_main(int argc, char **argv);
int list_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int mark_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int diff_main(int argc, char **argv);
int pprof_main(int argc, char **argv);
int export_main(int argc, char **argv);
int header_main(int argc, char **argv);
int top_main(int argc, char **argv);
int record_main(int argc, char **argv);
int report_main(int argc, char **argv);

/* "memhook SUBCOMMAND: ..." on standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern const char *subcommand;

/* Was it built --without-jemalloc?  Then that was said. */
int counts_nothing(void);

/* Says so, and ends the tool. */
void out_of_memory(void) __attribute__((noreturn));

/* "text" or "json" to enum memhook_format; -1 after a complaint. */
int parse_format(const char *text);

/* Open for a report: -1 after a complaint.  NULL means `otherwise`. */
int open_output(const char *path, int otherwise);

/* Standard output is closed with a check: 1 when it could not be written. */
int close_stdout(void);

/* proc.c */
uint64_t proc_rss(int pid);      /* bytes, 0: not known */
int proc_exists(int pid);
uint64_t proc_start(int pid);    /* its start in clock ticks, + 1; 0: no such process */
int proc_inner_pid(int pid);     /* its number in its own namespace */
int proc_parent(int pid);        /* 0: none, or not known */
int proc_is_kernel(int pid);     /* a thread of the kernel, or dead */
int proc_is_zombie(int pid);     /* it ended, and nobody waited for it yet */
uint64_t proc_namespace(int pid); /* of its number; 0: not known */

#endif /* TOOL_H */
