/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of cookies, as src/cookie.h has it: for all inputs, where
 * cbmc reads this file (cookie.sh); else as a program, over every meta and
 * the borders of sizes, owners, addresses and secrets.
 *
 * Each property takes free words; what it does not allow, it passes over.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cookie.h"

#ifdef PROOF
#define PROVE(what) __CPROVER_assert(what, #what)
#define PROPERTY void /* its words are free where cbmc begins with it */
#else
static uint64_t proved;
#define PROPERTY static void
#define PROVE(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			fprintf(stderr, "%s: not so: %s\n", __func__, #what); \
			exit(1);                                              \
		}                                                             \
		proved++;                                                     \
	} while (0)
#endif
#define OWNER_MASK ((UINT64_C(1) << MH_OWNER_BITS) - 1)

/* The widest alignment that leaves room for a size: see mh_alloc_aligned(). */
#define ALIGN_MAX (sizeof(size_t) * 8 - 2)

static int is_size(uint64_t n)
{
	return n <= MH_SIZE_MAX;
}

static int is_block(uint64_t n)
{
	return n == (uintptr_t)n && n % MH_COOKIE_SIZE == 0 && n >= 4096;
}

/* By bits of n: 2 of the kind, 1 of the state, 6 of the alignment. */
#define METAS 512
#define STATE(n) ((n) & 4 ? MH_LIVE : MH_FREED)
#define LOG(n) ((n) >> 3 & 63)

static uint64_t meta_of(uint64_t n)
{
	return MH_META(n & 3, STATE(n), LOG(n));
}

static uint64_t live_meta_of(uint64_t n)
{
	return MH_META(n & 3, MH_LIVE, LOG(n));
}

/* What goes into w0 comes out of it. */
PROPERTY size_and_owner_come_back(uint64_t size, uint64_t owner)
{
	uint64_t w0 = mh_cookie_w0((size_t)size, owner & OWNER_MASK);

	if (!is_size(size))
		return;
	PROVE(mh_cookie_size(w0) == (size_t)size);
	PROVE(mh_cookie_owner(w0) == (owner & OWNER_MASK));
	PROVE(!(w0 & MH_LARGE) == (size <= MH_CACHED_MAX));
	if (w0 & MH_LARGE)
		return;
	PROVE(mh_w0_size(w0) == (size_t)size);
	PROVE(mh_w0_bin(w0) == mh_bin_of((size_t)size));
}

/* The compare of the hot path takes small blocks, and those alone. */
PROPERTY large_blocks_are_told_apart(uint64_t w0, uint64_t at, uint64_t key)
{
	void *block = (void *)(uintptr_t)at;
	struct mh_cookie c;

	if (!is_block(at))
		return;
	mh_cookie_put(&c, block, w0, key);
	PROVE(mh_cookie_is(&c, block, key));
	PROVE(mh_cookie_is_small(&c, block, key) == !(w0 & MH_LARGE));
}

/* What goes into meta comes out of it, and all of it is 16 bits wide. */
PROPERTY fields_of_meta_come_back(uint64_t n)
{
	uint64_t meta = meta_of(n);

	PROVE(meta >> 16 == 0 && meta != 0);
	PROVE(MH_META_KIND(meta) == (n & 3));
	PROVE(MH_META_STATE(meta) == STATE(n));
	PROVE(MH_META_ALIGN(meta) == LOG(n));
}

/* A cookie that was written is read, at its own address: live, and when freed. */
PROPERTY a_cookie_is_read(uint64_t w0, uint64_t at, uint64_t secret, uint64_t n)
{
	const void *block = (void *)(uintptr_t)at;
	uint64_t live = live_meta_of(n), key = mh_cookie_key(live, secret);
	struct mh_cookie c;

	if (!is_block(at))
		return;
	mh_cookie_put(&c, block, w0, key);
	PROVE(mh_cookie_meta(&c, block, secret) == live);
	PROVE(mh_cookie_is(&c, block, key));
	c.w1 = ~c.w1;
	PROVE(mh_cookie_meta(&c, block, secret) == MH_META(n & 3, MH_FREED, LOG(n)));
	PROVE(!mh_cookie_is(&c, block, key));
}

/* The compare of the hot path takes no block of another kind or alignment. */
PROPERTY kinds_are_told_apart(uint64_t w0, uint64_t at, uint64_t secret, uint64_t n,
			      uint64_t m)
{
	uint64_t is = live_meta_of(n), expected = live_meta_of(m);
	struct mh_cookie c;

	if (!is_block(at))
		return;
	mh_cookie_put(&c, (void *)(uintptr_t)at, w0, mh_cookie_key(is, secret));
	PROVE((is == expected) == mh_cookie_is(&c, (void *)(uintptr_t)at,
					       mh_cookie_key(expected, secret)));
}

