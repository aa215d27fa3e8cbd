/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From processes to rows.  A series of Prometheus is told from others by its
 * labels alone: owners of one name and kind are one row, and of many owners
 * those with the highest peaks have rows of their own.  A peak never falls, so
 * that an owner seldom changes places with "other", whose counters would go
 * back then.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "export.h"
#include "growth-report.h"
#include "live.h"
#include "text.h"
#include "tool.h"

uint64_t export_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static char *copy_valid(const char *name)
{
	char *valid = malloc(3 * strlen(name) + 1);

	if (!valid)
		out_of_memory();
	text_utf8(valid, name);
	return valid;
}

static int by_name(const void *a, const void *b)
{
	const struct export_owner *x = a, *y = b;

	if (x->stats.kind != y->stats.kind)
		return x->stats.kind < y->stats.kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_peak(const void *a, const void *b)
{
	uint64_t x = ((const struct export_owner *)a)->stats.peak_bytes;
	uint64_t y = ((const struct export_owner *)b)->stats.peak_bytes;

	return x == y ? by_name(a, b) : x < y ? 1 : -1;
}

static void add(struct memhook_stats *to, const struct memhook_stats *s)
{
	to->live_bytes += s->live_bytes;
	to->live_blocks += s->live_blocks;
	to->peak_bytes += s->peak_bytes; /* no more than that */
	to->alloc_bytes += s->alloc_bytes;
	to->alloc_calls += s->alloc_calls;
	to->free_bytes += s->free_bytes;
	to->free_calls += s->free_calls;
}

/* Threads of one name, call sites of one object: one row each. */
static size_t merge(struct export_owner *owners, size_t n)
{
	size_t i, kept = 0;

	qsort(owners, n, sizeof(*owners), by_name);
	for (i = 0; i < n; i++) {
		if (kept && by_name(&owners[kept - 1], &owners[i]) == 0) {
			add(&owners[kept - 1].stats, &owners[i].stats);
			free(owners[i].name);
		} else {
			owners[kept++] = owners[i];
		}
	}
	return kept;
}

/* The rest of the totals: those left out, and those that have ended. */
static void sum_others(struct export_process *p, size_t shown, uint64_t peaks)
{
	struct memhook_stats *other = &p->owners[shown].stats;
	size_t i;

	*other = p->totals;
	other->peak_bytes = peaks;
	for (i = 0; i < shown; i++) {
		const struct memhook_stats *s = &p->owners[i].stats;

		other->live_bytes -= s->live_bytes;
		other->live_blocks -= s->live_blocks;
		other->alloc_bytes -= s->alloc_bytes;
		other->alloc_calls -= s->alloc_calls;
		other->free_bytes -= s->free_bytes;
		other->free_calls -= s->free_calls;
	}
	p->owners[shown].name = NULL;
	p->owner_count = shown + 1;
}

static void label_owner(const struct export_process *p, struct export_owner *o)
{
	struct export_buffer b = { .used = 0 };

	export_put_labels(&b, p->labels, ",owner=", o->name ? o->name : "other");
	export_put_label(&b, ",kind=", o->name ? growth_kind_name(o->stats.kind) : "other");
	export_put(&b, "}");
	free(o->name);
	o->name = NULL;
	o->labels = b.data;
}

static void take_owners(struct export_process *p, const struct mh_snapshot *s, size_t max)
{
	size_t n = s->owner_count, i, shown;
	uint64_t peaks = 0;

	p->owners = calloc(n + 1, sizeof(*p->owners));
	if (!p->owners)
		out_of_memory();
	for (i = 0; i < n; i++) {
		p->owners[i].stats = s->owners[i];
		p->owners[i].name = copy_valid(s->owners[i].name);
	}
	n = merge(p->owners, n);
	shown = n < max ? n : max;
	if (shown < n)
		qsort(p->owners, n, sizeof(*p->owners), by_peak);
	for (i = shown; i < n; i++) {
		peaks += p->owners[i].stats.peak_bytes;
		free(p->owners[i].name);
	}
	p->owners_all = n;
	p->owners_summed = n - shown;
	sum_others(p, shown, peaks);
	qsort(p->owners, shown, sizeof(*p->owners), by_name);
	for (i = 0; i <= shown; i++)
		label_owner(p, &p->owners[i]);
}

static void label_process(struct export_process *p, const struct mh_snapshot *s)
{
	struct export_buffer b = { .used = 0 }, info = { .used = 0 };
	char pid[16], *command = copy_valid(s->command);

	snprintf(pid, sizeof(pid), "%d", p->pid);
	export_put_label(&b, "{pid=", pid);
	export_put_label(&b, ",comm=", command);
	export_put(&b, "}");
	p->labels = b.data;
	export_put(&info, b.data);
	info.used--;
	export_put_label(&info, ",by=", s->by);
	export_put_label(&info, ",mode=", s->mode);
	export_put(&info, "}");
	p->info = info.data;
	free(command);
}

static void take_allocator(struct export_process *p, const struct mh_process *m)
{
	int known = m->allocator_time_ms != 0;

	p->allocated = known ? m->allocator_allocated_bytes : EXPORT_UNKNOWN;
	p->active = known ? m->allocator_active_bytes : EXPORT_UNKNOWN;
	p->allocator_resident = known ? m->allocator_resident_bytes : EXPORT_UNKNOWN;
	p->metadata = known ? m->allocator_metadata_bytes : EXPORT_UNKNOWN;
	p->cached = known ? m->allocator_cached_bytes : EXPORT_UNKNOWN;
	p->quarantine = known ? m->allocator_quarantine_bytes : EXPORT_UNKNOWN;
	p->dirty = known ? m->allocator_dirty_bytes : EXPORT_UNKNOWN;
	p->allocator_ms = known ? m->allocator_time_ms : EXPORT_UNKNOWN;
}

static void take(struct export_process *p, const struct mh_snapshot *s, size_t max)
{
	const struct mh_process *m = &s->process;

	p->pid = s->pid;
	p->totals = s->totals;
	/* Counters of a process shall not go back when an owner ends. */
	p->totals.alloc_bytes += s->past.alloc_bytes;
	p->totals.alloc_calls += s->past.alloc_calls;
	p->totals.free_bytes += s->past.free_bytes;
	p->totals.free_calls += s->past.free_calls;
	p->resident = m->rss_bytes ? m->rss_bytes : EXPORT_UNKNOWN;
	p->cookies = m->cookie_bytes;
	p->ours = m->memhook_bytes;
	take_allocator(p, m);
	mh_bridge(s, &p->bridge);
	p->start_ms = s->time_unix_ms - s->uptime_ms;
	p->consistent = s->consistent != 0;
	p->exact = s->exact != 0;
	p->inexact_bytes = s->exact ? EXPORT_UNKNOWN : s->inexact_bytes;
	p->mismatched = s->mismatched;
	p->foreign = s->foreign_ignored;
	p->unseen_calls = s->unseen_calls;
	p->unseen_bytes = s->unseen_bytes;
	label_process(p, s);
	take_owners(p, s, max);
}

static void read_process(struct export *e, int pid, const struct export_scope *scope)
{
	struct mh_snapshot s;
	struct live l;
	int rc = live_open(&l, pid);

	if (rc == 0)
		rc = live_read(&l, &s);
	if (rc == 0 && scope->explain)
		live_explain(&l, &s);
	if (rc == 0) {
		take(&e->processes[e->count++], &s, scope->max_owners);
		e->read++;
		reader_free(&s);
	} else if (scope->pids || !l.absent) {
		e->unreadable++;
		if (scope->complain && scope->pids)
			complain("process %d: %s", pid, l.error);
	}
	live_close(&l);
}

static void read_cost(struct export *e)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	e->cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
		    (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
	e->resident = proc_rss(getpid());
}

void export_read(struct export *e, const struct export_scope *scope)
{
	size_t i, n = scope->pid_count;
	int *pids = scope->pids;
	unsigned hidden = 0;

	memset(e, 0, sizeof(*e));
	e->began_us = export_now_us();
	if (!pids)
		n = live_list(&pids, &hidden);
	e->refused = hidden;
	e->processes = calloc(n + 1, sizeof(*e->processes));
	if (!e->processes)
		out_of_memory();
	for (i = 0; i < n; i++)
		read_process(e, pids[i], scope);
	if (!scope->pids)
		free(pids);
}

void export_free(struct export *e)
{
	size_t i, k;

	for (i = 0; i < e->count; i++) {
		struct export_process *p = &e->processes[i];

		for (k = 0; k < p->owner_count; k++)
			free(p->owners[k].labels);
		free(p->owners);
		free(p->labels);
		free(p->info);
	}
	free(e->processes);
}

int export_scrape(struct export_buffer *b, const struct export_scope *scope,
		  enum export_format format)
{
	static uint64_t scrapes; /* one thread asks for them */
	struct export e;

	export_read(&e, scope);
	e.scrapes = ++scrapes;
	read_cost(&e);
	memset(b, 0, sizeof(*b));
	export_render(b, &e, format);
	export_free(&e);
	return (int)e.unreadable;
}
