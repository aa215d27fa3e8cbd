/* SPDX-License-Identifier: BSD-2-Clause */
#include "depot.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "backend.h"
#include "cookie.h"
#include "process.h"
#include "ranges.h"
#include "thread.h"

/* All that is told by one who has it busy to the next: by that word's order. */
#define RELAXED memory_order_relaxed

/*
 * One class is looked at each time, and no more given back than a moment takes.  More
 * often would be to meddle with programs that build something and take it down, again
 * and again: what is given back in between comes again from elsewhere.
 */
#define MOVES_A_SWEEP 128
#define SWEPT_MAX 1024

#define LOOKED_AT 33 /* blocks that tell whether all are in order: of 9, many were wrong */

#define PART_MAX 65536

struct mh_depot *_Atomic mh_depots[MH_DEPOTS];
static uint64_t room_of_all; /* mh_proc->depots_room of it is in use */
static uint32_t part;        /* in such parts */

/* Where the blocks of a class are, in bytes from a depot; and what each holds. */
static struct {
	uint32_t at, held;
} lies[MH_BINS + 1];

#define PAGE 4096

static uint32_t whole_pages(size_t size)
{
	return (uint32_t)((size + PAGE - 1) & ~(size_t)(PAGE - 1));
}

void mh_depots_init(void)
{
	cpu_set_t set;
	unsigned n;

	room_of_all = mh_settings.depot_bytes;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		room_of_all *= (unsigned)CPU_COUNT(&set);
	part = mh_settings.depot_bytes < PART_MAX ? mh_settings.depot_bytes : PART_MAX;
	lies[1].at = whole_pages(sizeof(struct mh_depot)); /* 0: no blocks, zero.h */
	for (n = 1; n < MH_BINS; n++) {
		uint32_t most = mh_settings.depot_bytes / mh_class_bytes(n);

		lies[n].held = mh_class_bytes(n);
		lies[n + 1].at = lies[n].at + whole_pages(most * sizeof(void *));
	}
}

/* Where there is no address space for one: nobody ever gets at it. */
static struct mh_depot none = { .busy = 1 };

/* Address space, and memory as it is used.  Of threads that come at once, one wins. */
static struct mh_depot *open_one(struct mh_depot *_Atomic *at)
{
	size_t size = lies[MH_BINS].at;
	struct mh_depot *was = NULL;
	int saved = errno;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		atomic_compare_exchange_strong(at, &was, &none);
	} else {
		madvise(p, size, MADV_NOHUGEPAGE);
		/* releases it to the acquires below */
		if (atomic_compare_exchange_strong(at, &was, p))
			mh_range_add(p, size, MH_RANGE_OWN);
		else
			munmap(p, size);
	}
	errno = saved;
	return atomic_load(at);
}

struct mh_depot *mh_depot_open(uint32_t shard)
{
	return mh_settings.depot_bytes ? open_one(&mh_depots[shard % MH_DEPOTS]) : NULL;
}

static uint32_t get(const _Atomic uint32_t *n)
{
	return atomic_load_explicit(n, RELAXED);
}

struct mh_depot *mh_depot_full(uint32_t i)
{
	struct mh_depot *d = mh_depot_there(i);

	return d && get(&d->full) ? d : NULL;
}

static int enter(struct mh_depot *d)
{
	/* acquire: pairs with the release in leave() */
	return !atomic_exchange_explicit(&d->busy, 1, memory_order_acquire);
}

static void leave(struct mh_depot *d)
{
	atomic_store_explicit(&d->busy, 0, memory_order_release);
}

/* relaxed: nothing else hangs on it */
static int take_part(void)
{
	if (atomic_fetch_add_explicit(&mh_proc->depots_room, part, RELAXED) + part <=
	    room_of_all)
		return 1;
	atomic_fetch_sub_explicit(&mh_proc->depots_room, part, RELAXED);
	return 0;
}

static void **slots(struct mh_depot *d, unsigned class)
{
	return (void **)((char *)d + lies[class].at);
}

/* One part is kept back, for it may be wanted soon. */
static MH_COLD void give_room(struct mh_depot *d)
{
	while (d->room >= get(&d->bytes) + 2 * part) {
		d->room -= part;
		atomic_fetch_sub_explicit(&mh_proc->depots_room, part, RELAXED);
	}
	if (get(&d->bytes) < d->room - d->room / 16)
		atomic_store_explicit(&d->full, 0, RELAXED);
}

