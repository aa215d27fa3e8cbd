/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process reads itself, and reports: without malloc, stdio or a lock,
 * since it may be in a signal handler, on its way down.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "account.h"
#include "bridge.h"
#include "heapinfo.h"
#include "maps.h"
#include "owner.h"
#include "process.h"
#include "ranges.h"
#include "report.h"
#include "thread.h"

void mh_owner_stats(const struct mh_area *area, uint32_t row, struct memhook_stats *s)
{
	struct mh_sum sum;

	mh_sum(area, row, &sum);
	mh_derive(s, &sum, &mh_owners(area)[row], row,
		  atomic_load_explicit(&mh_coarse(area)[row].peak_bytes, MH_RELAXED));
}

static void end_total(const struct mh_area *area, struct memhook_stats *total)
{
	int64_t peak = atomic_load_explicit(&area->total.peak_bytes, MH_RELAXED);

	total->size = sizeof(*total);
	total->owner = MEMHOOK_AUTO;
	total->state = MEMHOOK_STATE_ACTIVE;
	total->peak_bytes = mh_peak(peak, total->live_bytes);
	strcpy(total->name, "total");
}

void mh_total_stats(const struct mh_area *area, struct memhook_stats *total)
{
	uint32_t row, used = atomic_load(&area->owners_used);
	struct memhook_stats s;

	memset(total, 0, sizeof(*total));
	for (row = 0; row < used; row++) {
		mh_owner_stats(area, row, &s);
		mh_add_stats(total, &s);
	}
	end_total(area, total);
}

/* Owners and totals; 1 when the sums are the same as those found before. */
static int collect(const struct mh_area *area, struct mh_snapshot *snap, uint32_t used)
{
	struct memhook_stats before = snap->totals;
	uint32_t row;

	memset(&snap->totals, 0, sizeof(snap->totals));
	snap->owner_count = 0;
	for (row = 0; row < used; row++) {
		struct memhook_stats *s = &snap->owners[snap->owner_count];

		mh_owner_stats(area, row, s);
		mh_add_stats(&snap->totals, s);
		if (mh_worth_showing(s))
			snap->owner_count++;
	}
	end_total(area, &snap->totals);
	return memcmp(&before, &snap->totals, sizeof(before)) == 0;
}

/*
 * By mincore: pages of the area that are in memory.  Only the parts in use
 * are asked for, a table at a time.
 */
static uint64_t resident(const void *from, size_t size)
{
	unsigned char page[64];
	const char *p = (const char *)((uintptr_t)from & ~(uintptr_t)4095);
	size_t pages = (size + 4095) / 4096, n, i;
	uint64_t bytes = 0;

	while (pages) {
		n = pages < sizeof(page) ? pages : sizeof(page);
		if (mincore((void *)p, n * 4096, page))
			return bytes;
		for (i = 0; i < n; i++)
			bytes += (page[i] & 1) * (uint64_t)4096;
		p += n * 4096;
		pages -= n;
	}
	return bytes;
}

static uint64_t own_bytes(const struct mh_area *area)
{
	uint32_t s, used = atomic_load(&area->owners_used);
	uint32_t shards = atomic_load(&area->shards_used);
	uint64_t bytes = 4096 + mh_lines_bytes();

	bytes += resident(mh_owners(area), used * sizeof(struct mh_owner));
	bytes += resident(mh_coarse(area), used * sizeof(struct mh_coarse));
	for (s = 0; s < shards; s++)
		if (mh_shard_is_open(s))
			bytes += resident(mh_shard(s), used * sizeof(struct mh_row));
	return bytes;
}

static void sum_unseen(const struct mh_area *area, struct mh_snapshot *snap)
{
	uint32_t s, shards = atomic_load(&area->shards_used);

	for (s = 0; s < shards; s++) {
		const struct mh_shard_end *end;

		if (!mh_shard_is_open(s))
			continue;
		end = mh_shard_end(area, mh_shard(s));
		/* relaxed: numbers on their own, nothing is subtracted from them */
		snap->unseen_calls += atomic_load_explicit(&end->unseen_calls, MH_RELAXED);
		snap->unseen_bytes += atomic_load_explicit(&end->unseen_bytes, MH_RELAXED);
	}
}

