/* SPDX-License-Identifier: BSD-2-Clause */
#include "checks.h"

#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "backend.h"
#include "block.h"
#include "diag.h"
#include "fill.h"
#include "guard.h"
#include "process.h"
#include "quarantine.h"

enum mh_check mh_check_level;

static int parse(const char *text)
{
	static const char *const levels[] = { "off", "on", "strict" };
	int i;

	for (i = MH_CHECK_OFF; i <= MH_CHECK_STRICT; i++)
		if (strcmp(text, levels[i]) == 0)
			return i;
	mh_say("MEMHOOK_CHECK is neither off, on nor strict: there are no checks");
	return MH_CHECK_OFF;
}

void mh_check_read(void)
{
	const char *level = secure_getenv("MEMHOOK_CHECK");

	if (level)
		mh_check_level = (enum mh_check)parse(level);
	mh_quarantine_read();
	mh_guard_read();
}

int mh_check_start(void)
{
	if (mh_check_level == MH_CHECK_STRICT && mh_guard_map()) {
		mh_say("strict: no addresses for guard pages; it is as --check=on");
		mh_check_level = MH_CHECK_ON;
	} else if (mh_check_level != MH_CHECK_STRICT && mh_guard_rate && mh_guard_map()) {
		mh_guard_rate = 0;
		mh_say("no addresses for guard pages: no blocks are guarded");
	}
	return mh_check_level ? mh_quarantine_map() : 0;
}

/* --- allocation -------------------------------------------------------------- */

static MH_INLINE void dress(char *block, size_t size, const void *caller)
{
	mh_trace(block)->allocated = (uintptr_t)caller;
	mh_trace(block)->freed = 0;
	mh_canary_write(block, size, block + mh_check_end(size));
}

static MH_NOINLINE char *from_backend(size_t size, uint64_t meta, int zero)
{
	size_t room = mh_check_room(meta), total = room + size + MH_CANARY_MIN;
	char *start;

	if (MH_META_ALIGN(meta))
		start = mh_backend_memalign(room, total);
	else
		start = zero ? mh_backend_calloc(total) : mh_backend_malloc(total);
	if (!start)
		return NULL;
	if (!zero)
		mh_fill(start + room, start + room + mh_check_end(size));
	return start + room;
}

static MH_COLD void after_free(const void *block, const char *end)
{
	mh_die_after_free(block, mh_first_unfilled(block, end));
}

/* Does not return when it was written to.  Its meta. */
static MH_INLINE uint64_t freed(const char *block, const char *end)
{
	uint64_t meta = mh_cookie_meta(mh_cookie(block), block, mh_secret);

	if (mh_unlikely(MH_META_STATE(meta) != MH_FREED))
		mh_die_before_freed(block);
	if (mh_unlikely(!mh_is_filled(block, end)))
		after_free(block, end);
	return meta;
}

uint64_t mh_check_freed(const void *block)
{
	return freed(block, (const char *)block + mh_check_end_of(block));
}

/* What a block of a ring may have been, which has no alignment. */
_Static_assert(MH_LIVE_NEW - MH_LIVE_MALLOC == 1 && MH_LIVE_NEW_ARRAY - MH_LIVE_NEW == 1,
	       "kinds");

/* mh_cookie_meta(), shorter: is it a freed one's? */
static MH_INLINE int is_freed(const char *block, uint64_t w0)
{
	uint64_t mix = ~(w0 ^ mh_cookie(block)->w1 ^ (uintptr_t)block ^ mh_secret);
	uint64_t live = mix * MH_MIX_INVERSE;

	return mh_likely(live - MH_LIVE_MALLOC <= MH_LIVE_NEW_ARRAY - MH_LIVE_MALLOC);
}

/* Who leaves a ring, and why, when it was written to. */
static MH_COLD void spoiled(const char *block, size_t end)
{
	mh_check_freed(block);
	after_free(block, block + end);
}

void mh_check_leaves(const struct mh_ring *r, const char *block)
{
	uint64_t w0 = mh_cookie(block)->w0;
	size_t end = r->end ? r->end : mh_check_end(mh_w0_size(w0));

	if (mh_unlikely(!is_freed(block, w0)) ||
	    mh_unlikely(!mh_is_filled(block, block + end)))
		spoiled(block, end);
}

/*
 * A block that was long enough in quarantine: nobody wrote to it, so that it is
 * filled; but for what is more of it now, and the new ends of a large one.
 */
static char *serve(struct mh_hot *h, size_t size)
{
	struct mh_ring *r = mh_ring(mh_quarantine(h), mh_check_end(size));
	char *block;

	block = mh_ring_ready(r);
	if (!block)
		return NULL;
	mh_check_freed(block);
	r->top--;
	h->tally -= r->weight;
	mh_fill(block, block + mh_check_end(size));
	return block;
}

void *mh_check_make(struct mh_hot *h, size_t size, uint64_t meta, int zero,
		    const void *caller)
{
	char *block = NULL;

	if (h && !MH_META_ALIGN(meta) && size <= MH_RINGED_MAX)
		block = serve(h, size);
	if (!block)
		block = from_backend(size, meta, zero);
	else if (zero)
		memset(block, 0, size);
	if (block)
		dress(block, size, caller);
	return block;
}

