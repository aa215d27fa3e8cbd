/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of owners.
 *
 * live = allocated - freed.  Of an owner with a limit all allocations pass
 * here, so what was allocated is known to the byte: `granted` is raised
 * before the block is made, never after.  Frees do not pass here; `freed` is
 * what the counters of all threads added up to when they were last read, and
 * the truth can only be more.  So granted - freed is never less than live,
 * also while threads run: a hard limit that it stays under is kept exactly.
 * The counters are read when it would not stay under, and then only.
 */
#include <errno.h>
#include <gnu/lib-names.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "owner.h"
#include "process.h"
#include "watch.h"

static struct limit {
	_Alignas(64) _Atomic uint32_t on;
	_Atomic uint32_t crossings; /* odd: above the soft limit, and told */
	_Atomic int64_t soft;       /* INT64_MAX: none */
	_Atomic int64_t hard;
	_Atomic uint64_t granted;   /* allocated, or about to be */
	_Atomic uint64_t freed;     /* as last read */
	_Atomic uint64_t looked;    /* `granted` when it was last looked at from above */
	memhook_limit_fn fn;       /* these two under the owners' lock */
	void *arg;
} *limits; /* by row; private, stored before MH_LIMITS is set */

/* This thread is in a callback: what it allocates calls nobody. */
static __thread char telling __attribute__((tls_model("initial-exec")));

int mh_limit_is_set(uint64_t row)
{
	return atomic_load(&limits[row].on) != 0; /* seq_cst: watch.h */
}

static void raise(_Atomic uint64_t *to, uint64_t value)
{
	uint64_t now = atomic_load(to);

	while (now < value && !atomic_compare_exchange_weak(to, &now, value))
		;
}

static int64_t held(struct limit *l)
{
	uint64_t granted = atomic_load(&l->granted);

	return (int64_t)(granted - atomic_load(&l->freed));
}

/*
 * The same, when the counters have been read.  They have more allocations
 * than were granted when a thread was in the middle of one while the limit
 * was set.
 */
static int64_t held_now(struct limit *l, uint64_t row)
{
	struct mh_sum sum;

	mh_sum(mh_area, (uint32_t)row, &sum);
	/* acquire: pairs with the release in mh_limit_take(), so that whoever
	 * sees an allocation counted sees it granted */
	atomic_thread_fence(memory_order_acquire);
	raise(&l->granted, sum.alloc_bytes);
	raise(&l->freed, sum.free_bytes);
	return held(l);
}

/*
 * Static programs: libc is the program, and cannot be told from it.  Found by
 * a string of libc's; functions of it may have stubs in the program.
 */
static int find_libc(struct dl_find_object *libc)
{
	return _dl_find_object((char *)gnu_get_libc_version(), libc) == 0 &&
	       libc->dlfo_link_map->l_name[0];
}

/*
 * libc's own allocations (destructors of thread-local objects) and the
 * loader's (thread-local storage) end the process when they are refused.
 * Asked for when something is to be refused, and not before.
 */
static int is_of_libc(const void *caller)
{
	struct dl_find_object at, libc;
	const char *slash;

	if (!caller || !find_libc(&libc) || _dl_find_object((char *)caller - 1, &at))
		return 0;
	if (libc.dlfo_link_map == at.dlfo_link_map)
		return 1;
	slash = strrchr(at.dlfo_link_map->l_name, '/');
	return slash && strcmp(slash + 1, LD_SO) == 0;
}

static int in_its_scope(uint64_t row)
{
	return mh_scope != MEMHOOK_AUTO && mh_scope == mh_owner_handle((uint32_t)row);
}

/*
 * `held` may be computed from a `granted` that is stale already, even come
 * out negative; then the exchange fails, or `granted` is another at the end.
 */
static int take_below(struct limit *l, uint64_t row, int64_t more)
{
	int64_t most = atomic_load(&l->hard) - more;
	uint64_t granted = atomic_load(&l->granted);

	for (;;) {
		if ((int64_t)(granted - atomic_load(&l->freed)) <= most) {
			if (atomic_compare_exchange_weak(&l->granted, &granted,
							 granted + (uint64_t)more))
				return 1;
		} else if (held_now(l, row) > most &&
			   granted == atomic_load(&l->granted)) {
			return 0;
		} else {
			granted = atomic_load(&l->granted);
		}
	}
}

static uint64_t growth(size_t size, size_t had)
{
	return size > had ? size - had : 0;
}

enum mh_grant mh_limit_take(uint64_t row, size_t size, size_t had, const void *caller)
{
	uint64_t more = growth(size, had);
	struct limit *l;

	if (!mh_limited(row))
		return MH_NOT_LIMITED;
	l = &limits[row];
	if (!more || !in_its_scope(row)) {
		atomic_fetch_add(&l->granted, more);
	} else if (!take_below(l, row, (int64_t)more)) {
		if (!is_of_libc(caller))
			return MH_REFUSED;
		atomic_fetch_add(&l->granted, more);
	}
	atomic_thread_fence(memory_order_release); /* pairs with held_now() */
	return MH_GRANTED;
}

void mh_limit_give_back(uint64_t row, size_t size, size_t had)
{
	atomic_fetch_sub(&limits[row].granted, growth(size, had));
}

void mh_limit_take_rest(uint64_t row, size_t size, size_t had)
{
	atomic_fetch_add(&limits[row].granted, size - growth(size, had));
	atomic_thread_fence(memory_order_release); /* pairs with held_now() */
}

static void stop_telling(char *flag)
{
	(void)flag;
	telling = 0;
}

