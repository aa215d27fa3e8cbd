/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a block: the rare cases. */
#include "block.h"

#include <errno.h>
#include <string.h>

#include "charge.h"
#include "checks.h"
#include "diag.h"
#include "guard.h"
#include "inspect.h"
#include "no-memory.h"
#include "owner.h"
#include "process.h"
#include "watch.h"
#include "zero.h"

/*
 * An over-aligned block starts one alignment before the user's pointer, and
 * the cookie is the end of that room.
 */
static void *from_backend(size_t size, uint64_t meta, int zero)
{
	unsigned align = MH_META_ALIGN(meta);
	size_t room = align ? (size_t)1 << align : MH_COOKIE_SIZE;
	char *start;

	if (align)
		start = mh_backend_memalign(room, mh_aligned_held(room, size));
	else
		start = zero ? mh_backend_calloc(size + room)
			     : mh_backend_malloc(size + room);
	return start ? start + room : NULL;
}

void *mh_place(struct mh_hot *h, size_t size, uint64_t *meta, int zero, int guarded,
	       const void *caller)
{
	void *block = guarded ? mh_guard_make(size, *meta, zero, caller) : NULL;

	if (block)
		*meta |= MH_GUARDED;
	else if (!size)
		block = mh_zero_take(*meta);
	if (!block)
		block = mh_check_level ? mh_check_make(h, size, *meta, zero, caller)
				       : from_backend(size, *meta, zero);
	return block ? block : mh_oom(size, caller);
}

/* A block for this owner, counted. */
static void *make(struct mh_hot *h, uint64_t owner, size_t size, uint64_t meta, int zero,
		  const void *caller)
{
	int guarded = mh_check_level == MH_CHECK_STRICT ||
		      (mh_guard_rate && mh_guard_due(h));
	void *block = mh_place(h, size, &meta, zero, guarded, caller);

	return block ? charge(h, owner, block, size, meta) : NULL;
}

/* Not while the backend works: what is called back may do anything. */
static MH_COLD void *make_watched(struct mh_hot *h, uint64_t owner, size_t size,
				  uint64_t meta, int zero, const void *caller)
{
	enum mh_grant grant = mh_limit_take(owner, size, 0, caller);
	void *block;

	if (grant == MH_REFUSED)
		return no_memory();
	block = make(h, owner, size, meta, zero, caller);
	if (!block) {
		if (grant == MH_GRANTED)
			mh_limit_give_back(owner, size, 0);
		return NULL;
	}
	mh_observe_alloc(block, size, owner, caller);
	if (grant == MH_GRANTED)
		mh_limit_look(owner, size, 0, caller);
	return block;
}

static void *alloc(size_t size, uint64_t meta, int zero, struct mh_from from,
		   uintptr_t fp)
{
	struct mh_hot *h = mh_attach();
	uint64_t owner = 0;

	/* A scope's owner is pinned since then; `current` is NULL while watched. */
	if (h && mh_scope != MEMHOOK_AUTO)
		owner = mh_pinned(h);
	if (!owner || owner != mh_owner_row(mh_scope) || !mh_watched(owner))
		owner = mh_owner_now(h, from, fp, size);
	if (mh_unlikely(mh_watched(owner)))
		return make_watched(h, owner, size, meta, zero, from.caller);
	return make(h, owner, size, meta, zero, from.caller);
}

/* The caller is not known, or not by this thread; or there are checks. */
void *mh_alloc_unsure(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	uintptr_t fp = MH_FRAME_POINTER(from);

	return size > MH_SIZE_MAX ? no_memory() : alloc(size, meta, zero, from, fp);
}

static MH_NOINLINE void *ask(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	uintptr_t fp = MH_FRAME_POINTER(from);
	struct mh_hot *h = mh_hot;
	const struct mh_site *site;

	if (atomic_load_explicit(&h->current, MH_RELAXED) != MH_BY_CALLER)
		return mh_alloc_unsure(size, meta, zero, from);
	site = mh_site_outside(h, from, fp);
	if (mh_unlikely(!site))
		return mh_alloc_asked(size, meta, zero, from, fp);
	return mh_alloc_charged(h, site->row, site->owned, size, meta, zero,
				zero ? mh_calloc_fresh : mh_alloc_fresh);
}

void *mh_alloc_ask(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	if (mh_check_level == MH_CHECK_ON)
		return mh_check_ask(size, meta, zero, from);
	return ask(size, meta, zero, from);
}

