/* SPDX-License-Identifier: BSD-2-Clause */
/* What blocks are filled with, and what lies behind them: checks.h. */
#ifndef MH_FILL_H
#define MH_FILL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "checks.h"
#include "process.h"

#define MH_INLINE inline __attribute__((always_inline))

typedef uint64_t mh_chunk __attribute__((vector_size(16), may_alias));
#define MH_FILLED ((mh_chunk){ MH_FILL_WORD, MH_FILL_WORD })

/* From p, which is aligned to 16 as all blocks are, at least to the end. */
static MH_INLINE void mh_fill_chunks(char *p, const char *end)
{
	for (; p < end; p += sizeof(mh_chunk)) {
		*(mh_chunk *)p = MH_FILLED;
		__asm__ volatile("" : "+r"(p)); /* no call of memset for a few chunks */
	}
}

static MH_INLINE int mh_are_filled(const char *p, const char *end)
{
	mh_chunk differ = { 0 };

	for (; p < end; p += sizeof(mh_chunk))
		differ |= *(const mh_chunk *)p ^ MH_FILLED;
	return !(differ[0] | differ[1]);
}

/* Block and canary; of a large one only both ends. */
static MH_INLINE void mh_fill(char *block, char *end)
{
	if (mh_unlikely(end - block > MH_FILL_MAX)) {
		mh_fill_chunks(block, block + MH_FILL_MAX / 2);
		block = end - MH_FILL_MAX / 2;
	}
	mh_fill_chunks(block, end);
}

static MH_INLINE int mh_is_filled(const char *block, const char *end)
{
	int head = 1;

	if (mh_unlikely(end - block > MH_FILL_MAX)) {
		head = mh_are_filled(block, block + MH_FILL_MAX / 2);
		block = end - MH_FILL_MAX / 2;
	}
	return mh_likely(head & mh_are_filled(block, end));
}

static inline size_t mh_first_unfilled(const char *block, const char *end)
{
	const char *p = block, *tail = end - MH_FILL_MAX / 2;

	while (p < end && *p == (char)MH_FILL)
		if (++p - block >= MH_FILL_MAX / 2 && p < tail)
			p = tail;
	return (size_t)(p - block);
}

/* The byte at address a is byte a % 8 of this; none is 0, as ends of strings are. */
static MH_INLINE uint64_t mh_canary(const void *block)
{
	return ((uintptr_t)block ^ mh_secret) * MH_MIX | UINT64_C(0x0101010101010101);
}

static MH_INLINE uint64_t mh_turned(uint64_t word, uintptr_t at)
{
	unsigned by = at % 8 * 8;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word >> by | word << (-by & 63);
#else
	return word << by | word >> (-by & 63);
#endif
}

static MH_INLINE char *mh_next_word(const char *p)
{
	return (char *)(((uintptr_t)p + 7) & ~(uintptr_t)7);
}

static MH_INLINE void mh_canary_write(const void *block, size_t size, const char *end)
{
	char *p = (char *)block + size;
	uint64_t word = mh_canary(block), first = mh_turned(word, size);

	memcpy(p, &first, sizeof(first));
	for (p = mh_next_word(p); p < end; p += 8)
		memcpy(p, &word, sizeof(word));
}

static MH_INLINE int mh_canary_is_whole(const void *block, size_t size, const char *end)
{
	const char *p = (const char *)block + size;
	uint64_t expected = mh_canary(block), word, differ;

	memcpy(&word, p, sizeof(word));
	differ = word ^ mh_turned(expected, size);
	for (p = mh_next_word(p); p < end; p += 8) {
		memcpy(&word, p, sizeof(word));
		differ |= word ^ expected;
	}
	return mh_likely(!differ);
}

static inline size_t mh_first_overwritten(const void *block, size_t size, const char *end)
{
	const char *from = (const char *)block + size, *p = from;
	uint64_t word = mh_canary(block);

	while (p < end && *p == ((char *)&word)[(uintptr_t)p % 8])
		p++;
	return (size_t)(p - from);
}

#endif /* MH_FILL_H */
