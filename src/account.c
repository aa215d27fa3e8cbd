/* SPDX-License-Identifier: BSD-2-Clause */
#include "account.h"

#include "guard.h"
#include "heapinfo.h"
#include "process.h"

/*
 * Peaks are made from sums that several threads add to; each add is an
 * atomic read-modify-write on a shared line, which is why it happens when
 * much has changed and not once per block.  Nothing is ordered by them: relaxed.
 */
static int64_t coarse_add(struct mh_coarse *c, int64_t change)
{
	int64_t live, peak;

	live = atomic_fetch_add_explicit(&c->live_bytes, change, MH_RELAXED) + change;
	peak = atomic_load_explicit(&c->peak_bytes, MH_RELAXED);
	while (live > peak &&
	       !atomic_compare_exchange_weak_explicit(&c->peak_bytes, &peak, live,
						      MH_RELAXED, MH_RELAXED))
		;
	return live;
}

static int64_t gather(struct mh_hot *h)
{
	int64_t *change = &((struct mh_line *)h)->unpublished;

	*change += mh_tally_net(h->tally);
	h->tally -= (uint64_t)mh_tally_net(h->tally);
	return *change;
}

/* But for what is kept back. */
static int64_t publish_net(struct mh_hot *h, int64_t change, int64_t kept)
{
	((struct mh_line *)h)->unpublished = kept;
	return coarse_add(&mh_area->total, change - kept);
}

void mh_publish_net(struct mh_hot *h)
{
	publish_net(h, gather(h), 0);
}

/*
 * The tally has gone 16 KiB one way: if it comes to 48 KiB, that is published.
 * Returns what the process has then.
 */
static int64_t step_net(struct mh_hot *h, int64_t kept)
{
	int64_t change = gather(h);

	if (change < MH_NET_FAR && change > -MH_NET_FAR)
		return MH_LIVE_UNKNOWN;
	return publish_net(h, change, change < 0 ? -kept : 0);
}

/* Only this thread writes the row, and what it published of it. */
static void publish_row(struct mh_hot *h, struct mh_row *row, int64_t kept)
{
	ptrdiff_t owner = row - h->rows;
	int64_t *published = mh_shard_published(mh_area, h->rows) + owner;
	int64_t net, change;

	net = (int64_t)(atomic_load_explicit(&row->alloc_bytes, MH_RELAXED) -
			atomic_load_explicit(&row->free_bytes, MH_RELAXED));
	change = net - *published;
	if (change <= MH_STEP && change >= -MH_STEP)
		return;
	if (change < 0)
		change += kept;
	*published += change;
	coarse_add(&mh_coarse(mh_area)[owner], change);
}

/* Where not enough has changed to publish it, only now and then: it asks the clock. */
static void tick(struct mh_hot *h, int64_t live)
{
	if (live != MH_LIVE_UNKNOWN || ++((struct mh_line *)h)->quiet % MH_QUIET == 0)
		mh_heap_tick(live);
}

void mh_publish_alloc(struct mh_hot *h, struct mh_row *row)
{
	if (mh_unlikely(mh_guard_rate))
		mh_guard_step(h, row);
	publish_row(h, row, 0);
	if (h->tally & MH_TALLY_LOOK)
		tick(h, step_net(h, 0));
}

void mh_publish_free(struct mh_hot *h, struct mh_row *row)
{
	publish_row(h, row, 0);
	if (h->tally & MH_TALLY_LOOK)
		mh_heap_tick_freed(step_net(h, 0));
}

/*
 * More than a tally can take, and a step by itself.  On the way down a part is kept
 * back: so a block of up to 64 KiB that comes and goes is published but once.
 */
static int64_t count_large(struct mh_hot *h, struct mh_row *row, int64_t change)
{
	((struct mh_line *)h)->unpublished += change;
	publish_row(h, row, MH_STEP);
	return step_net(h, MH_NET_FAR / 2);
}

static void row_alloc(struct mh_hot *h, struct mh_row *row, size_t size)
{
	mh_row_add(&row->alloc_bytes, size);
	mh_row_add(&row->alloc_calls, 1);
	if (mh_unlikely(mh_guard_rate))
		mh_guard_step(h, row);
}