/* There are so many now, which is less. */
static inline void set_less(struct mh_depot *d, unsigned class, uint32_t count)
{
	struct mh_shelf *s = &d->shelf[class];
	uint32_t bytes = get(&d->bytes) - (get(&s->count) - count) * lies[class].held;

	atomic_store_explicit(&s->count, count, RELAXED);
	atomic_store_explicit(&d->bytes, bytes, RELAXED);
	if (s->least > count)
		s->least = count;
	if (mh_unlikely(d->room >= bytes + 2 * part || get(&d->full)))
		give_room(d);
}

/* The oldest go. */
static void drop(struct mh_depot *d, unsigned class, uint32_t n)
{
	void **slot = slots(d, class);
	uint32_t i, had = get(&d->shelf[class].count);

	for (i = 0; i < n; i++)
		mh_backend_free_sized(mh_cookie(slot[i]), lies[class].held);
	memmove(slot, slot + n, (had - n) * sizeof(*slot));
	set_less(d, class, had - n);
}

/* Three quarters of what lay there, unneeded, since this class's last turn. */
static void sweep_one(struct mh_depot *d, unsigned class)
{
	uint32_t n = d->shelf[class].least - d->shelf[class].least / 4;

	if (n)
		drop(d, class, n < SWEPT_MAX ? n : SWEPT_MAX);
	d->shelf[class].least = get(&d->shelf[class].count);
}

static MH_COLD void sweep(struct mh_depot *d)
{
	sweep_one(d, 1 + d->moves / MOVES_A_SWEEP % (MH_BINS - 1));
}

/* Each time that blocks were brought or fetched. */
static inline void moved(struct mh_depot *d)
{
	if (mh_unlikely(++d->moves % MOVES_A_SWEEP == 0))
		sweep(d);
}

/* Room is wanted, and not to be had: what was needed least makes some. */
static void make_room(struct mh_depot *d, unsigned class)
{
	uint32_t most = 0, bytes, least = 0;
	unsigned n;

	for (n = 1; n < MH_BINS; n++) {
		bytes = d->shelf[n].least * lies[n].held;
		if (bytes > most && n != class) {
			most = bytes;
			least = n;
		}
	}
	if (most)
		sweep_one(d, least);
}

/* Are most of the first few less than a page from the one before? */
static int in_order(void *const *block, uint32_t n)
{
	uint32_t i, near = 0;

	if (n > LOOKED_AT)
		n = LOOKED_AT;
	for (i = 1; i < n; i++)
		near += (uintptr_t)block[i] - (uintptr_t)block[i - 1] + PAGE < 2 * PAGE;
	return near >= (n + 1) / 2;
}

/* More than the room that it has: is there some to be had? */
static int more_room(struct mh_depot *d, uint32_t bytes)
{
	while (d->room < bytes && d->room + part <= mh_settings.depot_bytes &&
	       take_part())
		d->room += part;
	return d->room >= bytes;
}

/*
 * Did twice as much go past as it may hold?  That is a large heap that is taken down by a
 * thread that builds such, too: one that but frees leaves here what others want.
 */
static int is_overrun(struct mh_depot *d)
{
	uint32_t wanted = get(&d->wanted);

	if (!wanted)
		atomic_store_explicit(&d->overrun, 0, RELAXED);
	else
		atomic_store_explicit(&d->wanted, wanted - 1, RELAXED);
	return get(&d->overrun) / 2 > d->room;
}

/*
 * It has no room for them, or had none lately.  When it is overrun, what it has of
 * this class goes, too, by large parts.
 */
static MH_COLD int fits_still(struct mh_depot *d, unsigned class, uint32_t bytes,
			      uint32_t past)
{
	uint32_t count = get(&d->shelf[class].count);

	if (is_overrun(d)) {
		drop(d, class, count < SWEPT_MAX ? count : SWEPT_MAX);
		return 0;
	}
	if (more_room(d, bytes))
		return 1;
	atomic_store_explicit(&d->full, 1, RELAXED);
	past *= lies[class].held;
	atomic_store_explicit(&d->overrun, get(&d->overrun) + past, RELAXED);
	make_room(d, class);
	return 0;
}

/*
 * In disorder, no more than a quarter of what one may hold: small ones, for of the
 * others each has pages of its own.
 */
