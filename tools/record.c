/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook record: what a process holds, again and again, into a file. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "line.h"
#include "live.h"
#include "recording.h"
#include "run.h"
#include "smaps.h"
#include "symbolize.h"
#include "tool.h"

#define OUTPUT "memhook.jsonl"
#define INTERVAL_MS 1000

static volatile sig_atomic_t stopped;

static void usage(FILE *to)
{
	fputs("Usage: memhook record [OPTION...] PID\n"
	      "       memhook record [OPTION...] -- CMD [ARG...]\n"
	      "Write what a process holds to a file every second, until it ends or Ctrl-C\n"
	      "ends the recording; a file that is there already is continued.  memhook\n"
	      "report makes a page to look at of it.\n\n"
	      "  -o, --output=FILE       the file (default: " OUTPUT ")\n"
	      "  -i, --interval=S        every S seconds\n"
	      RUN_USAGE_SYMBOLS
	      "      --help              print this\n\n"
	      "With CMD, as memhook run does:\n"
	      RUN_USAGE_OWNERS
	      RUN_USAGE_FOLLOW
	      RUN_USAGE_CHECKS, to);
}

static void stop(int signal)
{
	stopped = signal;
}

/* What is in `command` is a number and nothing else. */
static int names_a_process(char **command)
{
	return command[0] && !command[1] && isdigit((unsigned char)*command[0]) &&
	       command[0][strspn(command[0], "0123456789")] == '\0';
}

/* A report as a line.  0 or an errno. */
static int write_snapshot(struct recording *rec, struct mh_snapshot *s)
{
	int fd = memfd_create("memhook-line", MFD_CLOEXEC), error = errno;
	struct mh_out out;
	char *line = NULL;
	size_t size;

	if (fd < 0)
		return error;
	mh_out_init(&out, fd);
	mh_report_json(&out, s);
	mh_out_flush(&out);
	error = out.error;
	if (!error) {
		line = line_of(fd, &size);
		error = line ? recording_write(rec, line) : errno;
	}
	free(line);
	close(fd);
	return error;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until `when`, the end of the process, or ours. */
static void sleep_until(uint64_t when, int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	uint64_t now;

	while (!stopped && (now = now_ms()) < when)
		if (poll(&p, pidfd >= 0, when - now > 60000 ? 60000 : (int)(when - now)) > 0)
			return;
}

/* What of it is resident, seen no more often than takes 2 % of the time. */
struct sight {
	struct mh_maps maps;
	uint64_t due_ms;
};

static void explain(struct live *l, struct mh_snapshot *s, struct sight *sight)
{
	uint64_t now = now_ms();

	if (now < sight->due_ms) {
		if (sight->maps.time_unix_ms)
			smaps_use(s, &sight->maps);
		return;
	}
	live_explain(l, s);
	if (s->maps)
		sight->maps = *s->maps;
	sight->due_ms = now + 50 * (now_ms() - now);
}

/* 0, 1 after a complaint, or -1 when the process is no more. */
static int record_once(struct recording *rec, struct live *l, int symbols,
		       struct sight *sight)
{
	struct mh_snapshot s;
	int error;

	if (live_read(l, &s)) {
		if (!l->absent)
			complain("process %d: %s", l->pid, l->error);
		return l->absent ? -1 : 1;
	}
	explain(l, &s, sight);
	if (symbols && recording_is_due(rec))
		symbolize_snapshot(&s, l->pid, 0);
	error = write_snapshot(rec, &s);
	reader_free(&s);
	if (!error)
		return 0;
	complain("the recording could not be written: %s", strerror(error));
	return 1;
}

static int record_all(struct recording *rec, struct live *l, const struct run_options *o)
{
	int pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0), rc;
	uint64_t began = now_ms(), next = 0;
	struct sight sight = { .due_ms = 0 };
	size_t n = 0;

	while ((rc = record_once(rec, l, !o->no_symbols, &sight)) == 0) {
		n++;
		next += (uint64_t)o->interval_ms;
		if (began + next < now_ms()) /* it took longer: what is missed is missed */
			next = now_ms() - began;
		sleep_until(began + next, pidfd);
		if (stopped)
			break;
	}
	if (pidfd >= 0)
		close(pidfd);
	if (rc < 0 && !n)
		complain("process %d: %s", l->pid, l->error);
	else if (isatty(STDERR_FILENO))
		fprintf(stderr, "%zu snapshots in %s\n", n, o->output);
	return rc < 0 ? !n : rc;
}

static int record_process(const struct run_options *o)
{
	struct sigaction ends = { .sa_handler = stop };
	struct recording rec;
	struct live l;
	int pid = args_pid(o->command[0]), rc;

	if (!pid)
		return EXIT_USAGE;
	if (live_open(&l, pid)) {
		complain("process %d: %s", pid, l.error);
		return 1;
	}
	sigaction(SIGINT, &ends, NULL);
	sigaction(SIGTERM, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	rc = recording_open(&rec, o->output) ? 1 : record_all(&rec, &l, o);
	recording_close(&rec);
	live_close(&l);
	return rc;
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct run_options *o)
{
	static const struct option longs[] = { RUN_OPTIONS,
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c, bad = 0;

	while ((c = getopt_long(argc, argv, "+" RUN_LETTERS, longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		if (c == '?') {
			usage(stderr);
			return EXIT_USAGE + 1;
		}
		bad |= run_option(c, o);
	}
	o->command = argv + optind;
	if (!bad && *o->command)
		return 0;
	if (!bad)
		complain("which process? (memhook record PID, or -- CMD [ARG...])");
	return EXIT_USAGE + 1;
}

int record_main(int argc, char **argv)
{
	struct recording rec;
	struct run_options o = {
		.output = OUTPUT,
		.interval_ms = INTERVAL_MS,
		.format = MEMHOOK_JSON,
	};
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc - 1;
	if (counts_nothing())
		return 1;
	if (names_a_process(o.command) && (o.by || o.through || o.follow)) {
		complain("how owners are told was decided when process %s began:"
			 " leave out --by, --through and --follow", o.command[0]);
		return EXIT_USAGE;
	}
	if (names_a_process(o.command) && (o.check || o.guard_rate || o.oom_report)) {
		complain("process %s runs already: leave out --check, --guard-rate and"
			 " --oom-report", o.command[0]);
		return EXIT_USAGE;
	}
	if (names_a_process(o.command))
		return record_process(&o);
	if (!o.by)
		o.by = "library";
	o.recording = &rec;
	rec.fd = -1;
	rec.last = NULL;
	rc = run_command(&o);
	recording_close(&rec);
	return rc;
}
