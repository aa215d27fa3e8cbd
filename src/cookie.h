/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cookie: 16 bytes directly in front of every block that the program
 * holds.
 *
 *     w0   row of the owner (20 bits) | 0 ... | bin (16) | requested size (16)
 *          row of the owner (20 bits) | 1 | requested size (43): a large block
 *     w1   w0 ^ address ^ secret ^ meta * MH_MIX, and its complement once freed
 *
 * Small blocks are those that have bins (bins.h), so that free finds in w0 all that
 * it has to know of one.  In w1 of a large block there is a mark besides: the one
 * compare of the hot path, which reads w0 as that of a small block, fails with it.
 *
 * meta (16 bits) says how the block was made and its alignment; the start of
 * the backend's block follows from that.  No field is believed before w1 was
 * verified: for the common case that is three xors with a ready-made key, the
 * secret and meta in one (struct mh_hot); otherwise multiplying by the inverse
 * of MH_MIX gives meta back, and anything but a small number means that this
 * is no cookie of ours (47 bits of check).  One pattern written over both
 * words leaves the address and the secret to be met.  It catches bugs.  It is
 * no security boundary.
 */
#ifndef MH_COOKIE_H
#define MH_COOKIE_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "bins.h"

/* A pointer that is no block's may lie anywhere, and not each ARM reads there. */
#if defined(__arm__)
#define MH_ANYWHERE __attribute__((packed))
#else
#define MH_ANYWHERE
#endif

struct mh_cookie {
	uint64_t w0;
	uint64_t w1;
} MH_ANYWHERE;

#define MH_COOKIE_SIZE 16
#define MH_OWNER_BITS 20
#define MH_OWNER_SHIFT (64 - MH_OWNER_BITS)
#define MH_LARGE (UINT64_C(1) << (MH_OWNER_SHIFT - 1))

/* Without that bit: so no two w0 make the same w1. */
#define MH_LARGE_MARK UINT64_C(0x517cc1b727220a95)
_Static_assert(!(MH_LARGE_MARK & MH_LARGE), "large blocks differ in two bits at least");

/* The greatest request that has a bin. */
#define MH_CACHED_MAX (MH_HELD_MAX - MH_COOKIE_SIZE)
_Static_assert(MH_CACHED_MAX <= UINT16_MAX && MH_BIN_AT(MH_BINS) <= UINT16_MAX, "16 bits");

/* Greatest size a cookie can tell, and room left for cookie and padding. */
#if SIZE_MAX > 0xffffffff
#define MH_SIZE_MAX ((size_t)MH_LARGE - 1)
#else
#define MH_SIZE_MAX ((size_t)PTRDIFF_MAX - 4096)
#endif

_Static_assert(sizeof(struct mh_cookie) == MH_COOKIE_SIZE, "cookie size");
_Static_assert(MH_COOKIE_SIZE % alignof(max_align_t) == 0, "malloc alignment");

enum mh_block_state { MH_LIVE = 1, MH_FREED = 2 };

/* kind: enum memhook_alloc_kind.  align: log2, 0 for malloc's own 16. */
#define MH_META(kind, state, align) \
	((uint64_t)(kind) | (uint64_t)(state) << 4 | (uint64_t)(align) << 8)
#define MH_META_KIND(m) ((unsigned)(m) & 15)
#define MH_META_STATE(m) ((unsigned)(m) >> 4 & 15)
#define MH_META_ALIGN(m) ((unsigned)(m) >> 8 & 63)
#define MH_GUARDED UINT64_C(0x8000) /* guard.h: free() takes the cold way with it */

/* What a caller of free, delete or delete[] expects. */
#define MH_LIVE_MALLOC MH_META(MEMHOOK_MALLOC, MH_LIVE, 0)
#define MH_LIVE_NEW MH_META(MEMHOOK_NEW, MH_LIVE, 0)
#define MH_LIVE_NEW_ARRAY MH_META(MEMHOOK_NEW_ARRAY, MH_LIVE, 0)

#define MH_MIX UINT64_C(0x9e3779b97f4a7c15)
#define MH_MIX_INVERSE UINT64_C(0xf1de83e19937733d)
_Static_assert(MH_MIX * MH_MIX_INVERSE == 1, "inverse modulo 2^64");

static inline struct mh_cookie *mh_cookie(const void *block)
{
	return (struct mh_cookie *)((uintptr_t)block - MH_COOKIE_SIZE);
}

