/* SPDX-License-Identifier: BSD-2-Clause */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "diag.h"
#include "fill.h"
#include "process.h"
#include "ranges.h"

#define PAGE ((size_t)4096)
#define SLOTS_MAX MH_GUARD_SLOTS_MAX
#define SAMPLES_MAX 4096 /* live ones, where only some are guarded: 4 KiB or more each */
#define CLASSES 40
#define AHEAD ((size_t)4 << 20) /* nothing of ours just before the first block */
#define WAIT 16384 /* so many of a size are free before the first serves again */

uintptr_t mh_guard_start;
size_t mh_guard_size;

static _Atomic uint64_t bytes; /* of live blocks' pages; relaxed: a number for people */
struct mh_guard *mh_guard_slots;
uint32_t *mh_guard_pages;

/* Under the lock. */
static uint32_t slots_used, slots_live, live_max;
static size_t used;            /* bytes of the stretch */
static size_t dumped;          /* as many as core files have of it */
static struct { uint32_t first, last, count; } free_slots[CLASSES]; /* number + 1 */

void mh_guard_lock(void)
{
	pthread_mutex_lock(&mh_proc->guards);
}

void mh_guard_unlock(void)
{
	pthread_mutex_unlock(&mh_proc->guards);
}

/*
 * A live block is two mappings of the kernel's, and of these a process has
 * vm.max_map_count: three quarters of them for us.
 */
static uint32_t mappings(void)
{
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[24] = "";
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	unsigned long most;

	if (fd >= 0)
		close(fd);
	most = n > 0 ? strtoul(text, NULL, 10) : 0;
	if (most < 1024)
		most = 65530;
	return (uint32_t)(most < SLOTS_MAX ? most : SLOTS_MAX) / 8 * 3;
}

