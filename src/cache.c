/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#define AT(n) ((n) * sizeof(struct mh_bin))
#define TWICE(n) AT(n), AT(n)
#define FOUR(n) TWICE(n), TWICE(n)
#define EIGHT(n) FOUR(n), FOUR(n)
#define SIXTEEN(n) EIGHT(n), EIGHT(n)
#define THIRTYTWO(n) SIXTEEN(n), SIXTEEN(n)

const uint16_t mh_bin_at[MH_HELD_MAX / 16 + 1] = {
	0,						/* (no block) */
	AT(0), AT(1), AT(2), AT(3),			/* 16 .. 64 */
	AT(4), AT(5), AT(6), AT(7),			/* 80 .. 128 */
	TWICE(8), TWICE(9), TWICE(10), TWICE(11),	/* 160 .. 256 */
	FOUR(12), FOUR(13), FOUR(14), FOUR(15),		/* 320 .. 512 */
	EIGHT(16), EIGHT(17), EIGHT(18), EIGHT(19),	/* 640 .. 1024 */
	SIXTEEN(20), SIXTEEN(21), SIXTEEN(22), SIXTEEN(23), /* 1280 .. 2048 */
	THIRTYTWO(24), THIRTYTWO(25), THIRTYTWO(26), THIRTYTWO(27) /* .. 4096 */
};

/*
 * Slots for 128, 256, 512, 1024, 2048 and 4096 held bytes and less: 38 x 576
 * + 8 x 832 + 4 x 1664 + 2 x 3328 + 6656 + 13312 = 61,824, under 64 KiB.
 */
void mh_cache_init(struct mh_cache *cache)
{
	static const uint8_t limit[MH_BINS / 4] = { 38, 38, 8, 4, 2, 1, 1 };
	unsigned i;

	for (i = 0; i < MH_BINS; i++)
		cache->bin[i].limit = limit[i / 4];
}

void mh_cache_flush(struct mh_cache *cache)
{
	struct mh_bin *bin;

	for (bin = cache->bin; bin < cache->bin + MH_BINS; bin++)
		while (bin->count)
			mh_backend_free(mh_cookie(bin->slot[--bin->count]));
}

/* Held bytes of a class: mh_bin_at the other way round. */
static uint64_t class_bytes(unsigned bin)
{
	unsigned base;

	if (bin < 8)
		return 16 * (bin + 1);
	base = 128U << (bin - 8) / 4;
	return base + base / 4 * ((bin - 8) % 4 + 1);
}

uint64_t mh_cache_bytes(const struct mh_cache *cache)
{
	uint64_t bytes = 0;
	unsigned i;

	/* relaxed: its thread goes on, and plainly; a number for people */
	for (i = 0; i < MH_BINS; i++)
		bytes += class_bytes(i) *
			 __atomic_load_n(&cache->bin[i].count, __ATOMIC_RELAXED);
	return bytes;
}
