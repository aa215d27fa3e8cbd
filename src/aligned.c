/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Over-aligned blocks.  One begins an alignment before the user's pointer, and
 * its cookie is the end of that room.  They are not cached: their sizes and
 * alignments are too many for bins.
 */
#include "charge.h"

/* Does this thread know the owner without asking? */
static inline int known_owner(struct mh_hot *h, struct mh_from from, uintptr_t fp,
			      uint64_t *owner)
{
	const struct mh_site *site;

	if ((uintptr_t)atomic_load_explicit(&h->current, MH_RELAXED) >
	    (uintptr_t)MH_BY_CALLER) {
		*owner = atomic_load_explicit(&h->owner, MH_RELAXED);
		return 1;
	}
	site = mh_site_outside(h, from, fp);
	if (!site)
		return 0;
	*owner = site->owner;
	return 1;
}

void *mh_alloc_aligned(size_t align, size_t size, uint64_t meta, struct mh_from from,
		       uintptr_t fp)
{
	struct mh_hot *h = mh_hot;
	uint64_t owner;
	char *start;

	if (align <= MH_COOKIE_SIZE)
		return mh_alloc(size, meta, &from);
	if (size > MH_SIZE_MAX || align > MH_SIZE_MAX - size)
		return no_memory();
	meta |= MH_META(0, 0, __builtin_ctzl(align));
	if (mh_unlikely(!size || !known_owner(h, from, fp, &owner)))
		return mh_alloc_asked(size, meta, 0, from, fp);
	start = mh_backend_memalign(align, align + size);
	if (mh_unlikely(!start))
		return mh_oom(size, from.caller);
	return charge(h, owner, start + align, size, meta);
}

/*
 * What free's own few lines do not know, but is right: 1, and it is done.  All
 * that is wrong, and all that could fault, is for others to look at.
 */
int mh_free_aligned(void *block, uint64_t expected, size_t claimed)
{
	struct mh_hot *h = mh_hot;
	uint64_t meta, w0;

	if (((uintptr_t)block & 4095) < MH_COOKIE_SIZE ||
	    (uintptr_t)block % MH_COOKIE_SIZE ||
	    !atomic_load_explicit(&h->free_rows, MH_RELAXED))
		return 0;
	meta = mh_cookie_meta(mh_cookie(block), block, mh_secret);
	w0 = mh_cookie(block)->w0;
	if (((meta ^ expected) & (255 | MH_GUARDED)) || !MH_META_ALIGN(meta) ||
	    (claimed != MH_ANY_SIZE && claimed != mh_cookie_size(w0)))
		return 0;
	mh_cookie_flip(block);
	mh_count_free_any(h, mh_cookie_owner(w0), mh_cookie_size(w0));
	mh_backend_free(mh_block_start(block, meta));
	return 1;
}
