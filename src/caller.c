/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Return address -> owner, for the kinds "library" and "site".  Three steps,
 * each cheaper than the next: this thread's table, looked at by the hot path;
 * a table of the whole process; the loader's and the object's own tables.
 * None takes a lock, but for what was never seen before.
 *
 * In a see-through library the owner is the caller's caller, and so on: each
 * of those sites has its own entry, which says where the next return address
 * lies (frame.c).  What finds no frame outside of them is charged to the
 * direct caller, and counted as unseen.
 */
#include "caller.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#include "account.h"
#include "frame.h"
#include "frame-check.h"
#include "object.h"
#include "owner.h"
#include "process.h"

#define NO_LIBRARY "[no library]"
#define UNLOAD_ONE UINT64_C(1)
#define GENERATION_ONE (UINT64_C(1) << 16)

/*
 * What dlclose unmaps, the next dlopen may put at the same address, with the
 * same link_map.  So whatever is remembered by address carries the
 * generation; each dlclose starts a new one.  While one is under way (low 16
 * bits) nothing is remembered.
 */
static _Atomic uint64_t generation = GENERATION_ONE;

static int unloading(uint64_t g)
{
	return (g & (GENERATION_ONE - 1)) != 0;
}

/* Threads that go by call site look at the generation again. */
void mh_caller_unload_begin(void)
{
	atomic_fetch_add(&generation, UNLOAD_ONE);
	if (mh_by_caller())
		mh_threads_ask_again();
}

void mh_caller_unload_end(void)
{
	atomic_fetch_add(&generation, GENERATION_ONE - UNLOAD_ONE);
	if (mh_by_caller())
		mh_threads_ask_again();
}

/* May the hot path believe this thread's table?  Read after `current` was set. */
int mh_caller_is_current(const struct mh_hot *h)
{
	return ((const struct mh_line *)h)->generation == atomic_load(&generation);
}

/*
 * The table of the process: written by any thread at any time, without a
 * lock.  `check` binds the words together, so that an entry of which another
 * thread has written one half is taken for none.
 */
#define SHARED 16384

struct shared {
	_Atomic uint64_t check, generation, owner, step;
};

static struct shared shared[SHARED];

static struct shared *shared_at(uintptr_t caller)
{
	return &shared[(caller ^ caller >> 14) % SHARED];
}

static uint64_t check_of(uintptr_t caller, uint64_t now, uint64_t owner, uint64_t step)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);

	return (((now * odd ^ owner) * odd ^ step) * odd) ^ caller;
}

static int recall(struct mh_site *site, uintptr_t caller, uint64_t now)
{
	struct shared *s = shared_at(caller);
	/* relaxed, all four: what does not belong together fails the check */
	uint64_t check = atomic_load_explicit(&s->check, MH_RELAXED);
	uint64_t then = atomic_load_explicit(&s->generation, MH_RELAXED);
	uint64_t owner = atomic_load_explicit(&s->owner, MH_RELAXED);
	uint64_t step = atomic_load_explicit(&s->step, MH_RELAXED);

	if (then != now || check != check_of(caller, now, owner, step))
		return 0;
	site->owned = owner;
	memcpy(&site->step, &step, sizeof(step));
	return 1;
}

static void remember(const struct mh_site *site, uint64_t now)
{
	struct shared *s = shared_at(site->caller);
	uint64_t step;

	memcpy(&step, &site->step, sizeof(step));
	/* relaxed: as in recall() */
	atomic_store_explicit(&s->check, check_of(site->caller, now, site->owned, step),
			      MH_RELAXED);
	atomic_store_explicit(&s->generation, now, MH_RELAXED);
	atomic_store_explicit(&s->owner, site->owned, MH_RELAXED);
	atomic_store_explicit(&s->step, step, MH_RELAXED);
}

/* Code of a JIT, say.  What lies at such an address may change unseen. */
static uint32_t no_library_owner(void)
{
	static _Atomic uint32_t owner;
	uint32_t known = atomic_load_explicit(&owner, MH_RELAXED);

	if (!known) {
		known = mh_owner_find(NO_LIBRARY, MEMHOOK_KIND_LIBRARY, 0, 0);
		/* relaxed: whoever sees the number may charge the row */
		atomic_store_explicit(&owner, known, MH_RELAXED);
	}
	return known;
}