static inline int fits(struct mh_depot *d, unsigned class, void *const *block, uint32_t n,
		       uint32_t past)
{
	uint32_t bytes = get(&d->bytes) + n * lies[class].held;

	if (bytes > mh_settings.depot_bytes / 4 && class < MH_SMALL_BINS &&
	    !in_order(block, n))
		return 0;
	if (mh_likely(bytes <= d->room && !get(&d->overrun)))
		return 1;
	return fits_still(d, class, bytes, past);
}

static void add(struct mh_depot *d, unsigned class, void *const *block, uint32_t n)
{
	struct mh_shelf *s = &d->shelf[class];
	uint32_t count = get(&s->count), bytes = get(&d->bytes) + n * lies[class].held;

	memcpy(slots(d, class) + count, block, n * sizeof(*block));
	atomic_store_explicit(&s->count, count + n, RELAXED);
	atomic_store_explicit(&d->bytes, bytes, RELAXED);
	if (get(&s->most) < count + n)
		atomic_store_explicit(&s->most, count + n, RELAXED);
}

int mh_depot_give(struct mh_depot *d, unsigned class, void *const *block, uint32_t n,
		  uint32_t past)
{
	int taken;

	if (!d || !enter(d))
		return 0;
	taken = fits(d, class, block, n, past);
	if (taken)
		add(d, class, block, n);
	moved(d);
	leave(d);
	return taken;
}

uint32_t mh_depot_take(struct mh_depot *d, unsigned class, void **block, uint32_t n)
{
	uint32_t had;

	if (!enter(d))
		return 0;
	had = get(&d->shelf[class].count);
	if (n > had)
		n = had;
	memcpy(block, slots(d, class) + had - n, n * sizeof(*block));
	atomic_store_explicit(&d->overrun, 0, RELAXED);
	set_less(d, class, had - n);
	moved(d);
	leave(d);
	return n;
}

#define for_each_depot(d, i)                   \
	for ((i) = 0; (i) < MH_DEPOTS; (i)++) \
		if (((d) = atomic_load(&mh_depots[i])))

static void forget(struct mh_depot *d)
{
	atomic_store_explicit(&d->wanted, 0, RELAXED);
	atomic_store_explicit(&d->overrun, 0, RELAXED);
}

void mh_depot_begin(uint32_t shard)
{
	struct mh_depot *d = mh_depot_there(shard);

	if (d)
		forget(d);
}

/* One that is busy now is in use. */
void mh_depots_flush(void)
{
	struct mh_depot *d;
	uint32_t i;
	unsigned n;

	for_each_depot(d, i) {
		if (!enter(d))
			continue;
		for (n = 0; n < MH_BINS; n++)
			drop(d, n, get(&d->shelf[n].count));
		forget(d);
		leave(d);
	}
}

/* A bit for each that fork() has busy: that is as it should be in the child. */
static uint64_t whole;
_Static_assert(MH_DEPOTS <= 64, "a bit for each");

/* Nobody is waited for: he may wait for the backend, which fork() has by now. */
void mh_depots_prepare(void)
{
	struct mh_depot *d;
	uint32_t i;

	whole = 0;
	for_each_depot(d, i)
		if (enter(d))
			whole |= UINT64_C(1) << i;
}

void mh_depots_parent(void)
{
	uint32_t i;

	for (i = 0; i < MH_DEPOTS; i++)
		if (whole >> i & 1)
			leave(atomic_load(&mh_depots[i]));
}

void mh_depots_child(int exactly)
{
	struct mh_depot *d;
	uint64_t room = 0;
	uint32_t i;

	for_each_depot(d, i) {
		if (d == &none)
			continue;
		if (exactly && whole >> i & 1)
			leave(d);
		else
			memset(d, 0, sizeof(*d));
		room += d->room;
	}
	atomic_store_explicit(&mh_proc->depots_room, room, RELAXED);
}

uint64_t mh_depots_bytes(void)
{
	uint64_t bytes = 0;
	struct mh_depot *d;
	uint32_t i;

	for_each_depot(d, i)
		bytes += get(&d->bytes);
	return bytes;
}

uint64_t mh_depots_own_bytes(void)
{
	uint64_t bytes = 0;
	struct mh_depot *d;
	uint32_t i;
	unsigned n;

	for_each_depot(d, i) {
		bytes += d == &none ? 0 : whole_pages(sizeof(*d));
		for (n = 0; n < MH_BINS; n++)
			bytes += whole_pages(get(&d->shelf[n].most) * sizeof(void *));
	}
	return bytes;
}
