/* SPDX-License-Identifier: BSD-2-Clause */
#include "thread.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "backend.h"
#include "checks.h"
#include "owner.h"
#include "process.h"
#include "quarantine.h"
#include "ranges.h"
#include "watch.h"

static _Alignas(64) struct mh_hot no_line; /* as a line is */

__thread struct mh_hot *mh_hot = &no_line;
__thread memhook_owner mh_scope = MEMHOOK_AUTO;

/* This thread's key destructor has run: what comes now goes to shard 0. */
static __thread char ending __attribute__((tls_model("initial-exec")));

static char *lines; /* mh_proc lies where the line of shard 0 would */
static pthread_key_t exit_key;
static int have_exit_key;
static _Atomic uint32_t trims; /* calls of malloc_trim() */

static char *line_pages(uint32_t shard)
{
	return lines + (size_t)shard * MH_LINE_STRIDE;
}

struct mh_hot *mh_line(uint32_t shard)
{
	return &((struct mh_line *)(line_pages(shard) + MH_LINE_AT))->hot;
}

int mh_lines_map(void)
{
	size_t size = (size_t)mh_area->shards_max * MH_LINE_STRIDE;
	char *p = mmap(NULL, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	madvise(p, size, MADV_WIPEONFORK);
	madvise(p, size, MADV_NOHUGEPAGE);
	if (mprotect(p, MH_LINE_STRIDE, PROT_READ | PROT_WRITE)) {
		munmap(p, size);
		return -1;
	}
	mh_range_add(p, size, MH_RANGE_OWN);
	lines = p;
	mh_proc = (struct mh_proc *)p;
	return 0;
}

/* Private memory that lines and caches take, once touched. */
uint64_t mh_lines_bytes(void)
{
	uint64_t line = MH_LINE_STRIDE;

	if (!mh_by_caller())
		line -= MH_SITES * sizeof(struct mh_site);
	return atomic_load_explicit(&mh_area->shards_used, MH_RELAXED) * line;
}

/* Lowest free shard, 0 when there is none: shard 0 is everybody's. */
static uint32_t take_shard(void)
{
	uint32_t word, words = (mh_area->shards_max + 63) / 64;

	for (word = 0; word < words; word++) {
		_Atomic uint64_t *taken = &mh_area->shard_taken[word];
		uint64_t bits = atomic_load_explicit(taken, MH_RELAXED);

		while (~bits) {
			unsigned bit = (unsigned)__builtin_ctzll(~bits);

			if (word * 64 + bit >= mh_area->shards_max)
				return 0;
			/* acquire: pairs with the release in mh_shard_leave(), so
			 * that we go on from the last thread's counters */
			if (atomic_compare_exchange_weak_explicit(
				    taken, &bits, bits | UINT64_C(1) << bit,
				    memory_order_acquire, MH_RELAXED))
				return word * 64 + bit;
		}
	}
	return 0;
}

int mh_shard_take(uint32_t s)
{
	uint64_t bit = UINT64_C(1) << s % 64;

	/* acquire: as in take_shard() */
	return !(atomic_fetch_or_explicit(&mh_area->shard_taken[s / 64], bit,
					  memory_order_acquire) & bit);
}

void mh_shard_leave(uint32_t s)
{
	/* release: pairs with the acquire in take_shard() and mh_shard_take() */
	atomic_fetch_and_explicit(&mh_area->shard_taken[s / 64],
				  ~(UINT64_C(1) << (s % 64)), memory_order_release);
}

void mh_lines_wipe(void)
{
	uint32_t s, n = atomic_load_explicit(&mh_area->shards_used, MH_RELAXED);

	memset(mh_proc, 0, sizeof(*mh_proc));
	for (s = 1; s < n; s++) {
		if (mh_shard_is_open(s))
			memset(mh_line(s), 0, sizeof(struct mh_line));
	}
	mh_quarantine_wipe();
}

static struct mh_hot *attach(void)
{
	uint32_t s = take_shard();
	struct mh_hot *h;

	if (!s)
		return NULL;
	h = mh_line(s);
	/* The shard last: that it is open tells others that its line is. */
	if (!mh_shard_is_open(s) &&
	    (mprotect(line_pages(s), MH_LINE_STRIDE, PROT_READ | PROT_WRITE) ||
	     mh_shard_open(s))) {
		mh_shard_leave(s);
		return NULL;
	}
	((struct mh_line *)h)->shard = s;
	h->key[0] = mh_cookie_key(MH_LIVE_MALLOC, mh_secret);
	h->key[1] = mh_cookie_key(MH_LIVE_NEW, mh_secret);
	h->tally = mh_tally_start(mh_settings.cache_bytes);
	h->look = MH_TALLY_LOOK;
	((struct mh_line *)h)->resolved = MEMHOOK_AUTO;
	((struct mh_line *)h)->home = MH_NOBODY;
	((struct mh_line *)h)->trims = atomic_load(&trims); /* it is empty */
	mh_cache_init(mh_cache(h), s, mh_settings.cache_bytes);
	if (!mh_settings.cache_bytes)
		mh_cache_close(mh_cache(h));
	if (mh_check_level)
		mh_quarantine_attach(h);
	h->rows = mh_shard(s);
	mh_hot = h;
	if (mh_settings.by == MH_BY_THREAD)
		((struct mh_line *)h)->home = mh_thread_owner_enter();
	mh_open_frees(h);
	/* A forked child is inside its parent's scope: also if that was retired. */
	if (mh_scope != MEMHOOK_AUTO && mh_owner_row(mh_scope) < mh_area->owners_max)
		atomic_store(&h->owned, mh_w0_owned(mh_owner_row(mh_scope)));
	mh_apply_scope(h);
	/* Last: it may call calloc, which finds us attached. */
	if (have_exit_key)
		pthread_setspecific(exit_key, h);
	return h;
}

struct mh_hot *mh_attach(void)
{
	struct mh_hot *h = mh_hot;
	int saved;

	if (h->rows)
		return h;
	saved = errno;
	if (!mh_process_ready())
		mh_process_start();
	/* The start may have attached us, through a malloc of its own. */
	h = mh_hot->rows ? mh_hot : ending ? NULL : attach();
	errno = saved;
	return h;
}

/*
 * The shard keeps its numbers and goes to the next thread.  Destructors that
 * run after this one, and libc when it frees the thread's own memory, find
 * no line and charge shard 0.
 */
static void thread_exit(void *line)
{
	struct mh_hot *h = mh_hot;

	(void)line;
	ending = 1;
	if (!h->rows)
		return;
	h->tally -= mh_cache_flush(mh_cache(h));
	mh_publish_net(h);
	if (mh_settings.by == MH_BY_THREAD)
		mh_thread_owner_leave((uint32_t)((struct mh_line *)h)->home);
	mh_hot = &no_line;
	atomic_store_explicit(mh_current_of(h), NULL, MH_RELAXED);
	atomic_store_explicit(&h->free_mask, 0, MH_RELAXED);
	atomic_store_explicit(&h->owned, 0, MH_RELAXED);
	h->rows = NULL;
	mh_shard_leave(((struct mh_line *)h)->shard);
}

int mh_threads_init(void)
{
	have_exit_key = pthread_key_create(&exit_key, thread_exit) == 0;
	/* The thread that started the process is attached already. */
	if (have_exit_key && mh_hot->rows)
		pthread_setspecific(exit_key, mh_hot);
	return have_exit_key ? 0 : -1;
}

/* Only its own thread may empty a cache: this is the first free that it asks for. */
static void trim_if_asked(struct mh_hot *h)
{
	struct mh_line *line = (struct mh_line *)h;
	uint32_t asked = atomic_load(&trims);
	int saved = errno;

	if (line->trims == asked)
		return;
	line->trims = asked;
	h->tally -= mh_cache_flush(mh_cache(h));
	mh_backend_flush();
	errno = saved;
}

void mh_open_frees(struct mh_hot *h)
{
	atomic_store(&h->free_mask, MH_FREE_MASK);
	/* After the store: pairs with mh_threads_watch() and mh_threads_trim(). */
	if (mh_observed() || mh_check_level)
		atomic_store_explicit(&h->free_mask, 0, MH_RELAXED);
	trim_if_asked(h);
}

static int taken(uint32_t s)
{
	return atomic_load(&mh_area->shard_taken[s / 64]) >> (s % 64) & 1;
}

/* A line may be half set up when we look; its rows tell. */
#define for_each_line(h, s)                                                      \
	for ((s) = 1; (s) < atomic_load(&mh_area->shards_used); (s)++)           \
		if (taken(s) && mh_shard_is_open(s) && ((h) = mh_line(s)))

void mh_threads_ask_again(void)
{
	struct mh_hot *h;
	uint32_t s;

	for_each_line(h, s)
		atomic_store(mh_current_of(h), NULL);
}

void mh_threads_watch(void)
{
	struct mh_hot *h;
	uint32_t s;

	/* A thread that attaches now is seen here, or sees what is watched. */
	atomic_thread_fence(memory_order_seq_cst);
	for_each_line(h, s) {
		atomic_store(mh_current_of(h), NULL);
		atomic_store(&h->free_mask, 0);
	}
}

void mh_threads_trim(void)
{
	struct mh_hot *h;
	uint32_t s;

	atomic_fetch_add(&trims, 1);
	for_each_line(h, s)
		atomic_store(&h->free_mask, 0);
	if (mh_hot->rows)
		mh_open_frees(mh_hot);
	mh_depots_flush();
}

int mh_threads_observe(uint32_t observer)
{
	struct mh_hot *h;
	uint32_t s;

	for_each_line(h, s)
		if (atomic_load(&((struct mh_line *)h)->observing) == observer)
			return 1;
	return 0;
}

int mh_threads_use(uint64_t row)
{
	struct mh_hot *h;
	uint32_t s;

	for_each_line(h, s)
		if (mh_cookie_owner(atomic_load(&h->owned)) == row)
			return 1;
	return 0;
}

uint64_t mh_caches_bytes(void)
{
	uint64_t bytes = 0;
	struct mh_hot *h;
	uint32_t s;

	for_each_line(h, s)
		bytes += mh_tally_cached(h->tally, mh_settings.cache_bytes);
	return bytes;
}

unsigned mh_threads_attached(void)
{
	unsigned word, n = 0;

	for (word = 0; word < MH_SHARD_WORDS; word++)
		n += (unsigned)__builtin_popcountll(
			atomic_load(&mh_area->shard_taken[word]));
	return n - 1; /* shard 0 is taken for ever */
}
