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

static MH_INLINE void mh_fill_chunk(char *p)
{
	*(mh_chunk *)p = MH_FILLED;
}

/* So many chunks at either end of a large one. */
#define MH_END_CHUNKS (MH_FILL_MAX / 2 / (int)sizeof(mh_chunk))

/* Those of either end may be the same. */
static MH_INLINE void mh_fill_ends(char *block, char *end)
{
	int i;

#pragma GCC unroll 4
	for (i = 0; i < MH_END_CHUNKS; i++) {
		mh_fill_chunk(block + i * (int)sizeof(mh_chunk));
		mh_fill_chunk(end - (i + 1) * (int)sizeof(mh_chunk));
	}
}

/*
 * One way for all of up to 64 bytes, whose sizes are what programs mix most: two
 * chunks from either end, which may be the same.
 */
#define MH_FILL_SMALL 64

static MH_INLINE ptrdiff_t mh_second(const char *block, const char *end)
{
	return end - block > 16 ? 16 : 0;
}

static MH_INLINE void mh_fill_small(char *block, char *end)
{
	ptrdiff_t second = mh_second(block, end);

	mh_fill_chunk(block);
	mh_fill_chunk(block + second);
	mh_fill_chunk(end - 16 - second);
	mh_fill_chunk(end - 16);
}

/*
 * Block and canary; of a large one only both ends.  It is aligned to 16 as all
 * blocks are, and so is its end.  No loops: which way a size goes is all that
 * the processor has to guess.
 */
static MH_INLINE void mh_fill(char *block, char *end)
{
	if (end - block <= MH_FILL_SMALL)
		mh_fill_small(block, end);
	else
		mh_fill_ends(block, end);
}

/* The end of a large one, whose start is filled already. */
static MH_INLINE void mh_fill_tail(char *end)
{
	int i;

#pragma GCC unroll 4
	for (i = 0; i < MH_END_CHUNKS; i++)
		mh_fill_chunk(end - (i + 1) * (int)sizeof(mh_chunk));
}

static MH_INLINE mh_chunk mh_differs(const char *p)
{
	return *(const mh_chunk *)p ^ MH_FILLED;
}

/* gcc takes half of a vector by way of the stack, unless it is moved first. */
static MH_INLINE int mh_is_none(mh_chunk differ)
{
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
	differ |= __builtin_shufflevector(differ, differ, 1, 0);
	return mh_likely(!differ[0]);
#else
	return mh_likely(!(differ[0] | differ[1]));
#endif
}

static MH_INLINE int mh_is_filled_large(const char *block, const char *end)
{
	mh_chunk differ = { 0 };
	int i;

#pragma GCC unroll 4
	for (i = 0; i < MH_END_CHUNKS; i++) {
		const char *tail = end - (i + 1) * (int)sizeof(mh_chunk);

		differ |= mh_differs(block + i * (int)sizeof(mh_chunk));
		differ |= mh_differs(tail);
	}
	return mh_is_none(differ);
}

static MH_INLINE int mh_is_filled_small(const char *block, const char *end)
{
	ptrdiff_t second = mh_second(block, end);

	return mh_is_none(mh_differs(block) | mh_differs(block + second) |
			  mh_differs(end - 16 - second) | mh_differs(end - 16));
}

static inline int mh_is_filled(const char *block, const char *end)
{
	return end - block <= MH_FILL_SMALL ? mh_is_filled_small(block, end) :
					      mh_is_filled_large(block, end);
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
	unsigned by = (unsigned)at * 8 & 63;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word >> by | word << (-by & 63);
#else
	return word << by | word >> (-by & 63);
#endif
}

/*
 * The canary has 8 to 23 bytes and ends at a multiple of 16: so it is the eight
 * at its start, those from the next multiple of 8 on and those before its end.
 */
static MH_INLINE char *mh_next_word(const char *p)
{
	return (char *)(((uintptr_t)p + 7) & ~(uintptr_t)7);
}

static MH_INLINE void mh_canary_write(const void *block, size_t size, char *end)
{
	char *p = (char *)block + size;
	uint64_t word = mh_canary(block), first = mh_turned(word, size);

	memcpy(p, &first, sizeof(first));
	memcpy(mh_next_word(p), &word, sizeof(word));
	memcpy(end - sizeof(word), &word, sizeof(word));
}

static MH_INLINE int mh_canary_is_whole(const void *block, size_t size, const char *end)
{
	const char *p = (const char *)block + size;
	uint64_t expected = mh_canary(block), first, next, last;

	memcpy(&first, p, sizeof(first));
	memcpy(&next, mh_next_word(p), sizeof(next));
	memcpy(&last, end - sizeof(last), sizeof(last));
	return mh_likely(!((first ^ mh_turned(expected, size)) | (next ^ expected) |
			   (last ^ expected)));
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
