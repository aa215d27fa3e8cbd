/* SPDX-License-Identifier: BSD-2-Clause */
#include "zero.h"

#include <errno.h>
#include <sys/mman.h>

#include "guard.h"

#define ALIGN_MAX 12 /* log2: what every slot has */
#define BITS (8 * sizeof(unsigned long))
#define WORDS (MH_ZERO_SLOTS / BITS)

_Atomic uintptr_t mh_zero_base;
struct mh_cookie mh_zero_cookies[MH_ZERO_SLOTS];
static _Atomic unsigned long taken[WORDS]; /* one bit a slot */
static _Atomic unsigned turn;

/*
 * Address space and no memory.  The first page is nobody's block: where all are
 * taken, a block of no bytes is made like any other, and if the backend's pages
 * end in front of ours, it lies where they begin.
 * Of threads that come at once, one wins.
 */
static uintptr_t map(void)
{
	size_t size = MH_ZERO_SLOT + MH_ZERO_SPAN;
	uintptr_t none = 0, base;
	int saved = errno;
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	base = p == MAP_FAILED ? 1 : (uintptr_t)p + MH_ZERO_SLOT;
	if (!atomic_compare_exchange_strong(&mh_zero_base, &none, base)) {
		if (base > 1)
			munmap(p, size);
		base = none;
	}
	errno = saved;
	return base;
}

struct mh_cookie *mh_cookie_aside(const void *block)
{
	uintptr_t base = atomic_load_explicit(&mh_zero_base, memory_order_relaxed);
	struct mh_cookie *guarded = mh_guard_has(block) ? mh_guard_aside(block) : NULL;

	if (guarded)
		return guarded;
	if (!mh_zero_has(block))
		return mh_cookie(block);
	return &mh_zero_cookies[((uintptr_t)block - base) / MH_ZERO_SLOT];
}

/* One of the `bits` of this word, or -1. */
static int take_bit(unsigned word, unsigned long bits)
{
	bits &= ~atomic_load_explicit(&taken[word], memory_order_relaxed);
	for (; bits; bits &= bits - 1) {
		unsigned long bit = bits & -bits;

		/* acquire: pairs with the release in mh_zero_give() */
		if (!(atomic_fetch_or_explicit(&taken[word], bit, memory_order_acquire) &
		      bit))
			return (int)(word * BITS) + __builtin_ctzl(bit);
	}
	return -1;
}

/* In turn, so that an address comes back as late as can be. */
void *mh_zero_take(uint64_t meta)
{
	uintptr_t base = atomic_load(&mh_zero_base);
	unsigned at, n;
	int slot;

	if (MH_META_ALIGN(meta) > ALIGN_MAX)
		return NULL;
	if (!base)
		base = map();
	if (base == 1)
		return NULL;
	/* relaxed: where to begin, no more */
	at = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);
	slot = take_bit(at / BITS % WORDS, ~0UL << at % BITS);
	for (n = 1; n <= WORDS && slot < 0; n++)
		slot = take_bit((at / BITS + n) % WORDS, ~0UL);
	return slot < 0 ? NULL : (void *)(base + (uintptr_t)slot * MH_ZERO_SLOT);
}

void mh_zero_give(void *block)
{
	size_t slot = ((uintptr_t)block - atomic_load(&mh_zero_base)) / MH_ZERO_SLOT;

	/* release: the cookie says "freed" to whoever takes the slot */
	atomic_fetch_and_explicit(&taken[slot / BITS], ~(1UL << slot % BITS),
				  memory_order_release);
}
