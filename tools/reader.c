/* SPDX-License-Identifier: BSD-2-Clause */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge.h"
#include "smaps.h"
#include "stats.h"
#include "sum.h"

/* As much as any segment of ours has; a bound for what a hostile one costs. */
#define OWNERS_LIMIT 65536
#define SHARDS_LIMIT 4096
#define AREAS_LIMIT 4096
#define OBJECTS_LIMIT 65536

static int fail(struct reader *r, const char *why)
{
	r->error = why;
	return -1;
}

int reader_read(struct reader *r, uint64_t at, void *to, size_t size)
{
	const struct source *from = &r->source;

	if (at > from->size || size > from->size - at)
		return fail(r, "broken segment: an offset lies outside of it");
	if (source_read(from, at, to, size) == 0)
		return 0;
	return fail(r, errno == ENODATA ? "broken segment: it is shorter than it says"
					: "the segment cannot be read");
}

static int check_run(struct reader *r)
{
	const struct mh_run *run = &r->run;

	if (run->magic != MH_RUN_MAGIC)
		return fail(r, "not a memhook segment (wrong magic number)");
	if (run->byte_order != MH_BYTE_ORDER)
		return fail(r, "a segment of another byte order");
	if (run->version > MH_SEGMENT_VERSION)
		return fail(r, "a segment of another, newer version: this memhook is older"
			       " than the library in the process; use a newer one");
	if (run->version != MH_SEGMENT_VERSION)
		return fail(r, "a segment of another version: use the memhook that"
			       " belongs to the library in the process");
	if (run->word_bits != sizeof(long) * 8)
		return fail(r, "a segment of another word size: use the memhook of"
			       " that architecture");
	if (!run->areas_max || run->areas_max > AREAS_LIMIT ||
	    run->slots_offset < sizeof(*run) || run->slots_offset > r->source.size ||
	    run->slots_offset + run->areas_max * sizeof(struct mh_slot) >
		    run->areas_offset ||
	    run->areas_offset > r->source.size ||
	    run->areas_stride < sizeof(struct mh_area) ||
	    run->areas_stride > (r->source.size - run->areas_offset) / run->areas_max)
		return fail(r, "broken segment: its header contradicts itself");
	return 0;
}

int reader_open_source(struct reader *r, const struct source *from)
{
	memset(r, 0, sizeof(*r));
	r->source = *from;
	if (r->source.size < sizeof(r->run))
		return fail(r, "not a memhook segment (too short)");
	if (reader_read(r, 0, &r->run, sizeof(r->run)))
		return -1;
	return check_run(r);
}

int reader_open(struct reader *r, int fd)
{
	struct source file;

	if (source_file(&file, fd) == 0)
		return reader_open_source(r, &file);
	memset(r, 0, sizeof(*r));
	return fail(r, errno == EINVAL ? "not a memhook segment (no file)"
				       : "the segment cannot be read");
}

uint32_t reader_slots(const struct reader *r)
{
	uint32_t used = r->run.areas_used;

	return used < r->run.areas_max ? used : r->run.areas_max;
}

int reader_slot(struct reader *r, uint32_t i, struct mh_slot *slot)
{
	if (i >= r->run.areas_max)
		return fail(r, "no such slot");
	return reader_read(r, r->run.slots_offset + i * sizeof(*slot), slot, sizeof(*slot));
}

static uint64_t area_at(const struct reader *r, uint32_t i)
{
	return r->run.areas_offset + i * r->run.areas_stride;
}

/* Does a table of n entries fit between its offset and the area's end? */
static int fits(const struct mh_area *a, uint64_t offset, uint64_t n, uint64_t size)
{
	return offset >= sizeof(*a) && offset % 64 == 0 && offset <= a->area_size &&
	       n * size <= a->area_size - offset;
}