static void row_free(struct mh_row *row, size_t size)
{
	mh_row_add(&row->free_bytes, size);
	mh_row_add(&row->free_calls, 1);
}

void mh_count_alloc_any(struct mh_hot *h, uint64_t owner, size_t size)
{
	struct mh_row *row = &h->rows[owner];

	if (size <= MH_CACHED_MAX) {
		if (mh_count_alloc(h, row, size, 0))
			mh_publish_alloc(h, row);
		return;
	}
	row_alloc(h, row, size);
	mh_heap_tick(count_large(h, row, (int64_t)size));
}

void mh_count_free_any(struct mh_hot *h, uint64_t owner, size_t size)
{
	struct mh_row *row = &h->rows[owner];

	if (size <= MH_CACHED_MAX) {
		if (mh_count_free(h, row, size, 0))
			mh_publish_free(h, row);
		return;
	}
	row_free(row, size);
	mh_heap_tick_freed(count_large(h, row, -(int64_t)size));
}

/* The new size first: nobody may see less than nothing. */
void mh_count_resize(struct mh_hot *h, uint64_t owner, size_t size, size_t had)
{
	struct mh_row *row = &h->rows[owner];

	row_alloc(h, row, size);
	row_free(row, had);
	mh_heap_tick(count_large(h, row, (int64_t)size - (int64_t)had));
}

void mh_shared_alloc(uint64_t owner, size_t size)
{
	struct mh_row *row = &mh_shard(0)[owner];

	atomic_fetch_add_explicit(&row->alloc_bytes, size, MH_RELAXED);
	atomic_fetch_add_explicit(&row->alloc_calls, 1, MH_RELAXED);
	coarse_add(&mh_coarse(mh_area)[owner], (int64_t)size);
	coarse_add(&mh_area->total, (int64_t)size);
}

void mh_shared_free(uint64_t owner, size_t size)
{
	struct mh_row *row = &mh_shard(0)[owner];

	/* release: as in mh_count_free() */
	atomic_fetch_add_explicit(&row->free_bytes, size, memory_order_release);
	atomic_fetch_add_explicit(&row->free_calls, 1, memory_order_release);
	coarse_add(&mh_coarse(mh_area)[owner], -(int64_t)size);
	coarse_add(&mh_area->total, -(int64_t)size);
}

void mh_sum(const struct mh_area *area, uint32_t owner, struct mh_sum *sum)
{
	const struct mh_row *base = &mh_base(area)[owner];
	uint32_t s, n;

	*sum = (struct mh_sum){ 0 };
	n = atomic_load_explicit(&area->shards_used, memory_order_acquire);
	for (s = 0; s < n; s++) {
		const struct mh_row *row;

		if (!mh_shard_is_open(s))
			continue;
		row = &mh_shard(s)[owner];
		/* acquire: pairs with the release in mh_count_free() */
		sum->free_calls += atomic_load_explicit(&row->free_calls,
							memory_order_acquire);
		sum->free_bytes += atomic_load_explicit(&row->free_bytes,
							memory_order_acquire);
	}
	n = atomic_load_explicit(&area->shards_used, memory_order_acquire);
	for (s = 0; s < n; s++) {
		const struct mh_row *row;

		if (!mh_shard_is_open(s))
			continue;
		row = &mh_shard(s)[owner];
		sum->alloc_bytes += atomic_load_explicit(&row->alloc_bytes, MH_RELAXED);
		sum->alloc_calls += atomic_load_explicit(&row->alloc_calls, MH_RELAXED);
	}
	sum->free_bytes -= atomic_load_explicit(&base->free_bytes, MH_RELAXED);
	sum->free_calls -= atomic_load_explicit(&base->free_calls, MH_RELAXED);
	sum->alloc_bytes -= atomic_load_explicit(&base->alloc_bytes, MH_RELAXED);
	sum->alloc_calls -= atomic_load_explicit(&base->alloc_calls, MH_RELAXED);
}
