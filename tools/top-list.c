/* SPDX-License-Identifier: BSD-2-Clause */
/* The hooked processes: looked at, and in order. */
#include <stdlib.h>
#include <string.h>

#include "top.h"

/* What we knew of it at the last look. */
static const struct top_process *known(const struct top_list *l, int pid,
				       uint64_t started)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (l->all[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->count && l->all[low].pid == pid &&
		       l->all[low].started == started ? &l->all[low] : NULL;
}

static void describe(struct top_process *p, const struct mh_snapshot *s,
		     const struct top_process *before, uint64_t ms)
{
	memcpy(p->command, s->command, sizeof(p->command));
	p->by = s->by;
	p->uptime_ms = s->uptime_ms;
	p->live_bytes = s->totals.live_bytes;
	p->live_blocks = s->totals.live_blocks;
	p->rss_bytes = s->process.rss_bytes;
	p->calls = s->totals.alloc_calls;
	p->owners = s->owner_count;
	p->call_rate = -1;
	if (before && ms && p->calls >= before->calls)
		p->call_rate = (double)(p->calls - before->calls) * 1000 / (double)ms;
}

/* 0 when there is nothing to be told of it. */
static int look_at(struct top_list *l, int pid, struct top_process *p, uint64_t ms)
{
	struct mh_snapshot s;
	struct live live;
	int rc;

	if (live_open(&live, pid))
		return 0;
	rc = live_read(&live, &s);
	p->pid = pid;
	p->started = live.started;
	live_close(&live);
	if (rc)
		return 0;
	describe(p, &s, known(l, pid, p->started), ms);
	reader_free(&s);
	return 1;
}

void list_look(struct top_list *l, uint64_t now_ms)
{
	uint64_t ms = l->time_ms && now_ms > l->time_ms ? now_ms - l->time_ms : 0;
	struct top_process *now;
	size_t n, i, count = 0;
	int *pids;

	n = live_list(&pids, &l->hidden);
	now = calloc(n + 1, sizeof(*now));
	if (!now)
		abort();
	for (i = 0; i < n; i++)
		count += (size_t)look_at(l, pids[i], &now[count], ms);
	free(pids);
	free(l->all);
	l->all = now;
	l->count = count;
	l->time_ms = now_ms;
	list_arrange(l);
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Names and pids from the first, numbers from the greatest. */
static int by_column(const struct top_process *a, const struct top_process *b,
		     enum list_column column)
{
	switch (column) {
	case LIST_COMMAND: return strcmp(a->command, b->command);
	case LIST_BY: return strcmp(a->by, b->by);
	case LIST_UPTIME: return COMPARE(b->uptime_ms, a->uptime_ms);
	case LIST_OWNERS: return COMPARE(b->owners, a->owners);
	case LIST_LIVE: return COMPARE(b->live_bytes, a->live_bytes);
	case LIST_BLOCKS: return COMPARE(b->live_blocks, a->live_blocks);
	case LIST_RATE: return COMPARE(b->call_rate, a->call_rate);
	case LIST_RSS: return COMPARE(b->rss_bytes, a->rss_bytes);
	default: return COMPARE(a->pid, b->pid);
	}
}

static int compare(const void *x, const void *y, void *arg)
{
	const struct top_list *l = arg;
	const struct top_process *a = &l->all[*(const size_t *)x];
	const struct top_process *b = &l->all[*(const size_t *)y];
	int c = by_column(a, b, l->column);

	if (l->reverse)
		c = -c;
	return c ? c : COMPARE(a->pid, b->pid);
}

static void find_chosen(struct top_list *l)
{
	size_t i;

	if (!l->cursor.key)
		l->cursor.at = 0;
	for (i = 0; l->cursor.key && i < l->row_count; i++) {
		if ((uint64_t)l->all[l->rows[i]].pid == l->cursor.key) {
			l->cursor.at = i;
			return;
		}
	}
	if (l->cursor.at >= l->row_count)
		l->cursor.at = l->row_count ? l->row_count - 1 : 0;
	l->cursor.key = l->cursor.at ? (uint64_t)l->all[l->rows[l->cursor.at]].pid : 0;
}

void list_arrange(struct top_list *l)
{
	size_t i;

	free(l->rows);
	l->rows = malloc((l->count + 1) * sizeof(*l->rows));
	if (!l->rows)
		abort();
	l->row_count = 0;
	for (i = 0; i < l->count; i++)
		if (strcasestr(l->all[i].command, l->filter))
			l->rows[l->row_count++] = i;
	if (l->row_count > 1)
		qsort_r(l->rows, l->row_count, sizeof(*l->rows), compare, l);
	find_chosen(l);
}

void list_free(struct top_list *l)
{
	free(l->all);
	free(l->rows);
}
