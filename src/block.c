/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a block: the rare cases. */
#include "block.h"

#include <errno.h>
#include <string.h>

#include "diag.h"
#include "inspect.h"
#include "owner.h"
#include "process.h"
#include "watch.h"

static MH_COLD void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* Write the cookie and count, with a hot line or without one. */
static void *charge(struct mh_hot *h, uint64_t owner, void *block, size_t size,
		    uint64_t meta)
{
	mh_cookie_write(block, mh_cookie_w0(size, owner), mh_cookie_key(meta, mh_secret));
	if (h)
		mh_count_alloc_any(h, owner, size);
	else
		mh_shared_alloc(owner, size);
	return block;
}

static void credit(struct mh_hot *h, uint64_t owner, size_t size)
{
	if (h)
		mh_count_free_any(h, owner, size);
	else
		mh_shared_free(owner, size);
}

/*
 * A block for this owner, counted.  An over-aligned one starts one alignment
 * before the user's pointer, and the cookie is the end of that room.
 */
static void *make(struct mh_hot *h, uint64_t owner, size_t size, uint64_t meta, int zero)
{
	unsigned align = MH_META_ALIGN(meta);
	size_t room = align ? (size_t)1 << align : MH_COOKIE_SIZE;
	char *start;

	if (align)
		start = mh_backend_memalign(room, room + size);
	else
		start = zero ? mh_backend_calloc(size + room)
			     : mh_backend_malloc(size + room);
	if (!start)
		return no_memory();
	return charge(h, owner, start + room, size, meta);
}

/* Not while the backend works: what is called back may do anything. */
static MH_COLD void *make_watched(struct mh_hot *h, uint64_t owner, size_t size,
				  uint64_t meta, int zero, const void *caller)
{
	enum mh_grant grant = mh_limit_take(owner, size, 0, caller);
	void *block;

	if (grant == MH_REFUSED)
		return no_memory();
	block = make(h, owner, size, meta, zero);
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
		owner = atomic_load_explicit(&h->owner, MH_RELAXED);
	if (!owner || owner != mh_owner_row(mh_scope) || !mh_watched(owner))
		owner = mh_owner_now(h, from, fp, size);
	if (mh_unlikely(mh_watched(owner)))
		return make_watched(h, owner, size, meta, zero, from.caller);
	return make(h, owner, size, meta, zero);
}

void *mh_alloc_ask(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	uintptr_t fp = MH_FRAME_POINTER(from);
	struct mh_hot *h = mh_hot;
	const struct mh_site *site = mh_site_outside(h, from, fp);

	if (mh_unlikely(!site))
		return mh_alloc_asked(size, meta, zero, from, fp);
	return mh_alloc_charged(h, site->row, site->owner, size, meta, zero,
				zero ? mh_calloc_fresh : mh_alloc_fresh);
}

void *mh_alloc_asked(size_t size, uint64_t meta, int zero, struct mh_from from,
		     uintptr_t fp)
{
	if (size > MH_SIZE_MAX)
		return no_memory();
	return alloc(size, meta, zero, from, fp);
}

void *mh_alloc_fresh(size_t size, uint64_t meta, uint64_t owner)
{
	return mh_alloc_backend(size, meta, owner, 0);
}

/* The same for the kind that is known: shorter. */
void *mh_malloc_fresh(size_t size, uint64_t meta, uint64_t owner)
{
	(void)meta;
	return mh_alloc_backend(size, MH_LIVE_MALLOC, owner, 0);
}

void *mh_calloc_fresh(size_t size, uint64_t meta, uint64_t owner)
{
	(void)meta;
	return mh_alloc_backend(size, MH_LIVE_MALLOC, owner, 1);
}

/* Larger than the bins' blocks. */
void *mh_alloc_large(size_t size, uint64_t meta, uint64_t owner, int zero)
{
	if (mh_unlikely(size > MH_SIZE_MAX))
		return no_memory();
	return make(mh_hot, owner, size, meta, zero);
}

/* A block made without alignment goes back.  The backend may set errno. */
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

	if (h->tally & MH_TALLY_FULL)
		h->tally -= mh_cache_halve(mh_cache(h));
	mh_publish_free(h, row);
}

/* Verified and flipped; its bin is full. */
void mh_free_publish_full(void *block)
{
	struct mh_hot *h = mh_hot;
	uint64_t w0 = mh_cookie(block)->w0;

	mh_publish_free(h, &h->rows[mh_cookie_owner(w0)]);
	mh_release(block, mh_cookie_size(w0));
}

/* Verified, and larger than the bins' blocks. */
void mh_free_large(void *block)
{
	struct mh_hot *h = mh_hot;
	uint64_t w0 = mh_cookie(block)->w0;

	mh_cookie_flip(block);
	mh_count_free_any(h, mh_cookie_owner(w0), mh_cookie_size(w0));
	mh_release(block, mh_cookie_size(w0));
}

