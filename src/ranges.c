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
static uint32_t used;
static uint32_t lost;
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

/* relaxed: only the holder stores; a reader outside checks what it sees */
static uint64_t get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

static void put(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, n, memory_order_relaxed);
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