/* Flipped it is freed, flipped back it is as it was; nothing else changes. */
PROPERTY flipping(uint64_t w0, uint64_t secret, uint64_t n)
{
	uint64_t key = mh_cookie_key(live_meta_of(n), secret), was;
	_Alignas(16) struct mh_cookie room[2];
	void *block = &room[1];

	mh_cookie_write(block, w0, key);
	was = room[0].w1;
	PROVE(mh_cookie_is(&room[0], block, key));
	mh_cookie_flip(block);
	PROVE(!mh_cookie_is(&room[0], block, key) && room[0].w0 == w0);
	mh_cookie_flip(block);
	PROVE(room[0].w1 == was);
}

/*
 * A copied cookie is none: with the size, the owner or the address changed and
 * all else the same, the compare fails.
 */
PROPERTY one_change_is_seen(uint64_t w0, uint64_t other, uint64_t at, uint64_t to,
			    uint64_t key)
{
	struct mh_cookie c;

	if (!is_block(at) || !is_block(to))
		return;
	mh_cookie_put(&c, (void *)(uintptr_t)at, w0, key);
	PROVE(at == to || !mh_cookie_is(&c, (void *)(uintptr_t)to, key));
	c.w0 = other;
	PROVE(w0 == other || !mh_cookie_is(&c, (void *)(uintptr_t)at, key));
}

/*
 * alloc() and make(): no sum wraps, the block is aligned, its cookie lies in
 * it, and its start is found again.
 */
PROPERTY where_a_block_begins(uint64_t size, uint64_t log, uint64_t start)
{
	uint64_t align = log & 63;
	size_t room = align && align <= ALIGN_MAX ? (size_t)1 << align : MH_COOKIE_SIZE;
	uintptr_t block;

	/* 1 to 16 bytes of alignment are malloc's own: mh_alloc_aligned() */
	if (!is_size(size) || align > ALIGN_MAX || (align && align <= 4) ||
	    (align && room > MH_SIZE_MAX - (size_t)size))
		return;
	PROVE(room + (size_t)size >= (size_t)size && room + (size_t)size >= room);
	PROVE(room + (size_t)size <= PTRDIFF_MAX);
	/* the backend gives what it was asked for: within the address space */
	if (start != (uintptr_t)start || start < 4096 || (start & (room - 1)) ||
	    start > UINTPTR_MAX - room - (size_t)size)
		return;
	block = (uintptr_t)start + room;
	PROVE((block & (room - 1)) == 0 && block % MH_COOKIE_SIZE == 0);
	PROVE(block - MH_COOKIE_SIZE >= start);
	PROVE((uintptr_t)mh_block_start((void *)block, MH_META(0, MH_LIVE, align)) == start);
	PROVE((uintptr_t)mh_cookie((void *)block) == block - MH_COOKIE_SIZE);
}

#ifndef PROOF
static void all(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	size_and_owner_come_back(a, b);
	fields_of_meta_come_back(b);
	large_blocks_are_told_apart(a, c, d);
	a_cookie_is_read(a, c, d, b);
	kinds_are_told_apart(a, c, d, b, e);
	flipping(a, d, b);
	one_change_is_seen(a, b, c, e, d);
	where_a_block_begins(a, b, c);
}

/* Around each power of two, and as far as there is one. */
static size_t borders(uint64_t *to, unsigned step)
{
	size_t n = 0;
	unsigned bit;
	int d;

	for (bit = 0; bit < 64; bit += step)
		for (d = -1; d <= 1; d++)
			to[n++] = (UINT64_C(1) << bit) + (uint64_t)d;
	to[n++] = UINT64_MAX;
	to[n++] = MH_SIZE_MAX;
	to[n++] = (uint64_t)MH_SIZE_MAX + 1;
	to[n++] = (UINT64_C(1) << 47) - 16;
	to[n++] = 4096;
	return n;
}

int main(void)
{
	static const uint64_t secrets[] = { 0, 1, UINT64_MAX, UINT64_C(0x0123456789abcdef) };
	uint64_t fine[256], coarse[256];
	size_t i, k, l, s, few, many;
	uint64_t n;

	many = borders(fine, 1);
	few = borders(coarse, 7);
	for (i = 0; i < many; i++)
		for (k = 0; k < many; k++)
			for (l = 0; l < few; l++)
				for (s = 0; s < 4; s++)
					all(fine[i], fine[k], fine[k] & ~UINT64_C(15),
					    secrets[s], coarse[l]);
	/* every meta, every alignment, each at many places */
	for (n = 0; n < METAS; n++)
		for (i = 0; i < many; i++)
			for (l = 0; l < few; l++)
				all(fine[i], n, coarse[l] << LOG(n),
				    secrets[n % 4], fine[l]);
	printf("%llu properties\n", (unsigned long long)proved);
	return proved < 1000000;
}
#endif
