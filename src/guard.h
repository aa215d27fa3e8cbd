/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that end where an inaccessible page begins, and are inaccessible
 * themselves once they are freed: all of them with MEMHOOK_CHECK=strict, one in
 * so many with MEMHOOK_GUARD_RATE.
 *
 * They live in slots of one reserved stretch of addresses:
 *
 *     | 2^n pages: inaccessible | cookie, block, canary | a page, inaccessible |
 *
 * The canary is what alignment leaves behind the block, 0 to 15 bytes for
 * malloc's.  A slot's pages go back to the kernel when its block is freed, so
 * that freed ones cost addresses only; the one that was freed longest ago
 * serves again, when many of its size are free.
 *
 * What is known of a block is in a table, out of its reach.
 */
#ifndef MH_GUARD_H
#define MH_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "checks.h"
#include "cookie.h"

struct mh_guard {
	char *end;             /* of the block's pages: the inaccessible one begins */
	char *block;           /* NULL: never used */
	struct mh_cookie cookie; /* where a page begins there is none in front */
	struct mh_trace trace;
	size_t size;
	uint32_t next_free;    /* slot + 1; 0: the last one */
	uint8_t pages;         /* log2 */
	uint8_t is_live;
};
_Static_assert(sizeof(struct mh_guard) <= 72, "there are a million of them");

extern MH_HIDDEN uintptr_t mh_guard_start;
extern MH_HIDDEN size_t mh_guard_size; /* 0: there are none */

#define MH_GUARD_SLOTS_MAX (UINT32_C(1) << 20)
extern MH_HIDDEN struct mh_guard *mh_guard_slots; /* by number */
extern MH_HIDDEN uint32_t *mh_guard_pages;        /* number + 1 of the slot, by page */

static inline int mh_guard_has(const void *p)
{
	return (uintptr_t)p - mh_guard_start < mh_guard_size;
}

/* In front of it, and no longer there when it is freed; or in the table. */
static inline const struct mh_cookie *mh_guard_cookie(const struct mh_guard *g)
{
	return g->is_live && (uintptr_t)g->block % 4096 ? mh_cookie(g->block)
							: &g->cookie;
}

int mh_guard_map(void); /* -1: no addresses to be had */

/* A block but for its cookie, or NULL where there is no room for it. */
void *mh_guard_make(size_t size, uint64_t meta, int zero, const void *caller);
/* Its cookie says "freed". */
void mh_guard_retire(void *block, const void *caller);

/* The slot whose pages these are, or NULL. */
const struct mh_guard *mh_guard_at(const void *p);
/* As mh_peek_meta(), for a pointer into the stretch. */
uint64_t mh_guard_meta(const void *block, uint64_t *w0);
/* Cookie of a block that begins a page, NULL where none does. */
struct mh_cookie *mh_guard_aside(const void *block);
/* Of a live one: what is in front of its cookie, and behind its end. */
void mh_guard_canary(const void *block, const char *call, const void *caller);

/* Of pages that live ones have. */
uint64_t mh_guard_bytes(void);

/* guard-sample.c */
extern MH_HIDDEN uint32_t mh_guard_rate; /* 0: none */
void mh_guard_read(void);
MH_COLD void mh_guard_step(struct mh_hot *h, struct mh_row *row);
int mh_guard_due(struct mh_hot *h); /* is the block that is about to be made one? */

/* At exit: of all that live. */
void mh_guard_verify(void);

/* Around fork */
void mh_guard_lock(void);
void mh_guard_unlock(void);

/* guard-fault.c: explain a fault, and let it go its way */
void mh_guard_watch(void);

#endif /* MH_GUARD_H */
