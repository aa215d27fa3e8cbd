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
 * 32 KiB, and its net change published when that is more than 32 KiB: so a
 * thread is never more than 64 KiB off.  The process's total likewise, by the
 * thread's tally: cache.h.
 */
#define MH_STEP (INT64_C(32) << 10)
#define MH_NET_FAR (INT64_C(48) << 10)
#define MH_QUIET 8 /* steps that are not published */

/* A step was crossed, or the tally's. */
MH_COLD void mh_publish_alloc(struct mh_hot *h, struct mh_row *row);
MH_COLD void mh_publish_free(struct mh_hot *h, struct mh_row *row);
void mh_publish_net(struct mh_hot *h);

/* Blocks of any size. */
void mh_count_alloc_any(struct mh_hot *h, uint64_t owner, size_t size);
void mh_count_free_any(struct mh_hot *h, uint64_t owner, size_t size);

/* One that takes the place of another: peaks see the difference. */
void mh_count_resize(struct mh_hot *h, uint64_t owner, size_t size, size_t had);

/* The same without a hot line: into shard 0, atomically. */
void mh_shared_alloc(uint64_t owner, size_t size);
void mh_shared_free(uint64_t owner, size_t size);

/* Sums over all shards of one owner, less what a reused row began with. */
void mh_sum(const struct mh_area *area, uint32_t owner, struct mh_sum *sum);

/*
 * A row has one writer, whose additions are plain, and readers that take whole
 * words: one instruction where there is one, without a lock prefix.  volatile:
 * in the order of the program, which is what a release store asks of amd64.
 */
static inline void mh_row_add(_Atomic uint64_t *sum, uint64_t n)
{
#if defined(__x86_64__)
	__asm__ volatile("addq %1, %0" : "+m"(*sum) : "er"(n) : "cc");
#else
	atomic_store_explicit(sum, atomic_load_explicit(sum, MH_RELAXED) + n,
			      memory_order_release);
#endif
}

/*
 * Sizes of at most MH_CACHED_MAX; `weight` is the bin's where the block comes
 * from the cache.  Not 0 when there is something to look at.
 */
static inline uint64_t mh_count_alloc(struct mh_hot *h, struct mh_row *row, size_t size,
				      uint64_t weight)
{
	uint64_t old = atomic_load_explicit(&row->alloc_bytes, MH_RELAXED);
	uint64_t now = old + size, tally = h->tally + size - weight;

	atomic_store_explicit(&row->alloc_bytes, now, MH_RELAXED);
	mh_row_add(&row->alloc_calls, 1);
	h->tally = tally;
	return ((old ^ now) | tally) & h->look;
}

/* The partner of the release is in mh_sum(). */
static inline uint64_t mh_count_free(struct mh_hot *h, struct mh_row *row, size_t size,
				     uint64_t weight)
{
	uint64_t old = atomic_load_explicit(&row->free_bytes, MH_RELAXED);
	uint64_t now = old + size, tally = h->tally - size + weight;

	atomic_store_explicit(&row->free_bytes, now, memory_order_release);
	mh_row_add(&row->free_calls, 1);
	h->tally = tally;
	return ((old ^ now) | tally) & h->look;
}

#endif /* MH_ACCOUNT_H */
