/* SPDX-License-Identifier: BSD-2-Clause */
#include "owner.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "debugger.h"
#include "process.h"
#include "ranges.h"

/*
 * name -> row: buckets and chains in private memory, touched only as far as
 * there are owners.  Changed under mh_proc->owners.
 */
static uint32_t *bucket, *chain;
static uint32_t bucket_mask;

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
	mh_range_add(p, 2 * size, MH_RANGE_OWN);
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

void mh_owner_index_add(uint32_t row)
{
	uint32_t *b = bucket_of(owner_at(row)->name, owner_at(row)->kind);

	chain[row] = *b;
	*b = row;
}

void mh_owner_index_remove(uint32_t row)
{
	uint32_t *b = bucket_of(owner_at(row)->name, owner_at(row)->kind);

	while (*b && *b != row)
		b = &chain[*b];
	if (*b)
		*b = chain[row];
}

/* A thread that has ended keeps its name for the next one that is called so. */
static int is_indexed(struct mh_owner *o)
{
	uint32_t state = atomic_load(&o->state);

	return state == MEMHOOK_STATE_ACTIVE ||
	       (state == MEMHOOK_STATE_RETIRED && o->kind == MEMHOOK_KIND_THREAD);
}

/* For a child that was forked while the index may have been in change. */
void mh_owners_index(void)
{
	uint32_t row, used = atomic_load(&mh_area->owners_used);

	memset(bucket, 0, (size_t)mh_area->owners_max * sizeof(*bucket));
	for (row = MH_FIRST_OWNER; row < used; row++)
		if (is_indexed(owner_at(row)))
			mh_owner_index_add(row);
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

static uint32_t new_row(void)
{
	uint32_t used, row = mh_retired_take(4);

	if (row)
		return row;
	used = atomic_load(&mh_area->owners_used);
	if (used < mh_area->owners_max) {
		atomic_store(&mh_area->owners_used, used + 1);
		mh_dump_rows(used + 1);
		return used;
	}
	return mh_retired_take(mh_area->owners_max);
}

uint32_t mh_owner_lookup(const char *name, enum memhook_kind kind, uint64_t path_hash)
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

uint32_t mh_owner_find_locked(const char *name, enum memhook_kind kind,
			      uint64_t path_hash, uint64_t where)
{
	uint32_t row = mh_owner_lookup(name, kind, path_hash);

	return row ? row : mh_owner_add(name, kind, path_hash, where);
}

uint32_t mh_owner_add(const char *name, enum memhook_kind kind, uint64_t path_hash,
		      uint64_t where)
{
	uint32_t row = new_row();
	struct mh_owner *o;

	if (!row)
		return MH_OVERFLOW;
	o = owner_at(row);
	strncpy(o->name, name, sizeof(o->name) - 1);
	o->kind = kind;
	o->path_hash = path_hash;
	o->where = where;
	mh_owner_index_add(row);
	atomic_store(&o->state, MEMHOOK_STATE_ACTIVE);
	return row;
}

uint32_t mh_owner_find(const char *name, enum memhook_kind kind, uint64_t path_hash,
		       uint64_t where)
{
	uint32_t row;

	mh_owners_lock();
	row = mh_owner_find_locked(name, kind, path_hash, where);
	mh_owners_unlock();
	return row;
}

uint32_t mh_owner_lookup_retired(const char *name, enum memhook_kind kind)
{
	uint32_t row;

	for (row = *bucket_of(name, kind); row; row = chain[row]) {
		struct mh_owner *o = owner_at(row);

		if (o->kind == kind && strcmp(o->name, name) == 0 &&
		    atomic_load(&o->state) == MEMHOOK_STATE_RETIRED)
			return row;
	}
	return 0;
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
	row = mh_owner_find(name, MEMHOOK_KIND_NAMED, 0, 0);
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
		mh_owner_index_remove(row);
		mh_retired_add(row);
	}
	mh_owners_unlock();
	if (error)
		errno = error;
	return error ? -1 : 0;
}

int mh_owner_has_resolver(void)
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
	atomic_store(&h->owned, mh_w0_owned(row)); /* before the check: mh_apply_scope() */
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

memhook_owner memhook_enter(memhook_owner owner)
{
	struct mh_hot *h = mh_hot->rows ? mh_hot : mh_attach();
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