static void *map(size_t size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int map_all(size_t size)
{
	size_t own = size / PAGE * sizeof(*mh_guard_pages) + SLOTS_MAX * sizeof(*mh_guard_slots);
	char *stretch = map(size, PROT_NONE), *tables;

	if (!stretch)
		return -1;
	tables = map(own, PROT_READ | PROT_WRITE);
	if (!tables) {
		munmap(stretch, size);
		return -1;
	}
	madvise(tables, own, MADV_NOHUGEPAGE);
	madvise(stretch, size, MADV_DONTDUMP); /* gdb's would have 64 GiB of it */
	mh_range_add(stretch, size, MH_RANGE_HEAP);
	mh_range_add(tables, own, MH_RANGE_OWN);
	mh_guard_slots = (struct mh_guard *)tables;
	mh_guard_pages = (uint32_t *)(mh_guard_slots + SLOTS_MAX);
	used = AHEAD;
	mh_guard_start = (uintptr_t)stretch;
	mh_guard_size = size;
	return 0;
}

/* As much as there is: RLIMIT_AS and 4-byte words leave less. */
int mh_guard_map(void)
{
	size_t size = sizeof(void *) > 4 ? (size_t)1 << 18 << 18 : (size_t)1 << 29;

	for (; size >= (size_t)1 << 25; size /= 4)
		if (map_all(size) == 0) {
			live_max = mappings();
			if (mh_check_level != MH_CHECK_STRICT && live_max > SAMPLES_MAX)
				live_max = SAMPLES_MAX;
			mh_guard_watch();
			return 0;
		}
	return -1;
}

/* --- mh_guard_slots ------------------------------------------------------------------- */

static struct mh_guard *take_free(unsigned class)
{
	struct mh_guard *g = &mh_guard_slots[free_slots[class].first - 1];

	free_slots[class].first = g->next_free;
	free_slots[class].count--;
	return g;
}

/* What is in use belongs into core files: some megabytes at once. */
static void dump_what_is_used(void)
{
	size_t size = (used - dumped + AHEAD - 1) & -AHEAD;
	int saved = errno;

	if (size > mh_guard_size - dumped)
		size = mh_guard_size - dumped;
	madvise((char *)mh_guard_start + dumped, size, MADV_DODUMP);
	dumped += size;
	errno = saved;
}

static struct mh_guard *take_new(unsigned class)
{
	size_t room = (PAGE << class) + PAGE, page;
	struct mh_guard *g = &mh_guard_slots[slots_used];

	if (slots_used == SLOTS_MAX || room > mh_guard_size - used)
		return NULL;
	g->pages = (uint8_t)class;
	g->end = (char *)mh_guard_start + used + room - PAGE;
	slots_used++;
	/* Large ones are found by their last pages: only these may be ours. */
	for (page = used / PAGE; page < (used + room) / PAGE; page++)
		mh_guard_pages[page] = slots_used;
	used += room;
	if (used > dumped)
		dump_what_is_used();
	return g;
}

static struct mh_guard *take_slot(unsigned class)
{
	struct mh_guard *g = NULL;

	mh_guard_lock();
	if (class < CLASSES && slots_live < live_max) {
		if (free_slots[class].count < WAIT)
			g = take_new(class);
		if (!g && free_slots[class].count)
			g = take_free(class);
	}
	if (g)
		slots_live++;
	mh_guard_unlock();
	return g;
}

static void leave_slot(struct mh_guard *g)
{
	uint32_t number = (uint32_t)(g - mh_guard_slots) + 1;
	unsigned class = g->pages;

	mh_guard_lock();
	g->next_free = 0;
	if (free_slots[class].count++)
		mh_guard_slots[free_slots[class].last - 1].next_free = number;
	else
		free_slots[class].first = number;
	free_slots[class].last = number;
	slots_live--;
	mh_guard_unlock();
}

static MH_COLD void say_full(void)
{
	static _Atomic int said;

	if (mh_check_level == MH_CHECK_STRICT && !atomic_exchange(&said, 1))
		mh_say("strict: too many blocks for guard pages (vm.max_map_count);"
		       " the others have canaries and quarantine, as with --check=on");
}

/* --- blocks ------------------------------------------------------------------ */

/* Where it would begin, were its pages to end at `end`. */
static uintptr_t place(uintptr_t end, size_t size, uint64_t meta)
{
	unsigned align = MH_META_ALIGN(meta);

	return (end - size) & -(align ? (uintptr_t)1 << align : MH_COOKIE_SIZE);
}

static unsigned class_for(size_t size, uint64_t meta)
{
	unsigned align = MH_META_ALIGN(meta), class = 0;
	size_t need = size + MH_COOKIE_SIZE + ((size_t)1 << (align ? align : 4));

	if (align <= 12 && size % PAGE == 0)
		need = size; /* its cookie is in the table */
	while (class < CLASSES && PAGE << class < need)
		class++;
	return class;
}

/* What is left between the block and the end of its pages. */
static size_t tail(const struct mh_guard *g)
{
	return (size_t)(g->end - g->block) - g->size;
}

static void dress(const struct mh_guard *g, int zero)
{
	const uint64_t word = mh_canary(g->block);
	size_t i;

	if (!zero && g->size >= 16)
		mh_fill(g->block, g->block + (g->size & ~(size_t)15));
	for (i = g->size & ~(size_t)15; !zero && i < g->size; i++)
		g->block[i] = (char)MH_FILL;
	for (i = 0; i < tail(g); i++)
		g->block[g->size + i] = ((const char *)&word)[(g->size + i) % 8];
}

/* Whole pages that hold the block and its cookie, where that is in front. */
static char *first_page(const char *block)
{
	if ((uintptr_t)block % PAGE == 0)
		return (char *)block;
	return (char *)((uintptr_t)mh_cookie(block) & -PAGE);
}

static size_t pages_of(const struct mh_guard *g)
{
	return (size_t)(g->end - first_page(g->block));
}

uint64_t mh_guard_bytes(void)
{
	return atomic_load_explicit(&bytes, memory_order_relaxed);
}

void *mh_guard_make(size_t size, uint64_t meta, int zero, const void *caller)
{
	struct mh_guard *g = mh_guard_size ? take_slot(class_for(size, meta)) : NULL;
	char *block, *first;
	int saved = errno;

	if (!g) {
		say_full();
		return NULL;
	}
	block = (char *)place((uintptr_t)g->end, size, meta);
	first = first_page(block);
	/* a block of no bytes has no page */
	if (first < g->end &&
	    mprotect(first, (size_t)(g->end - first), PROT_READ | PROT_WRITE)) {
		errno = saved;
		leave_slot(g);
		say_full();
		return NULL;
	}
	g->block = block;
	g->size = size;
	atomic_fetch_add_explicit(&bytes, pages_of(g), memory_order_relaxed);
	g->trace = (struct mh_trace){ (uintptr_t)caller, 0 };
	g->is_live = 1;
	dress(g, zero);
	return block;
}

void mh_guard_retire(void *block, const void *caller)
{
	struct mh_guard *g = (struct mh_guard *)mh_guard_at(block);
	int saved = errno;

	g->cookie = *mh_guard_cookie(g);
	g->trace.freed = (uintptr_t)caller;
	atomic_fetch_sub_explicit(&bytes, pages_of(g), memory_order_relaxed);
	g->is_live = 0;
	/* A new mapping: the pages are gone, and it merges with its neighbours. */
	if (mmap(first_page(block), pages_of(g), PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		madvise(first_page(block), pages_of(g),
			MADV_DONTNEED);
	errno = saved;
	leave_slot(g);
}

const struct mh_guard *mh_guard_at(const void *p)
{
	uint32_t number = mh_guard_pages[((uintptr_t)p - mh_guard_start) / PAGE];

	return number && mh_guard_slots[number - 1].block ? &mh_guard_slots[number - 1] : NULL;
}

uint64_t mh_guard_meta(const void *block, uint64_t *w0)
{
	const struct mh_guard *g = mh_guard_at(block);

	*w0 = 0;
	if (!g || g->block != block)
		return 0;
	*w0 = mh_guard_cookie(g)->w0;
	return mh_cookie_meta(mh_guard_cookie(g), block, mh_secret);
}

struct mh_cookie *mh_guard_aside(const void *block)
{
	struct mh_guard *g = (struct mh_guard *)mh_guard_at(block);

	return g && g->block == block ? &g->cookie : NULL;
}

/* How far in front of it something was written; 0: nowhere.  The kernel gave zeros. */
static size_t written_before(const struct mh_guard *g)
{
	typedef uint64_t word __attribute__((may_alias));
	const char *first = first_page(g->block), *p = (char *)mh_cookie(g->block);

	while (p > first && !((const word *)p)[-1])
		p -= sizeof(word);
	if (p <= first)
		return 0;
	while (!p[-1])
		p--;
	return (size_t)(g->block - p) + 1;
}

/* Where behind its end; as far as its tail goes: nowhere. */
static size_t written_behind(const struct mh_guard *g)
{
	const uint64_t word = mh_canary(g->block);
	size_t i = 0;

	while (i < tail(g) &&
	       g->block[g->size + i] == ((const char *)&word)[(g->size + i) % 8])
		i++;
	return i;
}

void mh_guard_canary(const void *block, const char *call, const void *caller)
{
	const struct mh_guard *g = mh_guard_at(block);
	size_t before = written_before(g), behind = written_behind(g);

	if (before)
		mh_die_underflow(block, before, call, caller);
	if (behind < tail(g))
		mh_die_overflow(block, behind, call, caller);
}

static void verify(const struct mh_guard *g)
{
	uint64_t w0;

	if (!g->is_live)
		return;
	if (MH_META_STATE(mh_guard_meta(g->block, &w0)) != MH_LIVE)
		mh_die_guarded(g->block, NULL, NULL);
	mh_guard_canary(g->block, NULL, NULL);
}

/* Other threads may be in the middle of making one, or of freeing it. */
void mh_guard_verify(void)
{
	uint32_t n;

	if (mh_threads_attached() > 1)
		return;
	for (n = 0; n < slots_used; n++)
		verify(&mh_guard_slots[n]);
}