static int read_area(struct reader *r, uint32_t i, struct mh_area *a)
{
	if (i >= r->run.areas_max)
		return fail(r, "no such area");
	if (reader_read(r, area_at(r, i), a, sizeof(*a)))
		return -1;
	if (a->magic != MH_AREA_MAGIC || a->version != MH_SEGMENT_VERSION)
		return fail(r, "broken segment: no area where one should be");
	if (!a->owners_max || a->owners_max > OWNERS_LIMIT || !a->shards_max ||
	    a->shards_max > SHARDS_LIMIT || a->area_size > r->run.areas_stride ||
	    !fits(a, a->ranges_offset, a->ranges_max, sizeof(struct mh_range)) ||
	    !fits(a, a->maps_offset, 1, sizeof(struct mh_maps)) ||
	    !fits(a, a->owners_offset, a->owners_max, sizeof(struct mh_owner)) ||
	    !fits(a, a->coarse_offset, a->owners_max, sizeof(struct mh_coarse)) ||
	    !fits(a, a->base_offset, a->owners_max, sizeof(struct mh_row)) ||
	    a->objects_max > OBJECTS_LIMIT ||
	    !fits(a, a->objects_offset, a->objects_max, sizeof(struct mh_object)) ||
	    a->shard_stride < a->owners_max * (sizeof(struct mh_row) + sizeof(int64_t)) +
				      sizeof(struct mh_shard_end) ||
	    a->shard_stride > a->area_size ||
	    !fits(a, a->shards_offset, a->shards_max, a->shard_stride))
		return fail(r, "broken segment: an area contradicts itself");
	if (a->owners_used > a->owners_max)
		a->owners_used = a->owners_max;
	if (a->shards_used > a->shards_max)
		a->shards_used = a->shards_max;
	if (a->objects_used > a->objects_max)
		a->objects_used = a->objects_max;
	if (a->owners_used < MH_FIRST_OWNER)
		return fail(r, "broken segment: an area without owners");
	return 0;
}

/* Into zeroed memory, without the holes: an empty table costs nothing. */
static int read_table(struct reader *r, uint32_t i, uint64_t offset, void *to,
		      uint64_t size)
{
	uint64_t at = area_at(r, i) + offset, next, from, until;

	for (next = at; source_next(&r->source, next, at + size, &from, &until);
	     next = until)
		if (reader_read(r, from, (char *)to + (from - at), until - from))
			return -1;
	return 0;
}

struct tables {
	struct mh_sum *first, *second; /* two passes: frees from the first */
	struct mh_row *base;
	struct mh_coarse *coarse;
};

static void free_tables(struct tables *t)
{
	free(t->first);
	free(t->second);
	free(t->base);
	free(t->coarse);
}

/* What the snapshot keeps: rows as they are in the segment, and objects. */
static int read_names(struct reader *r, uint32_t i, const struct mh_area *a,
		      struct mh_snapshot *s)
{
	size_t n = a->owners_used, objects = a->objects_used;

	s->table = calloc(n, sizeof(*s->table));
	s->objects = calloc(objects + 1, sizeof(*s->objects));
	if (!s->table || !s->objects)
		return fail(r, "out of memory");
	s->table_rows = (uint32_t)n;
	s->object_count = (uint32_t)objects;
	if (read_table(r, i, a->owners_offset, s->table, n * sizeof(*s->table)) ||
	    read_table(r, i, a->objects_offset, s->objects,
		       objects * sizeof(*s->objects)))
		return -1;
	while (n--)
		s->table[n].name[sizeof(s->table[n].name) - 1] = '\0';
	while (objects--)
		s->objects[objects].path[sizeof(s->objects->path) - 1] = '\0';
	return 0;
}

static int read_tables(struct reader *r, uint32_t i, const struct mh_area *a,
		       struct tables *t)
{
	size_t n = a->owners_used;

	t->first = calloc(n, sizeof(*t->first));
	t->second = calloc(n, sizeof(*t->second));
	t->base = calloc(n, sizeof(*t->base));
	t->coarse = calloc(n, sizeof(*t->coarse));
	if (!t->first || !t->second || !t->base || !t->coarse)
		return fail(r, "out of memory");
	if (sum_shards(r, area_at(r, i), a, t->first) ||
	    sum_shards(r, area_at(r, i), a, t->second) ||
	    read_table(r, i, a->base_offset, t->base, n * sizeof(*t->base)) ||
	    read_table(r, i, a->coarse_offset, t->coarse, n * sizeof(*t->coarse)))
		return -1;
	return 0;
}

/* Less what a reused row began with. */
static void derive(struct memhook_stats *s, const struct tables *t,
		   const struct mh_owner *o, uint32_t row)
{
	const struct mh_row *base = &t->base[row];
	struct mh_sum sum = {
		.free_bytes = t->first[row].free_bytes - base->free_bytes,
		.free_calls = t->first[row].free_calls - base->free_calls,
		.alloc_bytes = t->second[row].alloc_bytes - base->alloc_bytes,
		.alloc_calls = t->second[row].alloc_calls - base->alloc_calls,
	};

	mh_derive(s, &sum, o, row, t->coarse[row].peak_bytes);
}

