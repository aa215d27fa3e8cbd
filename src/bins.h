/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Size classes, and where each has its bin in a thread's cache (cache.h).  The
 * cookie of a small block tells the latter, so that free need not look it up.
 */
#ifndef MH_BINS_H
#define MH_BINS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Classes of held bytes (request and cookie), as the backend rounds them:
 * steps of 16 up to 128, then four to a doubling.  jemalloc(3), "size
 * classes", table 1.
 */
#define MH_BINS 40
#define MH_HELD_MAX 32768

/*
 * A stack.  `top` is where the last block lies, in bytes from here, and below
 * the first block lies a NULL: so that popping it tells that there is none.
 */
struct mh_bin {
	uint32_t top;
	uint32_t limit;  /* `top` of a full bin */
	uint64_t weight; /* bytes that each block holds, << 32: of the tally */
	uint8_t number;
	uint8_t refused;   /* the depot did not take what it was offered last */
	uint16_t refill;   /* so many blocks it gets at once */
	uint16_t ask_in;   /* so many times empty, the depot is asked again */
	uint16_t offer_in; /* so many times full, it is offered half */
	void *slot[];      /* slot[0] is NULL */
};

/*
 * Slots of a bin of up to 256 bytes, 1 KiB, 4 KiB and 32 KiB, with the one for
 * NULL: whole cache lines, of which the last kind uses but a part.  And how many
 * bins come before those.
 */
#define MH_SLOTS(bytes) (((bytes) - sizeof(struct mh_bin)) / sizeof(void *))
#define MH_SLOTS_256 MH_SLOTS(1024)
#define MH_SLOTS_1K MH_SLOTS(512)
#define MH_SLOTS_4K MH_SLOTS(192)
#define MH_SLOTS_32K MH_SLOTS(64)
#define MH_KEPT_32K 2
#define MH_BINS_256 12
#define MH_BINS_1K 20
#define MH_BINS_4K 28
#define MH_SMALL_BINS MH_BINS_1K /* depot.h */

/* Where bin n begins, in bytes. */
#define MH_BIN_SIZE(slots) (sizeof(struct mh_bin) + (slots) * sizeof(void *))
#define MH_BINS_UP_TO(n, from, to) ((n) <= (from) ? 0 : ((n) < (to) ? (n) : (to)) - (from))
#define MH_BIN_AT(n)                                                                   \
	(MH_BINS_UP_TO(n, 0, MH_BINS_256) * MH_BIN_SIZE(MH_SLOTS_256) +                \
	 MH_BINS_UP_TO(n, MH_BINS_256, MH_BINS_1K) * MH_BIN_SIZE(MH_SLOTS_1K) +        \
	 MH_BINS_UP_TO(n, MH_BINS_1K, MH_BINS_4K) * MH_BIN_SIZE(MH_SLOTS_4K) +         \
	 MH_BINS_UP_TO(n, MH_BINS_4K, MH_BINS) * MH_BIN_SIZE(MH_SLOTS_32K))

/* MH_BIN_AT() by held bytes / 16, rounded up. */
extern const uint16_t mh_bin_at[MH_HELD_MAX / 16 + 1];

/* The same by number: calculated, it is many instructions. */
extern const uint16_t mh_bin_start[MH_BINS];

/* Held bytes of class n: mh_bin_at the other way round. */
static inline uint32_t mh_class_bytes(unsigned n)
{
	uint32_t base;

	if (n < 8)
		return 16 * (n + 1);
	base = 128U << (n - 8) / 4;
	return base + base / 4 * ((n - 8) % 4 + 1);
}

#endif /* MH_BINS_H */
