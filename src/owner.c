/* SPDX-License-Identifier: BSD-2-Clause */
#include "owner.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "process.h"

/*
 * name -> row: buckets and chains in private memory, touched only as far as
 * there are owners.  Changed under mh_proc->owners.
 */
static uint32_t *bucket, *chain;
static uint32_t bucket_mask;

static uint32_t retired_first, retired_last; /* queue through next_retired */

static memhook_owner (*_Atomic resolver)(void *);
static void *_Atomic resolver_arg;
static __thread char resolving __attribute__((tls_model("initial-exec")));

/* FNV-1a, 64 bits. http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t mh_hash(const char *s, uint64_t hash)
{
	while (*s)
		hash = (hash ^ (unsigned char)*s++) * UINT64_C(0x100000001b3);
	return hash;
}

int mh_owners_init(void)
{
	size_t size = (size_t)mh_area->owners_max * sizeof(*bucket);
	char *p = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	bucket = (uint32_t *)p;
	chain = (uint32_t *)(p + size);
	bucket_mask = mh_area->owners_max - 1; /* a power of two */
	return 0;
}

void mh_owners_lock(void)
{
	pthread_mutex_lock(&mh_proc->owners);
}

void mh_owners_unlock(void)
{
	pthread_mutex_unlock(&mh_proc->owners);
}

static struct mh_owner *owner_at(uint32_t row)
{
	return &mh_owners(mh_area)[row];
}

static uint32_t *bucket_of(const char *name, uint32_t kind)
{
	return &bucket[(mh_hash(name, MH_HASH_START) + kind) & bucket_mask];
}

static void index_add(uint32_t row)
{
	uint32_t *b = bucket_of(owner_at(row)->name, owner_at(row)->kind);

	chain[row] = *b;
	*b = row;
}

static void index_remove(uint32_t row)
{
	uint32_t *b = bucket_of(owner_at(row)->name, owner_at(row)->kind);

	while (*b && *b != row)
		b = &chain[*b];
	if (*b)
		*b = chain[row];
}

/* For a child that was forked while the index may have been in change. */
void mh_owners_index(void)
{
	uint32_t row, used = atomic_load(&mh_area->owners_used);

	memset(bucket, 0, (size_t)mh_area->owners_max * sizeof(*bucket));
	for (row = MH_FIRST_OWNER; row < used; row++)
		if (atomic_load(&owner_at(row)->state) == MEMHOOK_STATE_ACTIVE)
			index_add(row);
}

memhook_owner mh_owner_handle(uint32_t row)
{
	return (memhook_owner)atomic_load_explicit(&owner_at(row)->generation,
						   MH_RELAXED) << 32 | row;
}

static int owner_is(memhook_owner owner, int active_only)
{
	uint32_t row = mh_owner_row(owner), state;

	if (owner == MEMHOOK_AUTO || row >= mh_area->owners_max)
		return 0;
	state = atomic_load(&owner_at(row)->state); /* seq_cst: mh_apply_scope() */
	return (state == MEMHOOK_STATE_ACTIVE ||
		(!active_only && state == MEMHOOK_STATE_RETIRED)) &&
	       mh_owner_handle(row) == owner;
}

int mh_owner_current(memhook_owner owner)
{
	return owner_is(owner, 1);
}

int mh_owner_known(memhook_owner owner)
{
	return owner_is(owner, 0);
}

/*
 * May this retired row serve somebody new?  Nobody can enter it any more, so
 * when no thread is inside and no block is live, none will be.
 */
static int reusable(uint32_t row)
{
	struct mh_sum sum;

	if (mh_threads_use(row))
		return 0;
	mh_sum(mh_area, row, &sum);
	return sum.alloc_calls == sum.free_calls && sum.alloc_bytes == sum.free_bytes;
}

/* Shards are never zeroed: what a row holds now is its new owner's zero. */
static void begin_anew(uint32_t row)
{
	struct mh_row *base = &mh_base(mh_area)[row];
	struct mh_owner *o = owner_at(row);
	struct mh_sum sum;

	mh_sum(mh_area, row, &sum);
	atomic_store(&o->state, MEMHOOK_STATE_FREE);
	atomic_fetch_add(&base->free_bytes, sum.free_bytes);
	atomic_fetch_add(&base->free_calls, sum.free_calls);
	atomic_fetch_add(&base->alloc_bytes, sum.alloc_bytes);
	atomic_fetch_add(&base->alloc_calls, sum.alloc_calls);
	atomic_store(&mh_coarse(mh_area)[row].peak_bytes, 0);
	atomic_fetch_add(&o->generation, 1);
}

static uint32_t take_retired(unsigned tries)
{
	while (tries-- && retired_first) {
		uint32_t row = retired_first;

		retired_first = owner_at(row)->next_retired;
		if (!retired_first)
			retired_last = 0;
		owner_at(row)->next_retired = 0;
		if (reusable(row)) {
			begin_anew(row);
			return row;
		}
		if (retired_last)
			owner_at(retired_last)->next_retired = row;
		else
			retired_first = row;
		retired_last = row;
	}
	return 0;
}

