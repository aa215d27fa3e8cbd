/* SPDX-License-Identifier: BSD-2-Clause */
#include "ranges.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "process.h"

/*
 * The table is private, since jemalloc may start before us, from a
 * constructor of its own, and since a child must not write into the area of
 * its parent.  Readers see the copy in the area.
 */
static struct mh_range table[MH_RANGES_MAX];
static _Atomic uint32_t used;
static uint32_t lost;
static _Atomic int some_hidden;
static struct mh_area *shown_in;
static int shown_by; /* the process whose area that is */

/*
 * Held by a process, not only by a thread: a child may be forked, without
 * fork handlers even, while another thread of its parent is in here.
 */
static _Atomic int holder;

static int me(void)
{
	return atomic_load_explicit(&holder, memory_order_relaxed);
}

static void take(void)
{
	int own = getpid(), seen = 0;

	/* acquire: pairs with the release in leave() */
	while (!atomic_compare_exchange_weak_explicit(&holder, &seen, own,
						      memory_order_acquire,
						      memory_order_relaxed)) {
		if (seen != own)
			continue; /* nobody, or a thread that fork left behind */
		seen = 0;
		sched_yield();
	}
}

static void leave(void)
{
	atomic_store_explicit(&holder, 0, memory_order_release);
}

/* Only the holder stores; a reader outside checks what it sees. */
static uint64_t get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

/* release: an entry is empty between two stretches, see covers() */
static void put(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, n, memory_order_release);
}

static void show(uint32_t i)
{
	struct mh_range *to;

	if (shown_by != me())
		return;
	to = &mh_area_ranges(shown_in)[i];
	put(&to->end, get(&table[i].end));
	put(&to->start, get(&table[i].start));
}

static void set(uint32_t i, uint64_t start, uint64_t end)
{
	put(&table[i].end, end);
	put(&table[i].start, start);
	show(i);
}

static void count_lost(void)
{
	lost++;
	if (shown_by == me())
		atomic_store_explicit(&shown_in->ranges_lost, lost, memory_order_relaxed);
}

static void add(uint64_t start, uint64_t end, uint64_t of)
{
	uint32_t i, slot = used;

	for (i = 0; i < used; i++) {
		uint64_t from = get(&table[i].start), to = get(&table[i].end);

		if (!from)
			slot = i;
		else if ((from & MH_RANGE_IS_OWN) != of)
			continue;
		else if (from - of == end)
			return set(i, start | of, to);
		else if (to == start)
			return set(i, from, end);
	}
	if (slot == MH_RANGES_MAX)
		return count_lost();
	used += slot == used;
	set(slot, start | of, end);
}

static void remove_from(uint32_t i, uint64_t start, uint64_t end)
{
	uint64_t of = get(&table[i].start) & MH_RANGE_IS_OWN;
	uint64_t from = get(&table[i].start) - of, to = get(&table[i].end);

	if (!from || from >= end || to <= start)
		return;
	if (from >= start && to <= end)
		return set(i, 0, 0);
	if (from >= start)
		return set(i, end | of, to);
	set(i, from | of, start);
	if (to > end)
		add(end, to, of);
}

void mh_range_add(const void *p, size_t size, enum mh_range_of of)
{
	take();
	add((uintptr_t)p, (uintptr_t)p + size, of);
	leave();
}

void mh_range_remove(const void *p, size_t size)
{
	uint32_t i, n;

	take();
	for (i = 0, n = used; i < n; i++)
		remove_from(i, (uintptr_t)p, (uintptr_t)p + size);
	leave();
}

/*
 * Without the lock, and the entry may change: its start is 0 before it gets
 * other bounds, so an end that does not belong to the start that was read finds
 * another start now.  acquire: pairs with the release in put().
 */
static int covers(uint32_t i, uint64_t at)
{
	uint64_t start = atomic_load_explicit(&table[i].start, memory_order_acquire);
	uint64_t end = atomic_load_explicit(&table[i].end, memory_order_acquire);

	return start && !(start & MH_RANGE_IS_OWN) && at >= start && at < end &&
	       get(&table[i].start) == start;
}

/* Where it was found last, by stretches of 2 MiB: what each arena begins in. */
#define HINTS 256
static _Atomic uint16_t hint[HINTS];

int mh_range_has(const void *p)
{
	uint64_t at = (uintptr_t)p;
	_Atomic uint16_t *known = &hint[(at >> 21) % HINTS];
	uint32_t i, n;

	/* relaxed, all of them: what they say is verified, or settled at start */
	if (atomic_load_explicit(&some_hidden, memory_order_relaxed))
		return 0;
	if (covers(atomic_load_explicit(known, memory_order_relaxed), at))
		return 1;
	n = atomic_load_explicit(&used, memory_order_relaxed);
	for (i = 0; i < n; i++) {
		if (!covers(i, at))
			continue;
		atomic_store_explicit(known, (uint16_t)i, memory_order_relaxed);
		return 1;
	}
	return 0;
}

void mh_ranges_hide(void)
{
	atomic_store_explicit(&some_hidden, 1, memory_order_relaxed);
}

void mh_ranges_show(struct mh_area *area)
{
	uint32_t i;

	take();
	shown_in = area;
	shown_by = me();
	for (i = 0; i < used && i < area->ranges_max; i++)
		show(i);
	atomic_store_explicit(&area->ranges_lost, lost, memory_order_relaxed);
	leave();
}

const struct mh_range *mh_ranges(uint32_t *n)
{
	*n = used;
	return table;
}
