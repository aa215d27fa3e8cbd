/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run: the report at the end, and snapshots before it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "line.h"
#include "names.h"
#include "recording.h"
#include "run.h"
#include "symbolize.h"
#include "tool.h"

/* Seen from outside, and by itself: its own word at its exit is the later one. */
static void add_rss(struct reader *r, const struct run *run, uint32_t slot,
		    struct mh_process *to)
{
	struct reader_published p = { 0 };

	to->max_rss_bytes = run->max_rss;
	to->rss_bytes = run->rss;
	if (reader_published(r, slot, &p) == 0 && p.time_unix_ms && p.rss_bytes &&
	    (WIFEXITED(run->status) || !run->rss))
		to->rss_bytes = p.rss_bytes;
}

static void add_resident(struct reader *r, const struct run *run, uint32_t slot,
			 struct mh_snapshot *s)
{
	if (run->ended) {
		add_rss(r, run, slot, &s->process);
		run_sample_use(s, WIFEXITED(run->status), &run->sample);
	} else {
		s->process.rss_bytes = proc_rss(run->pid);
		smaps_add(r, slot, s);
	}
}

static void add_end(const struct run *run, struct mh_snapshot *s)
{
	s->uptime_ms -= s->time_unix_ms > run->time_unix_ms
				? s->time_unix_ms - run->time_unix_ms : 0;
	s->time_unix_ms = run->time_unix_ms;
	if (WIFSIGNALED(run->status)) {
		s->exit_kind = MH_EXIT_SIGNAL;
		s->exit_value = WTERMSIG(run->status);
		s->oom_killed = s->exit_value == SIGKILL && oom_kills(&run->oom);
	} else {
		s->exit_kind = MH_EXIT_CODE;
		s->exit_value = WEXITSTATUS(run->status);
	}
}

static void json_exec(struct mh_out *o, const struct run_member *m)
{
	if (m->state != RUN_REPLACED)
		return;
	mh_out_str(o, ",\"exec\":");
	mh_out_json(o, m->became);
}

static int wants_names(const struct run *run)
{
	return run->ended && !run->options->no_symbols;
}

static void json_worker(const struct run *run, struct mh_out *o, struct mh_snapshot *s,
			const struct run_member *m, uint64_t started_ms)
{
	if (m->state == RUN_RUNNING)
		s->process.rss_bytes = proc_rss(m->slot.pid);
	if (wants_names(run))
		symbolize_since(s, 0, started_ms, 0);
	mh_report_json_open(o, s);
	mh_out_str(o, ",\"state\":");
	mh_out_json(o, run_state_name(m->state));
	json_exec(o, m);
	mh_out_str(o, "}");
}

/* The other processes; in a snapshot those that are still there. */
static void json_workers(const struct run *run, struct mh_out *o, struct reader *r,
			 const struct run_members *m, uint64_t started_ms)
{
	struct mh_snapshot s;
	unsigned n = 0;
	uint32_t k;

	mh_out_str(o, ",\"workers\":[");
	for (k = 0; k < m->count; k++) {
		const struct run_member *one = &m->list[k];

		if (one == m->main || (!run->ended && one->state != RUN_RUNNING) ||
		    reader_snapshot(r, one->i, &s))
			continue;
		mh_out_str(o, n++ ? ",\n" : "\n");
		json_worker(run, o, &s, one, started_ms);
		reader_free(&s);
	}
	mh_out_str(o, "]}\n");
}

static void write_json(const struct run *run, struct mh_out *o, struct reader *r,
		       const struct run_members *m, struct mh_snapshot *s)
{
	mh_report_json_open(o, s);
	json_exec(o, m->main);
	json_workers(run, o, r, m, s->time_unix_ms - s->uptime_ms);
	mh_out_flush(o);
}

static void write_text(const struct run *run, struct mh_out *o, struct reader *r,
		       const struct run_members *m, struct mh_snapshot *s)
{
	char remark[320];

	snprintf(remark, sizeof(remark),
		 "It went on as %s (exec), which %s:\nthese are the numbers of %s, as"
		 " it left them.\n", m->main->became,
		 run->options->follow ? "could not be hooked"
				      : "is not hooked without --follow",
		 m->main->command);
	if (m->main->state == RUN_REPLACED)
		s->remark = remark;
	s->leaks = run->options->leaks;
	mh_report_text(o, s);
	run_tree(run, o, r, m, oom_kills(&run->oom) - (s->oom_killed ? 1 : 0));
	mh_out_flush(o);
}

static int write_line(const struct run *run, int from)
{
	size_t size;
	char *text = line_of(from, &size);
	int error = text ? 0 : errno;

	if (text && run->options->recording)
		error = recording_write(run->options->recording, text);
	else if (text)
		error = line_write(run->output, text, size);
	free(text);
	return error;
}

static int write_json_line(const struct run *run, struct reader *r,
			   const struct run_members *m, struct mh_snapshot *s)
{
	struct mh_out out;
	int fd = memfd_create("memhook-line", MFD_CLOEXEC);

	if (fd < 0)
		return errno;
	mh_out_init(&out, fd);
	write_json(run, &out, r, m, s);
	if (!out.error)
		out.error = write_line(run, fd);
	close(fd);
	return out.error;
}

static int write_out(const struct run *run, struct reader *r,
		     const struct run_members *m, struct mh_snapshot *s)
{
	struct mh_out out;

	if (run->options->interval_ms)
		return write_json_line(run, r, m, s);
	mh_out_init(&out, run->output);
	if (run->options->format == MEMHOOK_JSON)
		write_json(run, &out, r, m, s);
	else
		write_text(run, &out, r, m, s);
	return out.error;
}

static void not_loaded(const struct run *run)
{
	complain("no report: %s ended before it allocated anything, or the loader did"
		 " not load the hook (its message is above; is %s where it should be?)",
		 run->options->command[0], "libmemhook.so.1");
}

static int report(const struct run *run, struct reader *r, const struct run_members *m)
{
	struct mh_snapshot s;
	int error;

	if (reader_snapshot(r, m->main->i, &s)) {
		complain("no report: %s", r->error);
		return -1;
	}
	/* What a program holds that took its place is nothing to it. */
	if (m->main->state != RUN_REPLACED)
		add_resident(r, run, m->main->i, &s);
	if (run->ended)
		add_end(run, &s);
	else
		names_refresh(run->pid, &s);
	if (wants_names(run))
		symbolize_snapshot(&s, 0, 1);
	error = write_out(run, r, m, &s);
	reader_free(&s);
	if (!error)
		return 0;
	complain("the report could not be written: %s", strerror(error));
	return -1;
}

int run_report(const struct run *run)
{
	struct run_members m;
	struct reader r;
	int rc = 0;

	if (run_members(run, &r, &m)) {
		complain("no report: %s", r.error);
		return -1;
	}
	if (m.main)
		rc = report(run, &r, &m);
	else if (run->ended)
		not_loaded(run);
	run_members_free(&m);
	return rc;
}
