/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freed blocks, kept for a while in the order of their frees: what is written
 * to them meanwhile is noticed when they leave, and at exit.
 *
 * Each thread has a ring of its own and fills it without a lock; the next
 * thread with its shard goes on with it.  Large blocks, and those of threads
 * without a line, share the ring of shard 0.  Fork wipes all of them, for the
 * reason that it wipes caches (cache.h): what they held is lost to the child,
 * and nobody's lock stays closed.
 */
#ifndef MH_QUARANTINE_H
#define MH_QUARANTINE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "thread.h"

/* Bytes with room and canary; what a size class adds is not among them. */
#define MH_RING_SLOTS 1024 /* a power of two */
#define MH_RING_BYTES (UINT64_C(256) << 10)
#define MH_SHARED_BYTES (UINT64_C(16) << 20)
#define MH_SHARED_MIN (UINT64_C(32) << 10) /* blocks from here on share a ring */

struct mh_ring {
	uint32_t first, next; /* next - first blocks */
	uint64_t bytes;       /* what they hold, and who leaves and was not looked at yet */
	pthread_mutex_t lock; /* of the shared one */
	void *block[MH_RING_SLOTS];
};

#define MH_RING_STRIDE 12288
_Static_assert(sizeof(struct mh_ring) <= MH_RING_STRIDE, "stride of the rings");

extern MH_HIDDEN char *mh_rings; /* by shard */

static inline struct mh_ring *mh_ring(uintptr_t shard)
{
	return (struct mh_ring *)(mh_rings + shard * MH_RING_STRIDE);
}

/* relaxed: mh_quarantine_bytes() reads it, a number for people */
static inline void mh_ring_add(struct mh_ring *r, uint64_t bytes)
{
	__atomic_store_n(&r->bytes, r->bytes + bytes, __ATOMIC_RELAXED);
}

static inline int mh_ring_over(const struct mh_ring *r, uint64_t most)
{
	return r->bytes > most || r->next - r->first == MH_RING_SLOTS;
}

static inline void mh_ring_keep(struct mh_ring *r, void *block, size_t bytes)
{
	r->block[r->next++ % MH_RING_SLOTS] = block;
	mh_ring_add(r, bytes);
}

/* Those that leave soon are on their way here by then. */
static inline void *mh_ring_first(struct mh_ring *r)
{
	uint32_t first = r->first++;

	__builtin_prefetch((char *)r->block[(first + 3) % MH_RING_SLOTS] - MH_COOKIE_SIZE);
	return r->block[first % MH_RING_SLOTS];
}

int mh_quarantine_map(void);     /* 0 or -1 */
MH_COLD void mh_quarantine_share(struct mh_hot *h, void *block, size_t bytes);
void mh_quarantine_verify(void); /* at exit: all that no running thread has */
void mh_quarantine_wipe(void);   /* in a child, where the kernel does not */
uint64_t mh_quarantine_bytes(void);

#endif /* MH_QUARANTINE_H */
