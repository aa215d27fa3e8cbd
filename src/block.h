/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life of a block: the hot path.  Straight-line code; everything rare is a
 * tail call into block.c.  Inlined into interpose.c and operators.c.
 */
#ifndef MH_BLOCK_H
#define MH_BLOCK_H

#include <string.h>

#include "account.h"
#include "backend.h"
#include "cookie.h"
#include "thread.h"

/* What a caller of free, delete or delete[] expects in the cookie. */
#define MH_LIVE_MALLOC MH_META(MEMHOOK_MALLOC, MH_LIVE, 0)
#define MH_LIVE_NEW MH_META(MEMHOOK_NEW, MH_LIVE, 0)
#define MH_LIVE_NEW_ARRAY MH_META(MEMHOOK_NEW_ARRAY, MH_LIVE, 0)

/* block.c */
MH_COLD void *mh_alloc_cold(size_t size, uint64_t meta, int zero, const void *caller);
void *mh_alloc_fresh(size_t size, uint64_t meta);
void *mh_calloc_fresh(size_t size, uint64_t meta);
void mh_release(void *block, size_t size);
MH_COLD void mh_free_publish(void *block, uint64_t owner, size_t size);
MH_COLD void mh_free_cold(void *block, uint64_t meta, size_t claimed, const void *caller);
void *mh_alloc_aligned(size_t align, size_t size, uint64_t meta, const void *caller);
void *mh_realloc(void *block, size_t size, const void *caller);
size_t mh_usable_size(void *block, const void *caller);
int mh_move_owner(void *block, uint64_t to);

/*
 * The hot path of malloc: a block from this thread's cache.  `current` is
 * NULL for whatever needs a second look: a new thread, a forked child, an
 * owner that is not simply the current one.
 */
static inline __attribute__((always_inline)) void *
mh_alloc(size_t size, uint64_t meta, int zero, const void *caller)
{
	struct mh_hot *h = mh_hot;
	struct mh_row *row = atomic_load_explicit(&h->current, MH_RELAXED);
	uint64_t owner;
	void *block;

	if (mh_unlikely(!row))
		return mh_alloc_cold(size, meta, zero, caller);
	block = mh_likely(size <= MH_CACHED_MAX) ? mh_cache_pop(h->cache, size) : NULL;
	if (mh_unlikely(!block))
		return zero ? mh_calloc_fresh(size, meta) : mh_alloc_fresh(size, meta);
	if (zero)
		memset(block, 0, size);
	owner = atomic_load_explicit(&h->owner, MH_RELAXED);
	mh_cookie_write(block, mh_cookie_w0(size, owner), meta, h->secret);
	return mh_count_alloc(h, row, owner, size, block);
}

/* `claimed` where the caller of free tells no size. */
#define MH_ANY_SIZE SIZE_MAX

/*
 * Addresses in the first 16 bytes of a page go the cold way before the
 * cookie is read: the page before may not exist.  NULL is one of them.
 */
static inline __attribute__((always_inline)) void
mh_free(void *block, uint64_t meta, size_t claimed, const void *caller)
{
	struct mh_hot *h = mh_hot;
	struct mh_cookie *c = mh_cookie(block);
	uint64_t w0, owner;
	size_t size;

	if (mh_unlikely(((uintptr_t)block & 4095) < MH_COOKIE_SIZE || !h->rows)) {
		mh_free_cold(block, meta, claimed, caller);
		return;
	}
	w0 = c->w0;
	size = mh_cookie_size(w0);
	if (mh_unlikely((c->w1 ^ mh_cookie_hash(w0, block, h->secret)) != meta * MH_MIX ||
			(claimed != MH_ANY_SIZE && claimed != size))) {
		mh_free_cold(block, meta, claimed, caller);
		return;
	}
	mh_cookie_flip(block, meta);
	owner = mh_cookie_owner(w0);
	if (mh_unlikely(mh_count_free(h, &h->rows[owner], size))) {
		mh_free_publish(block, owner, size);
		return;
	}
	if (mh_unlikely(size > MH_CACHED_MAX || !mh_cache_push(h->cache, block, size)))
		mh_release(block, size);
}

#endif /* MH_BLOCK_H */
