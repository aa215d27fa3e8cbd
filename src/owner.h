/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners: rows of the table, their handles, and who is charged when. */
#ifndef MH_OWNER_H
#define MH_OWNER_H

#include <stdint.h>

#include "memhook.h"
#include "process.h"
#include "thread.h"

static inline uint32_t mh_owner_row(memhook_owner owner)
{
	return (uint32_t)owner;
}

static inline memhook_owner mh_owner_handle(uint32_t row)
{
	const struct mh_owner *o = &mh_owners(mh_area)[row];
	uint32_t generation = atomic_load_explicit(&o->generation, memory_order_relaxed);

	return (memhook_owner)generation << 32 | row;
}

/*
 * By row what each scope asks for, its generation and whether it is active, in 4 bytes:
 * of ten thousand owners the table is more than a processor's own caches have.
 */
extern MH_HIDDEN _Atomic uint32_t *mh_owner_marks;
#define MH_ACTIVE_MARK(owner) ((uint32_t)((owner) >> 32) << 1 | 1)

/* After each change of a row's state or generation. */
void mh_owner_mark(uint32_t row);

/* Names an owner that is active: may be charged. */
static inline int mh_owner_current(memhook_owner owner)
{
	uint32_t row = mh_owner_row(owner);

	/* MEMHOOK_AUTO has none; seq_cst: scope.c */
	return row < mh_area->owners_max &&
	       atomic_load(&mh_owner_marks[row]) == MH_ACTIVE_MARK(owner);
}

/* Names a row that holds this very owner, active or retired. */
int mh_owner_known(memhook_owner owner);

/* Whom to charge now, for a thread whose `current` does not tell. */
uint64_t mh_owner_now(struct mh_hot *h, struct mh_from from, uintptr_t fp, uint64_t size);

/* Find or create; MH_OVERFLOW when the table is full. */
uint32_t mh_owner_find(const char *name, enum memhook_kind kind, uint64_t path_hash,
		       uint64_t where);

/* The same, and its parts, for who holds the lock.  lookup: 0 if there is none. */
uint32_t mh_owner_find_locked(const char *name, enum memhook_kind kind,
			      uint64_t path_hash, uint64_t where);
uint32_t mh_owner_lookup(const char *name, enum memhook_kind kind, uint64_t path_hash);
uint32_t mh_owner_lookup_retired(const char *name, enum memhook_kind kind);
uint32_t mh_owner_add(const char *name, enum memhook_kind kind, uint64_t path_hash,
		      uint64_t where);
void mh_owner_index_add(uint32_t row);
void mh_owner_index_remove(uint32_t row);

/* retired.c, under the lock: retire a row; take one that may serve again, or 0. */
void mh_retired_add(uint32_t row);
uint32_t mh_retired_take(unsigned tries);

/* thread-owner.c */
uint32_t mh_thread_owner_enter(void); /* the calling thread's row from now on */
void mh_thread_owner_leave(uint32_t row);
void mh_thread_owners_orphan(void);   /* in a forked child, before it allocates */
void mh_thread_owners_rename(void);   /* as the threads call themselves now */

int mh_owners_init(void);       /* index in private memory: 0 or -1 */
void mh_owners_index(void);     /* made anew from the table */
void mh_owners_lock(void);
void mh_owners_unlock(void);

uint64_t mh_hash(const char *s, uint64_t hash);
#define MH_HASH_START UINT64_C(0xcbf29ce484222325)

#endif /* MH_OWNER_H */
