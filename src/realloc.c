/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a block: it changes its size. */
#include <string.h>

#include "charge.h"
#include "checks.h"
#include "diag.h"
#include "inspect.h"
#include "no-memory.h"
#include "watch.h"

/* A peak between the two would be of what nobody asked for. */
static inline void *recharge(struct mh_hot *h, uint64_t w0, void *block, size_t size,
			     uint64_t meta, enum mh_grant grant)
{
	size_t had = mh_cookie_size(w0);
	uint64_t owner = mh_cookie_owner(w0);

	if (mh_unlikely(grant == MH_GRANTED))
		mh_limit_take_rest(owner, size, had);
	mh_cookie_set(block, mh_cookie_w0(size, owner), mh_cookie_key(meta, mh_secret));
	if (mh_likely(h != NULL)) {
		mh_count_resize(h, owner, size, had);
	} else {
		mh_shared_alloc(owner, size);
		mh_shared_free(owner, had);
	}
	return block;
}

static int must_move(const void *block, uint64_t meta)
{
	return MH_META_ALIGN(meta) || (meta & MH_GUARDED) || mh_check_level ||
	       mh_zero_has(block);
}

/*
 * Another place for a block whose start the backend cannot keep; with checks
 * for every block, so that who holds on to the old place is found out.
 */
static void *move(struct mh_hot *h, void *old, uint64_t meta, uint64_t w0, size_t size,
		  enum mh_grant grant, const void *caller)
{
	size_t had = mh_cookie_size(w0);
	uint64_t new_meta = MH_LIVE_MALLOC;
	void *block = mh_place(h, size, &new_meta, 0, mh_check_level == MH_CHECK_STRICT,
			       caller);

	if (!block)
		return NULL;
	memcpy(block, old, had < size ? had : size);
	recharge(h, w0, block, size, new_meta, grant);
	mh_cookie_end(old);
	mh_let_go(h, old, meta, had, caller);
	return block;
}

/*
 * The owner stays.  The old cookie says "freed" while the backend works: it
 * may move the block, and what it leaves behind must not look alive.
 */
static inline __attribute__((always_inline)) void *
resize(struct mh_hot *h, void *old, uint64_t meta, uint64_t w0, size_t size,
       enum mh_grant grant, const void *caller)
{
	uint64_t kind = MH_META(MH_META_KIND(meta), MH_LIVE, 0);
	char *start;

	mh_cookie_flip(old);
	start = mh_backend_realloc(mh_cookie(old), size + MH_COOKIE_SIZE);
	if (!start) {
		mh_cookie_flip(old);
		return mh_oom(size, caller);
	}
	return recharge(h, w0, start + MH_COOKIE_SIZE, size, kind, grant);
}

/*
 * Observers see a free and an allocation, as the counters do: the free before
 * another thread can get the address, and taken back if it came to nothing.
 */
static MH_COLD void *realloc_watched(void *old, uint64_t meta, uint64_t w0, size_t size,
				     const void *caller)
{
	size_t had = mh_cookie_size(w0);
	uint64_t owner = mh_cookie_owner(w0);
	enum mh_grant grant = mh_limit_take(owner, size, had, caller);
	struct mh_hot *h;
	void *block;

	if (grant == MH_REFUSED)
		return no_memory();
	mh_observe_free(old, had, owner, caller);
	h = mh_attach(); /* now: an observer may fork */
	block = must_move(old, meta) ? move(h, old, meta, w0, size, grant, caller)
				     : resize(h, old, meta, w0, size, grant, caller);
	if (!block) {
		if (grant == MH_GRANTED)
			mh_limit_give_back(owner, size, had);
		mh_observe_alloc(old, had, owner, caller);
		return NULL;
	}
	mh_observe_alloc(block, size, owner, caller);
	if (grant == MH_GRANTED)
		mh_limit_look(owner, size, had, caller);
	return block;
}

/* Both are counted, the new one first; the old one goes where it came from. */
static inline void *swap_ready(struct mh_hot *h, struct mh_row *row, void *old, void *block,
			       size_t size)
{
	struct mh_cache *cache = mh_cache(h);
	uint64_t w0 = mh_cookie(old)->w0, look;
	size_t had = mh_cookie_size(w0);
	int moved = block != old, kept;

	if (moved)
		mh_cookie_flip(old);
	mh_cookie_write(block, mh_cookie_w0(size, mh_cookie_owner(w0)),
			mh_key(h, MH_LIVE_MALLOC));
	look = mh_count_alloc(h, row, size, moved ? mh_bin(cache, size)->weight : 0);
	kept = moved && mh_bin_keep(cache, mh_bin(cache, had), old, &h->tally);
	look |= mh_count_free(h, row, had, kept ? mh_bin(cache, had)->weight : 0);
	if (moved && !kept)
		mh_release(old, had);
	if (mh_unlikely(look)) {
		mh_publish_alloc(h, row);
		mh_free_publish(row);
	}
	return block;
}

/*
 * Small blocks of malloc, unwatched: the backend is not asked.  A block stays
 * while its class is the same, and otherwise changes places with a ready one.
 * NULL where it takes more than that.
 */
static inline void *resize_ready(struct mh_hot *h, void *old, size_t size)
{
	struct mh_bin *bin;
	void *block = old;
	uint64_t w0;
	size_t had;

	if (mh_free_asks(h, old) || size > MH_CACHED_MAX ||
	    !mh_cookie_is_small(mh_cookie(old), old, mh_key(h, MH_LIVE_MALLOC)))
		return NULL;
	w0 = mh_cookie(old)->w0;
	had = mh_w0_size(w0);
	if (mh_watched(mh_cookie_owner(w0)))
		return NULL;
	bin = mh_bin(mh_cache(h), size);
	if (bin != mh_bin(mh_cache(h), had)) {
		block = mh_bin_take(h, bin);
		if (!block)
			return NULL;
		memcpy(block, old, had < size ? had : size);
	}
	return swap_ready(h, &h->rows[mh_cookie_owner(w0)], old, block, size);
}

void *mh_realloc(void *block, size_t size, struct mh_from from)
{
	struct mh_hot *h = mh_hot;
	uint64_t meta, w0;
	void *resized;

	if (!block)
		return mh_alloc(size, MH_LIVE_MALLOC, &from);
	if (size == 0) { /* as glibc does */
		mh_free(block, MH_LIVE_MALLOC, MH_ANY_SIZE, from.caller);
		return NULL;
	}
	resized = resize_ready(h, block, size);
	if (mh_likely(resized != NULL))
		return resized;
	if (mh_unlikely(!h->rows))
		h = mh_attach();
	meta = mh_verify(block, "realloc()", from.caller);
	if (!meta || size > MH_SIZE_MAX)
		return no_memory();
	w0 = mh_cookie_of(block)->w0;
	if (MH_META_KIND(meta) != MEMHOOK_MALLOC)
		mh_warn_mismatch(block, meta, MH_LIVE_MALLOC, from.caller);
	if (mh_check_level || (meta & MH_GUARDED))
		mh_check_canary(block, "realloc()", from.caller);
	if (mh_unlikely(mh_watched(mh_cookie_owner(w0))))
		return realloc_watched(block, meta, w0, size, from.caller);
	if (must_move(block, meta))
		return move(h, block, meta, w0, size, MH_NOT_LIMITED, from.caller);
	return resize(h, block, meta, w0, size, MH_NOT_LIMITED, from.caller);
}
