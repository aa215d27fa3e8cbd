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
#include "watch.h"
#include "zero.h"

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

/* --- blocks ------------------------------------------------------------------ */

static MH_INLINE void dress(char *block, size_t size, const void *caller)
{
	mh_trace(block)->allocated = (uintptr_t)caller;
	mh_trace(block)->freed = 0;
	mh_canary_write(block, size, block + mh_check_end(size));
}

/* Our blocks fit the cache's bins when they begin 16 bytes later than they do. */
static MH_INLINE size_t cached_size(size_t size)
{
	return size + MH_CHECK_ROOM + MH_CANARY_MIN - MH_COOKIE_SIZE;
}

#define CACHED_MAX (MH_CACHED_MAX + MH_COOKIE_SIZE - MH_CHECK_ROOM - MH_CANARY_MIN)

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

/* Filled since its free. */
static MH_INLINE char *from_cache(struct mh_hot *h, size_t size)
{
	struct mh_bin *bin = mh_bin(mh_cache(h), cached_size(size));
	char *block = mh_bin_pop(bin);

	if (mh_unlikely(!block))
		return NULL;
	h->tally -= bin->weight;
	return block + MH_CHECK_ROOM - MH_COOKIE_SIZE;
}

/* A block as it was left, or as the backend has it. */
static MH_INLINE char *take(struct mh_hot *h, size_t size, int zero)
{
	char *block = NULL;

	if (mh_likely(size <= CACHED_MAX))
		block = from_cache(h, size);
	if (mh_likely(block != NULL)) {
		if (zero)
			memset(block, 0, size);
		return block;
	}
	return from_backend(size, 0, zero);
}

void *mh_check_make(struct mh_hot *h, size_t size, uint64_t meta, int zero,
		    const void *caller)
{
	char *block = h && !MH_META_ALIGN(meta) ? take(h, size, zero)
						: from_backend(size, meta, zero);

	if (block)
		dress(block, size, caller);
	return block;
}

/* The owner, as mh_alloc_hot() has it, or NULL. */
static MH_INLINE struct mh_row *charged(struct mh_hot *h, struct mh_from from,
				     uint64_t *owner)
{
	struct mh_row *row = atomic_load_explicit(&((struct mh_line *)h)->asked,
						  MH_RELAXED);
	const struct mh_site *site;

	if (row != MH_BY_CALLER) {
		*owner = atomic_load_explicit(&h->owner, MH_RELAXED);
		return row;
	}
	site = mh_site(h, from.caller);
	*owner = site->owner;
	return site->caller == (uintptr_t)from.caller ? site->row : NULL;
}

/* NULL where anything is in doubt. */
static MH_INLINE void *alloc(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	struct mh_hot *h = mh_hot;
	struct mh_row *row;
	uint64_t owner;
	char *block;

	if (mh_unlikely(!h->rows || size - 1 >= MH_SIZE_MAX ||
			mh_check_level != MH_CHECK_ON))
		return NULL;
	row = charged(h, from, &owner);
	if (mh_unlikely(!row))
		return NULL;
	block = take(h, size, zero);
	if (mh_unlikely(!block))
		return NULL;
	mh_cookie_write(block, mh_cookie_w0(size, owner), mh_key(h, meta));
	dress(block, size, from.caller);
	if (mh_unlikely(size > MH_CACHED_MAX))
		mh_count_alloc_any(h, owner, size);
	else if (mh_unlikely(mh_count_alloc(h, row, size, 0)))
		mh_publish_alloc(h, row);
	return block;
}

void *mh_check_alloc(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	return alloc(size, meta, zero, from);
}

void *mh_check_ask(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	void *block = alloc(size, meta, zero, from);

	return mh_likely(block != NULL) ? block : mh_alloc_unsure(size, meta, zero, from);
}

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