static void describe(const struct mh_area *area, struct mh_snapshot *snap)
{
	const struct mh_published *p = &area->published;

	snap->table = mh_owners(area);
	snap->table_rows = atomic_load(&area->owners_used);
	snap->objects = mh_objects(area);
	snap->object_count = atomic_load(&area->objects_used);
	sum_unseen(area, snap);

	snap->pid = getpid();
	snap->ppid = getppid();
	memcpy(snap->command, area->command, sizeof(snap->command));
	snap->mode = "jemalloc";
	snap->by = mh_by_name(area->by);
	snap->time_unix_ms = mh_unix_ms();
	snap->uptime_ms = snap->time_unix_ms - area->start_unix_ms;
	snap->exact = !atomic_load(&area->inexact);
	snap->inexact_bytes = atomic_load(&area->inexact_bytes);
	snap->mismatched = atomic_load(&area->mismatched);
	snap->foreign_ignored = atomic_load(&area->foreign_ignored);
	snap->process.allocator_time_ms = atomic_load(&p->time_unix_ms);
	snap->process.allocator_allocated_bytes = atomic_load(&p->allocated_bytes);
	snap->process.allocator_active_bytes = atomic_load(&p->active_bytes);
	snap->process.allocator_resident_bytes = atomic_load(&p->resident_bytes);
	snap->process.allocator_metadata_bytes = atomic_load(&p->metadata_bytes);
	mh_bridge_cached(&snap->process, atomic_load(&p->cached_bytes),
			 atomic_load(&p->quarantine_bytes));
	snap->process.allocator_dirty_bytes = atomic_load(&p->dirty_bytes);
	snap->process.allocator_live_bytes = atomic_load(&p->live_bytes);
	snap->process.rss_bytes = mh_read_rss();
	snap->process.cookie_bytes = snap->totals.live_blocks * area->cookie_size;
	snap->process.memhook_bytes = own_bytes(area);
}

/* What is worked with lies in memory of its own: stacks may be small. */
struct own_maps {
	struct mh_maps_work work;
	struct mh_maps maps;
};

static int look_at_maps(struct own_maps *own)
{
	int smaps = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC), rc;

	if (smaps < 0)
		return -1;
	own->work.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	own->work.ranges = mh_ranges(&own->work.range_count);
	rc = mh_maps_read(&own->work, smaps, &own->maps);
	if (own->work.pagemap >= 0)
		close(own->work.pagemap);
	close(smaps);
	own->maps.time_unix_ms = mh_unix_ms();
	own->maps.ranges_lost = atomic_load(&mh_area->ranges_lost);
	return rc;
}

static void *map_private(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void mh_maps_publish(void)
{
	struct own_maps *own = map_private(sizeof(*own));
	struct mh_maps *to = mh_area_maps(mh_area);
	int saved = errno;

	if (!own)
		return;
	if (look_at_maps(own) == 0)
		memcpy(to, &own->maps, sizeof(*to));
	munmap(own, sizeof(*own));
	errno = saved;
}

static size_t room_size(uint32_t owners)
{
	return sizeof(struct own_maps) + (size_t)owners * sizeof(struct memhook_stats);
}

void *mh_report_room(void)
{
	void *p = mmap(NULL, room_size(mh_area->owners_max), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int report_in(struct own_maps *own, uint32_t used, int fd, int format)
{
	struct mh_snapshot snap = { 0 };
	struct mh_out out;

	snap.owners = (struct memhook_stats *)(own + 1);
	collect(mh_area, &snap, used);
	snap.consistent = collect(mh_area, &snap, used);
	describe(mh_area, &snap);
	if (look_at_maps(own) == 0)
		mh_use_maps(&snap, &own->maps);
	mh_out_init(&out, fd);
	if (format == MEMHOOK_JSON) {
		mh_report_json(&out, &snap);
		mh_out_str(&out, "\n");
	} else {
		mh_report_text(&out, &snap);
	}
	mh_out_flush(&out);
	return out.error;
}

int mh_report_in(void *room, int fd, int format)
{
	return report_in(room, atomic_load(&mh_area->owners_used), fd, format);
}

int memhook_report(int fd, int format)
{
	struct own_maps *own;
	uint32_t used;
	int error;

	if (format != MEMHOOK_TEXT && format != MEMHOOK_JSON) {
		errno = EINVAL;
		return -1;
	}
	mh_attach();
	mh_thread_owners_rename();
	used = atomic_load(&mh_area->owners_used);
	own = map_private(room_size(used));
	if (!own)
		return -1;
	error = report_in(own, used, fd, format);
	munmap(own, room_size(used));
	errno = error ? error : errno;
	return error ? -1 : 0;
}
