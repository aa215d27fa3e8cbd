/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Return address -> owner "library".  Three steps, each cheaper than the
 * next: this thread's cache by call site; a process-wide cache by link_map;
 * the owner table by name.  No lock before the last one.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#include "account.h"
#include "owner.h"
#include "process.h"

#define NO_LIBRARY "[no library]"
#define UNLOAD_ONE UINT64_C(1)
#define GENERATION_ONE (UINT64_C(1) << 16)

/*
 * What dlclose unmaps, the next dlopen may put at the same address, with the
 * same link_map.  So every cache entry carries the generation; each dlclose
 * starts a new one.  While one is under way (low 16 bits) entries neither
 * match nor are stored.
 */
static _Atomic uint64_t generation = GENERATION_ONE;

#define OBJECTS 1024

/* Seqlock in small: owner is 0 while the pair is being changed. */
static struct object {
	_Atomic(const void *) map;
	_Atomic uint64_t generation;
	_Atomic uint64_t owner;
} objects[OBJECTS];

void mh_caller_unload_begin(void)
{
	atomic_fetch_add(&generation, UNLOAD_ONE);
}

void mh_caller_unload_end(void)
{
	atomic_fetch_add(&generation, GENERATION_ONE - UNLOAD_ONE);
}

static int unloading(uint64_t g)
{
	return (g & (GENERATION_ONE - 1)) != 0;
}

/* The last bytes of a path that is too long: that is where paths differ. */
static void fit_name(char *name, const char *path)
{
	size_t n = strlen(path);

	if (n >= MEMHOOK_NAME_MAX) {
		memcpy(name, "...", 3);
		memcpy(name + 3, path + n - (MEMHOOK_NAME_MAX - 4), MEMHOOK_NAME_MAX - 4);
		name[MEMHOOK_NAME_MAX - 1] = '\0';
	} else {
		memcpy(name, path, n + 1);
	}
}

/*
 * A library is called by its file name; the second of the same name, from
 * another directory, by its whole path.
 */
static uint32_t library_owner(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	uint64_t hash = mh_hash(path, MH_HASH_START);
	uint32_t row, used = atomic_load(&mh_area->owners_used);
	char name[MEMHOOK_NAME_MAX];
	int clash = 0;

	fit_name(name, base);
	for (row = MH_FIRST_OWNER; row < used; row++) {
		struct mh_owner *o = &mh_owners(mh_area)[row];

		if (atomic_load(&o->state) != MEMHOOK_STATE_ACTIVE ||
		    o->kind != MEMHOOK_KIND_LIBRARY)
			continue;
		if (o->path_hash == hash)
			return row;
		clash |= strcmp(o->name, name) == 0;
	}
	if (clash)
		fit_name(name, path);
	return mh_owner_find(name, MEMHOOK_KIND_LIBRARY, hash);
}

static uint64_t object_owner(const struct link_map *map, uint64_t now)
{
	struct object *o = &objects[((uintptr_t)map >> 5 ^ (uintptr_t)map >> 14) % OBJECTS];
	uint64_t owner;

	/* acquire: pairs with the release below */
	owner = atomic_load_explicit(&o->owner, memory_order_acquire);
	if (owner && atomic_load_explicit(&o->map, memory_order_acquire) == map &&
	    atomic_load_explicit(&o->generation, memory_order_acquire) == now &&
	    atomic_load_explicit(&o->owner, MH_RELAXED) == owner)
		return owner;
	owner = library_owner(map->l_name[0] ? map->l_name : mh_program);
	if (unloading(now))
		return owner;
	mh_owners_lock();
	atomic_store(&o->owner, 0);
	atomic_store(&o->map, map);
	atomic_store(&o->generation, now);
	/* release: pairs with the acquire above */
	atomic_store_explicit(&o->owner, owner, memory_order_release);
	mh_owners_unlock();
	return owner;
}

static MH_COLD uint64_t find(const void *caller, uint64_t now)
{
	struct dl_find_object found;

	/* One back: a call may be the last instruction of an object. */
	if (_dl_find_object((char *)caller - 1, &found))
		return library_owner(NO_LIBRARY);
	return object_owner(found.dlfo_link_map, now);
}

uint64_t mh_caller_owner(struct mh_hot *h, const void *caller)
{
	/* acquire: pairs with mh_caller_unload_end() */
	uint64_t now = atomic_load_explicit(&generation, memory_order_acquire);
	struct mh_site *site;
	uint64_t owner;

	if (mh_unlikely(!h))
		return find(caller, now);
	site = &((struct mh_line *)h)->sites[((uintptr_t)caller >> 1 ^
					      (uintptr_t)caller >> 9) % MH_SITES];
	if (mh_likely(site->caller == (uintptr_t)caller && site->generation == now))
		return site->owner;
	owner = find(caller, now);
	if (!unloading(now) && owner != MH_OVERFLOW) {
		site->caller = (uintptr_t)caller;
		site->generation = now;
		site->owner = owner;
	}
	return owner;
}