static MH_INLINE uint64_t freed(const char *block, size_t size)
{
	uint64_t meta = mh_cookie_meta(mh_cookie(block), block, mh_secret);
	const char *end = block + mh_check_end(size);

	if (mh_unlikely(MH_META_STATE(meta) != MH_FREED))
		mh_die_before_freed(block);
	if (mh_unlikely(!mh_is_filled(block, end)))
		mh_die_after_free(block, mh_first_unfilled(block, end));
	return meta;
}

uint64_t mh_check_freed(const void *block)
{
	return freed(block, mh_cookie_size(mh_cookie(block)->w0));
}

/* 0 when the bin is full. */
static MH_INLINE int to_cache(struct mh_hot *h, char *block, size_t size)
{
	struct mh_bin *bin = mh_bin(mh_cache(h), cached_size(size));

	if (!mh_bin_push(bin, block + MH_COOKIE_SIZE - MH_CHECK_ROOM))
		return 0;
	h->tally += bin->weight;
	if (mh_unlikely(h->tally & MH_TALLY_FULL))
		h->tally -= mh_cache_halve(mh_cache(h), mh_settings.cache_bytes);
	return 1;
}

static MH_INLINE size_t release(struct mh_hot *h, char *block)
{
	size_t size = mh_cookie_size(mh_cookie(block)->w0);
	uint64_t meta = freed(block, size);

	if (mh_unlikely(!h || MH_META_ALIGN(meta) || size > CACHED_MAX ||
			!to_cache(h, block, size)))
		mh_backend_free(block - mh_check_room(meta));
	return mh_check_room(meta) + mh_check_end(size);
}

size_t mh_check_release(struct mh_hot *h, void *block)
{
	return release(h, block);
}

static MH_INLINE void retire(struct mh_hot *h, char *block, size_t room, size_t size,
			  const void *caller)
{
	size_t end = mh_check_end(size);
	struct mh_ring *r;

	mh_trace(block)->freed = (uintptr_t)caller;
	mh_fill(block, block + end);
	if (mh_unlikely(!h || room + end >= MH_SHARED_MIN)) {
		mh_quarantine_share(h, block, room + end);
		return;
	}
	r = mh_ring(((struct mh_line *)h)->shard);
	mh_ring_keep(r, block, room + end);
	while (mh_ring_over(r, MH_RING_BYTES))
		mh_ring_add(r, -(uint64_t)release(h, mh_ring_first(r)));
}

void mh_check_retire(struct mh_hot *h, void *block, uint64_t meta, size_t size,
		     const void *caller)
{
	if (mh_guard_has(block))
		mh_guard_retire(block, caller);
	else
		retire(h, block, mh_check_room(meta), size, caller);
}

void mh_check_free(void *block, uint64_t expected, size_t claimed, const void *caller)
{
	struct mh_hot *h = mh_hot;
	struct mh_cookie *c = mh_cookie(block);
	uint64_t w0, owner;
	size_t size;

	if (mh_unlikely(!h->rows || ((uintptr_t)block & 4095) < MH_CHECK_ROOM ||
			mh_check_level != MH_CHECK_ON || mh_observed())) {
		mh_free_unsure(block, expected, claimed, caller);
		return;
	}
	w0 = c->w0;
	size = mh_cookie_size(w0);
	if (mh_unlikely(!mh_cookie_is(c, block, mh_key(h, expected)) ||
			(claimed != MH_ANY_SIZE && claimed != size) ||
			!mh_canary_is_whole(block, size, (char *)block + mh_check_end(size)))) {
		mh_free_unsure(block, expected, claimed, caller);
		return;
	}
	mh_cookie_flip(block);
	owner = mh_cookie_owner(w0);
	if (mh_unlikely(size > MH_CACHED_MAX))
		mh_count_free_any(h, owner, size);
	else if (mh_unlikely(mh_count_free(h, &h->rows[owner], size, 0)))
		mh_publish_free(h, &h->rows[owner]);
	retire(h, block, MH_CHECK_ROOM, size, caller);
}