static uint32_t new_row(void)
{
	uint32_t used, row = take_retired(4);

	if (row)
		return row;
	used = atomic_load(&mh_area->owners_used);
	if (used < mh_area->owners_max) {
		atomic_store(&mh_area->owners_used, used + 1);
		return used;
	}
	return take_retired(mh_area->owners_max);
}

static uint32_t lookup(const char *name, uint32_t kind, uint64_t path_hash)
{
	uint32_t row;

	for (row = *bucket_of(name, kind); row; row = chain[row]) {
		struct mh_owner *o = owner_at(row);

		if (o->kind == kind && o->path_hash == path_hash &&
		    strcmp(o->name, name) == 0)
			return row;
	}
	return 0;
}

uint32_t mh_owner_find(const char *name, enum memhook_kind kind, uint64_t path_hash)
{
	struct mh_owner *o;
	uint32_t row;

	mh_owners_lock();
	row = lookup(name, kind, path_hash);
	if (!row && (row = new_row())) {
		o = owner_at(row);
		strncpy(o->name, name, sizeof(o->name) - 1);
		o->kind = kind;
		o->path_hash = path_hash;
		index_add(row);
		atomic_store(&o->state, MEMHOOK_STATE_ACTIVE);
	}
	mh_owners_unlock();
	return row ? row : MH_OVERFLOW;
}

static int bad_name(const char *name)
{
	size_t n;

	if (!name || !*name)
		return 1;
	for (n = 0; name[n]; n++)
		if (n == MEMHOOK_NAME_MAX - 1 || (unsigned char)name[n] < ' ' ||
		    name[n] == 127)
			return 1;
	return 0;
}

memhook_owner memhook_owner_create(const char *name)
{
	uint32_t row;

	if (bad_name(name)) {
		errno = EINVAL;
		return MEMHOOK_NOBODY;
	}
	mh_attach();
	row = mh_owner_find(name, MEMHOOK_KIND_NAMED, 0);
	if (row == MH_OVERFLOW)
		errno = ENOSPC;
	return mh_owner_handle(row);
}

int memhook_owner_retire(memhook_owner owner)
{
	uint32_t row = mh_owner_row(owner);
	int error = 0;

	mh_attach();
	mh_owners_lock();
	if (!mh_owner_current(owner))
		error = ESRCH;
	else if (owner_at(row)->kind != MEMHOOK_KIND_NAMED)
		error = EINVAL;
	if (!error) {
		index_remove(row);
		atomic_store(&owner_at(row)->state, MEMHOOK_STATE_RETIRED);
		owner_at(row)->next_retired = 0;
		if (retired_last)
			owner_at(retired_last)->next_retired = row;
		else
			retired_first = row;
		retired_last = row;
	}
	mh_owners_unlock();
	if (error)
		errno = error;
	return error ? -1 : 0;
}

int mh_owner_is_asked(void)
{
	return mh_settings.by != MH_BY_NONE || atomic_load(&resolver);
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

/* What the resolver answered stays pinned in h->owner while it is charged. */
static uint64_t resolve(struct mh_hot *h, memhook_owner (*ask)(void *))
{
	memhook_owner *last = &((struct mh_line *)h)->resolved, owner;
	uint64_t row;

	if (resolving)
		return MH_NOBODY;
	resolving = 1;
	owner = ask(atomic_load(&resolver_arg));
	resolving = 0;
	if (owner == *last &&
	    atomic_load_explicit(&h->owner, MH_RELAXED) == mh_owner_row(owner) &&
	    mh_owner_current(owner))
		return mh_owner_row(owner);
	row = mh_owner_row(owner);
	if (owner == MEMHOOK_AUTO)
		row = MH_NOBODY;
	atomic_store(&h->owner, row); /* before the check: mh_apply_scope() */
	*last = owner;
	if (mh_owner_current(owner))
		return row;
	atomic_store(&h->owner, 0);
	return MH_NOBODY;
}

uint64_t mh_owner_now(struct mh_hot *h, const void *caller)
{
	memhook_owner (*ask)(void *);

	if (mh_scope != MEMHOOK_AUTO || !mh_owner_is_asked()) {
		mh_apply_scope(h);
		return atomic_load_explicit(&h->owner, MH_RELAXED);
	}
	ask = atomic_load(&resolver);
	if (ask)
		return resolve(h, ask);
	return mh_caller_owner(h, caller);
}

memhook_owner memhook_enter(memhook_owner owner)
{
	struct mh_hot *h = mh_attach();
	memhook_owner previous = mh_scope;

	mh_scope = owner;
	if (h && !mh_apply_scope(h))
		mh_scope = MEMHOOK_NOBODY;
	return previous;
}

void memhook_leave(memhook_owner previous)
{
	memhook_enter(previous);
}

memhook_owner memhook_current(void)
{
	return mh_scope;
}
