/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cookie: 16 bytes directly in front of every block that the program
 * holds.
 *
 *     w0   requested size (44 bits) | row of the owner (20 bits)
 *     w1   rotl(w0, 32) ^ address ^ secret ^ meta * MH_MIX
 *
 * meta (16 bits) says how the block was made, whether it is live, and its
 * alignment; the start of the backend's block follows from that.  No field is
 * believed before w1 was verified: for the common case that is one compare
 * with a constant; otherwise multiplying by the inverse of MH_MIX gives meta
 * back, and anything but a small number means that this is no cookie of ours
 * (48 bits of check).  It catches bugs.  It is no security boundary.
 */
#ifndef MH_COOKIE_H
#define MH_COOKIE_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

struct mh_cookie {
	uint64_t w0;
	uint64_t w1;
};

#define MH_COOKIE_SIZE 16
#define MH_OWNER_BITS 20
#define MH_OWNER_MASK ((UINT64_C(1) << MH_OWNER_BITS) - 1)

/* Greatest size a cookie can tell, and room left for cookie and padding. */
#if SIZE_MAX > 0xffffffff
#define MH_SIZE_MAX (((size_t)1 << 44) - 1)
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
#define MH_META_ALIGN(m) ((unsigned)(m) >> 8 & 255)

#define MH_MIX UINT64_C(0x9e3779b97f4a7c15)
#define MH_MIX_INVERSE UINT64_C(0xf1de83e19937733d)
_Static_assert(MH_MIX * MH_MIX_INVERSE == 1, "inverse modulo 2^64");

static inline struct mh_cookie *mh_cookie(const void *block)
{
	return (struct mh_cookie *)((uintptr_t)block - MH_COOKIE_SIZE);
}

/* What w1 ought to be, but for meta * MH_MIX. */
static inline uint64_t mh_cookie_hash(uint64_t w0, const void *block, uint64_t secret)
{
	return (w0 << 32 | w0 >> 32) ^ (uintptr_t)block ^ secret;
}

static inline void mh_cookie_write(void *block, uint64_t w0, uint64_t meta,
				   uint64_t secret)
{
	struct mh_cookie *c = mh_cookie(block);

	c->w0 = w0;
	c->w1 = mh_cookie_hash(w0, block, secret) ^ meta * MH_MIX;
}

/* meta of a cookie that was read; 0 when it is not one of ours. */
static inline uint64_t mh_cookie_meta(const struct mh_cookie *c, const void *block,
				      uint64_t secret)
{
	uint64_t meta;

	meta = (c->w1 ^ mh_cookie_hash(c->w0, block, secret)) * MH_MIX_INVERSE;
	return meta >> 16 ? 0 : meta;
}

/* Live to freed and back, without changing anything else. */
static inline void mh_cookie_flip(void *block, uint64_t live_meta)
{
	uint64_t freed_meta = live_meta ^ MH_META(0, MH_LIVE ^ MH_FREED, 0);

	mh_cookie(block)->w1 ^= live_meta * MH_MIX ^ freed_meta * MH_MIX;
}

static inline size_t mh_cookie_size(uint64_t w0)
{
	return (size_t)(w0 >> MH_OWNER_BITS);
}

static inline uint32_t mh_cookie_owner(uint64_t w0)
{
	return (uint32_t)(w0 & MH_OWNER_MASK);
}

static inline uint64_t mh_cookie_w0(size_t size, uint64_t owner)
{
	return (uint64_t)size << MH_OWNER_BITS | owner;
}

/* Where the backend's block begins. */
static inline void *mh_block_start(const void *block, uint64_t meta)
{
	unsigned align = MH_META_ALIGN(meta);
	size_t room = align ? (size_t)1 << align : MH_COOKIE_SIZE;

	return (void *)((uintptr_t)block - room);
}

#endif /* MH_COOKIE_H */