/* The owner's row and part of w0, as mh_alloc_hot() has them, or NULL. */
static MH_INLINE struct mh_row *charged(struct mh_hot *h, struct mh_from from,
				     uint64_t *owned)
{
	struct mh_row *row = atomic_load_explicit(&((struct mh_line *)h)->asked,
						  MH_RELAXED);
	const struct mh_site *site;

	if (row != MH_BY_CALLER) {
		*owned = atomic_load_explicit(&h->owned, MH_RELAXED);
		return row;
	}
	site = mh_site(h, from.caller);
	*owned = site->owned;
	return site->caller == (uintptr_t)from.caller ? site->row : NULL;
}

/*
 * Computed for each kind alike: programs mix them.  The multiplication waits for
 * nothing that has to be loaded.
 */
static MH_INLINE uint64_t key_of(uint64_t meta)
{
	return mh_cookie_key(meta, mh_secret);
}

/* There is nothing to be served, or it is large.  NULL: anything is in doubt. */
void *mh_check_alloc(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	struct mh_hot *h = mh_hot;
	uint64_t owned = 0;
	struct mh_row *row = charged(h, from, &owned);
	char *block;

	if (!row || size - 1 >= MH_SIZE_MAX)
		return NULL;
	block = mh_check_make(h, size, meta, zero, from.caller);
	if (mh_unlikely(!block))
		return NULL;
	mh_cookie_write(block, mh_cookie_w0(size, mh_cookie_owner(owned)), key_of(meta));
	mh_count_alloc_any(h, mh_cookie_owner(owned), size);
	return block;
}

static MH_COLD void *publish(void *block, struct mh_row *row)
{
	mh_publish_alloc(mh_hot, row);
	return block;
}

/* The owner is known, but there is nothing to be served. */
static MH_INLINE void *make_fresh(size_t size, uint64_t meta, struct mh_row *row,
				  uint64_t owned, struct mh_from from,
				  mh_alloc_ask_fn *unsure)
{
	size_t end = mh_check_end(size);
	char *block = mh_backend_malloc(MH_CHECK_ROOM + size + MH_CANARY_MIN);
	struct mh_hot *h = mh_hot;

	if (mh_unlikely(!block))
		return unsure(size, meta, 0, from);
	block += MH_CHECK_ROOM;
	mh_fill(block, block + end);
	mh_cookie_write_small(block, mh_w0_small(owned, size, 0), key_of(meta));
	dress(block, size, from.caller);
	if (mh_unlikely(mh_count_alloc(h, row, size, 0)))
		return publish(block, row);
	return block;
}

static MH_NOINLINE void *fresh(size_t size, uint64_t meta, struct mh_row *row,
			       uint64_t owned, struct mh_from from)
{
	return make_fresh(size, meta, row, owned, from, mh_alloc_unsure);
}

typedef void *fresh_fn(size_t size, uint64_t meta, struct mh_row *row, uint64_t owned,
		       struct mh_from from);

static MH_NOINLINE void *ask(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	void *block = mh_check_alloc(size, meta, zero, from);

	return mh_likely(block != NULL) ? block : mh_alloc_unsure(size, meta, zero, from);
}

/*
 * Was it written to?  And filled it is: a small one up to the end of its class, a
 * large one, whose start is filled, up to where it ends now.
 */
static MH_INLINE void renew(const struct mh_ring *r, char *block, size_t end)
{
	uint64_t w0 = mh_cookie(block)->w0;

	if (mh_unlikely(!is_freed(block, w0)))
		spoiled(block, end);
	if (end > MH_FILL_SMALL) {
		size_t had = mh_ring_end(r, mh_check_end(mh_w0_size(w0)));

		if (mh_unlikely(!mh_is_filled_large(block, block + had)))
			spoiled(block, had);
		mh_fill_tail(block + mh_ring_end(r, end));
	} else if (mh_unlikely(!mh_is_filled_small(block, block + end))) {
		spoiled(block, end);
	}
}

/* `ask` is for what is in doubt. */
static MH_INLINE void *alloc(size_t size, uint64_t meta, int zero, struct mh_from from,
			     mh_alloc_ask_fn *ask, fresh_fn *fresh)
{
	struct mh_hot *h = mh_hot;
	uint64_t owned;
	struct mh_row *row = charged(h, from, &owned);
	size_t end = mh_check_end(size);
	struct mh_ring *r;
	char *block;

	if (mh_unlikely(!row || size - 1 >= MH_RINGED_MAX))
		return ask(size, meta, zero, from);
	r = mh_ring(mh_quarantine(h), end);
	block = mh_ring_ready(r);
	if (mh_unlikely(!block))
		return zero ? ask(size, meta, zero, from) :
			      fresh(size, meta, row, owned, from);
	r->top--;
	renew(r, block, end);
	if (zero)
		memset(block, 0, size);
	mh_cookie_write_small(block, mh_w0_small(owned, size, 0), key_of(meta));
	dress(block, size, from.caller);
	if (mh_unlikely(mh_count_alloc(h, row, size, r->weight)))
		return publish(block, row);
	return block;
}

static MH_NOINLINE void *ask_zeroed(size_t size, uint64_t meta, struct mh_from from)
{
	return alloc(size, meta, 1, from, ask, fresh);
}

void *mh_check_ask(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	if (zero)
		return ask_zeroed(size, meta, from);
	return alloc(size, meta, 0, from, ask, fresh);
}

#ifdef PIC /* as operators.c */
static MH_NOINLINE void *new_fresh(size_t size, uint64_t meta, struct mh_row *row,
				   uint64_t owned, struct mh_from from)
{
	return make_fresh(size, meta, row, owned, from, mh_new_unsure);
}

void *mh_check_new(size_t size, uint64_t meta, struct mh_from from)
{
	return alloc(size, meta, 0, from, mh_new_unsure, new_fresh);
}
#endif
