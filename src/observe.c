/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observers: callbacks at each allocation and free.
 *
 * An observer is in force while its bit is set.  Taking it away clears the
 * bit and then waits for the threads that are inside.  A thread says where it
 * is, in its line, before it looks at the bit: one of the two sees the other
 * (seq_cst on both sides).  Threads without a line are counted as guests.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "owner.h"
#include "process.h"
#include "watch.h"

#define SLOTS 8 /* bits of MH_OBSERVERS */

static struct slot {
	struct memhook_observer observer;
	int taken; /* under the owners' lock; until the last thread has left */
	_Atomic uint32_t guests;
} slots[SLOTS];

_Atomic uint32_t mh_watching;

/* This thread is inside slot - 1: what it allocates is not told to anybody. */
static __thread unsigned char inside __attribute__((tls_model("initial-exec")));
static __thread char guest __attribute__((tls_model("initial-exec")));

struct event {
	void *block;
	size_t size;
	uint64_t owner;
	const void *caller;
	int is_free;
};

/* Also when the observer throws, or its thread is cancelled in it. */
static void leave(unsigned *slot)
{
	if (guest)
		atomic_fetch_sub(&slots[*slot].guests, 1);
	else
		atomic_store(&((struct mh_line *)mh_hot)->observing, 0);
	guest = 0;
	inside = 0;
}

static void enter(unsigned slot)
{
	inside = (unsigned char)(slot + 1);
	guest = !mh_hot->rows;
	if (guest)
		atomic_fetch_add(&slots[slot].guests, 1);
	else
		atomic_store(&((struct mh_line *)mh_hot)->observing, slot + 1);
}

static void call(unsigned slot, const struct event *e)
{
	__attribute__((cleanup(leave))) unsigned here = slot;
	const struct memhook_observer *o = &slots[slot].observer;
	void (*fn)(void *, size_t, memhook_owner, const void *, void *);

	enter(here);
	if (!(atomic_load(&mh_watching) >> slot & 1))
		return;
	fn = e->is_free ? o->on_free : o->on_alloc;
	if (fn)
		fn(e->block, e->size, mh_owner_handle((uint32_t)e->owner), e->caller,
		   o->arg);
}

static void call_all(const struct event *e)
{
	uint32_t bits = atomic_load(&mh_watching) & MH_OBSERVERS;
	int saved = errno;

	if (inside)
		return;
	for (; bits; bits &= bits - 1)
		call((unsigned)__builtin_ctz(bits), e);
	errno = saved;
}

void mh_observe_alloc(void *block, size_t size, uint64_t owner, const void *caller)
{
	struct event e = { block, size, owner, caller, 0 };

	call_all(&e);
}

void mh_observe_free(void *block, size_t size, uint64_t owner, const void *caller)
{
	struct event e = { block, size, owner, caller, 1 };

	call_all(&e);
}

/* Nobody else is here, and nobody waits for those who were. */
void mh_observe_forked(void)
{
	uint32_t bits = atomic_load(&mh_watching) & MH_OBSERVERS;
	unsigned i;

	for (i = 0; i < SLOTS; i++) {
		slots[i].taken = bits >> i & 1;
		atomic_store(&slots[i].guests, guest && inside == i + 1);
	}
}

static int same(const struct memhook_observer *a, const struct memhook_observer *b)
{
	return a->on_alloc == b->on_alloc && a->on_free == b->on_free && a->arg == b->arg;
}

/* The slot of this observer, if in force; else a free one.  SLOTS: neither. */
static unsigned find(const struct memhook_observer *o, int in_force)
{
	uint32_t bits = atomic_load(&mh_watching) & MH_OBSERVERS;
	unsigned i;

	for (i = 0; i < SLOTS; i++)
		if (in_force ? (bits >> i & 1) && same(&slots[i].observer, o)
			     : !slots[i].taken)
			break;
	return i;
}

static int bad(const struct memhook_observer *o)
{
	return !o || o->size < sizeof(*o) || (!o->on_alloc && !o->on_free);
}

static int answer(int error, int saved)
{
	errno = error ? error : saved;
	return error ? -1 : 0;
}

int memhook_observe(const struct memhook_observer *observer)
{
	int saved = errno, error = 0;
	unsigned i;

	if (bad(observer))
		return answer(EINVAL, saved);
	mh_attach();
	mh_owners_lock();
	i = find(observer, 0);
	if (find(observer, 1) < SLOTS) {
		error = EEXIST;
	} else if (i == SLOTS) {
		error = ENOSPC;
	} else {
		slots[i].observer = *observer;
		slots[i].taken = 1;
		atomic_fetch_or(&mh_watching, UINT32_C(1) << i);
		mh_threads_watch();
	}
	mh_owners_unlock();
	return answer(error, saved);
}

static void wait_until_left(unsigned slot)
{
	const struct timespec pause = { 0, 100000 };
	int state;

	/* nanosleep is a place to be cancelled at, this function is none */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while (atomic_load(&slots[slot].guests) || mh_threads_observe(slot + 1))
		nanosleep(&pause, NULL);
	pthread_setcancelstate(state, &state);
}

int memhook_unobserve(const struct memhook_observer *observer)
{
	int saved = errno;
	unsigned i;

	if (bad(observer))
		return answer(EINVAL, saved);
	if (inside)
		return answer(EDEADLK, saved);
	mh_attach();
	mh_owners_lock();
	i = find(observer, 1);
	if (i < SLOTS)
		atomic_fetch_and(&mh_watching, ~(UINT32_C(1) << i));
	mh_owners_unlock();
	if (i == SLOTS)
		return answer(ENOENT, saved);
	wait_until_left(i);
	mh_owners_lock();
	slots[i].taken = 0;
	mh_owners_unlock();
	return answer(0, saved);
}