/* Returned from, thrown out of or cancelled: the thread tells again. */
static void tell(struct limit *l, uint64_t row, int64_t live)
{
	__attribute__((cleanup(stop_telling), unused)) char flag;
	memhook_limit_fn fn;
	memhook_owner owner;
	int saved = errno;
	void *arg;

	telling = 1;
	mh_owners_lock();
	fn = l->fn;
	arg = l->arg;
	owner = mh_owner_handle((uint32_t)row);
	mh_owners_unlock();
	if (fn)
		fn(owner, (uint64_t)live, arg);
	errno = saved;
}

/*
 * From above: has it been below?  Looked at after each sixteenth of the limit
 * that is allocated, so that no fall of an eighth is missed.
 */
static int was_below(struct limit *l, uint64_t row, int64_t soft, int64_t more)
{
	uint64_t granted = atomic_load(&l->granted);

	if (granted - atomic_load(&l->looked) < (uint64_t)soft / 16)
		return 0;
	atomic_store(&l->looked, granted);
	return held_now(l, row) - more < soft - soft / 16;
}

void mh_limit_look(uint64_t row, size_t size, size_t had, const void *caller)
{
	struct limit *l = &limits[row];
	int64_t soft = atomic_load(&l->soft), live;
	uint32_t n = atomic_load(&l->crossings);

	if (soft == INT64_MAX || telling)
		return;
	if (n % 2) {
		if (!was_below(l, row, soft, (int64_t)growth(size, had)) ||
		    !atomic_compare_exchange_strong(&l->crossings, &n, n + 1))
			return;
		n++;
	}
	if (held(l) < soft)
		return;
	live = held_now(l, row);
	if (live < soft || is_of_libc(caller))
		return; /* not within the loader: the next allocation tells */
	if (!atomic_compare_exchange_strong(&l->crossings, &n, n + 1))
		return;
	atomic_store(&l->looked, atomic_load(&l->granted));
	tell(l, row, live);
}

/* Under the owners' lock. */
void mh_limit_forget(uint64_t row)
{
	if (!limits)
		return;
	atomic_store(&limits[row].on, 0);
	limits[row].fn = NULL;
}

/* What other threads of the parent had been granted is nobody's here. */
void mh_limits_forked(void)
{
	uint32_t row, used = atomic_load(&mh_area->owners_used);

	if (!limits)
		return;
	for (row = 0; row < used; row++) {
		struct limit *l = &limits[row];
		struct mh_sum sum;

		if (!atomic_load(&l->on))
			continue;
		mh_sum(mh_area, row, &sum);
		atomic_store(&l->granted, sum.alloc_bytes);
		atomic_store(&l->freed, sum.free_bytes);
		atomic_store(&l->looked, sum.alloc_bytes);
	}
}

/* Of the table, what is touched. */
uint64_t mh_limits_bytes(void)
{
	uint64_t used = atomic_load_explicit(&mh_area->owners_used, MH_RELAXED);

	if (!(atomic_load(&mh_watching) & MH_LIMITS))
		return 0;
	return (used * sizeof(struct limit) + 4095) & ~UINT64_C(4095);
}

static int make_table(void)
{
	void *p;

	if (limits)
		return 0;
	p = mmap(NULL, (size_t)mh_area->owners_max * sizeof(struct limit),
		 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		return -1;
	limits = p;
	atomic_fetch_or(&mh_watching, MH_LIMITS);
	return 0;
}

/* Limits are compared as signed numbers; none is as good as the greatest. */
static int64_t or_none(uint64_t limit)
{
	return limit && limit < INT64_MAX ? (int64_t)limit : INT64_MAX;
}

/* Under the owners' lock. */
static void set(uint32_t row, uint64_t soft, uint64_t hard, memhook_limit_fn fn,
		void *arg)
{
	struct limit *l = &limits[row];
	struct mh_sum sum;

	l->fn = fn;
	l->arg = arg;
	atomic_store(&l->soft, or_none(soft));
	atomic_store(&l->hard, or_none(hard));
	atomic_fetch_add(&l->crossings, atomic_load(&l->crossings) % 2);
	if (atomic_load(&l->on))
		return;
	mh_sum(mh_area, row, &sum);
	atomic_store(&l->granted, sum.alloc_bytes);
	atomic_store(&l->freed, sum.free_bytes);
	atomic_store(&l->on, 1);
	mh_threads_ask_again();
	held_now(l, row); /* what was allocated before threads saw it */
}

static int check(memhook_owner owner, uint64_t soft, uint64_t hard, memhook_limit_fn fn)
{
	uint32_t row = mh_owner_row(owner);
	struct dl_find_object libc;

	if (!mh_owner_current(owner))
		return ESRCH;
	if (mh_owners(mh_area)[row].kind != MEMHOOK_KIND_NAMED)
		return EINVAL;
	if ((soft && !fn) || (soft && hard && soft > hard))
		return EINVAL;
	if (hard && !find_libc(&libc))
		return ENOTSUP;
	return (soft || hard) && make_table() ? ENOMEM : 0;
}

int memhook_limit(memhook_owner owner, uint64_t soft, uint64_t hard, memhook_limit_fn fn,
		  void *arg)
{
	uint32_t row = mh_owner_row(owner);
	int saved = errno, error;

	mh_attach();
	mh_owners_lock();
	error = check(owner, soft, hard, fn);
	if (!error && (soft || hard))
		set(row, soft, hard, fn, arg);
	else if (!error)
		mh_limit_forget(row);
	mh_owners_unlock();
	errno = error ? error : saved;
	return error ? -1 : 0;
}
