/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded cache of freed blocks in front of the backend, per thread and
 * size class, their cookies still in place.  A pair of malloc and free that
 * stays in it does not enter the backend at all: that is what pays for the
 * cookie and the counters.
 *
 * What is counted is not touched by it: a free is counted when it happens.
 * A full bin sends the block to the backend, an empty one asks it.
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
#include "cookie.h"

/*
 * Classes of held bytes (request and cookie), as the backend rounds them:
 * steps of 16 up to 128, then four to a doubling.  jemalloc(3), "size
 * classes", table 1.
 */
#define MH_BINS 40
#define MH_HELD_MAX 32768
#define MH_CACHED_MAX (MH_HELD_MAX - MH_COOKIE_SIZE) /* greatest request */

/*
 * A stack.  `top` is where the last block lies, in bytes from here, and below
 * the first block lies a NULL: so that popping it tells that there is none.
 */
struct mh_bin {
	uint32_t top;
	uint32_t limit;  /* `top` of a full bin */
	uint64_t weight; /* bytes that each block holds, << 32: of the tally */
	void *slot[];    /* slot[0] is NULL */
};

/*
 * Slots of a bin of up to 256 bytes, 1 KiB, 4 KiB and 32 KiB, with the one for
 * NULL: whole cache lines.  And how many bins come before those.
 */
#define MH_SLOTS_256 126
#define MH_SLOTS_1K 62
#define MH_SLOTS_4K 22
#define MH_SLOTS_32K 6
#define MH_BINS_256 12
#define MH_BINS_1K 20
#define MH_BINS_4K 28

/* Where bin n begins, in bytes. */
#define MH_BIN_SIZE(slots) (sizeof(struct mh_bin) + (slots) * sizeof(void *))
#define MH_BINS_UP_TO(n, from, to) ((n) <= (from) ? 0 : ((n) < (to) ? (n) : (to)) - (from))
#define MH_BIN_AT(n)                                                                   \
	(MH_BINS_UP_TO(n, 0, MH_BINS_256) * MH_BIN_SIZE(MH_SLOTS_256) +                \
	 MH_BINS_UP_TO(n, MH_BINS_256, MH_BINS_1K) * MH_BIN_SIZE(MH_SLOTS_1K) +        \
	 MH_BINS_UP_TO(n, MH_BINS_1K, MH_BINS_4K) * MH_BIN_SIZE(MH_SLOTS_4K) +         \
	 MH_BINS_UP_TO(n, MH_BINS_4K, MH_BINS) * MH_BIN_SIZE(MH_SLOTS_32K))

struct mh_cache {
	_Alignas(64) char bins[MH_BIN_AT(MH_BINS)];
};

/* MH_BIN_AT() by held bytes / 16, rounded up. */
extern const uint16_t mh_bin_at[MH_HELD_MAX / 16 + 1];

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

void mh_cache_init(struct mh_cache *cache);
void mh_cache_close(struct mh_cache *cache);     /* an empty one, for good */
uint64_t mh_cache_flush(struct mh_cache *cache); /* all; returns its weight */
/* The older halves of bins, the largest first, until half of the room is free. */
uint64_t mh_cache_halve(struct mh_cache *cache, uint32_t room);

/* For a request of at most MH_CACHED_MAX. */
static inline struct mh_bin *mh_bin(struct mh_cache *cache, size_t size)
{
	return (struct mh_bin *)(cache->bins + mh_bin_at[(size + MH_COOKIE_SIZE + 15) >> 4]);
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

#endif /* MH_CACHE_H */
