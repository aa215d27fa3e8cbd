/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook verify PID: do its counters agree with each other? */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "audit.h"
#include "growth-report.h"
#include "live.h"
#include "text.h"
#include "tool.h"

/* So long it is waited for a moment of rest. */
#define PATIENCE_MS 2000
#define EXIT_RUNNING 3

static void usage(FILE *to)
{
	fputs("Usage: memhook verify [--format=text|json] PID\n"
	      "Audit the counters of a running process from outside: exit status 0 when\n"
	      "they are consistent, 1 with what drifted, 3 when it never was at rest.\n\n"
	      "  -f, --format=text|json  the result's format (default: text)\n"
	      "      --help              print this\n", to);
}

static const char *const results[] = { [AUDIT_CONSISTENT] = "consistent",
				       [AUDIT_DRIFT] = "drift",
				       [AUDIT_RUNNING] = "running" };

static void print_drift(const struct audit_drift *d)
{
	char owner[4 * 30 + 1];

	text_cut(owner, d->owner, 30);
	if (*owner)
		printf("  owner %" PRIu32 ", %s: %s\n", d->row, owner, d->what);
	else if (d->row)
		printf("  row %" PRIu32 ": %s\n", d->row, d->what);
	else
		printf("  process: %s\n", d->what);
	printf("      expected %" PRId64 ", found %" PRId64 "\n", d->expected, d->found);
}

static void print_text(const struct audit *a, enum audit_result result, int pid)
{
	size_t i;

	printf("memhook: process %d: %s\n", pid, results[result]);
	printf("  %" PRIu32 " owners in %" PRIu32 " shards, read %u times\n", a->owners,
	       a->shards, a->passes);
	printf("  %s live in %s blocks; coarse sums within %s\n",
	       text_bytes(a->live_bytes > 0 ? (uint64_t)a->live_bytes : 0).s,
	       text_count(a->live_blocks > 0 ? (uint64_t)a->live_blocks : 0, 14).s,
	       text_bytes(a->bound_bytes).s);
	if (result == AUDIT_RUNNING)
		puts("  It was never at rest: nothing is negative, and sums were not"
		     " audited.");
	if (!a->exact)
		puts("  Not exact: forked beside running threads; sums and bounds were"
		     " not audited.");
	for (i = 0; i < a->drifts && i < AUDIT_LISTED; i++)
		print_drift(&a->list[i]);
	if (a->drifts > AUDIT_LISTED)
		printf("  ... and %zu more\n", a->drifts - AUDIT_LISTED);
}

static json_object *drift_json(const struct audit_drift *d)
{
	json_object *o = json_object_new_object();
	char name[3 * MEMHOOK_NAME_MAX];

	text_utf8(name, d->owner);
	json_object_object_add(o, "check", json_object_new_string(d->what));
	json_object_object_add(o, "id", json_object_new_int64(d->row));
	json_object_object_add(o, "owner", json_object_new_string(name));
	json_object_object_add(o, "expected", json_object_new_int64(d->expected));
	json_object_object_add(o, "found", json_object_new_int64(d->found));
	return o;
}

static void print_json(const struct audit *a, enum audit_result result, int pid)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();
	size_t i;

	for (i = 0; i < a->drifts && i < AUDIT_LISTED; i++)
		json_object_array_add(list, drift_json(&a->list[i]));
	json_object_object_add(o, "schema", json_object_new_string("memhook-verify/1"));
	json_object_object_add(o, "pid", json_object_new_int(pid));
	json_object_object_add(o, "result", json_object_new_string(results[result]));
	json_object_object_add(o, "exact", json_object_new_boolean(a->exact));
	json_object_object_add(o, "owners", json_object_new_int64(a->owners));
	json_object_object_add(o, "shards", json_object_new_int64(a->shards));
	json_object_object_add(o, "passes", json_object_new_int64(a->passes));
	json_object_object_add(o, "live_bytes", json_object_new_int64(a->live_bytes));
	json_object_object_add(o, "live_blocks", json_object_new_int64(a->live_blocks));
	json_object_object_add(o, "bound_bytes", json_object_new_uint64(a->bound_bytes));
	json_object_object_add(o, "drifts", json_object_new_uint64(a->drifts));
	json_object_object_add(o, "drift", list);
	growth_print_json(stdout, o);
	json_object_put(o);
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, int *format, int *pid)
{
	static const struct option longs[] = { { "format", 1, NULL, 'f' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "f:", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		if (c == '?')
			usage(stderr);
		if (c == '?' || (*format = parse_format(optarg)) < 0)
			return EXIT_USAGE + 1;
	}
	*pid = args_only_pid(argc, argv, optind);
	return *pid ? 0 : EXIT_USAGE + 1;
}

static int verify(int pid, int format)
{
	enum audit_result result = AUDIT_FAILED;
	const char *why = NULL;
	struct mh_snapshot s;
	struct audit a;
	struct live l;

	if (live_open(&l, pid) || live_read(&l, &s)) {
		why = l.error;
	} else {
		reader_free(&s);
		result = audit_slot(&l.reader, l.slot, PATIENCE_MS, &a);
		if (proc_start(pid) != l.started)
			why = "it has ended";
		else if (result == AUDIT_FAILED)
			why = l.reader.error;
	}
	live_close(&l);
	if (why) {
		complain("process %d: %s", pid, why);
		return 1;
	}
	if (format == MEMHOOK_JSON)
		print_json(&a, result, pid);
	else
		print_text(&a, result, pid);
	if (close_stdout() || result == AUDIT_DRIFT)
		return 1;
	return result == AUDIT_RUNNING ? EXIT_RUNNING : 0;
}

int verify_main(int argc, char **argv)
{
	int format = MEMHOOK_TEXT, pid = 0, rc = parse(argc, argv, &format, &pid);

	if (rc)
		return rc - 1;
	if (counts_nothing())
		return 1;
	return verify(pid, format);
}
