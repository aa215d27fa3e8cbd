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
#include "no-memory.h"
#include "thread.h"

/* The key of such cookies, ready-made for the two most frequent. */
static inline __attribute__((always_inline)) uint64_t mh_key(const struct mh_hot *h,
							     uint64_t meta)
{
	if (meta == MH_LIVE_NEW)
		return h->key[1];
	return h->key[0] ^ MH_LIVE_MALLOC * MH_MIX ^ meta * MH_MIX;
}

/* block.c */
MH_NOINLINE void *mh_alloc_ask(size_t size, uint64_t meta, int zero, struct mh_from from);
MH_NOINLINE void *mh_malloc_fresh(size_t size, uint64_t meta, uint64_t w0);
MH_NOINLINE void *mh_alloc_fresh(size_t size, uint64_t meta, uint64_t w0);
MH_NOINLINE void *mh_alloc_large(size_t size, uint64_t meta, uint64_t w0, int zero);
MH_NOINLINE void *mh_alloc_filled(size_t size, uint64_t meta, uint64_t w0, int zero);
MH_NOINLINE void *mh_calloc_fresh(size_t size, uint64_t meta, uint64_t w0);
void *mh_bin_refill(struct mh_hot *h, struct mh_bin *bin);
void mh_release(void *block, size_t size);
MH_COLD void *mh_alloc_publish(void *block, struct mh_row *row);
MH_COLD void mh_free_publish(struct mh_row *row);
MH_NOINLINE void mh_free_full(void *block);
MH_NOINLINE void mh_free_ask(void *block, uint64_t meta, size_t claimed, const void *caller);
void *mh_alloc_asked(size_t size, uint64_t meta, int zero, struct mh_from from,
		     uintptr_t fp);
MH_NOINLINE void *mh_realloc(void *block, size_t size, struct mh_from from);
size_t mh_usable_size(void *block, const void *caller);
int mh_move_owner(void *block, uint64_t to);

/* aligned.c */
void *mh_alloc_aligned(size_t align, size_t size, uint64_t meta, struct mh_from from,
		       uintptr_t fp);
/* Verified, and flipped. */
void mh_free_aligned(struct mh_hot *h, void *block, uint64_t meta, uint64_t w0);

/* What malloc ends in when its own few lines are not enough. */
typedef void *mh_alloc_ask_fn(size_t size, uint64_t meta, int zero, struct mh_from from);
/* w0 is the owner's part alone where the block is large. */
typedef void *mh_alloc_fresh_fn(size_t size, uint64_t meta, uint64_t w0);

/* Out of this bin, as the program gets it. */
static inline __attribute__((always_inline)) void *
mh_alloc_served(struct mh_hot *h, struct mh_row *row, struct mh_bin *bin, void *block,
		uint64_t w0, size_t size, uint64_t meta, int zero)
{
	if (zero)
		memset(block, 0, size);
	mh_cookie_write_small(block, w0, mh_key(h, meta));
	if (mh_unlikely(mh_count_alloc(h, row, size, bin->weight)))
		return mh_alloc_publish(block, row);
	return block;
}

/* The owner is known: a block from this thread's cache. */
static inline __attribute__((always_inline)) void *
mh_alloc_charged(struct mh_hot *h, struct mh_row *row, uint64_t owned, size_t size,
		 uint64_t meta, int zero, mh_alloc_fresh_fn *fresh)
{
	struct mh_bin *bin;
	uint64_t w0;
	void *block;

	if (mh_unlikely(size > MH_CACHED_MAX))
		return fresh(size, meta, owned);
	w0 = mh_w0_small(owned, size, mh_bin_of(size));
	bin = mh_bin_there(mh_cache(h), mh_bin_of(size));
	block = mh_bin_pop(bin);
	if (mh_unlikely(!block))
		return fresh(size, meta, w0);
	return mh_alloc_served(h, row, bin, block, w0, size, meta, zero);
}

/* A block that is ready, or NULL. */
static inline void *mh_bin_take(struct mh_hot *h, struct mh_bin *bin)
{
	void *block = mh_bin_pop(bin);

	if (mh_unlikely(!block) && mh_bin_asks(bin))
		block = mh_bin_refill(h, bin);
	return block;
}

