/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a thread has: its hot line and its shard.
 *
 * The hot line is private memory marked MADV_WIPEONFORK, one per shard.  All
 * that the hot path needs is in its first 64 bytes.  A child made by fork,
 * _Fork or a raw clone finds zeros there and takes the path of a new thread;
 * kept in TLS, it would go on counting into its parent's shard.
 */
#ifndef MH_THREAD_H
#define MH_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "cache.h"
#include "caller.h"
#include "memhook.h"
#include "segment.h"

#define MH_HIDDEN __attribute__((visibility("hidden")))
#define MH_COLD __attribute__((cold, noinline))
#define MH_NOINLINE __attribute__((noinline))
#define mh_likely(x) __builtin_expect(!!(x), 1)
#define mh_unlikely(x) __builtin_expect(!!(x), 0)

/* Of an address: none of it in the first 16 bytes of a page. */
#define MH_FREE_MASK ((uintptr_t)4096 - MH_COOKIE_SIZE)

/* In `current`: the owner is found by the call site, in the thread's table. */
#define MH_BY_CALLER ((struct mh_row *)1)

struct mh_hot {
	struct mh_row *_Atomic current; /* the owner's row, or that; NULL: ask block.c */
	struct mh_row *rows;            /* this thread's shard; NULL: none yet */
	_Atomic uint64_t owned;         /* mh_w0_owned() of `current`; pinned while here */
	uint64_t key[2];                /* of malloc's and new's cookies: block.h */
	uint64_t tally;                 /* bytes cached, and not published: cache.h */
	uint64_t look;                  /* MH_TALLY_LOOK: shorter here than in the code */
	_Atomic uintptr_t free_mask;    /* MH_FREE_MASK; 0: frees ask block.c */
};

struct mh_line {
	_Alignas(64) struct mh_hot hot;
	uint32_t shard;         /* number of `rows` */
	memhook_owner resolved; /* the resolver's last answer */
	uint64_t home;          /* row outside of scopes: by thread, its own */
	uint64_t generation;    /* of `sites`; 0: they are empty (caller.c) */
	_Atomic uint32_t observing; /* observer that this thread is in: observe.c */
	uint32_t trims;         /* of malloc_trim() that it has followed */
	uint32_t quiet;         /* steps that were not published */
	int64_t unpublished;    /* net change of live bytes, but for hot.tally: account.c */
	struct mh_row *_Atomic asked; /* with checks, what `current` would be: checks.h */
	_Alignas(64) char apart[192];
	struct mh_quarantine *quarantine; /* with checks: quarantine.h */
	_Alignas(64) struct mh_cache cache; /* freed blocks, ready to serve again */
	_Alignas(64) struct mh_site sites[MH_SITES];
};

/*
 * A load that follows a store to the same place in another page has to wait
 * for it.  So a line ends a page, and its cache begins 256 bytes into the next
 * one: the first rows of a shard are at the start of theirs.
 */
#define MH_LINE_AT (4096 - 128)
#define MH_LINE_STRIDE ((MH_LINE_AT + sizeof(struct mh_line) + 4095) & ~(size_t)4095)
_Static_assert(sizeof(struct mh_hot) <= 64, "one cache line");
_Static_assert(offsetof(struct mh_line, apart) == 4096 - MH_LINE_AT, "ends a page");
_Static_assert((sizeof(struct mh_site) & (sizeof(struct mh_site) - 1)) == 0, "a power of 2");

static inline struct mh_cache *mh_cache(struct mh_hot *h)
{
	return &((struct mh_line *)h)->cache;
}

static inline uint64_t mh_pinned(const struct mh_hot *h)
{
	return mh_cookie_owner(atomic_load_explicit(&h->owned, memory_order_relaxed));
}

static inline int mh_frees_are_open(const struct mh_hot *h)
{
	return atomic_load_explicit(&h->free_mask, memory_order_relaxed) != 0;
}

/*
 * Must this be looked at before its cookie is read?  One in the first 16 bytes of
 * a page, as the page before may not exist: NULL is one of them.  And all while
 * frees are not open.
 */
static inline int mh_free_asks(const struct mh_hot *h, const void *block)
{
	uintptr_t mask = atomic_load_explicit(&h->free_mask, memory_order_relaxed);

	return !((uintptr_t)block & mask);
}

/* Where the table has this call site, if it has it. */
static inline struct mh_site *mh_site(struct mh_hot *h, const void *caller)
{
	const uintptr_t mask = (MH_SITES - 1) * sizeof(struct mh_site);
	uintptr_t at = (uintptr_t)caller * sizeof(struct mh_site) & mask;

	return (struct mh_site *)((char *)((struct mh_line *)h)->sites + at);
}

/*
 * Initial-exec: any other model may call malloc from inside malloc.  Never
 * NULL: a thread without a line points at one of zeros.
 */
extern MH_HIDDEN __thread struct mh_hot *mh_hot
	__attribute__((tls_model("initial-exec")));

/* The thread's explicit scope.  TLS, not the hot line: fork inherits it. */
extern MH_HIDDEN __thread memhook_owner mh_scope
	__attribute__((tls_model("initial-exec")));

/*
 * This thread's hot line, attached now if need be; NULL when it can have
 * none (it is ending, or all shards are taken): then shard 0 is charged,
 * with atomic additions.  Preserves errno.
 */
MH_COLD struct mh_hot *mh_attach(void);

/* Make the hot line agree with mh_scope.  0 if the scope's owner is stale. */
int mh_apply_scope(struct mh_hot *h);

/* Let frees take the hot path, unless there are observers. */
void mh_open_frees(struct mh_hot *h);

/* Clear `current` of all threads: they ask again. */
void mh_threads_ask_again(void);

/* Clear `free_mask`, too: each free asks. */
void mh_threads_watch(void);

/*
 * malloc_trim(): empty the caller's cache, now, and have each other thread
 * empty its own when it frees next.
 */
void mh_threads_trim(void);

/* Is some thread inside this observer? */
int mh_threads_observe(uint32_t observer);

/* Is this row some thread's current owner? */
int mh_threads_use(uint64_t row);

/* One that no thread has: 1 where it is the caller's until it leaves it. */
int mh_shard_take(uint32_t s);
void mh_shard_leave(uint32_t s);

/* Threads that have a shard now. */
unsigned mh_threads_attached(void);

int mh_threads_init(void);  /* the thread-exit key */
int mh_lines_map(void);     /* the hot lines; 0 or -1 */
void mh_lines_wipe(void);   /* for kernels without MADV_WIPEONFORK */
uint64_t mh_lines_bytes(void);
uint64_t mh_caches_bytes(void); /* what all threads' ready blocks hold */
struct mh_hot *mh_line(uint32_t shard);

#endif /* MH_THREAD_H */