void *mh_alloc_asked(size_t size, uint64_t meta, int zero, struct mh_from from,
		     uintptr_t fp)
{
	void *block = NULL;

	if (mh_check_level == MH_CHECK_ON && !MH_META_ALIGN(meta))
		block = mh_check_alloc(size, meta, zero, from);
	if (block)
		return block;
	if (size > MH_SIZE_MAX)
		return no_memory();
	return alloc(size, meta, zero, from, fp);
}

void *mh_alloc_fresh(size_t size, uint64_t meta, uint64_t w0)
{
	return mh_alloc_missed(size, meta, w0, 0);
}

/* The same for the kind that is known: shorter. */
void *mh_malloc_fresh(size_t size, uint64_t meta, uint64_t w0)
{
	(void)meta;
	return mh_alloc_missed(size, MH_LIVE_MALLOC, w0, 0);
}

void *mh_calloc_fresh(size_t size, uint64_t meta, uint64_t w0)
{
	(void)meta;
	return mh_alloc_missed(size, MH_LIVE_MALLOC, w0, 1);
}

static void keep_bound(struct mh_hot *h)
{
	if (h->tally & MH_TALLY_FULL)
		h->tally -= mh_cache_halve(mh_cache(h), mh_settings.cache_bytes);
}

/* A block for an empty bin, and some more; NULL where the backend has to make it. */
void *mh_bin_refill(struct mh_hot *h, struct mh_bin *bin)
{
	void *block;

	h->tally += mh_cache_fill(mh_cache(h), bin);
	block = mh_bin_pop(bin);
	keep_bound(h);
	return block;
}

/* Out of the depot, or NULL. */
void *mh_alloc_filled(size_t size, uint64_t meta, uint64_t w0, int zero)
{
	struct mh_hot *h = mh_hot;
	struct mh_bin *bin = mh_bin_there(mh_cache(h), mh_w0_bin(w0));
	struct mh_row *row = &h->rows[mh_cookie_owner(w0)];
	void *block = mh_bin_refill(h, bin);

	if (!block)
		return NULL;
	return mh_alloc_served(h, row, bin, block, w0, size, meta, zero);
}

/* Larger than the bins' blocks, or nothing. */
void *mh_alloc_large(size_t size, uint64_t meta, uint64_t w0, int zero)
{
	if (mh_unlikely(size > MH_SIZE_MAX))
		return no_memory();
	return make(mh_hot, mh_cookie_owner(w0), size, meta, zero,
		    __builtin_return_address(0));
}

/* A block made without alignment goes back.  The backend keeps errno. */
void mh_release(void *block, size_t size)
{
	mh_backend_free_sized(mh_cookie(block), size + MH_COOKIE_SIZE);
}

void *mh_alloc_publish(void *block, struct mh_row *row)
{
	mh_publish_alloc(mh_hot, row);
	return block;
}

void mh_free_publish(struct mh_row *row)
{
	struct mh_hot *h = mh_hot;

	keep_bound(h);
	mh_publish_free(h, row);
}

/* Half of the block's bin is for the depot, if it takes it: then there is room. */
static MH_NOINLINE void free_offered(void *block)
{
	struct mh_hot *h = mh_hot;
	uint64_t w0 = mh_cookie(block)->w0;
	struct mh_row *row = &h->rows[mh_cookie_owner(w0)];
	struct mh_bin *bin = mh_bin_there(mh_cache(h), mh_w0_bin(w0));
	int kept = mh_bin_offer(mh_cache(h), bin, block, &h->tally);

	if (mh_unlikely(mh_count_free(h, row, mh_w0_size(w0), kept ? bin->weight : 0)))
		mh_free_publish(row);
	if (!kept)
		mh_release(block, mh_w0_size(w0));
}

static MH_COLD void publish_full(void *block, uint64_t w0)
{
	mh_publish_free(mh_hot, &mh_hot->rows[mh_cookie_owner(w0)]);
	mh_release(block, mh_w0_size(w0));
}

/* Verified and flipped; its bin is full. */
void mh_free_full(void *block)
{
	struct mh_hot *h = mh_hot;
	uint64_t w0 = mh_cookie(block)->w0;
	size_t size = mh_w0_size(w0);

	if (mh_unlikely(mh_bin_offers(mh_bin_there(mh_cache(h), mh_w0_bin(w0)))))
		free_offered(block);
	else if (mh_unlikely(mh_count_free(h, &h->rows[mh_cookie_owner(w0)], size, 0)))
		publish_full(block, w0);
	else
		mh_release(block, size);
}

