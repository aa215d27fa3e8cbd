/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freed blocks, kept for a while: what is written to them meanwhile is noticed
 * when they leave, and at exit.
 *
 * Each thread has a ring for each size class of the backend and uses it without
 * a lock; the next thread with its shard goes on with it.  Its last frees wait in
 * a circle: each takes the place of the one that waited longest, which is ready
 * then.  Those that are ready are a stack, a cache whose last one serves malloc
 * again: looked at and written anew in one visit, while the processor has it near.
 * How many are ready is what a program may free at once without troubling the
 * backend.  One rule for each ring, which does not look at the others: the
 * processor guesses it.  What all of them hold is in the thread's tally, in the
 * place of the cache's bytes (cache.h), which is empty.
 *
 * Over-aligned blocks have a ring of their own, from which none is served.
 * Large blocks, and those of threads without a line, share one with a lock.
 * Fork wipes all of them, for the reason that it wipes caches (cache.h): what
 * they held is lost to the child, and nobody's lock stays closed.
 */
#ifndef MH_QUARANTINE_H
#define MH_QUARANTINE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"
#include "checks.h"
#include "thread.h"

/* What a thread's rings may hold together, in bytes as the backend rounds them. */
#define MH_QUARANTINE_BYTES (UINT32_C(512) << 10) /* MEMHOOK_QUARANTINE */
#define MH_QUARANTINE_MIN (UINT32_C(16) << 10)
#define MH_QUARANTINE_MAX (UINT32_C(16) << 20)
#define MH_RING_PART 4 /* of that, what of one ring can be ready, at least... */
#define MH_RING_LEAST 8
#define MH_RING_MOST 8192
#define MH_RING_WAIT 128 /* of that, what waits before one is ready, at least... */
#define MH_WAIT_LEAST 8
#define MH_WAIT_ODD 512 /* over-aligned blocks */

/* The shared ring: so many times what a thread's may hold. */
#define MH_SHARED_TIMES 32
#define MH_SHARED_SLOTS 1024

/* Requests from here on do not fit a ring: with room and canary. */
#define MH_RINGED_MAX (MH_HELD_MAX - MH_CHECK_ROOM - 16)

struct mh_ring {
	uint32_t top;    /* the last one that is ready; below all of them is a NULL */
	uint32_t limit;  /* `top` of a full ring; 0: none was freed yet */
	uint32_t oldest; /* of the circle: whose place the next free takes */
	uint32_t mask;   /* places of the circle, a power of two, less 1 */
	uint32_t end;    /* so far each block is filled, at least */
	uint64_t weight; /* bytes that each block holds, << 32: of the tally */
	void *block[];   /* the circle, NULLs first while it is not full; the stack */
};

struct mh_quarantine {
	_Alignas(64) char rings[64];
};

/* By mh_check_end() / 16: where the ring of that class begins. */
extern MH_HIDDEN uint32_t mh_ring_at[(MH_HELD_MAX - MH_CHECK_ROOM) / 16 + 1];

static inline struct mh_quarantine *mh_quarantine(struct mh_hot *h)
{
	return ((struct mh_line *)h)->quarantine;
}

static inline struct mh_ring *mh_ring(struct mh_quarantine *q, size_t end)
{
	return (struct mh_ring *)(q->rings + mh_ring_at[end / 16]);
}

/* Who serves next, or NULL. */
static inline void *mh_ring_ready(const struct mh_ring *r)
{
	return r->block[r->top];
}

/* How far this block is filled while it is in quarantine. */
static inline size_t mh_ring_end(const struct mh_ring *r, size_t end)
{
	return r->end > end ? r->end : end;
}

/* 0 when the ring is full. */
static inline int mh_ring_keep(struct mh_ring *r, void *block)
{
	uint32_t top = r->top, oldest = r->oldest;
	void *ready;

	if (__builtin_expect(top >= r->limit, 0))
		return 0;
	ready = r->block[oldest];
	r->block[oldest] = block;
	r->oldest = (oldest + 1) & r->mask;
	r->block[top + 1] = ready;
	r->top = top + (ready != NULL);
	/* malloc wants it next; NULL does no harm */
	__builtin_prefetch((char *)ready - MH_CHECK_ROOM, 1);
	__builtin_prefetch((char *)ready + MH_CHECK_ROOM, 1);
	return 1;
}

void mh_quarantine_read(void); /* MEMHOOK_QUARANTINE */
int mh_quarantine_map(void);   /* 0 or -1 */
void mh_quarantine_attach(struct mh_hot *h);
/*
 * What has no place in the lean way; h may be NULL.  The tally is full: make
 * room for others.
 */
MH_COLD void mh_quarantine_put(struct mh_hot *h, void *block, uint64_t meta, size_t end);
MH_COLD void mh_quarantine_shrink(struct mh_hot *h);
void mh_quarantine_verify(void); /* at exit: all that no running thread has */
void mh_quarantine_wipe(void);   /* in a child, where the kernel does not */
uint64_t mh_quarantine_bytes(void);

#endif /* MH_QUARANTINE_H */
