/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits and observers, as the allocating paths see them.
 *
 * Both take the cold way, so that the hot one has no instruction for them:
 *
 *   - `current` stays NULL on a thread that charges a limited owner, and on
 *     all threads while there is an observer: block.c sees each allocation;
 *   - `free_mask` is 0 on all threads while there is an observer: free
 *     turns aside where it would for a thread without a line.  Limits need
 *     not see frees: they read the counters when they must.
 *
 * Whoever starts to watch stores what he watches, then clears these two on
 * all lines.  A thread that sets one of them looks at what is watched
 * afterwards.  All of it is seq_cst: one sees the other.
 */
#ifndef MH_WATCH_H
#define MH_WATCH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* One word, so that those who pass by look once. */
extern _Atomic uint32_t mh_watching __attribute__((visibility("hidden")));
#define MH_OBSERVERS UINT32_C(0xff) /* a bit for each in force */
#define MH_LIMITS UINT32_C(0x100)   /* some owner has or had a limit */

/* limit.c */
int mh_limit_is_set(uint64_t row);

enum mh_grant { MH_NOT_LIMITED, MH_GRANTED, MH_REFUSED };

/*
 * Before an allocation of `size` bytes that replaces one of `had`: may it be?
 * What was granted and not used is given back.  A realloc needs the whole of
 * both blocks in its last moment, when it counts the new one and has not yet
 * discounted the old: that is the rest.
 */
enum mh_grant mh_limit_take(uint64_t row, size_t size, size_t had, const void *caller);
void mh_limit_give_back(uint64_t row, size_t size, size_t had);
void mh_limit_take_rest(uint64_t row, size_t size, size_t had);

/* After it was counted: is that a crossing of the soft limit?  Calls back. */
void mh_limit_look(uint64_t row, size_t size, size_t had, const void *caller);

void mh_limit_forget(uint64_t row); /* its row serves another owner */
void mh_limits_forked(void);        /* in the child, when its counters are there */
uint64_t mh_limits_bytes(void);

/* observe.c */
void mh_observe_alloc(void *block, size_t size, uint64_t owner, const void *caller);
void mh_observe_free(void *block, size_t size, uint64_t owner, const void *caller);
void mh_observe_forked(void);

static inline int mh_observed(void)
{
	return (atomic_load(&mh_watching) & MH_OBSERVERS) != 0;
}

static inline int mh_limited(uint64_t row)
{
	return (atomic_load(&mh_watching) & MH_LIMITS) && mh_limit_is_set(row);
}

/* Do allocations of this owner need a second look? */
static inline int mh_watched(uint64_t row)
{
	uint32_t watching = atomic_load(&mh_watching);

	return watching && ((watching & MH_OBSERVERS) || mh_limit_is_set(row));
}

#endif /* MH_WATCH_H */