static void release(void *block, uint64_t meta, size_t size)
{
	int saved = errno;

	if (MH_META_ALIGN(meta))
		mh_backend_free(mh_block_start(block, meta));
	else
		mh_release(block, size);
	errno = saved;
}

static MH_COLD void free_cold(void *block, uint64_t expected, size_t claimed,
			      const void *caller)
{
	struct mh_hot *h = mh_attach();
	uint64_t meta, w0;

	meta = mh_verify(block, mh_call_name(expected), caller);
	if (!meta)
		return; /* foreign, and to be passed over */
	w0 = mh_cookie(block)->w0;
	if (MH_META_KIND(meta) != MH_META_KIND(expected))
		mh_warn_mismatch(block, meta, expected, caller);
	else if (claimed != MH_ANY_SIZE && claimed != mh_cookie_size(w0))
		mh_warn_size(block, claimed, expected, caller);
	if (mh_unlikely(mh_observed())) {
		mh_observe_free(block, mh_cookie_size(w0), mh_cookie_owner(w0), caller);
		h = mh_attach(); /* it may have forked */
	} else if (h && !atomic_load_explicit(&h->free_rows, MH_RELAXED)) {
		mh_open_frees(h); /* the last observer has gone */
	}
	mh_cookie_flip(block);
	credit(h, mh_cookie_owner(w0), mh_cookie_size(w0));
	release(block, meta, mh_cookie_size(w0));
}

/* NULL is not rare enough to save registers for it. */
void mh_free_cold(void *block, uint64_t expected, size_t claimed, const void *caller)
{
	if (block && !mh_free_aligned(block, expected, claimed))
		free_cold(block, expected, claimed, caller);
}

/* The new block is counted first: nobody may see less than nothing. */
static inline void *recharge(struct mh_hot *h, uint64_t w0, void *block, size_t size,
			     uint64_t meta, enum mh_grant grant)
{
	size_t had = mh_cookie_size(w0);
	uint64_t owner = mh_cookie_owner(w0);

	if (mh_unlikely(grant == MH_GRANTED))
		mh_limit_take_rest(owner, size, had);
	charge(h, owner, block, size, meta);
	credit(h, owner, had);
	return block;
}

/* Another place for a block whose start the backend cannot keep. */
static void *move(struct mh_hot *h, void *old, uint64_t meta, uint64_t w0, size_t size,
		  enum mh_grant grant)
{
	size_t had = mh_cookie_size(w0);
	char *start = mh_backend_malloc(size + MH_COOKIE_SIZE);

	if (!start)
		return NULL;
	start += MH_COOKIE_SIZE;
	memcpy(start, old, had < size ? had : size);
	recharge(h, w0, start, size, MH_LIVE_MALLOC, grant);
	mh_cookie_flip(old);
	release(old, meta, had);
	return start;
}

/*
 * The owner stays.  The old cookie says "freed" while the backend works: it
 * may move the block, and what it leaves behind must not look alive.
 */
static inline __attribute__((always_inline)) void *
resize(struct mh_hot *h, void *old, uint64_t meta, uint64_t w0, size_t size,
       enum mh_grant grant)
{
	uint64_t kind = MH_META(MH_META_KIND(meta), MH_LIVE, 0);
	char *start;

	mh_cookie_flip(old);
	start = mh_backend_realloc(mh_cookie(old), size + MH_COOKIE_SIZE);
	if (!start) {
		mh_cookie_flip(old);
		return NULL;
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
	block = MH_META_ALIGN(meta) ? move(h, old, meta, w0, size, grant)
				    : resize(h, old, meta, w0, size, grant);
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

void *mh_realloc(void *block, size_t size, struct mh_from from)
{
	struct mh_hot *h = mh_hot;
	uint64_t meta, w0;

	if (!block)
		return mh_alloc(size, MH_LIVE_MALLOC, &from);
	if (size == 0) { /* as glibc does */
		mh_free(block, MH_LIVE_MALLOC, MH_ANY_SIZE, from.caller);
		return NULL;
	}
	if (mh_unlikely(!h->rows))
		h = mh_attach();
	meta = mh_verify(block, "realloc()", from.caller);
	if (!meta || size > MH_SIZE_MAX)
		return no_memory();
	w0 = mh_cookie(block)->w0;
	if (MH_META_KIND(meta) != MEMHOOK_MALLOC)
		mh_warn_mismatch(block, meta, MH_LIVE_MALLOC, from.caller);
	if (mh_unlikely(mh_watched(mh_cookie_owner(w0))))
		return realloc_watched(block, meta, w0, size, from.caller);
	if (MH_META_ALIGN(meta))
		return move(h, block, meta, w0, size, MH_NOT_LIMITED);
	return resize(h, block, meta, w0, size, MH_NOT_LIMITED);
}

size_t mh_usable_size(void *block, const void *caller)
{
	if (!block)
		return 0;
	mh_attach();
	if (!mh_verify(block, "malloc_usable_size()", caller))
		return 0;
	return mh_cookie_size(mh_cookie(block)->w0);
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
