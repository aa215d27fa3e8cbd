/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freed blocks that threads' caches have no room for, their cookies still in
 * place: a second level, between the caches and the backend, as Bonwick and Adams'
 * depot is between magazines and slabs ("Magazines and Vmem", USENIX 2001).
 *
 * A block that passes through the backend is looked up, sorted and marked in a
 * bitmap, there and back: several times what our own hot path takes.  Here
 * thirty or so change hands at once, by copying their addresses.
 *
 * Only what was freed about in the order of its addresses may fill it.  Else, as
 * after a sort, what is allocated next would be scattered over the whole heap: the
 * backend puts such blocks in order again, so here they may take no more than a
 * quarter.  (python3 with malloc, by jemalloc's time: 1.31 without that, with it
 * 1.1 to 1.2.)
 *
 * Nor may what a large heap left here when it was taken down: it is but a part of what
 * the next one gets, and in another order.  Once twice as much went past, it goes to
 * the backend, class by class, and nothing comes until some is asked for.  (Trees of
 * 25 MB, by jemalloc's time: 1.59 without that, 1.46 with it; of 6 MB 1.24, but 1.48
 * where they have to go sooner.)
 *
 * There is one for each thread, up to 64, so that each finds what it dropped itself;
 * what all of them hold is bounded by the number of processors.  Nobody waits for one:
 * who finds it busy goes to the backend.  What was not needed for a while goes
 * there, too.
 *
 * A child of fork() has them, too, but for one that is busy then: like what threads'
 * caches hold, its blocks are lost to the child.  One of _Fork() or clone() has none.
 */
#ifndef MH_DEPOT_H
#define MH_DEPOT_H

#include <stdatomic.h>
#include <stdint.h>

#include "bins.h"

/* Bytes that one may hold, and all for each processor: by default, and at most. */
#define MH_DEPOT_ROOM (2 << 20)
#define MH_DEPOT_ROOM_MAX (16 << 20)
#define MH_DEPOTS 64

/*
 * Blocks of more than 1 KiB the backend itself keeps ready, some of each class for
 * each thread, and that is no longer than the way to here.  So they come when that is
 * not enough: when so many in a row found their bin full, and then until there are none.
 */
#define MH_STREAK 16
#define MH_OFFER_LARGE 32

/* Where it took nothing, it is offered some again when a bin was full so many times. */
#define MH_OFFER_EACH 512

/* Written by who has it busy; what is atomic is looked at by others. */
struct mh_shelf {
	_Atomic uint32_t count;
	uint32_t least;        /* there were that many since the last sweep */
	_Atomic uint32_t most; /* ever: so many slots were written to */
};

struct mh_depot {
	_Alignas(64) _Atomic uint32_t busy;
	uint32_t moves; /* how often blocks were brought or fetched */
	uint32_t room;  /* bytes that it may hold now: of what all may */
	_Atomic uint32_t full; /* some were refused for want of it */
	_Atomic uint32_t bytes;
	_Atomic uint32_t wanted;  /* how often its thread asked, less what was refused */
	_Atomic uint32_t overrun; /* bytes that went past since somebody asked */
	struct mh_shelf shelf[MH_BINS];
};

/* Once, at the start. */
void mh_depots_init(void);

extern struct mh_depot *_Atomic mh_depots[MH_DEPOTS];

/* This shard's, now if need be; or NULL.  Preserves errno. */
struct mh_depot *mh_depot_open(uint32_t shard);

/* The one of this shard's thread, or NULL where it has not been wanted yet. */
static inline struct mh_depot *mh_depot_there(uint32_t shard)
{
	/* acquire: pairs with who put it there */
	return atomic_load_explicit(&mh_depots[shard % MH_DEPOTS], memory_order_acquire);
}

/* The same, opened if need be. */
static inline struct mh_depot *mh_depot_of(uint32_t shard)
{
	struct mh_depot *d = mh_depot_there(shard);

	return d ? d : mh_depot_open(shard);
}

/* Number i (any number will do) if there is no room left in it, or NULL. */
struct mh_depot *mh_depot_full(uint32_t i);

/*
 * n blocks of a class: it takes all of them, or none and returns 0.
 * `past` of them have come by since it was offered some, with these.
 */
int mh_depot_give(struct mh_depot *d, unsigned class, void *const *block, uint32_t n,
		  uint32_t past);

/* Up to n; returns how many. */
uint32_t mh_depot_take(struct mh_depot *d, unsigned class, void **block, uint32_t n);

void mh_depot_begin(uint32_t shard); /* another thread has it now */
void mh_depots_flush(void); /* all that nobody has busy, to the backend */
void mh_depots_prepare(void); /* before fork(): from then on they are busy */
void mh_depots_parent(void);
void mh_depots_child(int exactly); /* 0: it was not fork() */
uint64_t mh_depots_bytes(void);     /* of the blocks in them */
uint64_t mh_depots_own_bytes(void); /* that they take themselves */

/* Does it have some?  A guess, until it is busy for us. */
static inline int mh_depot_has(const struct mh_depot *d, unsigned class)
{
	return atomic_load_explicit(&d->shelf[class].count, memory_order_relaxed) != 0;
}

/* Its thread wants some, whether it has any or not. */
static inline void mh_depot_want(struct mh_depot *d)
{
	uint32_t wanted = atomic_load_explicit(&d->wanted, memory_order_relaxed);

	if (wanted < UINT16_MAX)
		atomic_store_explicit(&d->wanted, wanted + 1, memory_order_relaxed);
	atomic_store_explicit(&d->overrun, 0, memory_order_relaxed);
}

/* Has it ever had some? */
static inline int mh_depot_had(const struct mh_depot *d, unsigned class)
{
	return atomic_load_explicit(&d->shelf[class].most, memory_order_relaxed) != 0;
}

#endif /* MH_DEPOT_H */
