/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks beyond the cookie: MEMHOOK_CHECK=on|strict.
 *
 * They take the doors that observers take (watch.h): `current` is NULL and
 * `free_mask` 0 on all threads for ever, so every allocation and free comes to
 * block.c, and without checks nothing is in their way.  `asked` of a line has
 * what `current` would have.
 *
 * The level is read once, before the first block: all blocks of a process are
 * laid out alike.  With checks:
 *
 *     start                 the backend's block; the alignment before the user's
 *                           pointer, 32 bytes at least
 *     block - 32            struct mh_trace: who allocated it, who freed it
 *     block - 16            struct mh_cookie
 *     block                 MH_FILL when it is handed out (calloc: zeros)
 *     block + size          canary: 8 bytes, and on to the next multiple of 16
 *
 * While it is in quarantine block and canary are filled with MH_FILL, and what
 * its size class adds as well, up to MH_FILL_MAX.
 */
#ifndef MH_CHECKS_H
#define MH_CHECKS_H

#include <stddef.h>
#include <stdint.h>

#include "cookie.h"
#include "thread.h"

enum mh_check { MH_CHECK_OFF, MH_CHECK_ON, MH_CHECK_STRICT };

extern MH_HIDDEN enum mh_check mh_check_level;

/* With checks `current` stays NULL, and malloc comes to ask. */
static inline struct mh_row *_Atomic *mh_current_of(struct mh_hot *h)
{
	return mh_check_level ? &((struct mh_line *)h)->asked : &h->current;
}

#define MH_CHECK_ROOM 32
#define MH_CANARY_MIN 8

/* Of large blocks only so many bytes are filled and looked at: both ends. */
#define MH_FILL_MAX 128
#define MH_FILL 0xa5
#define MH_FILL_WORD UINT64_C(0xa5a5a5a5a5a5a5a5)

struct mh_trace {
	_Alignas(8) uintptr_t allocated; /* return addresses */
	_Alignas(8) uintptr_t freed;
};
_Static_assert(sizeof(struct mh_trace) == MH_CHECK_ROOM - MH_COOKIE_SIZE, "trace");

static inline struct mh_trace *mh_trace(const void *block)
{
	return (struct mh_trace *)((uintptr_t)block - MH_CHECK_ROOM);
}

static inline size_t mh_check_room(uint64_t meta)
{
	unsigned align = MH_META_ALIGN(meta);

	return align ? (size_t)1 << align : MH_CHECK_ROOM;
}

/* Where its canary ends, from the block on. */
static inline size_t mh_check_end(size_t size)
{
	return (size + MH_CANARY_MIN + 15) & ~(size_t)15;
}

static inline size_t mh_check_end_of(const void *block)
{
	return mh_check_end(mh_cookie_size(mh_cookie(block)->w0));
}

/* checks.c: the level and the rest of the settings of checks */
void mh_check_read(void);
int mh_check_start(void); /* 0 or -1: no memory for it */

/*
 * The lean ways, of MH_CHECK_ON alone.  What is in doubt, they leave to block.c:
 * the first one by NULL, the others by a sibling call of the functions below them.
 */
void *mh_check_alloc(size_t size, uint64_t meta, int zero, struct mh_from from);
void *mh_check_new(size_t size, uint64_t meta, struct mh_from from);
void *mh_check_ask(size_t size, uint64_t meta, int zero, struct mh_from from);
void mh_check_free(void *block, uint64_t expected, size_t claimed,
		   const void *caller); /* checks-free.c */
MH_NOINLINE void *mh_alloc_unsure(size_t size, uint64_t meta, int zero,
				  struct mh_from from);
MH_NOINLINE void *mh_new_unsure(size_t size, uint64_t meta, int zero,
				struct mh_from from); /* operators.c */
MH_COLD void mh_free_unsure(void *block, uint64_t expected, size_t claimed,
			    const void *caller);

/* A block but for its cookie, or NULL; h may be. */
void *mh_check_make(struct mh_hot *h, size_t size, uint64_t meta, int zero,
		    const void *caller);
/* A live block that was verified: was its end written over?  Does not return then. */
void mh_check_canary(const void *block, const char *call, const void *caller);
/* Its cookie says "freed": fill it, and into quarantine. */
void mh_check_retire(struct mh_hot *h, void *block, uint64_t meta, size_t size,
		     const void *caller);
/* Of a block in quarantine: was it written to?  Does not return then.  Its meta. */
uint64_t mh_check_freed(const void *block);
/* The same of one that leaves its ring. */
struct mh_ring;
void mh_check_leaves(const struct mh_ring *r, const char *block);

/* check-diag.c: where a block came from, and went */
struct mh_line_out;
void mh_put_trace(struct mh_line_out *o, const void *block);
/* Say what is wrong, and abort. */
void mh_die_overflow(const void *block, size_t at, const char *call, const void *caller)
	__attribute__((cold, noreturn));
void mh_die_underflow(const void *block, size_t by, const char *call, const void *caller)
	__attribute__((cold, noreturn));
void mh_die_after_free(const void *block, size_t at) __attribute__((cold, noreturn));
void mh_die_before_freed(const void *block) __attribute__((cold, noreturn));
/* A pointer into the guards' stretch whose cookie is gone; returns where it never was. */
void mh_die_guarded(const void *block, const char *call, const void *caller)
	__attribute__((cold));

#endif /* MH_CHECKS_H */