void mh_let_go(struct mh_hot *h, void *block, uint64_t meta, size_t size,
	       const void *caller)
{
	int saved = errno;

	if (mh_zero_has(block))
		mh_zero_give(block);
	else if (mh_check_level || (meta & MH_GUARDED))
		mh_check_retire(h, block, meta, size, caller);
	else if (MH_META_ALIGN(meta))
		mh_backend_free(mh_block_start(block, meta));
	else
		mh_release(block, size);
	errno = saved;
}

void mh_free_unsure(void *block, uint64_t expected, size_t claimed, const void *caller)
{
	struct mh_hot *h = mh_attach();
	uint64_t meta, w0;

	meta = mh_verify(block, mh_call_name(expected), caller);
	if (!meta)
		return; /* foreign, and to be passed over */
	w0 = mh_cookie_of(block)->w0;
	if (MH_META_KIND(meta) != MH_META_KIND(expected))
		mh_warn_mismatch(block, meta, expected, caller);
	else if (claimed != MH_ANY_SIZE && claimed != mh_cookie_size(w0))
		mh_warn_size(block, claimed, expected, caller);
	if (mh_check_level || (meta & MH_GUARDED))
		mh_check_canary(block, mh_call_name(expected), caller);
	if (mh_unlikely(mh_observed())) {
		mh_observe_free(block, mh_cookie_size(w0), mh_cookie_owner(w0), caller);
		h = mh_attach(); /* it may have forked */
	} else if (h && !mh_frees_are_open(h)) {
		mh_open_frees(h); /* the last observer has gone */
	}
	mh_cookie_end(block);
	credit(h, mh_cookie_owner(w0), mh_cookie_size(w0));
	mh_let_go(h, block, meta, mh_cookie_size(w0), caller);
}

/*
 * What free's own few lines do not know, but is right: blocks that are large,
 * over-aligned, or at the start of a page.  All that is wrong, and all that could
 * fault, is for others to look at.
 */
static MH_NOINLINE void free_other(void *block, uint64_t expected, size_t claimed,
				   const void *caller)
{
	struct mh_hot *h = mh_hot;
	struct mh_cookie *c = mh_cookie(block);
	uint64_t meta, w0;

	if (mh_unlikely((uintptr_t)block % MH_COOKIE_SIZE || !mh_frees_are_open(h) ||
			(mh_free_asks(h, block) && !mh_cookie_is_known(c)))) {
		mh_free_unsure(block, expected, claimed, caller);
		return;
	}
	/* a large one as it should be needs no arithmetic */
	meta = mh_cookie_is(c, block, mh_key(h, expected)) ? expected :
							     mh_cookie_meta(c, block, mh_secret);
	w0 = c->w0;
	if (mh_unlikely(((meta ^ expected) & (255 | MH_GUARDED)) ||
			(claimed != MH_ANY_SIZE && claimed != mh_cookie_size(w0)))) {
		mh_free_unsure(block, expected, claimed, caller);
		return;
	}
	if (mh_cookie_is_small(c, block, mh_key(h, expected))) {
		mh_free_known(h, block, w0);
		return;
	}
	mh_cookie_flip(block);
	if (MH_META_ALIGN(meta)) {
		mh_free_aligned(h, block, meta, w0);
		return;
	}
	mh_count_free_any(h, mh_cookie_owner(w0), mh_cookie_size(w0));
	mh_release(block, mh_cookie_size(w0));
}

/* NULL is not rare enough to save registers for it. */
void mh_free_ask(void *block, uint64_t expected, size_t claimed, const void *caller)
{
	if (!block)
		return;
	if (mh_unlikely(mh_check_level == MH_CHECK_ON))
		mh_check_free(block, expected, claimed, caller);
	else if (mh_unlikely(mh_check_level))
		mh_free_unsure(block, expected, claimed, caller);
	else
		free_other(block, expected, claimed, caller);
}

int mh_move_owner(void *block, uint64_t to)
{
	struct mh_hot *h = mh_attach();
	uint64_t meta, w0;
	size_t size;

	meta = mh_peek_meta(block, &w0);
	if (MH_META_STATE(meta) != MH_LIVE)
		return -1;
	size = mh_cookie_size(w0);
	if (mh_unlikely(mh_limited(to)))
		mh_limit_take_rest(to, size, size); /* all of it, and unasked */
	charge(h, to, block, size, meta);
	credit(h, mh_cookie_owner(w0), size);
	return 0;
}
