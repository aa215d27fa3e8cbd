/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#include <string.h>

static struct mh_bin *bin_of(struct mh_cache *cache, unsigned n)
{
	return mh_bin_there(cache, mh_bin_start[n]);
}

/* Of the largest few are kept: each is a good part of what all may have. */
static uint32_t slots_of(unsigned n)
{
	if (n >= MH_BINS_4K)
		return MH_KEPT_32K;
	return (uint32_t)((MH_BIN_AT(n + 1) - MH_BIN_AT(n) - MH_BIN_SIZE(1)) / sizeof(void *));
}

void mh_cache_init(struct mh_cache *cache)
{
	unsigned n;

	for (n = 0; n < MH_BINS; n++) {
		struct mh_bin *bin = bin_of(cache, n);

		bin->top = offsetof(struct mh_bin, slot);
		bin->limit = bin->top + slots_of(n) * (uint32_t)sizeof(void *);
		bin->weight = (uint64_t)mh_class_bytes(n) << 32;
	}
	bin_of(cache, 0)->top = bin_of(cache, 0)->limit; /* full, of nothing: zero.h */
}

/* Bins that are full of nothing: popping one finds NULL, pushing no room. */
void mh_cache_close(struct mh_cache *cache)
{
	unsigned n;

	for (n = 0; n < MH_BINS; n++)
		bin_of(cache, n)->top = bin_of(cache, n)->limit;
}

static uint32_t count(const struct mh_bin *bin)
{
	return (bin->top - (uint32_t)offsetof(struct mh_bin, slot)) / sizeof(void *);
}

/* Not one that is full of nothing. */
static int has_blocks(struct mh_bin *bin)
{
	return bin->top > offsetof(struct mh_bin, slot) &&
	       *mh_bin_slot(bin, bin->top) != NULL;
}

/* The oldest go: the newest are what the processor's caches have. */
static uint64_t drop(struct mh_bin *bin, uint32_t n)
{
	uint32_t i;

	for (i = 1; i <= n; i++)
		mh_backend_free_sized(mh_cookie(bin->slot[i]), bin->weight >> 32);
	memmove(bin->slot + 1, bin->slot + 1 + n, (count(bin) - n) * sizeof(*bin->slot));
	bin->top -= n * (uint32_t)sizeof(*bin->slot);
	return n * bin->weight;
}

uint64_t mh_cache_flush(struct mh_cache *cache)
{
	uint64_t weight = 0;
	unsigned n;

	for (n = 0; n < MH_BINS; n++) {
		struct mh_bin *bin = bin_of(cache, n);

		if (has_blocks(bin))
			weight += drop(bin, count(bin));
	}
	return weight;
}

uint64_t mh_cache_halve(struct mh_cache *cache, uint32_t room)
{
	uint64_t weight = 0;
	unsigned n = MH_BINS;

	while (n-- && weight < (uint64_t)room / 2 << 32) {
		struct mh_bin *bin = bin_of(cache, n);

		if (has_blocks(bin))
			weight += drop(bin, (count(bin) + 1) / 2);
	}
	return weight;
}
