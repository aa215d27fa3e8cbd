/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A child gets counters of its own: its parent's sums, as they were at the
 * fork, in its shard 0.
 *
 * Our handlers are registered before the backend's, so they run while the
 * backend's locks are held: they never allocate.  The parent's pages are
 * shared and go on changing, therefore the copy is taken before the fork,
 * into private memory that the fork itself copies.
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "backend.h"
#include "depot.h"
#include "diag.h"
#include "guard.h"
#include "object.h"
#include "owner.h"
#include "process.h"
#include "ranges.h"
#include "watch.h"

static struct mh_sum *copy;  /* by row */
static uint32_t copied;      /* rows in it */
static int others;           /* threads other than the forking one */

static void take_copy(void)
{
	uint32_t row;

	copied = atomic_load(&mh_area->owners_used);
	for (row = 0; row < copied; row++)
		mh_sum(mh_area, row, &copy[row]);
}

/* Bytes that moved between the copy and now: the copy is not farther off. */
static uint64_t moved_since(void)
{
	uint64_t moved = 0;
	struct mh_sum now;
	uint32_t row;

	for (row = 0; row < copied; row++) {
		mh_sum(mh_area, row, &now);
		moved += now.alloc_bytes - copy[row].alloc_bytes;
		moved += now.free_bytes - copy[row].free_bytes;
	}
	return moved;
}

static void fill_row(struct mh_area *area, uint32_t row, const struct mh_sum *sum)
{
	struct mh_row *to = &mh_shard(0)[row];
	int64_t live = (int64_t)(sum->alloc_bytes - sum->free_bytes);

	atomic_store(&to->free_bytes, sum->free_bytes);
	atomic_store(&to->free_calls, sum->free_calls);
	atomic_store(&to->alloc_bytes, sum->alloc_bytes);
	atomic_store(&to->alloc_calls, sum->alloc_calls);
	if (live < 0)
		live = 0;
	atomic_store(&mh_coarse(area)[row].live_bytes, live);
	atomic_store(&mh_coarse(area)[row].peak_bytes, live);
	atomic_fetch_add(&area->total.live_bytes, live);
	atomic_fetch_add(&area->total.peak_bytes, live);
}

static void fill(struct mh_area *area, struct mh_area *parents)
{
	struct mh_owner *to = mh_owners(area), *from = mh_owners(parents);
	uint32_t row;

	for (row = 0; row < copied && row < area->owners_max; row++) {
		to[row] = from[row];
		if (copy[row].alloc_calls)
			fill_row(area, row, &copy[row]);
	}
	atomic_store(&area->owners_used, row);
	row = atomic_load(&parents->objects_used);
	memcpy(mh_objects(area), mh_objects(parents), row * sizeof(struct mh_object));
	atomic_store(&area->objects_used, row);
}

/*
 * In the child, before it allocates.  `exactly`: by fork(), with the copy
 * that our handler took; otherwise by _Fork or clone, and the parent's
 * counters as they are now are the best there is.
 */
void mh_fork_adopt(int exactly)
{
	struct mh_area *parents = mh_area, *area;
	int inexact = !exactly || others, unreadable;
	uint64_t bound = 0;

	unreadable = mh_segment_inherit_shards(inexact);
	if (unreadable && !exactly)
		mh_die("no memory for a look at the parent's counters");
	if (!exactly)
		take_copy();
	else if (others && !unreadable)
		bound = moved_since();
	mh_segment_drop_shards(parents);
	area = mh_segment_claim();
	if (!area)
		mh_die("no memory for the counters of a forked child");
	fill(area, parents);
	mh_limits_forked();
	mh_observe_forked();
	if (!exactly) {
		mh_owners_index();
		mh_objects_index();
	}
	mh_depots_child(exactly);
	mh_thread_owners_orphan();
	atomic_store(&area->inexact_bytes, bound);
	atomic_store(&area->inexact, (uint32_t)inexact);
	mh_segment_drop(parents);
	/* release: pairs with mh_process_ready() */
	atomic_store_explicit(&mh_proc->ready, 1, memory_order_release);
}

static void prepare(void)
{
	if (!mh_proc)
		return;
	if (!mh_process_ready())
		mh_process_start(); /* a child of _Fork that forks */
	mh_owners_lock();
	mh_guard_lock();
	others = mh_threads_attached() > (mh_hot->rows ? 1 : 0);
	take_copy();
	mh_depots_prepare();
}

static void in_parent(void)
{
	if (!mh_process_ready())
		return;
	mh_depots_parent();
	mh_guard_unlock();
	mh_owners_unlock();
}

static void in_child(void)
{
	mh_backend_in_child();
	if (!mh_proc)
		return;
	if (mh_process_ready())
		mh_lines_wipe(); /* a kernel that does not do it itself */
	mh_fork_adopt(1);
}

int mh_fork_init(void)
{
	return pthread_atfork(prepare, in_parent, in_child);
}

/* At the start: when a child needs it, there may be no room for it. */
int mh_fork_map_copy(void)
{
	void *p = mmap(NULL, (size_t)mh_area->owners_max * sizeof(*copy),
		       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	if (p == MAP_FAILED)
		return -1;
	mh_range_add(p, (size_t)mh_area->owners_max * sizeof(*copy), MH_RANGE_OWN);
	copy = p;
	return 0;
}
