/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that memhook top shows: looked at, and in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "symbolize.h"
#include "tool.h"
#include "top.h"

#define UNFOLDED_MOST 100 /* more owners than this start folded */

static const char *const names[TREE_COLUMNS] = {
	[TREE_OWNER] = "name",	  [TREE_LIVE] = "live",	  [TREE_BLOCKS] = "blocks",
	[TREE_PEAK] = "peak",	  [TREE_ALLOCS] = "allocs", [TREE_RATE] = "rate",
	[TREE_BYTES] = "bytes",	  [TREE_CHANGE] = "growth",
};

int view_column(const char *name)
{
	int i;

	for (i = 0; i < TREE_COLUMNS; i++)
		if (strcasecmp(name, names[i]) == 0)
			return i;
	return -1;
}

const char *view_column_name(enum tree_column column)
{
	return names[column];
}

int view_open(struct top_process_view *v, int pid, uint64_t now_ms)
{
	struct mh_snapshot s;

	if (live_open(&v->live, pid))
		return -1;
	if (live_read(&v->live, &s)) {
		live_close(&v->live);
		return -1;
	}
	v->is_open = 1;
	v->ended = 0;
	*v->trouble = '\0';
	memset(&v->cursor, 0, sizeof(v->cursor));
	model_init(&v->model);
	if (!v->no_symbols)
		symbolize_snapshot(&s, pid, 0);
	model_add(&v->model, &s, now_ms);
	tree_fold_all(&v->folds, v->model.owner_count > UNFOLDED_MOST);
	return 0;
}

/* Also when nobody has waited for it yet. */
static int has_ended(const struct live *l)
{
	return proc_start(l->pid) != l->started || proc_is_zombie(l->pid);
}

void view_look(struct top_process_view *v, uint64_t now_ms)
{
	struct mh_snapshot s;
	int rc;

	if (v->ended)
		return;
	rc = live_read(&v->live, &s);
	if (has_ended(&v->live)) {
		v->ended = 1;
		v->ended_ms = now_ms;
	}
	*v->trouble = '\0';
	/* The dead have none: the last one stays. */
	if (rc == 0 && !s.process.rss_bytes)
		s.process.rss_bytes = v->model.last.process.rss_bytes;
	if (rc == 0) {
		if (!v->no_symbols)
			symbolize_snapshot(&s, v->ended ? 0 : v->live.pid, 0);
		model_add(&v->model, &s, now_ms);
	} else {
		snprintf(v->trouble, sizeof(v->trouble), "%s", v->live.error);
	}
}

void view_filter(struct top_process_view *v, const char *text)
{
	model_filter(&v->model, text);
	view_arrange(v);
}

void view_close(struct top_process_view *v)
{
	if (!v->is_open)
		return;
	live_close(&v->live);
	model_free(&v->model);
	free(v->rows);
	free(v->folds.toggled);
	v->rows = NULL;
	v->row_count = 0;
	memset(&v->folds, 0, sizeof(v->folds));
	v->is_open = 0;
}

/* The chosen node is where it was, or where it moved to with its numbers. */
static void find_chosen(struct top_process_view *v)
{
	struct top_cursor *c = &v->cursor;
	size_t i;

	if (!c->key) {
		c->at = 0;
		return;
	}
	for (i = 0; i < v->row_count; i++) {
		if (v->model.tree.nodes[v->rows[i]].key == c->key) {
			c->at = i;
			return;
		}
	}
	/* It is no more: whoever has its place. */
	if (c->at >= v->row_count)
		c->at = v->row_count ? v->row_count - 1 : 0;
	c->key = c->at && v->row_count ? v->model.tree.nodes[v->rows[c->at]].key : 0;
}

void view_arrange(struct top_process_view *v)
{
	struct tree *t = &v->model.tree;

	v->rows = realloc(v->rows, t->count * sizeof(*v->rows));
	if (!v->rows)
		abort();
	v->row_count = tree_rows(t, &v->order, &v->folds, v->rows);
	find_chosen(v);
}

void cursor_settle(struct top_cursor *c, size_t lines)
{
	if (c->at >= lines)
		c->at = lines ? lines - 1 : 0;
	if (c->at < c->first)
		c->first = c->at;
	if (c->page && c->at >= c->first + c->page)
		c->first = c->at - c->page + 1;
	if (c->first + c->page > lines)
		c->first = lines > c->page ? lines - c->page : 0;
}
