/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of zero bytes.  There is nothing to read or write in them, so each
 * lies alone at the start of a page that nobody can access.  16 bytes in front
 * of it are none of ours either: its cookie is in a table.
 *
 * They cost the hot path nothing.  The bin of this size stays empty, so that
 * malloc(0) comes to block.c; and pointers to the start of a page go the cold
 * way in free, before their cookie is read.
 */
#ifndef MH_ZERO_H
#define MH_ZERO_H

#include <stdatomic.h>

#include "cookie.h"
#include "thread.h"

#define MH_ZERO_SLOT 4096
#define MH_ZERO_SLOTS (SIZE_MAX > 0xffffffff ? 4096 : 1024)
#define MH_ZERO_SPAN ((uintptr_t)MH_ZERO_SLOT * MH_ZERO_SLOTS)

extern _Atomic uintptr_t mh_zero_base; /* 0: none yet, 1: none to be had */
extern struct mh_cookie mh_zero_cookies[MH_ZERO_SLOTS];

/* Is it one of these?  Blocks that begin a page may be. */
static inline int mh_zero_has(const void *block)
{
	uintptr_t base;

	if ((uintptr_t)block % MH_ZERO_SLOT)
		return 0;
	/* relaxed: who has a pointer from there has seen it */
	base = atomic_load_explicit(&mh_zero_base, memory_order_relaxed);
	return base > 1 && (uintptr_t)block - base < MH_ZERO_SPAN;
}

/* Of a block that begins a page: in front of it, or in a table. */
struct mh_cookie *mh_cookie_aside(const void *block);

/* Where the cookie of any block is. */
static inline struct mh_cookie *mh_cookie_of(const void *block)
{
	return mh_likely((uintptr_t)block % MH_ZERO_SLOT) ? mh_cookie(block)
							  : mh_cookie_aside(block);
}

static inline void mh_cookie_set(const void *block, uint64_t w0, uint64_t key)
{
	mh_cookie_put(mh_cookie_of(block), block, w0, key);
}

/* A live one is freed. */
static inline void mh_cookie_end(const void *block)
{
	mh_cookie_turn(mh_cookie_of(block));
}

/* NULL when all are taken: such a block is made like any other. */
void *mh_zero_take(uint64_t meta);
void mh_zero_give(void *block);

#endif /* MH_ZERO_H */
