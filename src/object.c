/* SPDX-License-Identifier: BSD-2-Clause */
#include "object.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#include "account.h"
#include "debugger.h"
#include "owner.h"
#include "process.h"
#include "segment-file.h"

/*
 * hash -> object + 1, open addressing, in private memory.  Entries are only
 * added, under the owners' lock; who looks takes none.
 */
#define BUCKETS (2 * MH_OBJECTS_MAX)
static _Atomic uint16_t bucket[BUCKETS];

/* By object.  owner: 0 while there is none. */
static struct {
	_Atomic uint32_t owner;
	uint32_t through;
} known[MH_OBJECTS_MAX];

static struct mh_object *object_at(uint32_t i)
{
	return &mh_objects(mh_area)[i];
}

static const char *path_of(const struct link_map *map)
{
	return map->l_name[0] ? map->l_name : mh_program_path;
}

static int is_build_id(const ElfW(Nhdr) * note, size_t room)
{
	return note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
	       note->n_descsz <= sizeof(((struct mh_object *)0)->build_id) &&
	       sizeof(*note) + 4 + note->n_descsz <= room &&
	       memcmp(note + 1, "GNU", 4) == 0;
}

static void find_build_id(struct mh_object *o, const char *notes, size_t size)
{
	while (size > sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)notes;
		size_t whole = sizeof(*note) + ((note->n_namesz + 3) & ~3U) +
			       ((note->n_descsz + 3) & ~3U);

		if (is_build_id(note, size)) {
			o->build_id_size = note->n_descsz;
			memcpy(o->build_id, (const char *)(note + 1) + 4, note->n_descsz);
			return;
		}
		if (whole > size)
			return;
		notes += whole;
		size -= whole;
	}
}

/* Its ELF header is where its first segment was mapped, as linkers lay it out. */
static void read_notes(struct mh_object *o, const struct dl_find_object *found)
{
	const ElfW(Ehdr) *h = found->dlfo_map_start;
	const ElfW(Phdr) * p;
	size_t mapped = (size_t)((char *)found->dlfo_map_end - (char *)h);
	unsigned i;

	if (mapped < 4096 || memcmp(h->e_ident, ELFMAG, SELFMAG) ||
	    h->e_phentsize != sizeof(*p) ||
	    h->e_phoff + (uint64_t)h->e_phnum * sizeof(*p) > 4096)
		return;
	p = (const ElfW(Phdr) *)((const char *)h + h->e_phoff);
	for (i = 0; i < h->e_phnum && !o->build_id_size; i++)
		if (p[i].p_type == PT_NOTE)
			find_build_id(o, (const char *)(uintptr_t)(o->bias + p[i].p_vaddr),
				      p[i].p_memsz);
}

/* The last bytes of a path that is too long: that is where paths differ. */
static void fit(char *to, size_t room, const char *path)
{
	size_t n = strlen(path);

	if (n < room) {
		memcpy(to, path, n + 1);
	} else {
		memcpy(to, "...", 3);
		memcpy(to + 3, path + n - (room - 4), room - 3);
	}
}

static void describe(struct mh_object *o, const struct dl_find_object *found)
{
	const struct link_map *map = found->dlfo_link_map;
	uint32_t i;

	memset(o, 0, sizeof(*o));
	o->bias = map->l_addr;
	fit(o->path, sizeof(o->path), path_of(map));
	read_notes(o, found);
	o->hash = mh_hash(o->path, MH_HASH_START);
	for (i = 0; i < o->build_id_size; i++)
		o->hash = (o->hash ^ o->build_id[i]) * UINT64_C(0x100000001b3);
}

/* The bucket that holds this hash, or the free one where it belongs. */
static _Atomic uint16_t *bucket_of(uint64_t hash)
{
	uint32_t i = (uint32_t)hash % BUCKETS;

	for (;; i = (i + 1) % BUCKETS) {
		/* acquire: pairs with the release in insert() */
		uint16_t object = atomic_load_explicit(&bucket[i], memory_order_acquire);

		if (!object || object_at(object - 1U)->hash == hash)
			return &bucket[i];
	}
}

static void insert(_Atomic uint16_t *to, uint32_t object)
{
	known[object].through = (uint32_t)mh_through_has(mh_object_name(object));
	/* release: pairs with the acquire in bucket_of() */
	atomic_store_explicit(to, (uint16_t)(object + 1), memory_order_release);
}

static uint32_t add(const struct mh_object *o)
{
	_Atomic uint16_t *b;
	uint32_t object, n;

	mh_owners_lock();
	b = bucket_of(o->hash);
	object = atomic_load(b);
	n = atomic_load(&mh_area->objects_used);
	if (!object && n < mh_area->objects_max) {
		*object_at(n) = *o;
		/* release: a reader that sees the number sees the object */
		atomic_store_explicit(&mh_area->objects_used, n + 1,
				      memory_order_release);
		mh_dump_objects(n + 1);
		insert(b, n);
		object = n + 1;
	}
	mh_owners_unlock();
	return object ? object - 1 : MH_NO_OBJECT;
}

uint32_t mh_object_of(const struct dl_find_object *found)
{
	struct mh_object o;
	uint16_t object;

	describe(&o, found);
	object = atomic_load_explicit(bucket_of(o.hash), MH_RELAXED);
	return object ? object - 1U : add(&o);
}

void mh_objects_index(void)
{
	uint32_t i, n = atomic_load(&mh_area->objects_used);

	memset((void *)bucket, 0, sizeof(bucket));
	for (i = 0; i < n; i++)
		insert(bucket_of(object_at(i)->hash), i);
}

/* The program's own file is called as the program. */
const char *mh_object_name(uint32_t object)
{
	const char *path = object_at(object)->path, *slash = strrchr(path, '/');

	if (strcmp(path, mh_program_path) == 0)
		return mh_program;
	return slash ? slash + 1 : path;
}

int mh_object_is_through(uint32_t object)
{
	return object != MH_NO_OBJECT && known[object].through;
}

/* Is another library called so already? */
static int name_is_taken(const char *name)
{
	uint32_t row, used = atomic_load(&mh_area->owners_used);

	for (row = MH_FIRST_OWNER; row < used; row++) {
		const struct mh_owner *o = &mh_owners(mh_area)[row];

		if (atomic_load(&o->state) == MEMHOOK_STATE_ACTIVE &&
		    o->kind == MEMHOOK_KIND_LIBRARY && strcmp(o->name, name) == 0)
			return 1;
	}
	return 0;
}

/*
 * A library is called by its file name; the second of the same name, from
 * another directory or of another build, by its whole path.
 */
static uint32_t new_owner(uint32_t object)
{
	const struct mh_object *o = object_at(object);
	char name[MEMHOOK_NAME_MAX];

	fit(name, sizeof(name), mh_object_name(object));
	if (name_is_taken(name))
		fit(name, sizeof(name), o->path);
	return mh_owner_find_locked(name, MEMHOOK_KIND_LIBRARY, o->hash,
				    MH_WHERE(object, 0));
}

uint32_t mh_object_owner(uint32_t object)
{
	uint32_t owner;

	if (object == MH_NO_OBJECT)
		return MH_OVERFLOW;
	/* relaxed: whoever sees the number may charge the row */
	owner = atomic_load_explicit(&known[object].owner, MH_RELAXED);
	if (owner)
		return owner;
	mh_owners_lock();
	owner = atomic_load_explicit(&known[object].owner, MH_RELAXED);
	if (!owner)
		owner = new_owner(object);
	atomic_store_explicit(&known[object].owner, owner, MH_RELAXED);
	mh_owners_unlock();
	return owner;
}
