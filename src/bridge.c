/* SPDX-License-Identifier: BSD-2-Clause */
#include "bridge.h"

/* No number of a process is larger; sums of some stay within int64_t. */
#define NUMBER_MAX (UINT64_C(1) << 58)

static int64_t bounded(uint64_t n)
{
	return (int64_t)(n < NUMBER_MAX ? n : NUMBER_MAX);
}

static int64_t positive(int64_t n)
{
	return n > 0 ? n : 0;
}

/* n * part / whole */
static int64_t scaled(int64_t n, int64_t part, int64_t whole)
{
	double d = (double)n * ((double)part / (double)whole);

	return d < (double)NUMBER_MAX ? (int64_t)d : (int64_t)NUMBER_MAX;
}

/*
 * What the allocator said of its pages.  Its blocks are compared with what was
 * live when it said so, with as many cookies to a live byte as there are now:
 * compared with what is live now, a heap that has grown since by a tenth would
 * seem to have no rounding at all.
 */
static void split(const struct mh_process *p, int64_t live, struct mh_bridge *b)
{
	int64_t then = bounded(p->allocator_live_bytes);
	int64_t cookies = bounded(p->cookie_bytes);
	int64_t allocated = bounded(p->allocator_allocated_bytes);
	int64_t active = bounded(p->allocator_active_bytes);
	int64_t resident = bounded(p->allocator_resident_bytes);

	b->cached = bounded(p->allocator_cached_bytes);
	b->quarantine = bounded(p->allocator_quarantine_bytes);
	b->dirty = bounded(p->allocator_dirty_bytes);
	if (live > 0)
		cookies = scaled(cookies, then, live);
	b->rounding = positive(allocated - b->cached - b->quarantine - then - cookies);
	b->slack = positive(active - allocated);
	b->tables = positive(resident - active - b->dirty);
}

/*
 * The allocator counts whole pages, the kernel those that were touched.  What
 * it counts beyond the kernel is not resident, but no more than what of its
 * memory is not.
 */
static int64_t not_resident(const struct mh_maps *m, int64_t counted)
{
	int64_t heap = bounded(m->heap_bytes), mapped = bounded(m->heap_mapped_bytes);
	int64_t missing = positive(counted - heap);

	return missing < mapped - heap ? -missing : -positive(mapped - heap);
}

void mh_bridge(const struct mh_snapshot *s, struct mh_bridge *b)
{
	const struct mh_process *p = &s->process;
	const struct mh_maps *m = s->maps;
	int64_t ours = bounded(s->totals.live_bytes) + bounded(p->cookie_bytes), heap;

	*b = (struct mh_bridge){ .memhook = bounded(p->memhook_bytes) };
	if (p->allocator_time_ms)
		split(p, bounded(s->totals.live_bytes), b);
	heap = ours + b->rounding + b->cached + b->quarantine + b->slack + b->dirty +
	       b->tables;
	if (m) {
		b->unsplit = positive(bounded(m->heap_bytes) - heap);
		heap += b->unsplit;
		b->not_resident = not_resident(m, heap);
		b->stack = bounded(m->stack_bytes);
		b->file = bounded(m->file_bytes);
		b->shared = bounded(m->shared_bytes);
		b->anonymous = bounded(m->anonymous_bytes);
	}
	if (p->rss_bytes)
		b->other = bounded(p->rss_bytes) - heap - b->not_resident - b->memhook -
			   b->stack - b->file - b->shared - b->anonymous;
}

void mh_use_maps(struct mh_snapshot *s, struct mh_maps *maps)
{
	s->maps = maps;
	s->process.rss_bytes = maps->rss_bytes;
	s->process.memhook_bytes = maps->memhook_bytes;
}
