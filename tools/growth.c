/* SPDX-License-Identifier: BSD-2-Clause */
#include "growth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rollup.h"
#include "tool.h"

int growth_key(const char *name, enum growth_key *key)
{
	static const char *const names[] = {
		[GROWTH_LIVE] = "live",	      [GROWTH_BLOCKS] = "blocks",
		[GROWTH_PEAK] = "peak",	      [GROWTH_ALLOCS] = "allocs",
		[GROWTH_RATE] = "rate",	      [GROWTH_GROWTH] = "growth",
		[GROWTH_NAME] = "name",
	};
	size_t i;

	for (i = GROWTH_LIVE; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0) {
			*key = (enum growth_key)i;
			return 0;
		}
	return -1;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_name(const struct growth_row *a, const struct growth_row *b)
{
	int order = strcmp(a->now.name, b->now.name);

	if (!order)
		order = compare_u64(a->now.kind, b->now.kind);
	if (!order && a->object != b->object)
		order = strcmp(a->object ? a->object->path : "",
			       b->object ? b->object->path : "");
	return order ? order : compare_u64(a->offset, b->offset);
}

static int match_name(const void *a, const void *b)
{
	return by_name(a, b);
}

/* Rows that were added up have one handle for all, hence the name. */
static int match_handle(const void *a, const void *b)
{
	const struct growth_row *x = a, *y = b;
	int order = compare_u64(x->now.owner, y->now.owner);

	return order || x->now.owner != MEMHOOK_AUTO ? order : by_name(x, y);
}

static struct growth_row *new_rows(size_t n)
{
	struct growth_row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows)
		out_of_memory();
	return rows;
}

/* The rows of one side, in the order in which they are matched. */
static struct growth_row *rows_of(const struct mh_snapshot *s, size_t *count,
				  int (*order)(const void *, const void *))
{
	struct growth_row *rows = new_rows(s->owner_count);
	size_t i, n = 0;

	for (i = 0; i < s->owner_count; i++) {
		rows[i].now = s->owners[i];
		const struct mh_symbol *symbol = mh_owner_symbol(s, &s->owners[i]);

		rows[i].label = symbol ? symbol->label : NULL;
		rows[i].object = mh_owner_object(s, &s->owners[i], &rows[i].offset);
		if (s->owners[i].kind == MEMHOOK_KIND_THREAD &&
		    (uint32_t)s->owners[i].owner < s->table_rows)
			rows[i].thread = s->table[(uint32_t)s->owners[i].owner].where;
	}
	if (s->owner_count)
		qsort(rows, s->owner_count, sizeof(*rows), order);
	for (i = 0; i < s->owner_count; i++) {
		if (n && order(&rows[n - 1], &rows[i]) == 0) {
			rollup_add(&rows[n - 1].now, &rows[i].now);
			rows[n - 1].thread = 0;
		} else {
			rows[n++] = rows[i];
		}
	}
	*count = n;
	return rows;
}

/* Nobody saw it end; at least what it held then was freed. */
static struct growth_row gone(const struct growth_row *was)
{
	struct growth_row row = *was;

	row.then = was->now;
	row.now.live_bytes = row.now.live_blocks = 0;
	row.now.free_bytes = row.now.alloc_bytes;
	row.now.free_calls = row.now.alloc_calls;
	row.gone = 1;
	return row;
}

static void merge(struct growth *g, const struct growth_row *then, size_t before,
		  const struct growth_row *now, size_t after,
		  int (*order)(const void *, const void *))
{
	size_t i = 0, k = 0;

	while (i < before || k < after) {
		struct growth_row *row = &g->rows[g->count++];
		int side = i == before ? 1 : k == after ? -1 : order(&then[i], &now[k]);

		if (side < 0) {
			*row = gone(&then[i++]);
			continue;
		}
		*row = now[k++];
		if (side == 0) {
			row->then = then[i].now;
			if (!row->label)
				row->label = then[i].label;
			i++;
		}
	}
}

/*
 * Bytes and blocks are those of the snapshots.  The calls are what the rows
 * have: a row that serves a new owner takes the old one's out of the totals.
 */
static void sum_total(struct growth *g, const struct mh_snapshot *then,
		      const struct mh_snapshot *now)
{
	struct growth_row *total = &g->total;
	struct memhook_stats t = now->totals;
	size_t i;

	if (then) {
		total->then = then->totals;
		t.alloc_bytes = total->then.alloc_bytes;
		t.alloc_calls = total->then.alloc_calls;
		t.free_bytes = total->then.free_bytes;
		t.free_calls = total->then.free_calls;
		for (i = 0; i < g->count; i++) {
			const struct growth_row *r = &g->rows[i];

			t.alloc_bytes += r->now.alloc_bytes - r->then.alloc_bytes;
			t.alloc_calls += r->now.alloc_calls - r->then.alloc_calls;
			t.free_bytes += r->now.free_bytes - r->then.free_bytes;
			t.free_calls += r->now.free_calls - r->then.free_calls;
		}
	}
	total->now = t;
	strcpy(total->now.name, "total");
	total->now.state = MEMHOOK_STATE_ACTIVE;
}

