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

_Atomic uint32_t *mh_owner_marks;

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
	char *p = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	mh_range_add(p, 3 * size, MH_RANGE_OWN);
	bucket = (uint32_t *)p;
	chain = (uint32_t *)(p + size);
	mh_owner_marks = (_Atomic uint32_t *)(p + 2 * size);
	bucket_mask = mh_area->owners_max - 1; /* a power of two */
	mh_owner_mark(MH_NOBODY);
	mh_owner_mark(MH_OVERFLOW);
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
	for (row = MH_FIRST_OWNER; row < used; row++) {
		mh_owner_mark(row);
		if (is_indexed(owner_at(row)))
			mh_owner_index_add(row);
	}
}

void mh_owner_mark(uint32_t row)
{
	int active = atomic_load(&owner_at(row)->state) == MEMHOOK_STATE_ACTIVE;

	atomic_store(&mh_owner_marks[row],
		     MH_ACTIVE_MARK(mh_owner_handle(row)) - (uint32_t)!active);
}

int mh_owner_known(memhook_owner owner)
{
	uint32_t row = mh_owner_row(owner), state;

	if (row >= mh_area->owners_max)
		return 0;
	state = atomic_load(&owner_at(row)->state);
	return (state == MEMHOOK_STATE_ACTIVE || state == MEMHOOK_STATE_RETIRED) &&
	       mh_owner_handle(row) == owner;
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
	mh_owner_mark(row);
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
