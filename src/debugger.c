/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a debugger finds: the counters in a core file, and where they are
 * (tools/memhook-gdb.py).
 *
 * A memfd is dumped like anonymous shared memory, and what was never touched
 * of it the kernel allocates to write it down: a core file of one thread grew
 * by 60 MiB.  So the area is left out of core dumps, but for the rows in use.
 */
#include "debugger.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "guard.h"
#include "process.h"
#include "zero.h"

/* A page of counters; doubling makes the steps few. */
#define FIRST_ROWS 128
#define FIRST_OBJECTS 16

#define FIELD(name) offsetof(struct mh_area, name)

/*
 * A section of its own is found by its name, in a stripped library and in a
 * stripped static program too, and exports nothing.
 */
static struct {
	char magic[8];
	uint32_t version; /* of what follows; the area has its own */
	uint32_t word_bits;
	uint32_t chunk;   /* shards in each of the chunks */
	uint32_t chunks_max;
	_Atomic uint32_t rows; /* of the tables and open shards, in dumps now */
	uint32_t objects;
	struct mh_area **area;
	uint64_t *secret;
	_Atomic(char *) *chunks;
	_Atomic uint64_t *open; /* bits: shards that may be read */
	uint16_t field[20];     /* of the area: where they are */
	/* Cookies that do not lie in front of their blocks: zero.h, guard.h. */
	_Atomic uintptr_t *zero_base;
	struct mh_cookie *zero_cookies;
	uintptr_t *guard_start;
	size_t *guard_size;
	struct mh_guard **guard_slots;
	uint32_t **guard_pages;
	uint32_t zero_slots;
	uint32_t guard_slots_max;
	uint16_t guard_field[4]; /* its size, and where they are */
} found __attribute__((section(".memhook"))) = {
	.magic = "memhook",
	.version = 2,
	.word_bits = sizeof(long) * 8,
	.chunk = MH_CHUNK,
	.chunks_max = MH_CHUNKS,
	.area = &mh_area,
	.secret = &mh_secret,
	.chunks = mh_chunks,
	.open = mh_shards_open,
	.field = {
		FIELD(magic), FIELD(version), FIELD(by), FIELD(owners_max),
		FIELD(shards_max), FIELD(objects_max), FIELD(owners_offset),
		FIELD(coarse_offset), FIELD(base_offset), FIELD(objects_offset),
		FIELD(shard_stride), FIELD(pid), FIELD(command), FIELD(inexact),
		FIELD(inexact_bytes), FIELD(owners_used), FIELD(objects_used),
		FIELD(total.peak_bytes),
	},
	.zero_base = &mh_zero_base,
	.zero_cookies = mh_zero_cookies,
	.guard_start = &mh_guard_start,
	.guard_size = &mh_guard_size,
	.guard_slots = &mh_guard_slots,
	.guard_pages = &mh_guard_pages,
	.zero_slots = MH_ZERO_SLOTS,
	.guard_slots_max = MH_GUARD_SLOTS_MAX,
	.guard_field = {
		sizeof(struct mh_guard), offsetof(struct mh_guard, block),
		offsetof(struct mh_guard, cookie), offsetof(struct mh_guard, is_live),
	},
};

/* A malloc may be under way: errno is not ours. */
static void dump(const void *at, size_t size)
{
	int saved = errno;

	madvise((void *)at, size, MADV_DODUMP);
	errno = saved;
}

static void dump_shard(uint32_t shard, uint32_t rows)
{
	dump(mh_shard(shard), rows * sizeof(struct mh_row));
}

/*
 * seq_cst, here and in mh_dump_shard(): either this sees that a shard is
 * open, or that sees the new number of rows.
 */
void mh_dump_rows(uint32_t used)
{
	uint32_t rows = atomic_load(&found.rows), s;

	if (used <= rows)
		return;
	rows = rows ? rows : FIRST_ROWS;
	while (rows < used)
		rows *= 2;
	rows = rows < mh_area->owners_max ? rows : mh_area->owners_max;
	atomic_store(&found.rows, rows);
	dump(mh_area, mh_area->owners_offset + rows * sizeof(struct mh_owner));
	dump(mh_coarse(mh_area), rows * sizeof(struct mh_coarse));
	dump(mh_base(mh_area), rows * sizeof(struct mh_row));
	for (s = 0; s < mh_area->shards_max; s++)
		if (atomic_load(&mh_shards_open[s / 64]) >> (s % 64) & 1)
			dump_shard(s, rows);
}

void mh_dump_objects(uint32_t used)
{
	uint32_t objects = found.objects ? found.objects : FIRST_OBJECTS;

	if (used <= found.objects)
		return;
	while (objects < used)
		objects *= 2;
	found.objects = objects;
	dump(mh_objects(mh_area), objects * sizeof(struct mh_object));
}

void mh_dump_shard(uint32_t shard)
{
	dump_shard(shard, atomic_load(&found.rows));
}

void mh_dump_area(const struct mh_area *parents)
{
	atomic_store(&found.rows, 0);
	found.objects = 0;
	mh_dump_rows(parents ? atomic_load(&parents->owners_used) : MH_FIRST_OWNER);
	mh_dump_objects(parents ? atomic_load(&parents->objects_used) : 0);
}