void growth_compare(struct growth *g, const struct mh_snapshot *then,
		    const struct mh_snapshot *now, enum growth_match match)
{
	int (*order)(const void *, const void *) =
		match == GROWTH_BY_HANDLE ? match_handle : match_name;
	struct growth_row *old = NULL, *new;
	size_t before = 0, after;

	memset(g, 0, sizeof(*g));
	g->compared = then != NULL;
	if (then)
		old = rows_of(then, &before, order);
	new = rows_of(now, &after, order);
	g->rows = new_rows(before + after);
	merge(g, old, before, new, after, order);
	free(old);
	free(new);
	sum_total(g, then, now);
}

static int by_live(const void *a, const void *b)
{
	const struct growth_row *x = a, *y = b;
	int order = compare_u64(y->now.live_bytes, x->now.live_bytes);

	return order ? order : compare_u64(x->now.owner, y->now.owner);
}

static int by_blocks(const void *a, const void *b)
{
	const struct growth_row *x = a, *y = b;
	int order = compare_u64(y->now.live_blocks, x->now.live_blocks);

	return order ? order : by_live(a, b);
}

static int by_peak(const void *a, const void *b)
{
	const struct growth_row *x = a, *y = b;
	int order = compare_u64(y->now.peak_bytes, x->now.peak_bytes);

	return order ? order : by_live(a, b);
}

static int by_allocs(const void *a, const void *b)
{
	const struct growth_row *x = a, *y = b;
	int order = compare_u64(y->now.alloc_calls, x->now.alloc_calls);

	return order ? order : by_live(a, b);
}

static int by_rate(const void *a, const void *b)
{
	const struct growth_row *x = a, *y = b;
	int64_t p = growth_change(x->now.alloc_calls, x->then.alloc_calls);
	int64_t q = growth_change(y->now.alloc_calls, y->then.alloc_calls);

	return p != q ? (q > p) - (q < p) : by_live(a, b);
}

static int by_growth(const void *a, const void *b)
{
	const struct growth_row *x = a, *y = b;
	int64_t p = growth_change(x->now.live_bytes, x->then.live_bytes);
	int64_t q = growth_change(y->now.live_bytes, y->then.live_bytes);

	return p != q ? (q > p) - (q < p) : by_live(a, b);
}

void growth_sort(struct growth *g, enum growth_key key)
{
	static int (*const orders[])(const void *, const void *) = {
		[GROWTH_DEFAULT] = by_live,  [GROWTH_LIVE] = by_live,
		[GROWTH_BLOCKS] = by_blocks, [GROWTH_PEAK] = by_peak,
		[GROWTH_ALLOCS] = by_allocs, [GROWTH_RATE] = by_rate,
		[GROWTH_GROWTH] = by_growth, [GROWTH_NAME] = match_name,
	};

	if (g->count)
		qsort(g->rows, g->count, sizeof(*g->rows), orders[key]);
}

void growth_limit(struct growth *g, size_t n)
{
	struct growth_row *rest = &g->rows[n];
	size_t i;

	/* One row for one owner would save nothing. */
	if (!n || g->count <= n + 1)
		return;
	rest->others = g->count - n;
	for (i = n + 1; i < g->count; i++) {
		rollup_add(&rest->now, &g->rows[i].now);
		rollup_add(&rest->then, &g->rows[i].then);
	}
	rest->object = NULL;
	rest->label = NULL;
	rest->gone = 0;
	rest->thread = 0;
	rest->now.owner = MEMHOOK_AUTO;
	rest->now.kind = MEMHOOK_KIND_NONE;
	rest->now.state = MEMHOOK_STATE_ACTIVE;
	snprintf(rest->now.name, sizeof(rest->now.name), "(%zu others)", rest->others);
	g->count = n + 1;
}

void growth_view(const struct growth *g, const struct mh_snapshot *s,
		 struct mh_snapshot *view)
{
	size_t i;

	*view = *s;
	view->owners = calloc(g->count + 1, sizeof(*view->owners));
	if (!view->owners)
		out_of_memory();
	for (i = 0; i < g->count; i++)
		view->owners[i] = g->rows[i].now;
	view->owner_count = g->count;
	view->sorted = 1;
}

void growth_free(struct growth *g)
{
	free(g->rows);
	g->rows = NULL;
	g->count = 0;
}
