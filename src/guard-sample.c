/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MEMHOOK_GUARD_RATE=N: about one allocation in N is guarded, in production.
 *
 * Nothing is counted on the hot path.  An owner's row is looked at after each
 * 32 KiB that a thread charged to it (account.h); how many allocations these
 * were, the row's average tells, and when N came together, `current` is cleared:
 * the thread's next allocations ask, and after 0 to 15 more, by chance, one is
 * guarded.  So which one has nothing to do with its size, but for a thread
 * that charges less than 32 KiB to an owner, which is not looked at.
 */
#include <stdlib.h>

#include "account.h"
#include "diag.h"
#include "guard.h"
#include "process.h"

uint32_t mh_guard_rate;

static __thread struct {
	uint64_t seen;  /* allocations, below the rate */
	uint32_t due;   /* blocks to be guarded */
	uint32_t skip;  /* allocations until then */
	uint32_t chance;
} sample __attribute__((tls_model("initial-exec")));

void mh_guard_read(void)
{
	const char *text = secure_getenv("MEMHOOK_GUARD_RATE");
	unsigned long n;
	char *end;

	if (!text)
		return;
	n = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && n <= 1000000000)
		mh_guard_rate = (uint32_t)n;
	else
		mh_say("MEMHOOK_GUARD_RATE is no number from 1 to 1000000000: no blocks"
		       " are guarded");
}

static void ask_next(struct mh_hot *h)
{
	atomic_store_explicit(&h->current, NULL, MH_RELAXED);
	atomic_store_explicit(&((struct mh_line *)h)->asked, NULL, MH_RELAXED);
}

static uint32_t by_chance(void)
{
	if (!sample.chance)
		sample.chance = (uint32_t)(mh_secret ^ (uintptr_t)&sample);
	sample.chance = sample.chance * 1103515245 + 12345;
	return sample.chance >> 16 & 15;
}

void mh_guard_step(struct mh_hot *h, struct mh_row *row)
{
	uint64_t calls = atomic_load_explicit(&row->alloc_calls, MH_RELAXED);
	uint64_t bytes = atomic_load_explicit(&row->alloc_bytes, MH_RELAXED);
	uint64_t passed = 1;

	/* The tally tells that it was not the row's step, or a large block. */
	if (!(h->tally & MH_TALLY_LOOK) && calls < bytes)
		passed = (uint64_t)((double)MH_STEP * (double)calls / (double)bytes);
	sample.seen += passed ? passed : 1;
	if (sample.seen < mh_guard_rate)
		return;
	sample.due += (uint32_t)(sample.seen / mh_guard_rate);
	sample.seen %= mh_guard_rate;
	sample.skip = by_chance();
	ask_next(h);
}

int mh_guard_due(struct mh_hot *h)
{
	if (!h || !sample.due)
		return 0;
	if (sample.skip) {
		sample.skip--;
		ask_next(h);
		return 0;
	}
	if (--sample.due) {
		sample.skip = by_chance();
		ask_next(h);
	}
	return 1;
}
