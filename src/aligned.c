/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Over-aligned blocks.  One begins an alignment before the user's pointer, and
 * its cookie is the end of that room.
 *
 * The backend cuts a page-aligned run into blocks of one class, so that all
 * blocks of a class that is a multiple of the alignment are aligned to it
 * already: those come out of malloc's bins, and go back there.
 */
#include "charge.h"

/* The row to charge, as far as this thread knows without asking. */
static inline struct mh_row *known_row(struct mh_hot *h, struct mh_from from,
				       uintptr_t fp, uint64_t *owner)
{
	struct mh_row *row = atomic_load_explicit(&h->current, MH_RELAXED);
	const struct mh_site *site;

	*owner = mh_pinned(h);
	if ((uintptr_t)row > (uintptr_t)MH_BY_CALLER)
		return row;
	site = mh_site_outside(h, from, fp);
	if (!site)
		return NULL;
	*owner = mh_cookie_owner(site->owned);
	return site->row;
}

/* By the backend's own way, which takes longer. */
static MH_NOINLINE void *make(size_t align, size_t size, uint64_t meta, uint64_t owner,
			      const void *caller)
{
	char *start = mh_backend_memalign(align, mh_aligned_held(align, size));

	if (mh_unlikely(!start))
		return mh_oom(size, caller);
	return charge(mh_hot, owner, start + align, size, meta);
}

/* Not where the backend is jemalloc. */
static MH_COLD void *make_instead(char *start, size_t align, size_t size, uint64_t meta,
				  uint64_t owner, const void *caller)
{
	mh_backend_free(start);
	return make(align, size, meta, owner, caller);
}

/* Out of a bin, or as one that goes there in the end. */
static inline void *take(struct mh_hot *h, struct mh_row *row, uint64_t owner,
			 size_t align, size_t size, uint64_t meta, const void *caller)
{
	size_t held = mh_aligned_held(align, size);
	struct mh_bin *bin = mh_bin(mh_cache(h), held - MH_COOKIE_SIZE);
	char *block = mh_bin_take(h, bin), *start;
	uint64_t weight = 0;

	if (mh_likely(block != NULL)) {
		start = (char *)mh_cookie(block);
		weight = bin->weight;
	} else {
		start = mh_backend_malloc(held);
		if (mh_unlikely(!start))
			return mh_oom(size, caller);
	}
	if (mh_unlikely((uintptr_t)start & (align - 1))) { /* looked at, not believed */
		h->tally -= weight;
		return make_instead(start, align, size, meta, owner, caller);
	}
	block = start + align;
	mh_cookie_write(block, mh_cookie_w0(size, owner), mh_key(h, meta));
	if (mh_unlikely(mh_count_alloc(h, row, size, weight)))
		return mh_alloc_publish(block, row);
	return block;
}

void *mh_alloc_aligned(size_t align, size_t size, uint64_t meta, struct mh_from from,
		       uintptr_t fp)
{
	struct mh_hot *h = mh_hot;
	struct mh_row *row;
	uint64_t owner;

	if (align <= MH_COOKIE_SIZE)
		return mh_alloc(size, meta, &from);
	if (size > MH_SIZE_MAX || align > MH_SIZE_MAX - size)
		return no_memory();
	meta |= MH_META(0, 0, __builtin_ctzl(align));
	row = size ? known_row(h, from, fp, &owner) : NULL;
	if (mh_unlikely(!row))
		return mh_alloc_asked(size, meta, 0, from, fp);
	if (!mh_aligned_in_run(align, size))
		return make(align, size, meta, owner, from.caller);
	return take(h, row, owner, align, size, meta, from.caller);
}

/* Verified, and flipped. */
static inline void give(struct mh_hot *h, struct mh_row *row, size_t size, char *start,
			size_t held)
{
	struct mh_bin *bin = mh_bin(mh_cache(h), held - MH_COOKIE_SIZE);
	int kept = mh_bin_keep(mh_cache(h), bin, start + MH_COOKIE_SIZE, &h->tally);

	if (mh_unlikely(mh_count_free(h, row, size, kept ? bin->weight : 0)))
		mh_free_publish(row);
	if (!kept)
		mh_backend_free_sized(start, held);
}

void mh_free_aligned(struct mh_hot *h, void *block, uint64_t meta, uint64_t w0)
{
	size_t align = (size_t)1 << MH_META_ALIGN(meta), size = mh_cookie_size(w0);
	char *start = mh_block_start(block, meta);

	if (mh_aligned_in_run(align, size)) {
		give(h, &h->rows[mh_cookie_owner(w0)], size, start,
		     mh_aligned_held(align, size));
		return;
	}
	mh_count_free_any(h, mh_cookie_owner(w0), size);
	mh_backend_free(start);
}
