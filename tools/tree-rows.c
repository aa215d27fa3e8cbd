/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a tree is shown, and in which order. */
#include <stdlib.h>
#include <string.h>

#include "tree.h"

struct sorting {
	const struct tree *tree;
	const struct tree_order *order;
};

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Greatest first. */
static int by_number(const struct tree_numbers *a, const struct tree_numbers *b,
		     enum tree_column column)
{
	switch (column) {
	case TREE_BLOCKS: return COMPARE(b->live_blocks, a->live_blocks);
	case TREE_PEAK: return COMPARE(b->peak_bytes, a->peak_bytes);
	case TREE_ALLOCS: return COMPARE(b->alloc_calls, a->alloc_calls);
	case TREE_RATE: return COMPARE(b->call_rate, a->call_rate);
	case TREE_BYTES: return COMPARE(b->byte_rate, a->byte_rate);
	case TREE_CHANGE: return COMPARE(b->change, a->change);
	default: return COMPARE(b->live_bytes, a->live_bytes);
	}
}

static int by_name(const struct tree_node *a, const struct tree_node *b)
{
	size_t n = a->size < b->size ? a->size : b->size;
	int c = memcmp(a->name, b->name, n);

	return c ? c : COMPARE(a->size, b->size);
}

/* Never equal, so that rows do not change places from one look to the next. */
static int compare(const void *x, const void *y, void *arg)
{
	const struct sorting *s = arg;
	const struct tree_node *a = &s->tree->nodes[*(const uint32_t *)x];
	const struct tree_node *b = &s->tree->nodes[*(const uint32_t *)y];
	int c = s->order->column == TREE_OWNER ? by_name(a, b)
					       : by_number(&a->n, &b->n, s->order->column);

	if (s->order->reverse)
		c = -c;
	if (!c)
		c = by_number(&a->n, &b->n, TREE_LIVE);
	if (!c)
		c = by_name(a, b);
	return c ? c : COMPARE(a->key, b->key);
}

static void sort(struct tree *t, const struct tree_order *order, uint32_t *rows, size_t n)
{
	struct sorting s = { t, order };

	if (n > 1)
		qsort_r(rows, n, sizeof(*rows), compare, &s);
}

/* The children of a node that pass the filter, sorted, into rows. */
static size_t children(struct tree *t, uint32_t parent, const struct tree_order *order,
		       uint32_t *rows)
{
	uint32_t i;
	size_t n = 0;

	for (i = t->nodes[parent].child; i != TREE_NONE; i = t->nodes[i].next)
		if (t->nodes[i].matches)
			rows[n++] = i;
	sort(t, order, rows, n);
	return n;
}

static size_t flat(struct tree *t, const struct tree_order *order, uint32_t *rows)
{
	uint32_t i;
	size_t n = 0;

	for (i = 1; i < t->count; i++)
		if (t->nodes[i].owner != TREE_NONE && t->nodes[i].matches)
			rows[n++] = i;
	sort(t, order, rows, n);
	return n;
}

/*
 * A stack of nodes that are still to be shown; the next one is its last.
 * Together with the rows it never holds a node twice, so both fit `count`.
 */
size_t tree_rows(struct tree *t, const struct tree_order *order,
		 const struct tree_folds *folds, uint32_t *rows)
{
	uint32_t *stack, *list;
	size_t waiting = 0, shown = 0, n;
	uint32_t at = 0;

	if (order->flat)
		return flat(t, order, rows);
	stack = malloc(2 * t->count * sizeof(*stack));
	if (!stack)
		abort();
	list = stack + t->count;
	for (;;) {
		if (!at || (t->nodes[at].owner == TREE_NONE &&
			    !tree_folded(folds, t->nodes[at].key))) {
			n = children(t, at, order, list);
			while (n)
				stack[waiting++] = list[--n];
		}
		if (!waiting)
			break;
		at = stack[--waiting];
		rows[shown++] = at;
	}
	free(stack);
	return shown;
}

/* Where it is, or belongs. */
static size_t place(const struct tree_folds *f, uint64_t key)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->toggled[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int is_toggled(const struct tree_folds *f, uint64_t key)
{
	size_t i = place(f, key);

	return i < f->count && f->toggled[i] == key;
}

int tree_folded(const struct tree_folds *f, uint64_t key)
{
	return !f->all != !is_toggled(f, key);
}

void tree_toggle(struct tree_folds *f, uint64_t key)
{
	size_t i = place(f, key);

	if (is_toggled(f, key)) {
		memmove(f->toggled + i, f->toggled + i + 1,
			(--f->count - i) * sizeof(*f->toggled));
		return;
	}
	if (f->count == f->room) {
		f->room = f->room ? 2 * f->room : 16;
		f->toggled = realloc(f->toggled, f->room * sizeof(*f->toggled));
		if (!f->toggled)
			abort();
	}
	memmove(f->toggled + i + 1, f->toggled + i,
		(f->count++ - i) * sizeof(*f->toggled));
	f->toggled[i] = key;
}

void tree_fold_all(struct tree_folds *f, int all)
{
	f->all = all;
	f->count = 0;
}
