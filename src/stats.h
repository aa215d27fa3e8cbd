/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From sums of counters to the numbers that people see: the same for the
 * process that reads itself and for the tool.
 */
#ifndef MH_STATS_H
#define MH_STATS_H

#include <stdint.h>
#include <string.h>

#include "memhook.h"
#include "segment.h"

/* Sums over all shards of one owner, in the plain. */
struct mh_sum {
	uint64_t free_bytes, free_calls, alloc_bytes, alloc_calls;
};

static inline uint64_t mh_difference(uint64_t allocs, uint64_t frees)
{
	/* Only an inexact child can have freed more than it knows of. */
	return allocs > frees ? allocs - frees : 0;
}

static inline uint64_t mh_peak(int64_t coarse, uint64_t live)
{
	return coarse > (int64_t)live ? (uint64_t)coarse : live;
}

static inline void mh_derive(struct memhook_stats *s, const struct mh_sum *sum,
			     const struct mh_owner *o, uint32_t row, int64_t peak)
{
	memset(s, 0, sizeof(*s));
	s->size = sizeof(*s);
	s->owner = (memhook_owner)o->generation << 32 | row;
	s->kind = o->kind;
	s->state = o->state;
	memcpy(s->name, o->name, sizeof(s->name) - 1);
	s->alloc_bytes = sum->alloc_bytes;
	s->alloc_calls = sum->alloc_calls;
	s->free_bytes = sum->free_bytes;
	s->free_calls = sum->free_calls;
	s->live_bytes = mh_difference(sum->alloc_bytes, sum->free_bytes);
	s->live_blocks = mh_difference(sum->alloc_calls, sum->free_calls);
	s->peak_bytes = mh_peak(peak, s->live_bytes);
}

static inline void mh_add_stats(struct memhook_stats *total,
				const struct memhook_stats *s)
{
	total->live_bytes += s->live_bytes;
	total->live_blocks += s->live_blocks;
	total->alloc_bytes += s->alloc_bytes;
	total->alloc_calls += s->alloc_calls;
	total->free_bytes += s->free_bytes;
	total->free_calls += s->free_calls;
}

/* Active and ever used, or still holding blocks. */
static inline int mh_worth_showing(const struct memhook_stats *s)
{
	if (s->live_blocks || (uint32_t)s->owner == MH_NOBODY)
		return 1;
	if (s->state != MEMHOOK_STATE_ACTIVE)
		return 0;
	return s->alloc_calls || s->kind == MEMHOOK_KIND_NAMED;
}

#endif /* MH_STATS_H */