static char *put_hex(char *to, uint64_t n)
{
	unsigned digits = 1;

	while (digits < 16 && n >> 4 * digits)
		digits++;
	while (digits--)
		*to++ = "0123456789abcdef"[n >> 4 * digits & 15];
	return to;
}

/* "libfoo.so.1+0x1234"; two libraries of one name differ in the hash. */
static uint32_t site_owner(uint32_t object, uint64_t offset)
{
	char name[MEMHOOK_NAME_MAX] = "", *end;
	const struct mh_object *o;

	if (object == MH_NO_OBJECT)
		return MH_OVERFLOW;
	o = &mh_objects(mh_area)[object];
	end = stpncpy(name, mh_object_name(object), sizeof(name) - 20);
	*put_hex(stpcpy(end, "+0x"), offset) = '\0';
	return mh_owner_find(name, MEMHOOK_KIND_SITE,
			     (o->hash ^ offset) * UINT64_C(0x9e3779b97f4a7c15),
			     MH_WHERE(object, offset & MH_WHERE_OFFSET(UINT64_MAX)));
}

/* 0 when nobody should remember it. */
static MH_COLD int resolve(struct mh_site *site)
{
	struct dl_find_object found;
	uint32_t object;

	/* One back: a call may be the last instruction of an object. */
	if (_dl_find_object((char *)site->caller - 1, &found)) {
		site->owned = mh_w0_owned(no_library_owner());
		return 0;
	}
	object = mh_object_of(&found);
	if (mh_object_is_through(object))
		site->step = mh_frame_rule((void *)site->caller, &found);
	site->owned = mh_w0_owned(
		mh_settings.by == MH_BY_SITE
			? site_owner(object, site->caller - found.dlfo_link_map->l_addr)
			: mh_object_owner(object));
	return 1;
}

/* This thread's table is of one generation; 0 stands for an empty one. */
static void refresh(struct mh_hot *h, uint64_t now)
{
	struct mh_line *line = (struct mh_line *)h;

	if (line->generation == now)
		return;
	if (line->generation)
		memset(line->sites, 0, sizeof(line->sites));
	line->generation = unloading(now) ? 0 : now;
}

/* The entry of this address: the thread's, or *own where it may not have one. */
static const struct mh_site *look_up(struct mh_hot *h, const void *caller, uint64_t now,
				     struct mh_site *own)
{
	struct mh_site *site = h ? mh_site(h, caller) : NULL;
	int keep = !unloading(now);

	if (site && (site->caller == (uintptr_t)caller ||
		     site->caller == mh_site_through(caller)))
		return site;
	*own = (struct mh_site){ .caller = (uintptr_t)caller };
	if (!keep || !recall(own, own->caller, now)) {
		keep &= resolve(own);
		if (keep)
			remember(own, now);
	}
	if (!site || !keep)
		return own;
	own->row = &h->rows[mh_cookie_owner(own->owned)];
	*site = *own;
	if (site->step.kind != MH_STEP_NONE)
		site->caller = mh_site_through(caller);
	return site;
}

static void count_unseen(struct mh_hot *h, uint64_t size)
{
	struct mh_shard_end *end;

	end = mh_shard_end(mh_area, h ? h->rows : mh_shard(0));
	/* relaxed: nothing hangs on them.  Additions: shard 0 is everybody's. */
	atomic_fetch_add_explicit(&end->unseen_calls, 1, MH_RELAXED);
	atomic_fetch_add_explicit(&end->unseen_bytes, size, MH_RELAXED);
}

uint64_t mh_caller_owner(struct mh_hot *h, struct mh_from from, uintptr_t fp,
			 uint64_t size)
{
	struct mh_frame frame = { from.caller, from.cfa, fp };
	/* acquire: pairs with mh_caller_unload_end() */
	uint64_t now = atomic_load_explicit(&generation, memory_order_acquire);
	uint64_t direct = 0;
	struct mh_site own;
	unsigned depth;

	if (h)
		refresh(h, now);
	for (depth = 0; depth < MH_DEPTH_MAX; depth++) {
		const struct mh_site *site = look_up(h, frame.caller, now, &own);

		if (site->step.kind == MH_STEP_NONE)
			return mh_cookie_owner(site->owned);
		if (depth == 0)
			direct = mh_cookie_owner(site->owned);
		if (mh_unlikely(mh_settings.check_frames))
			mh_frame_check(from.caller, depth, frame.caller);
		if (!mh_frame_up(&frame, site->step))
			break;
	}
	count_unseen(h, size);
	return direct;
}
