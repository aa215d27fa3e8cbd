/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting.  A row is written by one thread alone, with plain (relaxed)
 * loads and stores.  Frees are stored with release: see "Reading order" in
 * segment.h; the partner is the acquire in mh_sum().
 */
#ifndef MH_ACCOUNT_H
#define MH_ACCOUNT_H

#include <stdatomic.h>

#include "segment.h"
#include "stats.h"
#include "thread.h"

#define MH_RELAXED memory_order_relaxed

/*
 * A row is looked at when alloc_bytes or free_bytes crosses a multiple of
 * 32 KiB, and its net change published when that is 32 KiB or more: so a
 * thread is never more than 64 KiB off.  The process's total likewise, by
 * `net`, which is kept with MH_NET added so that one unsigned compare sees
 * both ends.
 */
#define MH_STEP_BITS 15
#define MH_STEP (INT64_C(1) << MH_STEP_BITS)
#define MH_NET (UINT64_C(1) << (MH_STEP_BITS - 1))
#define MH_NET_FAR (INT64_C(48) << 10)

/* Tail call of the hot path.  Returns `block`. */
MH_COLD void *mh_publish_alloc(struct mh_hot *h, uint64_t owner, void *block);
MH_COLD void mh_publish_free(struct mh_hot *h, uint64_t owner);
void mh_publish_net(struct mh_hot *h);

/* The same without a hot line: into shard 0, atomically. */
void mh_shared_alloc(uint64_t owner, size_t size);
void mh_shared_free(uint64_t owner, size_t size);

/* Sums over all shards of one owner, less what a reused row began with. */
void mh_sum(const struct mh_area *area, uint32_t owner, struct mh_sum *sum);

static inline void *mh_count_alloc(struct mh_hot *h, struct mh_row *row,
				   uint64_t owner, size_t size, void *block)
{
	uint64_t old = atomic_load_explicit(&row->alloc_bytes, MH_RELAXED);
	uint64_t calls = atomic_load_explicit(&row->alloc_calls, MH_RELAXED);
	uint64_t now = old + size, net = h->net + size;

	atomic_store_explicit(&row->alloc_bytes, now, MH_RELAXED);
	atomic_store_explicit(&row->alloc_calls, calls + 1, MH_RELAXED);
	h->net = net;
	if (mh_unlikely(((old ^ now) | net) >> MH_STEP_BITS))
		return mh_publish_alloc(h, owner, block);
	return block;
}

/* Not 0 when a step was crossed: mh_publish_free() is due. */
static inline uint64_t mh_count_free(struct mh_hot *h, struct mh_row *row, size_t size)
{
	uint64_t old = atomic_load_explicit(&row->free_bytes, MH_RELAXED);
	uint64_t calls = atomic_load_explicit(&row->free_calls, MH_RELAXED);
	uint64_t now = old + size, net = h->net - size;

	atomic_store_explicit(&row->free_bytes, now, memory_order_release);
	atomic_store_explicit(&row->free_calls, calls + 1, memory_order_release);
	h->net = net;
	return ((old ^ now) | net) >> MH_STEP_BITS;
}

#endif /* MH_ACCOUNT_H */
