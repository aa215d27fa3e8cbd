/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is charged: a thread's scope, the resolver, or what comes of itself. */
#include "owner.h"

#include "account.h"
#include "checks.h"
#include "process.h"
#include "watch.h"

static memhook_owner (*_Atomic resolver)(void *);
static void *_Atomic resolver_arg;
static __thread char resolving __attribute__((tls_model("initial-exec")));

static int has_resolver(void)
{
	return atomic_load(&resolver) != NULL;
}

void memhook_set_resolver(memhook_owner (*resolve)(void *), void *arg)
{
	mh_attach();
	/* A thread that sees the new function sees its argument. */
	atomic_store(&resolver, NULL);
	atomic_store(&resolver_arg, arg);
	atomic_store(&resolver, resolve);
	mh_threads_ask_again();
}

/*
 * Storing the owner before looking at its state pairs with mh_retired_take(),
 * which changes the state before it looks at all threads' owners: seq_cst on
 * both sides, one of the two sees the other.  `current` likewise, before
 * looking whether the owner is watched: watch.h.  And outside of scopes what
 * speaks against it is looked at after the store, since who changes that
 * clears `current` afterwards: mh_threads_ask_again().
 */
static inline void store(struct mh_hot *h, uint64_t row, struct mh_row *current)
{
	/* release: who sees that an owner was left sees all that was counted for it */
	atomic_store_explicit(&h->owned, mh_w0_owned(row), memory_order_release);
	atomic_store_explicit(mh_current_of(h), current, MH_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
}

/* Is what was applied outside of scopes not to be believed? */
static int is_doubtful(const struct mh_hot *h)
{
	return has_resolver() || mh_settings.check_frames || mh_observed() ||
	       (mh_by_caller() && !mh_caller_is_current(h));
}

static inline __attribute__((always_inline)) void apply_automatic(struct mh_hot *h)
{
	uint64_t home = ((struct mh_line *)h)->home;

	store(h, home, mh_by_caller() ? MH_BY_CALLER : &h->rows[home]);
	if (mh_unlikely(is_doubtful(h)))
		atomic_store_explicit(mh_current_of(h), NULL, MH_RELAXED);
}

static MH_COLD int refuse(struct mh_hot *h)
{
	store(h, 0, h->rows);
	if (mh_watched(0))
		atomic_store_explicit(mh_current_of(h), NULL, MH_RELAXED);
	return 0;
}

static inline __attribute__((always_inline)) int apply_owner(struct mh_hot *h,
							     memhook_owner scope)
{
	uint64_t row = mh_owner_row(scope), was = mh_pinned(h);

	if (mh_unlikely(row >= mh_area->owners_max))
		return refuse(h);
	store(h, row, &h->rows[row]);
	/* Retired since it was entered: pinned, and charged till the end. */
	if (mh_unlikely(!mh_owner_current(scope)) &&
	    (was != row || !mh_owner_known(scope)))
		return refuse(h);
	if (mh_unlikely(mh_watched(row)))
		atomic_store_explicit(mh_current_of(h), NULL, MH_RELAXED);
	return 1;
}

static inline __attribute__((always_inline)) int apply(struct mh_hot *h,
						       memhook_owner scope)
{
	if (scope != MEMHOOK_AUTO)
		return apply_owner(h, scope);
	apply_automatic(h);
	return 1;
}

int mh_apply_scope(struct mh_hot *h)
{
	return apply(h, mh_scope);
}

/*
 * What the resolver answered stays pinned in h->owned while it is charged.
 * MH_ASK_ON where it leaves the answer to the automatic kind.
 */
#define MH_ASK_ON UINT64_MAX

static uint64_t resolve(struct mh_hot *h, memhook_owner (*ask)(void *))
{
	memhook_owner *last = &((struct mh_line *)h)->resolved, owner;
	uint64_t row;

	if (resolving)
		return MH_NOBODY;
	resolving = 1;
	owner = ask(atomic_load(&resolver_arg));
	resolving = 0;
	if (owner == MEMHOOK_AUTO)
		return MH_ASK_ON;
	row = mh_owner_row(owner);
	if (owner == *last && mh_pinned(h) == row && mh_owner_current(owner))
		return row;
	atomic_store(&h->owned, mh_w0_owned(row)); /* before the check: store() */
	*last = owner;
	if (mh_owner_current(owner))
		return row;
	atomic_store(&h->owned, 0);
	return MH_NOBODY;
}

/* A thread without a hot line: it is ending, or there are too many. */
static uint64_t owner_without_line(struct mh_from from, uintptr_t fp, uint64_t size)
{
	if (mh_scope != MEMHOOK_AUTO)
		return mh_owner_current(mh_scope) ? mh_owner_row(mh_scope) : MH_NOBODY;
	return mh_by_caller() ? mh_caller_owner(NULL, from, fp, size) : MH_NOBODY;
}

uint64_t mh_owner_now(struct mh_hot *h, struct mh_from from, uintptr_t fp, uint64_t size)
{
	memhook_owner (*ask)(void *) = atomic_load(&resolver);
	uint64_t owner = MH_ASK_ON;

	if (!h)
		return owner_without_line(from, fp, size);
	if (mh_scope == MEMHOOK_AUTO && ask)
		owner = resolve(h, ask);
	if (owner != MH_ASK_ON)
		return owner;
	if (mh_scope == MEMHOOK_AUTO && mh_by_caller())
		owner = mh_caller_owner(h, from, fp, size);
	mh_apply_scope(h);
	return owner != MH_ASK_ON ? owner : mh_pinned(h);
}

static inline __attribute__((always_inline)) memhook_owner enter_on(struct mh_hot *h,
								    memhook_owner owner)
{
	memhook_owner previous = mh_scope;

	mh_scope = owner;
	if (h && mh_unlikely(!apply(h, owner)))
		mh_scope = MEMHOOK_NOBODY;
	return previous;
}

/* A thread without a line: it may be new. */
static MH_NOINLINE memhook_owner enter_first(memhook_owner owner)
{
	return enter_on(mh_attach(), owner);
}

static inline __attribute__((always_inline)) memhook_owner enter(memhook_owner owner)
{
	struct mh_hot *h = mh_hot;

	return mh_likely(h->rows) ? enter_on(h, owner) : enter_first(owner);
}

memhook_owner memhook_enter(memhook_owner owner)
{
	return enter(owner);
}

void memhook_leave(memhook_owner previous)
{
	enter(previous);
}

memhook_owner memhook_current(void)
{
	return mh_scope;
}
