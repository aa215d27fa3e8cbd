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
#include "frame.h"
#include "thread.h"

/* What a caller of free, delete or delete[] expects in the cookie. */
#define MH_LIVE_MALLOC MH_META(MEMHOOK_MALLOC, MH_LIVE, 0)
#define MH_LIVE_NEW MH_META(MEMHOOK_NEW, MH_LIVE, 0)
#define MH_LIVE_NEW_ARRAY MH_META(MEMHOOK_NEW_ARRAY, MH_LIVE, 0)

/* block.c */
MH_NOINLINE void *mh_alloc_ask(size_t size, uint64_t meta, int zero, struct mh_from from);
MH_NOINLINE void *mh_alloc_fresh(size_t size, uint64_t meta, uint64_t owner);
MH_NOINLINE void *mh_calloc_fresh(size_t size, uint64_t meta, uint64_t owner);
void mh_release(void *block, size_t size);
MH_COLD void mh_free_publish(void *block, uint64_t owner, size_t size);
MH_COLD void mh_free_cold(void *block, uint64_t meta, size_t claimed, const void *caller);
void *mh_alloc_asked(size_t size, uint64_t meta, int zero, struct mh_from from,
		     uintptr_t fp);
void *mh_alloc_aligned(size_t align, size_t size, uint64_t meta, struct mh_from from,
		       uintptr_t fp);
MH_NOINLINE void *mh_realloc(void *block, size_t size, struct mh_from from);
size_t mh_usable_size(void *block, const void *caller);
int mh_move_owner(void *block, uint64_t to);

/* What malloc ends in when its own few lines are not enough. */
typedef void *mh_alloc_ask_fn(size_t size, uint64_t meta, int zero, struct mh_from from);
typedef void *mh_alloc_fresh_fn(size_t size, uint64_t meta, uint64_t owner);

/* The owner is known: a block from this thread's cache. */
static inline __attribute__((always_inline)) void *
mh_alloc_charged(struct mh_hot *h, struct mh_row *row, uint64_t owner, size_t size,
		 uint64_t meta, int zero, mh_alloc_fresh_fn *fresh)
{
	void *block = mh_likely(size <= MH_CACHED_MAX) ? mh_cache_pop(h->cache, size) : NULL;

	if (mh_unlikely(!block))
		return fresh(size, meta, owner);
	if (zero)
		memset(block, 0, size);
	mh_cookie_write(block, mh_cookie_w0(size, owner), meta, h->secret);
	return mh_count_alloc(h, row, owner, size, block);
}

/*
 * The hot path of malloc.  `ask` is for whatever needs a second look: a new
 * thread, a forked child, an owner that is neither the current one nor that
 * of a known call site.  `fresh` is for an empty bin and for large blocks.
 * Both are sibling calls: nothing is saved for their sake.
 */
static inline __attribute__((always_inline)) void *
mh_alloc_hot(size_t size, uint64_t meta, int zero, struct mh_from from,
	     mh_alloc_ask_fn *ask, mh_alloc_fresh_fn *fresh)
{
	struct mh_hot *h = mh_hot;
	struct mh_row *row = atomic_load_explicit(&h->current, MH_RELAXED);
	uint64_t owner = atomic_load_explicit(&h->owner, MH_RELAXED);

	if (mh_unlikely((uintptr_t)row <= (uintptr_t)MH_BY_CALLER)) {
		const struct mh_site *site = mh_site(h, from.caller);

		if (mh_unlikely(!row || site->caller != (uintptr_t)from.caller))
			return ask(size, meta, zero, from);
		row = site->row;
		owner = site->owner;
	}
	return mh_alloc_charged(h, row, owner, size, meta, zero, fresh);
}

/*
 * The site to charge, as far as this thread knows the way: from a library
 * that is seen through outwards.  NULL where it does not.
 */
static inline const struct mh_site *mh_site_outside(struct mh_hot *h, struct mh_from from,
						    uintptr_t fp)
{
	struct mh_frame frame = { from.caller, from.cfa, fp };
	unsigned depth;

	if (atomic_load_explicit(&h->current, MH_RELAXED) != MH_BY_CALLER)
		return NULL;
	for (depth = 0; depth < MH_DEPTH_MAX; depth++) {
		const struct mh_site *site = mh_site(h, frame.caller);

		if (site->caller == (uintptr_t)frame.caller)
			return site;
		if (mh_unlikely(site->caller != mh_site_through(frame.caller) ||
				!mh_frame_up(&frame, site->step)))
			return NULL;
	}
	return NULL;
}

static inline __attribute__((always_inline)) void *
mh_alloc(size_t size, uint64_t meta, struct mh_from from)
{
	return mh_alloc_hot(size, meta, 0, from, mh_alloc_ask, mh_alloc_fresh);
}

static inline __attribute__((always_inline)) void *
mh_calloc(size_t size, uint64_t meta, struct mh_from from)
{
	return mh_alloc_hot(size, meta, 1, from, mh_alloc_ask, mh_calloc_fresh);
}

/* `claimed` where the caller of free tells no size. */
#define MH_ANY_SIZE SIZE_MAX

/*
 * Addresses in the first 16 bytes of a page go the cold way before the
 * cookie is read: the page before may not exist.  NULL is one of them.
 * So does all while there are no `free_rows`: no line yet, or an observer.
 */
static inline __attribute__((always_inline)) void
mh_free(void *block, uint64_t meta, size_t claimed, const void *caller)
{
	struct mh_hot *h = mh_hot;
	struct mh_cookie *c = mh_cookie(block);
	struct mh_row *rows;
	uint64_t w0, owner;
	size_t size;

	if (mh_unlikely(((uintptr_t)block & 4095) < MH_COOKIE_SIZE ||
			!(rows = atomic_load_explicit(&h->free_rows, MH_RELAXED)))) {
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
	if (mh_unlikely(mh_count_free(h, &rows[owner], size))) {
		mh_free_publish(block, owner, size);
		return;
	}
	if (mh_unlikely(size > MH_CACHED_MAX || !mh_cache_push(h->cache, block, size)))
		mh_release(block, size);
}

#endif /* MH_BLOCK_H */
