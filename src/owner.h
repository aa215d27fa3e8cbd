/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners: rows of the table, their handles, and who is charged when. */
#ifndef MH_OWNER_H
#define MH_OWNER_H

#include <stdint.h>

#include "memhook.h"
#include "thread.h"

static inline uint32_t mh_owner_row(memhook_owner owner)
{
	return (uint32_t)owner;
}

/* Names an owner that is active: may be charged. */
int mh_owner_current(memhook_owner owner);
/* Names a row that holds this very owner, active or retired. */
int mh_owner_known(memhook_owner owner);
memhook_owner mh_owner_handle(uint32_t row);

/* Is there a resolver or an automatic kind to ask outside scopes? */
int mh_owner_is_asked(void);

/* Whom to charge now, for a thread whose `current` is NULL. */
uint64_t mh_owner_now(struct mh_hot *h, const void *caller);

/* Find or create; MH_OVERFLOW when the table is full. */
uint32_t mh_owner_find(const char *name, enum memhook_kind kind, uint64_t path_hash);

int mh_owners_init(void);       /* index in private memory: 0 or -1 */
void mh_owners_index(void);     /* made anew from the table */
void mh_owners_lock(void);
void mh_owners_unlock(void);

uint64_t mh_hash(const char *s, uint64_t hash);
#define MH_HASH_START UINT64_C(0xcbf29ce484222325)

/* caller.c */
uint64_t mh_caller_owner(struct mh_hot *h, const void *caller);
void mh_caller_unload_begin(void);
void mh_caller_unload_end(void);

#endif /* MH_OWNER_H */
