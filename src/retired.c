/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Retired owners, in the order in which they retired: a row serves somebody
 * new when nothing of its old owner is left.  All of it under the owners'
 * lock.
 */
#include <string.h>

#include "account.h"
#include "owner.h"
#include "process.h"
#include "watch.h"

static uint32_t retired_first, retired_last; /* queue through next_retired */

static struct mh_owner *owner_at(uint32_t row)
{
	return &mh_owners(mh_area)[row];
}

static void append(uint32_t row)
{
	if (owner_at(row)->next_retired || retired_last == row)
		return; /* it waits already: thread-owner.c */
	if (retired_last)
		owner_at(retired_last)->next_retired = row;
	else
		retired_first = row;
	retired_last = row;
}

void mh_retired_add(uint32_t row)
{
	atomic_store(&owner_at(row)->state, MEMHOOK_STATE_RETIRED);
	mh_owner_mark(row);
	append(row);
}

/*
 * May this retired row serve somebody new?  Nobody can enter it any more, so
 * when no thread is inside and no block is live, none will be.
 */
static int reusable(uint32_t row)
{
	struct mh_sum sum;

	if (mh_threads_use(row))
		return 0;
	mh_sum(mh_area, row, &sum);
	return sum.alloc_calls == sum.free_calls && sum.alloc_bytes == sum.free_bytes;
}

/* Shards are never zeroed: what a row holds now is its new owner's zero. */
static void begin_anew(uint32_t row)
{
	struct mh_row *base = &mh_base(mh_area)[row];
	struct mh_owner *o = owner_at(row);
	struct mh_sum sum;

	mh_sum(mh_area, row, &sum);
	mh_limit_forget(row);
	if (o->kind == MEMHOOK_KIND_THREAD)
		mh_owner_index_remove(row);
	atomic_store(&o->state, MEMHOOK_STATE_FREE);
	atomic_fetch_add(&base->free_bytes, sum.free_bytes);
	atomic_fetch_add(&base->free_calls, sum.free_calls);
	atomic_fetch_add(&base->alloc_bytes, sum.alloc_bytes);
	atomic_fetch_add(&base->alloc_calls, sum.alloc_calls);
	atomic_store(&mh_coarse(mh_area)[row].peak_bytes, 0);
	atomic_fetch_add(&o->generation, 1);
	mh_owner_mark(row);
}

uint32_t mh_retired_take(unsigned tries)
{
	while (tries-- && retired_first) {
		uint32_t row = retired_first;

		retired_first = owner_at(row)->next_retired;
		if (!retired_first)
			retired_last = 0;
		owner_at(row)->next_retired = 0;
		if (atomic_load(&owner_at(row)->state) != MEMHOOK_STATE_RETIRED)
			continue; /* taken up again: thread-owner.c */
		if (reusable(row)) {
			begin_anew(row);
			return row;
		}
		append(row);
	}
	return 0;
}
