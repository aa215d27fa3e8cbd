/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#include <string.h>

/* Where there was nothing to get from the depot. */
#define ASK_EACH 64

/* So often another's depot that had some is asked in vain: it is full again soon. */
#define PATIENCE 64

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

/* 2 KiB at a time, by default: who wanted one block need not want more. */
static uint16_t refill(uint32_t slots, uint32_t held, uint32_t room)
{
	uint32_t n = room / 32 / held + 1;

	return (uint16_t)(n < slots / 2 ? n : slots / 2);
}

void mh_cache_init(struct mh_cache *cache, uint32_t shard, uint32_t room)
{
	unsigned n;

	cache->shard = cache->other = shard;
	cache->patience = 0;
	mh_depot_begin(shard);

	for (n = 0; n < MH_BINS; n++) {
		struct mh_bin *bin = bin_of(cache, n);

		bin->top = offsetof(struct mh_bin, slot);
		bin->limit = bin->top + slots_of(n) * (uint32_t)sizeof(void *);
		bin->weight = (uint64_t)mh_class_bytes(n) << 32;
		bin->number = (uint8_t)n;
		bin->refused = 0;
		bin->refill = refill(slots_of(n), mh_class_bytes(n), room);
		bin->ask_in = 1;
		bin->offer_in = n < MH_SMALL_BINS ? 1 : MH_STREAK;
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

static void give_back(struct mh_bin *bin, uint32_t n)
{
	uint32_t i;

	for (i = 1; i <= n; i++)
		mh_backend_free_sized(mh_cookie(bin->slot[i]), bin->weight >> 32);
}

/* The oldest go: the newest are what the processor's caches have. */
static uint64_t forget(struct mh_bin *bin, uint32_t n)
{
	memmove(bin->slot + 1, bin->slot + 1 + n, (count(bin) - n) * sizeof(*bin->slot));
	bin->top -= n * (uint32_t)sizeof(*bin->slot);
	return n * bin->weight;
}

static uint32_t half(const struct mh_bin *bin)
{
	return (count(bin) + 1) / 2;
}

/* The oldest n are the depot's, if it takes them, or the backend's.  Did it? */
static int pass_on(struct mh_cache *cache, struct mh_bin *bin, uint32_t n, uint32_t past)
{
	if (mh_depot_give(mh_depot_of(cache->shard), bin->number, bin->slot + 1, n, past))
		return 1;
	give_back(bin, n);
	return 0;
}

uint64_t mh_cache_flush(struct mh_cache *cache)
{
	uint64_t weight = 0;
	unsigned n;

	for (n = 0; n < MH_BINS; n++) {
		struct mh_bin *bin = bin_of(cache, n);

		if (!has_blocks(bin))
			continue;
		give_back(bin, count(bin));
		weight += forget(bin, count(bin));
	}
	return weight;
}

uint64_t mh_cache_spill(struct mh_cache *cache, struct mh_bin *bin)
{
	uint16_t each = bin->number < MH_SMALL_BINS ? MH_OFFER_EACH : MH_OFFER_LARGE;
	uint32_t older = half(bin);

	bin->offer_in = each;
	if (!has_blocks(bin))
		return 0;
	bin->refused = !pass_on(cache, bin, older, bin->refused ? each : older);
	if (!bin->refused)
		bin->offer_in = bin->ask_in = 1;
	/* Refused or not: the next time it will be others that are offered. */
	return forget(bin, older);
}

/* Of one bin; the weight of that.  Larger blocks are offered if it is time to. */
static uint64_t halve(struct mh_cache *cache, struct mh_bin *bin)
{
	uint32_t older = half(bin);

	if (bin->number < MH_SMALL_BINS)
		pass_on(cache, bin, older, older);
	else if (mh_bin_offers(bin))
		return mh_cache_spill(cache, bin);
	else
		give_back(bin, older);
	return forget(bin, older);
}

uint64_t mh_cache_halve(struct mh_cache *cache, uint32_t room)
{
	uint64_t weight = 0;
	unsigned n = MH_BINS;

	while (n-- && weight < (uint64_t)room / 2 << 32)
		if (has_blocks(bin_of(cache, n)))
			weight += halve(cache, bin_of(cache, n));
	return weight;
}

/*
 * Where one thread makes what another one frees, the blocks are in the other's depot,
 * that is full, and ours never had any.  Whoever frees such blocks himself makes do
 * with those: threads that help themselves to each other's would mix up their memory.
 */
static struct mh_depot *source(struct mh_cache *cache, unsigned class)
{
	struct mh_depot *ours = mh_depot_there(cache->shard), *full;

	if (ours) {
		mh_depot_want(ours);
		if (mh_depot_has(ours, class))
			return ours;
		if (mh_depot_had(ours, class))
			return NULL;
	}
	full = mh_depot_full(cache->other);
	if (full && mh_depot_has(full, class)) {
		cache->patience = PATIENCE;
		return full;
	}
	if (cache->patience)
		cache->patience--;
	else
		cache->other++;
	return NULL;
}

uint64_t mh_cache_fill(struct mh_cache *cache, struct mh_bin *bin)
{
	struct mh_depot *from = source(cache, bin->number);
	uint32_t n;

	if (!from) {
		bin->ask_in = ASK_EACH;
		return 0;
	}
	bin->offer_in = bin->ask_in = 1;
	n = mh_depot_take(from, bin->number, bin->slot + 1, bin->refill);
	bin->top += n * (uint32_t)sizeof(*bin->slot);
	return n * bin->weight;
}
