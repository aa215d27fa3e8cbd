/* SPDX-License-Identifier: BSD-2-Clause */
/* What block.c and realloc.c, where nobody is in a hurry, share. */
#ifndef MH_CHARGE_H
#define MH_CHARGE_H

#include <errno.h>

#include "block.h"
#include "process.h"
#include "zero.h"

static inline void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* Write the cookie and count, with a hot line or without one. */
static inline void *charge(struct mh_hot *h, uint64_t owner, void *block, size_t size,
		    uint64_t meta)
{
	mh_cookie_set(block, mh_cookie_w0(size, owner), mh_cookie_key(meta, mh_secret));
	if (h)
		mh_count_alloc_any(h, owner, size);
	else
		mh_shared_alloc(owner, size);
	return block;
}

static inline void credit(struct mh_hot *h, uint64_t owner, size_t size)
{
	if (h)
		mh_count_free_any(h, owner, size);
	else
		mh_shared_free(owner, size);
}

/* The widest alignment that a run's start has, and the largest class in runs. */
#define MH_RUN_ALIGN 4096
#define MH_RUN_MAX (14 << 10)

/* Does such a block's class align it already?  aligned.c */
static inline int mh_aligned_in_run(size_t align, size_t size)
{
	return align <= MH_RUN_ALIGN && size <= MH_RUN_MAX - 2 * align;
}

/* What is asked of the backend for it: whole alignments, where bins will have it. */
static inline size_t mh_aligned_held(size_t align, size_t size)
{
	size_t held = align + size;

	return mh_aligned_in_run(align, size) ? (held + align - 1) & -align : held;
}

/*
 * block.c: a block but for its cookie, which is to have *meta.  Guarded where
 * that is wanted and can be.  NULL and ENOMEM: out of memory.
 */
void *mh_place(struct mh_hot *h, size_t size, uint64_t *meta, int zero, int guarded,
	       const void *caller);

/* block.c: a block that is counted as freed goes back, or into quarantine */
void mh_let_go(struct mh_hot *h, void *block, uint64_t meta, size_t size,
	       const void *caller);

#endif /* MH_CHARGE_H */
