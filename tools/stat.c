/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook stat PID: the owners of a running process, once or again and again. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "growth-report.h"
#include "live.h"
#include "mark.h"
#include "rollup.h"
#include "symbolize.h"
#include "text.h"
#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook stat [OPTION...] PID\n"
	      "Show who owns the memory of a running process.  It is not stopped,\n"
	      "signalled or slowed.\n\n" VIEW_USAGE
	      "  -i, --interval=S        again every S seconds: rates, and what changed\n"
	      "  -c, --count=N           so many reports (default: until it ends)\n"
	      "  -m, --since-mark        who grew since `memhook mark PID`\n"
	      "      --no-symbols        leave call sites as library+offset\n"
	      "      --help              print this\n", to);
}

struct options {
	struct view view;
	long interval_ms; /* 0: one report */
	long count;       /* 0: no end */
	int since_mark;
	int no_symbols;
	int pid;
};

/* 1: it was an option of this command, -1: refused. */
static int own_option(int c, struct options *o)
{
	switch (c) {
	case 'i':
		o->interval_ms = args_milliseconds("--interval", optarg);
		return o->interval_ms ? 1 : -1;
	case 'c':
		o->count = args_count("--count", optarg);
		return o->count ? 1 : -1;
	case 'm':
		o->since_mark = 1;
		return 1;
	case 'S':
		o->no_symbols = 1;
		return 1;
	}
	return 0;
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { VIEW_OPTIONS,
					       { "interval", 1, NULL, 'i' },
					       { "count", 1, NULL, 'c' },
					       { "since-mark", 0, NULL, 'm' },
					       { "no-symbols", 0, NULL, 'S' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c, known;

	while ((c = getopt_long(argc, argv, VIEW_LETTERS "i:c:m", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		known = own_option(c, o);
		if (!known)
			known = args_view(c, optarg, &o->view);
		if (!known)
			usage(stderr);
		if (known != 1)
			return EXIT_USAGE + 1;
	}
	if (o->count && !o->interval_ms) {
		complain("--count goes with --interval");
		return EXIT_USAGE + 1;
	}
	if (o->since_mark && o->interval_ms) {
		complain("--since-mark and --interval do not go together");
		return EXIT_USAGE + 1;
	}
	o->pid = args_only_pid(argc, argv, optind);
	return o->pid ? 0 : EXIT_USAGE + 1;
}

/* One look at the process, and when it was. */
struct look {
	struct mh_snapshot s;
	uint64_t started; /* of the process; 0: there is no such look yet */
	uint64_t at_ms;   /* monotonic */
	char error[160];
};

static int write_failed; /* and was complained of */

static uint64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * Opened each time: after an exec the process has another segment, or none.
 * 0, or -1 with now->error; reader_free() in both cases.
 */
static int look(const struct options *o, struct look *now)
{
	struct live l;
	int rc = live_open(&l, o->pid);

	memset(&now->s, 0, sizeof(now->s));
	if (rc == 0)
		rc = live_read(&l, &now->s);
	if (rc == 0)
		live_explain(&l, &now->s);
	now->started = l.started;
	now->at_ms = monotonic_ms();
	live_close(&l);
	memcpy(now->error, l.error, sizeof(now->error));
	if (rc == 0 && o->view.rollup)
		now->s.owner_count = rollup_fold(now->s.owners, now->s.owner_count);
	if (rc == 0 && !o->no_symbols)
		symbolize_snapshot(&now->s, o->pid, 1);
	return rc;
}

/* The start of the program's counters: another one after an exec. */
static uint64_t image(const struct mh_snapshot *s)
{
	return s->time_unix_ms - s->uptime_ms;
}

/* The library's own report, in the order asked for. */
static void print_whole(FILE *to, const struct growth *g, const struct view *view,
			const struct mh_snapshot *s)
{
	struct mh_snapshot shown;
	struct mh_out out;

	/* What is shown is not what the next one is compared with. */
	growth_view(g, s, &shown);
	fflush(to);
	mh_out_init(&out, fileno(to));
	if (view->format == MEMHOOK_JSON) {
		mh_report_json(&out, &shown);
		mh_out_str(&out, "\n");
	} else {
		mh_report_text(&out, &shown);
	}
	mh_out_flush(&out);
	free(shown.owners);
	if (out.error)
		complain("the report could not be written: %s", strerror(out.error));
	write_failed |= out.error != 0;
}

static void print_json(FILE *to, const struct growth *g, struct mh_snapshot *now,
		       const struct mh_snapshot *then, uint64_t ms)
{
	json_object *report = growth_json(g, now, ms);

	write_failed |= !report;
	if (!report)
		return;
	if (then)
		json_object_object_add(report, "since_unix_ms",
				       json_object_new_uint64(then->time_unix_ms));
	growth_print_json(to, report);
	json_object_put(report);
}

static void print_change(FILE *to, const struct growth *g, const struct mh_snapshot *s,
			 const char *since, uint64_t since_ms, uint64_t rates_ms)
{
	char command[4 * 28 + 1];

	text_cut(command, s->command, 28);
	fprintf(to, "memhook: %s (pid %d), since %s%s ago\n", command, s->pid, since,
		text_seconds(since_ms).s);
	if (!s->consistent)
		fputs("Taken while it ran: numbers of about one moment, not at rest.\n",
		      to);
	fputc('\n', to);
	if (rates_ms)
		growth_rates_text(to, g, s->by, rates_ms);
	else
		growth_text(to, g, s->by);
}

/* `then` is NULL for the first of several, and for the only one. */
static void report(FILE *to, const struct options *o, struct look *now,
		   const struct look *then)
{
	const struct view *view = &o->view;
	uint64_t ms = then && now->at_ms > then->at_ms ? now->at_ms - then->at_ms : 1;
	struct growth g;

	growth_compare(&g, then ? &then->s : NULL, &now->s, GROWTH_BY_HANDLE);
	growth_sort(&g, view->key);
	growth_limit(&g, view->limit);
	if (view->format == MEMHOOK_JSON && (o->interval_ms || view->limit)) {
		print_json(to, &g, &now->s, then ? &then->s : NULL, then ? ms : 0);
	} else if (then) {
		fputc('\n', to);
		print_change(to, &g, &now->s, "", ms, ms);
	} else {
		print_whole(to, &g, view, &now->s);
	}
	growth_free(&g);
	if (fflush(to)) {
		complain("the report could not be written: %s", strerror(errno));
		write_failed = 1;
	}
}

/* Who grew since the mark. */
static int report_mark(FILE *to, const struct options *o)
{
	struct mh_snapshot then;
	struct look now;
	struct growth g;
	uint64_t ms;

	if (look(o, &now)) {
		complain("process %d: %s", o->pid, now.error);
		return 1;
	}
	if (mark_load(o->pid, now.started, &then)) {
		reader_free(&now.s);
		return 1;
	}
	if (o->view.rollup)
		then.owner_count = rollup_fold(then.owners, then.owner_count);
	ms = now.s.time_unix_ms > then.time_unix_ms
		     ? now.s.time_unix_ms - then.time_unix_ms : 0;
	growth_compare(&g, &then, &now.s, GROWTH_BY_NAME);
	growth_sort(&g, o->view.key ? o->view.key : GROWTH_GROWTH);
	growth_limit(&g, o->view.limit);
	if (o->view.format == MEMHOOK_JSON)
		print_json(to, &g, &now.s, &then, 0);
	else
		print_change(to, &g, &now.s, "the mark ", ms, 0);
	growth_free(&g);
	reader_free(&now.s);
	reader_free(&then);
	if (fflush(to) == 0)
		return write_failed;
	complain("the report could not be written: %s", strerror(errno));
	return 1;
}

/* Until `ms` after `since`: a report that took long does not move the next. */
static void sleep_until(const struct timespec *since, uint64_t ms)
{
	struct timespec t = *since;

	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* Is it the program that was looked at last?  -1: it is another process. */
static int same_program(const struct look *now, const struct look *then)
{
	if (now->started != then->started) {
		complain("process %d: it has ended, and another one has its number",
			 now->s.pid);
		return -1;
	}
	if (image(&now->s) == image(&then->s))
		return 1;
	complain("process %d: another program by exec, whose counters began at 0",
		 now->s.pid);
	return 0;
}

static void complain_of_end(int pid, const struct look *last, long reports)
{
	if (!reports)
		complain("process %d: %s", pid, last->error);
	else if (!last->started)
		complain("process %d: it has ended; that was all after %ld report%s", pid,
			 reports, reports == 1 ? "" : "s");
	else
		complain("process %d, after %ld report%s: %s", pid, reports,
			 reports == 1 ? "" : "s", last->error);
}

static int report_all(FILE *to, const struct options *o)
{
	struct look looks[2] = { { .started = 0 } };
	struct timespec began;
	int same = 0;
	long n;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (n = 0; !n || (o->interval_ms && (!o->count || n < o->count)); n++) {
		struct look *now = &looks[n % 2], *then = &looks[(n + 1) % 2];

		if (n)
			sleep_until(&began, (uint64_t)n * (uint64_t)o->interval_ms);
		if (look(o, now)) {
			complain_of_end(o->pid, now, n);
			break;
		}
		same = n ? same_program(now, then) : 0;
		if (same >= 0)
			report(to, o, now, same ? then : NULL);
		reader_free(&then->s);
		if (same < 0 || write_failed)
			break;
	}
	reader_free(&looks[0].s);
	reader_free(&looks[1].s);
	return write_failed || n == 0;
}

int stat_main(int argc, char **argv)
{
	struct options o = { .view = { .format = MEMHOOK_TEXT } };
	int rc = parse(argc, argv, &o);
	FILE *to;

	if (rc)
		return rc - 1;
	if (counts_nothing())
		return 1;
	to = args_output(&o.view);
	if (!to)
		return 1;
	rc = o.since_mark ? report_mark(to, &o) : report_all(to, &o);
	fclose(to); /* all of it is flushed, or was complained of */
	return rc;
}
