/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded cache of freed blocks in front of the backend, per thread and
 * size class, their cookies still in place.  A pair of malloc and free that
 * stays in it does not enter the backend at all: that is what pays for the
 * cookie and the counters.
 *
 * What is counted is not touched by it: a free is counted when it happens.
 * A full bin sends blocks to the depot (depot.h), if they are small, and to the
 * backend; an empty one asks there.
 *
 * Fork wipes the bins (MADV_WIPEONFORK): the pages of threads that run are
 * not copied at one instant, so the same block could lie in two bins of the
 * child (seen: it crashed).  What they held is lost to the child, as are the
 * backend's own caches of those threads.
 */
#ifndef MH_CACHE_H
#define MH_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "bins.h"
#include "cookie.h"
#include "depot.h"

struct mh_cache {
	_Alignas(64) char bins[MH_BIN_AT(MH_BINS)];
	uint32_t shard; /* whose it is: where more of the small ones lie */
	uint32_t other; /* number of another depot that is asked */
	uint32_t patience; /* and how often, before it is the next one */
};

/* The bytes that a thread's cache may hold: by default, and at most. */
#define MH_CACHE_ROOM (64 << 10)
#define MH_CACHE_ROOM_MAX (1 << 20)

/*
 * One word for two sums that change together, since each store that the next
 * call has to wait for costs more than the arithmetic: in the upper half the
 * bytes in the cache, in the lower half the unpublished change of live bytes.
 * A block that is served from the cache changes it by its size less its
 * `weight`.  Both halves begin with what makes their bounds a bit to look at:
 * the upper one is full when bit 63 is set, the lower one, of +-16 KiB, has
 * gone far enough when any of bits 15 to 31 is.
 */
#define MH_TALLY_NET (UINT64_C(1) << 14)
#define MH_TALLY_EMPTY(room) ((UINT64_C(1) << 31) - 1 - (uint64_t)(room))
#define MH_TALLY_FULL (UINT64_C(1) << 63)
#define MH_TALLY_LOOK (MH_TALLY_FULL | UINT64_C(0xffff8000))

static inline uint64_t mh_tally_start(uint32_t room)
{
	return MH_TALLY_EMPTY(room) << 32 | MH_TALLY_NET;
}

static inline int64_t mh_tally_net(uint64_t tally)
{
	return (int32_t)((uint32_t)tally - (uint32_t)MH_TALLY_NET);
}

static inline uint64_t mh_tally_cached(uint64_t tally, uint32_t room)
{
	return ((tally - (uint64_t)mh_tally_net(tally)) >> 32) - MH_TALLY_EMPTY(room);
}

void mh_cache_init(struct mh_cache *cache, uint32_t shard, uint32_t room);
void mh_cache_close(struct mh_cache *cache);     /* an empty one, for good */
uint64_t mh_cache_flush(struct mh_cache *cache); /* all; returns its weight */
/* The older halves of bins, the largest first, until half of the room is free. */
uint64_t mh_cache_halve(struct mh_cache *cache, uint32_t room);

/* Half of a full bin goes to the depot, if it takes it.  Returns the weight. */
uint64_t mh_cache_spill(struct mh_cache *cache, struct mh_bin *bin);

/* Fills an empty bin out of a depot.  Returns the weight of what there was. */
uint64_t mh_cache_fill(struct mh_cache *cache, struct mh_bin *bin);

static inline struct mh_bin *mh_bin_there(struct mh_cache *cache, uint32_t at)
{
	return (struct mh_bin *)(cache->bins + at);
}

/*
 * An empty bin, a full one: is it time to look at the depot?  Mostly it is not.  A
 * larger block is one that is missed: those that are dropped are counted anew.
 */
static inline int mh_bin_asks(struct mh_bin *bin)
{
	if (bin->number >= MH_SMALL_BINS)
		bin->offer_in = MH_STREAK;
	return !--bin->ask_in;
}

static inline int mh_bin_offers(struct mh_bin *bin)
{
	return !--bin->offer_in;
}

/* For a request of at most MH_CACHED_MAX. */
static inline struct mh_bin *mh_bin(struct mh_cache *cache, size_t size)
{
	return mh_bin_there(cache, mh_bin_of(size));
}

static inline void **mh_bin_slot(struct mh_bin *bin, uint32_t at)
{
	return (void **)((char *)bin + at);
}

/* A block, or NULL. */
static inline void *mh_bin_pop(struct mh_bin *bin)
{
	uint32_t top = bin->top;
	void *block = *mh_bin_slot(bin, top);

	if (__builtin_expect(block != NULL, 1))
		bin->top = top - (uint32_t)sizeof(void *);
	return block;
}

/* 0 when the bin is full.  The block's cookie says "freed". */
static inline int mh_bin_push(struct mh_bin *bin, void *block)
{
	uint32_t top = bin->top;

	if (__builtin_expect(top >= bin->limit, 0))
		return 0;
	top += (uint32_t)sizeof(void *);
	*mh_bin_slot(bin, top) = block;
	bin->top = top;
	return 1;
}

/* Of a full bin half is offered to the depot, and the block pushed: 0 when it stays full. */
static inline int mh_bin_offer(struct mh_cache *cache, struct mh_bin *bin, void *block,
			       uint64_t *tally)
{
	*tally -= mh_cache_spill(cache, bin);
	return mh_bin_push(bin, block);
}

/* Pushed, if need be so. */
static inline int mh_bin_keep(struct mh_cache *cache, struct mh_bin *bin, void *block,
			      uint64_t *tally)
{
	if (mh_bin_push(bin, block))
		return 1;
	return mh_bin_offers(bin) &&
	       mh_bin_offer(cache, bin, block, tally);
}

#endif /* MH_CACHE_H */
