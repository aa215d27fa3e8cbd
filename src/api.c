/* SPDX-License-Identifier: BSD-2-Clause */
/* The public questions: who holds what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "block.h"
#include "heapinfo.h"
#include "memhook.h"
#include "owner.h"
#include "process.h"
#include "snapshot.h"
#include "watch.h"
#include "zero.h"

extern void *mh_own_malloc(size_t);

const char *memhook_version(void)
{
	return MEMHOOK_VERSION;
}

/* The name `malloc` is bound by the loader, to whoever came first. */
int mh_is_active(void)
{
	void *(*volatile bound)(size_t) = malloc;

	return bound == mh_own_malloc && !mh_replaced;
}

int memhook_active(void)
{
	return mh_is_active();
}

/* As much of the answer as the caller's structure holds. */
static int give(struct memhook_stats *to, struct memhook_stats *from)
{
	from->size = to->size;
	memcpy(to, from, sizeof(*from));
	return 0;
}

static int too_small(const struct memhook_stats *stats)
{
	if (stats->size >= sizeof(*stats))
		return 0;
	errno = EINVAL;
	return 1;
}

int memhook_stats(memhook_owner owner, struct memhook_stats *stats)
{
	struct memhook_stats s;

	if (too_small(stats))
		return -1;
	mh_attach();
	if (!mh_owner_known(owner)) {
		errno = ESRCH;
		return -1;
	}
	mh_owner_stats(mh_area, mh_owner_row(owner), &s);
	return give(stats, &s);
}

int memhook_totals(struct memhook_stats *stats)
{
	struct memhook_stats s;

	if (too_small(stats))
		return -1;
	mh_attach();
	mh_total_stats(mh_area, &s);
	return give(stats, &s);
}

int memhook_each(int (*fn)(const struct memhook_stats *, void *), void *arg)
{
	struct memhook_stats s;
	uint32_t row, used;
	int rc = 0;

	mh_attach();
	used = atomic_load(&mh_area->owners_used);
	for (row = 0; row < used && !rc; row++) {
		mh_owner_stats(mh_area, row, &s);
		if (mh_worth_showing(&s))
			rc = fn(&s, arg);
	}
	return rc;
}

int memhook_transfer(void *block, memhook_owner to)
{
	int error = 0;

	if (!block)
		return 0;
	mh_attach();
	/* Under the lock no row changes hands between the check and the charge. */
	mh_owners_lock();
	mh_heap_not_now = 1;
	if (!mh_owner_current(to))
		error = ESRCH;
	else if (mh_move_owner(block, mh_owner_row(to)))
		error = EINVAL;
	mh_heap_not_now = 0;
	mh_owners_unlock();
	if (!error && mh_limited(mh_owner_row(to)))
		mh_limit_look(mh_owner_row(to), mh_cookie_size(mh_cookie_of(block)->w0), 0,
			      NULL);
	if (error)
		errno = error;
	return error ? -1 : 0;
}