/* The owner is known, and there is nothing ready: from the backend. */
static inline __attribute__((always_inline)) void *
mh_alloc_backend(size_t size, uint64_t meta, uint64_t w0, int zero)
{
	struct mh_hot *h;
	struct mh_row *row;
	char *start;
	void *block;

	start = zero ? mh_backend_calloc(size + MH_COOKIE_SIZE) :
		       mh_backend_malloc(size + MH_COOKIE_SIZE);
	if (mh_unlikely(!start))
		return mh_oom(size, __builtin_return_address(0));
	h = mh_hot;
	block = start + MH_COOKIE_SIZE;
	mh_cookie_write_small(block, w0, mh_key(h, meta));
	row = &h->rows[mh_cookie_owner(w0)];
	if (mh_unlikely(mh_count_alloc(h, row, size, 0)))
		return mh_alloc_publish(block, row);
	return block;
}

/* The owner is known, but its bin is empty. */
static inline __attribute__((always_inline)) void *
mh_alloc_missed(size_t size, uint64_t meta, uint64_t w0, int zero)
{
	if (mh_unlikely(size - 1 >= MH_CACHED_MAX)) /* nothing, too */
		return mh_alloc_large(size, meta, w0, zero);
	if (mh_unlikely(mh_bin_asks(mh_bin_there(mh_cache(mh_hot), mh_w0_bin(w0))))) {
		void *block = mh_alloc_filled(size, meta, w0, zero);

		if (block)
			return block;
	}
	return mh_alloc_backend(size, meta, w0, zero);
}

/*
 * The hot path of malloc.  `ask` is for whatever needs a second look: a new
 * thread, a forked child, an owner that is neither the current one nor that
 * of a known call site.  `fresh` is for an empty bin and for large blocks.
 * Both are sibling calls: nothing is saved for their sake.  `told` is whence,
 * and NULL in a function that the program calls: then it is looked up where it
 * is needed, not before.
 */
static inline __attribute__((always_inline)) void *
mh_alloc_hot(size_t size, uint64_t meta, int zero, const struct mh_from *told,
	     mh_alloc_ask_fn *ask, mh_alloc_fresh_fn *fresh)
{
	struct mh_hot *h = mh_hot;
	struct mh_row *row = atomic_load_explicit(&h->current, MH_RELAXED);
	uint64_t owned = atomic_load_explicit(&h->owned, MH_RELAXED);

	if (mh_unlikely((uintptr_t)row <= (uintptr_t)MH_BY_CALLER)) {
		struct mh_from from = told ? *told : MH_HERE;
		const struct mh_site *site = mh_site(h, from.caller);

		if (mh_unlikely(!row || site->caller != (uintptr_t)from.caller))
			return ask(size, meta, zero, from);
		row = site->row;
		owned = site->owned;
	}
	return mh_alloc_charged(h, row, owned, size, meta, zero, fresh);
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
mh_alloc(size_t size, uint64_t meta, const struct mh_from *told)
{
	return mh_alloc_hot(size, meta, 0, told, mh_alloc_ask,
			    meta == MH_LIVE_MALLOC ? mh_malloc_fresh : mh_alloc_fresh);
}

static inline __attribute__((always_inline)) void *
mh_calloc(size_t size, uint64_t meta, const struct mh_from *told)
{
	return mh_alloc_hot(size, meta, 1, told, mh_alloc_ask, mh_calloc_fresh);
}

/* A small block without alignment, verified: its bin takes it, or the backend. */
static inline __attribute__((always_inline)) void mh_free_known(struct mh_hot *h, void *block,
								uint64_t w0)
{
	size_t size = mh_w0_size(w0);
	struct mh_bin *bin = mh_bin_there(mh_cache(h), mh_w0_bin(w0));
	struct mh_row *row = &h->rows[mh_cookie_owner(w0)];

	mh_cookie_flip(block);
	if (mh_unlikely(!mh_bin_push(bin, block)))
		mh_free_full(block);
	else if (mh_unlikely(mh_count_free(h, row, size, bin->weight)))
		mh_free_publish(row);
}

/* `claimed` where the caller of free tells no size. */
#define MH_ANY_SIZE SIZE_MAX

/* `told` as above. */
static inline __attribute__((always_inline)) void
mh_free(void *block, uint64_t meta, size_t claimed, const void *told)
{
	struct mh_hot *h = mh_hot;
	const struct mh_cookie *c = mh_cookie(block);

	if (mh_unlikely(mh_free_asks(h, block) ||
			!mh_cookie_is_small(c, block, mh_key(h, meta)) ||
			(claimed != MH_ANY_SIZE && claimed != mh_w0_size(c->w0)))) {
		mh_free_ask(block, meta, claimed,
			    told ? told : __builtin_return_address(0));
		return;
	}
	mh_free_known(h, block, c->w0);
}

#endif /* MH_BLOCK_H */