static void add_past(struct mh_past *past, const struct mh_row *base)
{
	past->alloc_bytes += base->alloc_bytes;
	past->alloc_calls += base->alloc_calls;
	past->free_bytes += base->free_bytes;
	past->free_calls += base->free_calls;
}

static int fill_owners(struct reader *r, const struct mh_area *a, const struct tables *t,
		       struct mh_snapshot *s)
{
	uint32_t row;

	s->owners = calloc(a->owners_used, sizeof(*s->owners));
	if (!s->owners)
		return fail(r, "out of memory");
	for (row = 0; row < a->owners_used; row++) {
		struct memhook_stats *o = &s->owners[s->owner_count];

		derive(o, t, &s->table[row], row);
		mh_add_stats(&s->totals, o);
		add_past(&s->past, &t->base[row]);
		if (mh_worth_showing(o))
			s->owner_count++;
	}
	s->totals.peak_bytes = mh_peak(a->total.peak_bytes, s->totals.live_bytes);
	s->consistent = memcmp(t->first, t->second,
			       a->owners_used * sizeof(*t->first)) == 0;
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void describe(struct reader *r, uint32_t i, const struct mh_area *a,
		     struct mh_snapshot *s)
{
	struct mh_process *p = &s->process;

	s->pid = a->pid;
	s->ppid = a->ppid;
	memcpy(s->command, a->command, sizeof(s->command));
	s->command[sizeof(s->command) - 1] = '\0';
	s->mode = "jemalloc";
	s->by = mh_by_name(a->by);
	s->time_unix_ms = now_ms();
	s->uptime_ms = s->time_unix_ms > a->start_unix_ms
			       ? s->time_unix_ms - a->start_unix_ms : 0;
	s->exact = !a->inexact;
	s->inexact_bytes = a->inexact_bytes;
	s->mismatched = a->mismatched;
	s->foreign_ignored = a->foreign_ignored;
	p->cookie_bytes = s->totals.live_blocks * a->cookie_size;
	p->allocator_time_ms = a->published.time_unix_ms;
	p->allocator_allocated_bytes = a->published.allocated_bytes;
	p->allocator_active_bytes = a->published.active_bytes;
	p->allocator_resident_bytes = a->published.resident_bytes;
	p->allocator_metadata_bytes = a->published.metadata_bytes;
	mh_bridge_cached(p, a->published.cached_bytes, a->published.quarantine_bytes);
	p->allocator_dirty_bytes = a->published.dirty_bytes;
	p->allocator_live_bytes = a->published.live_bytes;
	p->memhook_bytes = sum_memory(r, area_at(r, i), a) + a->private_bytes;
}

int reader_snapshot(struct reader *r, uint32_t i, struct mh_snapshot *s)
{
	struct tables t = { 0 };
	struct mh_area a;
	int rc = -1;

	memset(s, 0, sizeof(*s));
	/* The names last: whatever has counted by then has its name. */
	if (read_area(r, i, &a) == 0 && read_tables(r, i, &a, &t) == 0 &&
	    read_names(r, i, &a, s) == 0 && fill_owners(r, &a, &t, s) == 0 &&
	    sum_unseen(r, area_at(r, i), &a, s) == 0) {
		describe(r, i, &a, s);
		rc = smaps_published(r, area_at(r, i) + a.maps_offset, s);
	}
	free_tables(&t);
	if (rc)
		reader_free(s);
	return rc;
}

void reader_free(struct mh_snapshot *s)
{
	free(s->owners);
	free(s->table);
	free(s->objects);
	free(s->symbols);
	free(s->maps);
	s->owners = NULL;
	s->table = NULL;
	s->objects = NULL;
	s->symbols = NULL;
	s->maps = NULL;
}

int reader_published(struct reader *r, uint32_t i, struct reader_published *p)
{
	struct mh_area a;

	if (read_area(r, i, &a))
		return -1;
	p->time_unix_ms = a.published.time_unix_ms;
	p->rss_bytes = a.published.rss_bytes;
	memcpy(p->command, a.command, sizeof(p->command));
	p->command[sizeof(p->command) - 1] = '\0';
	memcpy(p->file, a.file, sizeof(p->file));
	p->file[sizeof(p->file) - 1] = '\0';
	return 0;
}

int reader_area(struct reader *r, uint32_t i, struct mh_area *a, uint64_t *start)
{
	*start = area_at(r, i);
	return read_area(r, i, a);
}
