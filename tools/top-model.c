/* SPDX-License-Identifier: BSD-2-Clause */
#include "top-model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

#define LARGEST (TOP_HISTORIES / 2)

void model_init(struct top_model *m)
{
	memset(m, 0, sizeof(*m));
	history_init(&m->histories);
}

void model_free(struct top_model *m)
{
	reader_free(&m->last);
	free(m->owners);
	free(m->past);
	tree_free(&m->tree);
	history_free(&m->histories);
}

static uint32_t row_of(memhook_owner owner)
{
	return (uint32_t)owner;
}

/* Room for the past of every row, and for owners present and gone. */
static void make_room(struct top_model *m, const struct mh_snapshot *s)
{
	size_t rows = s->table_rows, i;

	for (i = 0; i < s->owner_count; i++)
		if (row_of(s->owners[i].owner) >= rows)
			rows = (size_t)row_of(s->owners[i].owner) + 1;
	if (rows > m->past_rows) {
		m->past = realloc(m->past, rows * sizeof(*m->past));
		if (!m->past)
			abort();
		memset(m->past + m->past_rows, 0,
		       (rows - m->past_rows) * sizeof(*m->past));
		m->past_rows = rows;
	}
	m->owners = realloc(m->owners,
			    (s->owner_count + m->past_rows + 1) * sizeof(*m->owners));
	if (!m->owners)
		abort();
}

/* Never negative: a segment that counts backwards is not believed. */
static double rate(uint64_t now, uint64_t before, uint64_t ms)
{
	return ms && now > before ? (double)(now - before) * 1000 / (double)ms : 0;
}

/* Handles begin at 0, and 0 is the root's. */
static uint64_t key_of(memhook_owner owner)
{
	return owner + 1;
}

/* A call site is called by its function, where that is known. */
static const char *name_of(const struct mh_snapshot *s, const struct memhook_stats *o)
{
	const struct mh_symbol *symbol = mh_owner_symbol(s, o);

	return symbol && symbol->label ? symbol->label : o->name;
}

/* The number of a thread that lives, else 0. */
static uint32_t thread_of(const struct mh_snapshot *s, const struct memhook_stats *o)
{
	if (o->kind != MEMHOOK_KIND_THREAD || row_of(o->owner) >= s->table_rows)
		return 0;
	return (uint32_t)s->table[row_of(o->owner)].where;
}

static int64_t difference(uint64_t now, uint64_t before)
{
	return (int64_t)(now - before);
}

/* An owner of this sample; ms since the last one, 0 when there was none. */
static void add_owner(struct top_model *m, const struct memhook_stats *s, uint64_t ms)
{
	struct tree_owner *o = &m->owners[m->owner_count++];
	struct top_past *p = &m->past[row_of(s->owner)];
	int known = p->sample && p->owner == s->owner;
	int had = p->base_live && p->base_owner == s->owner;

	memset(o, 0, sizeof(*o));
	o->key = key_of(s->owner);
	o->name = name_of(&m->last, s);
	o->kind = s->kind;
	o->thread = thread_of(&m->last, s);
	o->retired = s->state == MEMHOOK_STATE_RETIRED;
	o->n.live_bytes = s->live_bytes;
	o->n.live_blocks = s->live_blocks;
	o->n.peak_bytes = s->peak_bytes;
	o->n.alloc_calls = s->alloc_calls;
	o->n.change = difference(s->live_bytes, had ? p->base_live : 0);
	o->n.call_rate = rate(s->alloc_calls, known ? p->calls : 0, ms);
	o->n.byte_rate = rate(s->alloc_bytes, known ? p->bytes : 0, ms);
	p->owner = s->owner;
	p->calls = s->alloc_calls;
	p->bytes = s->alloc_bytes;
	p->sample = m->samples;
}

/* Owners of the reset that are no more: what they held then has been freed. */
static void add_gone(struct top_model *m)
{
	size_t i;

	for (i = 0; i < m->past_rows; i++) {
		const struct top_past *p = &m->past[i];
		struct tree_owner *o;

		if (!p->base_live ||
		    (p->sample == m->samples && p->owner == p->base_owner))
			continue;
		o = &m->owners[m->owner_count++];
		memset(o, 0, sizeof(*o));
		o->key = key_of(p->base_owner);
		o->name = p->base_name;
		o->kind = p->base_kind;
		o->gone = 1;
		o->n.change = difference(0, p->base_live);
	}
}

