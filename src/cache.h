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
#define MH_BINS 28
#define MH_HELD_MAX 4096
#define MH_CACHED_MAX (MH_HELD_MAX - MH_COOKIE_SIZE) /* greatest request */
#define MH_BIN_SLOTS 38

struct mh_bin {
	uint32_t count;
	uint32_t limit;
	void *slot[MH_BIN_SLOTS];
	uint64_t spare;
};

struct mh_cache {
	_Alignas(64) struct mh_bin bin[MH_BINS];
};

_Static_assert(sizeof(struct mh_bin) % 64 == 0 || sizeof(void *) < 8, "whole lines");

/* Offset of the bin in the cache, by held bytes / 16, rounded up. */
extern const uint16_t mh_bin_at[MH_HELD_MAX / 16 + 1];

void mh_cache_init(struct mh_cache *cache);
void mh_cache_flush(struct mh_cache *cache); /* all of it to the backend */
uint64_t mh_cache_bytes(const struct mh_cache *cache); /* held; of any thread's */

static inline struct mh_bin *mh_bin(struct mh_cache *cache, size_t size)
{
	return (struct mh_bin *)((char *)cache +
				 mh_bin_at[(size + MH_COOKIE_SIZE + 15) >> 4]);
}

/* A block for a request of at most MH_CACHED_MAX, or NULL. */
static inline void *mh_cache_pop(struct mh_cache *cache, size_t size)
{
	struct mh_bin *bin = mh_bin(cache, size);
	uint32_t n = bin->count;
	void *block;

	if (__builtin_expect(n == 0, 0))
		return NULL;
	block = bin->slot[n - 1];
	bin->count = n - 1;
	return block;
}

/* 0 when the bin is full.  The block's cookie says "freed". */
static inline int mh_cache_push(struct mh_cache *cache, void *block, size_t size)
{
	struct mh_bin *bin = mh_bin(cache, size);
	uint32_t n = bin->count;

	if (__builtin_expect(n >= bin->limit, 0))
		return 0;
	bin->slot[n] = block;
	bin->count = n + 1;
	return 1;
}

#endif /* MH_CACHE_H */
