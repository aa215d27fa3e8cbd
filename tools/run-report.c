/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run: the report at the end, workers included. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "symbolize.h"
#include "tool.h"

#define WORKERS_SHOWN 20

static void add_end(struct reader *r, uint32_t slot, const struct run_end *end,
		    struct mh_snapshot *s)
{
	struct reader_published p = { 0 };

	s->process.max_rss_bytes = end->max_rss;
	s->process.rss_bytes = end->sampled_rss;
	/* Its own word at its exit is the later one. */
	if (reader_published(r, slot, &p) == 0 && p.time_unix_ms && p.rss_bytes &&
	    (WIFEXITED(end->status) || !end->sampled_rss))
		s->process.rss_bytes = p.rss_bytes;
	s->uptime_ms -= s->time_unix_ms > end->time_unix_ms
				? s->time_unix_ms - end->time_unix_ms : 0;
	s->time_unix_ms = end->time_unix_ms;
	if (WIFSIGNALED(end->status)) {
		s->exit_kind = MH_EXIT_SIGNAL;
		s->exit_value = WTERMSIG(end->status);
	} else {
		s->exit_kind = MH_EXIT_CODE;
		s->exit_value = WEXITSTATUS(end->status);
	}
}

/* The first slot that CMD itself filled; programs it exec'ed come later. */
static int find_main(struct reader *r, pid_t pid, uint32_t *found)
{
	struct mh_slot slot;
	uint32_t i;

	for (i = 0; i < reader_slots(r); i++) {
		if (reader_slot(r, i, &slot))
			return 0;
		if (slot.state >= MH_SLOT_LIVE && (slot.pid == pid || i == 0)) {
			*found = i;
			return 1;
		}
	}
	return 0;
}

static const char *worker_state(const struct mh_slot *slot)
{
	return slot->state == MH_SLOT_EXITED ? "ended"
	       : proc_exists(slot->pid)	     ? "running"
					     : "ended";
}

static void worker_line(struct mh_out *o, const struct mh_snapshot *s,
			const struct mh_slot *slot)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "  pid %-8d %14llu bytes in %10llu blocks, peak %14llu, %s\n", s->pid,
		 (unsigned long long)s->totals.live_bytes,
		 (unsigned long long)s->totals.live_blocks,
		 (unsigned long long)s->totals.peak_bytes, worker_state(slot));
	mh_out_str(o, line);
}

/* Each other slot of the run, in order; how many there were. */
static unsigned workers(struct reader *r, struct mh_out *o, uint32_t main_slot, int json)
{
	struct mh_snapshot s;
	struct mh_slot slot;
	unsigned n = 0;
	uint32_t i;

	for (i = 0; i < reader_slots(r); i++) {
		if (i == main_slot || reader_slot(r, i, &slot) ||
		    slot.state < MH_SLOT_LIVE || reader_snapshot(r, i, &s))
			continue;
		if (json) {
			mh_out_str(o, n ? ",\n" : "\n");
			mh_report_json(o, &s);
		} else {
			if (n == 0)
				mh_out_str(o, "\nOther processes of this run\n");
			if (n < WORKERS_SHOWN)
				worker_line(o, &s, &slot);
		}
		reader_free(&s);
		n++;
	}
	return n;
}

static void more(struct mh_out *o, const struct reader *r, unsigned n)
{
	char line[128];

	if (n > WORKERS_SHOWN) {
		snprintf(line, sizeof(line), "  and %u more (--format=json shows all)\n",
			 n - WORKERS_SHOWN);
		mh_out_str(o, line);
	}
	if (r->run.areas_reused || r->run.areas_denied) {
		snprintf(line, sizeof(line),
			 "  %u that ended gave up their place, %u found none\n",
			 r->run.areas_reused, r->run.areas_denied);
		mh_out_str(o, line);
	}
}

static void write_all(struct reader *r, struct mh_out *o, int format, uint32_t slot,
		      struct mh_snapshot *s)
{
	if (format == MEMHOOK_JSON) {
		mh_report_json_open(o, s);
		mh_out_str(o, ",\"workers\":[");
		workers(r, o, slot, 1);
		mh_out_str(o, "]}\n");
	} else {
		mh_report_text(o, s);
		more(o, r, workers(r, o, slot, 0));
	}
	mh_out_flush(o);
}

static void not_loaded(const struct run_options *o)
{
	complain("no report: %s ended before it allocated anything, or the loader did"
		 " not load the hook (its message is above; is %s where it should be?)",
		 o->command[0], "libmemhook.so.1");
}

int run_report(const struct run_options *o, int segment, int output, pid_t pid,
	       const struct run_end *end)
{
	struct mh_snapshot s;
	struct mh_out out;
	struct reader r;
	uint32_t slot;

	if (reader_open(&r, segment)) {
		complain("no report: %s", r.error);
		return -1;
	}
	if (!find_main(&r, pid, &slot)) {
		not_loaded(o);
		return 0;
	}
	if (reader_snapshot(&r, slot, &s)) {
		complain("no report: %s", r.error);
		return -1;
	}
	add_end(&r, slot, end, &s);
	if (!o->no_symbols)
		symbolize_snapshot(&s, 0, 1);
	mh_out_init(&out, output);
	write_all(&r, &out, o->format, slot, &s);
	reader_free(&s);
	if (!out.error)
		return 0;
	complain("the report could not be written: %s", strerror(out.error));
	return -1;
}