/* What all live blocks of one meta share. */
static inline uint64_t mh_cookie_key(uint64_t live_meta, uint64_t secret)
{
	return secret ^ live_meta * MH_MIX;
}

static inline uint64_t mh_cookie_marked(uint64_t w0)
{
	return w0 & MH_LARGE ? w0 ^ MH_LARGE_MARK : w0;
}

static inline void mh_cookie_put(struct mh_cookie *c, const void *block, uint64_t w0,
				 uint64_t key)
{
	c->w0 = w0;
	c->w1 = mh_cookie_marked(w0) ^ (uintptr_t)block ^ key;
}

static inline void mh_cookie_write(void *block, uint64_t w0, uint64_t key)
{
	mh_cookie_put(mh_cookie(block), block, w0, key);
}

/* The same where w0 is of mh_w0_small(). */
static inline void mh_cookie_write_small(void *block, uint64_t w0, uint64_t key)
{
	struct mh_cookie *c = mh_cookie(block);

	c->w0 = w0;
	c->w1 = w0 ^ (uintptr_t)block ^ key;
}

/* The key of a live block's cookie; the complement of a freed one's. */
static inline uint64_t mh_cookie_mix(const struct mh_cookie *c, const void *block)
{
	return mh_cookie_marked(c->w0) ^ c->w1 ^ (uintptr_t)block;
}

/* A live block's, of this key? */
static inline int mh_cookie_is(const struct mh_cookie *c, const void *block, uint64_t key)
{
	return mh_cookie_mix(c, block) == key;
}

/* The same, but of a small block alone. */
static inline int mh_cookie_is_small(const struct mh_cookie *c, const void *block,
				     uint64_t key)
{
	return (c->w0 ^ c->w1 ^ (uintptr_t)block ^ key) == 0;
}

/* meta of a cookie that was read; 0 when it is not one of ours. */
static inline uint64_t mh_cookie_meta(const struct mh_cookie *c, const void *block,
				      uint64_t secret)
{
	uint64_t mix = mh_cookie_mix(c, block) ^ secret;
	uint64_t live = mix * MH_MIX_INVERSE, freed = ~mix * MH_MIX_INVERSE;

	if (!(live >> 16) && MH_META_STATE(live) == MH_LIVE)
		return live;
	if (!(freed >> 16) && MH_META_STATE(freed) == MH_LIVE)
		return freed ^ MH_META(0, MH_LIVE ^ MH_FREED, 0);
	return 0;
}

/* Live to freed and back, without changing anything else. */
static inline void mh_cookie_turn(struct mh_cookie *c)
{
	c->w1 = ~c->w1;
}

static inline void mh_cookie_flip(void *block)
{
	mh_cookie_turn(mh_cookie(block));
}

static inline size_t mh_cookie_size(uint64_t w0)
{
	return (size_t)(w0 & (w0 & MH_LARGE ? MH_LARGE - 1 : UINT16_MAX));
}

static inline uint32_t mh_cookie_owner(uint64_t w0)
{
	return (uint32_t)(w0 >> MH_OWNER_SHIFT);
}

/* Of a small block. */
static inline size_t mh_w0_size(uint64_t w0)
{
	return (uint16_t)w0;
}

static inline uint32_t mh_w0_bin(uint64_t w0)
{
	return (uint32_t)w0 >> 16;
}

/* The bin of a request of at most MH_CACHED_MAX, in bytes from the first one. */
static inline uint32_t mh_bin_of(size_t size)
{
	return mh_bin_at[(size + MH_COOKIE_SIZE + 15) >> 4];
}

/* What w0 is made of: the owner's part, ready-made in struct mh_hot, and the rest. */
static inline uint64_t mh_w0_owned(uint64_t owner)
{
	return owner << MH_OWNER_SHIFT;
}

static inline uint64_t mh_w0_small(uint64_t owned, size_t size, uint32_t bin)
{
	return owned + (((uint64_t)bin << 16) + size);
}

static inline uint64_t mh_cookie_w0(size_t size, uint64_t owner)
{
	if (size > MH_CACHED_MAX)
		return mh_w0_owned(owner) | MH_LARGE | size;
	return mh_w0_small(mh_w0_owned(owner), size, mh_bin_of(size));
}

/* Where the backend's block begins. */
static inline void *mh_block_start(const void *block, uint64_t meta)
{
	unsigned align = MH_META_ALIGN(meta);
	size_t room = align ? (size_t)1 << align : MH_COOKIE_SIZE;

	return (void *)((uintptr_t)block - room);
}

#endif /* MH_COOKIE_H */
