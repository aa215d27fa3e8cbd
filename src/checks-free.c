/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a block with checks: its canary, and into quarantine. */
#include "checks.h"

#include "account.h"
#include "block.h"
#include "fill.h"
#include "guard.h"
#include "process.h"
#include "quarantine.h"
#include "watch.h"
#include "zero.h"

void mh_check_canary(const void *block, const char *call, const void *caller)
{
	size_t size = mh_cookie_size(mh_cookie_of(block)->w0);
	const char *end = (const char *)block + mh_check_end(size);

	if (mh_guard_has(block))
		mh_guard_canary(block, call, caller);
	else if (mh_unlikely(!mh_zero_has(block) &&
			     !mh_canary_is_whole(block, size, end)))
		mh_die_overflow(block, mh_first_overwritten(block, size, end), call, caller);
}

static MH_INLINE void strip(char *block, char *end, const void *caller)
{
	mh_trace(block)->freed = (uintptr_t)caller;
	mh_fill(block, end);
}

void mh_check_retire(struct mh_hot *h, void *block, uint64_t meta, size_t size,
		     const void *caller)
{
	if (mh_guard_has(block)) {
		mh_guard_retire(block, caller);
		return;
	}
	strip(block, (char *)block + mh_check_end(size), caller);
	mh_quarantine_put(h, block, meta, mh_check_end(size));
}

/* What the lean way has no room for, or anything is in doubt. */
static MH_NOINLINE void free_other(char *block, uint64_t expected, size_t claimed,
				   const void *caller)
{
	struct mh_hot *h = mh_hot;
	uint64_t w0 = mh_cookie(block)->w0;
	size_t size = mh_cookie_size(w0);

	if (!mh_cookie_is(mh_cookie(block), block, mh_cookie_key(expected, mh_secret)) ||
	    size <= MH_RINGED_MAX || (claimed != MH_ANY_SIZE && claimed != size) ||
	    !mh_canary_is_whole(block, size, block + mh_check_end(size))) {
		mh_free_unsure(block, expected, claimed, caller);
		return;
	}
	mh_cookie_flip(block);
	mh_count_free_any(h, mh_cookie_owner(w0), size);
	mh_check_retire(h, block, MH_LIVE_MALLOC, size, caller);
}

/* Its ring is full, or all of the thread's. */
static MH_COLD void free_full(void *block)
{
	mh_quarantine_put(mh_hot, block, MH_LIVE_MALLOC, mh_check_end_of(block));
}

static MH_COLD void free_publish(struct mh_row *row)
{
	struct mh_hot *h = mh_hot;

	if (h->tally & MH_TALLY_FULL)
		mh_quarantine_shrink(h);
	mh_publish_free(h, row);
}

static MH_COLD void free_publish_full(void *block, struct mh_row *row)
{
	mh_publish_free(mh_hot, row);
	free_full(block);
}

/* Verified: nothing but its canary is wrong. */
static MH_COLD void free_overflown(void *block, const void *caller)
{
	uint64_t meta = mh_cookie_meta(mh_cookie(block), block, mh_secret);

	mh_free_unsure(block, meta, MH_ANY_SIZE, caller);
}

static MH_INLINE void fill_freed(const struct mh_ring *r, char *block, size_t end)
{
	if (end <= MH_FILL_SMALL)
		mh_fill_small(block, block + end);
	else
		mh_fill_ends(block, block + mh_ring_end(r, end));
}

void mh_check_free(void *block, uint64_t expected, size_t claimed, const void *caller)
{
	struct mh_hot *h = mh_hot;
	struct mh_cookie *c = mh_cookie(block);
	struct mh_ring *r;
	struct mh_row *row;
	size_t size, end;
	uint64_t w0;

	if (mh_unlikely(!h->rows || ((uintptr_t)block & 4095) < MH_CHECK_ROOM ||
			mh_observed())) {
		mh_free_unsure(block, expected, claimed, caller);
		return;
	}
	w0 = c->w0;
	size = mh_w0_size(w0);
	if (mh_unlikely(!mh_cookie_is_small(c, block, mh_cookie_key(expected, mh_secret)) ||
			size > MH_RINGED_MAX ||
			(claimed == MH_ANY_SIZE ? size : claimed) != size)) {
		free_other(block, expected, claimed, caller);
		return;
	}
	end = mh_check_end(size);
	if (mh_unlikely(!mh_canary_is_whole(block, size, (char *)block + end))) {
		free_overflown(block, caller);
		return;
	}
	mh_trace(block)->freed = (uintptr_t)caller;
	mh_cookie_flip(block);
	r = mh_ring(mh_quarantine(h), end);
	fill_freed(r, block, end);
	row = &h->rows[mh_cookie_owner(w0)];
	if (mh_likely(mh_ring_keep(r, block))) {
		if (mh_unlikely(mh_count_free(h, row, size, r->weight)))
			free_publish(row);
	} else if (mh_unlikely(mh_count_free(h, row, size, 0))) {
		free_publish_full(block, row);
	} else {
		free_full(block);
	}
}