static void add_total(struct top_model *m, const struct memhook_stats *now,
		      const struct memhook_stats *before, uint64_t ms)
{
	m->total = (struct tree_numbers){
		.live_bytes = now->live_bytes,
		.live_blocks = now->live_blocks,
		.peak_bytes = now->peak_bytes,
		.alloc_calls = now->alloc_calls,
		.change = difference(now->live_bytes, m->base_total),
		.call_rate = rate(now->alloc_calls, before->alloc_calls, ms),
		.byte_rate = rate(now->alloc_bytes, before->alloc_bytes, ms),
	};
}

static unsigned magnitude(uint64_t n)
{
	return n ? 64 - (unsigned)__builtin_clzll(n) : 0;
}

/*
 * The smallest power of two that no more than LARGEST nodes reach: found
 * without sorting them.
 */
static unsigned largest_from(const struct tree *t)
{
	uint32_t of[65] = { 0 }, sum = 0, i;
	unsigned from = 65;

	for (i = 0; i < t->count; i++)
		of[magnitude(t->nodes[i].n.live_bytes)]++;
	while (from && sum + of[from - 1] <= LARGEST)
		sum += of[--from];
	return from;
}

static void remember(struct top_model *m)
{
	struct top_histories *h = &m->histories;
	const struct tree *t = &m->tree;
	unsigned from;
	uint32_t i;

	history_round(h);
	for (i = 0; i < t->count; i++)
		history_push(h, t->nodes[i].key, t->nodes[i].n.live_bytes);
	history_sweep(h);
	from = largest_from(t);
	for (i = 0; i < t->count; i++)
		if (magnitude(t->nodes[i].n.live_bytes) >= from)
			history_offer(h, t->nodes[i].key, t->nodes[i].n.live_bytes);
}

static void grow_tree(struct top_model *m)
{
	tree_build(&m->tree, m->owners, m->owner_count);
	tree_filter(&m->tree, m->filter);
}

void model_add(struct top_model *m, struct mh_snapshot *s, uint64_t now_ms)
{
	uint64_t ms = m->samples && now_ms > m->time_ms ? now_ms - m->time_ms : 0;
	struct memhook_stats before = m->last.totals;
	size_t i;

	make_room(m, s);
	reader_free(&m->last);
	m->last = *s;
	m->time_ms = now_ms;
	m->samples++;
	m->owner_count = 0;
	for (i = 0; i < s->owner_count; i++)
		add_owner(m, &m->last.owners[i], ms);
	if (m->samples == 1) {
		model_reset(m);
	} else {
		add_gone(m);
		add_total(m, &s->totals, &before, ms);
		grow_tree(m);
	}
	remember(m);
}

void model_reset(struct top_model *m)
{
	size_t i;

	for (i = 0; i < m->past_rows; i++)
		m->past[i].base_live = 0;
	m->owner_count = 0;
	for (i = 0; i < m->last.owner_count; i++) {
		const struct memhook_stats *s = &m->last.owners[i];
		struct top_past *p = &m->past[row_of(s->owner)];

		p->base_owner = s->owner;
		p->base_live = s->live_bytes;
		p->base_kind = s->kind;
		snprintf(p->base_name, sizeof(p->base_name), "%s", name_of(&m->last, s));
		m->owners[m->owner_count++].n.change = 0;
	}
	m->base_time_ms = m->time_ms;
	m->base_total = m->last.totals.live_bytes;
	m->total.change = 0;
	if (m->samples == 1)
		add_total(m, &m->last.totals, &m->last.totals, 0);
	grow_tree(m);
}

void model_filter(struct top_model *m, const char *text)
{
	snprintf(m->filter, sizeof(m->filter), "%s", text);
	tree_filter(&m->tree, m->filter);
}

void model_filtered(const struct top_model *m, size_t *owners, uint64_t *live)
{
	uint32_t i;

	*owners = 0;
	*live = 0;
	for (i = 1; i < m->tree.count; i++) {
		const struct tree_node *node = &m->tree.nodes[i];

		if (node->owner == TREE_NONE || !node->matches)
			continue;
		++*owners;
		*live += node->n.live_bytes;
	}
}
