/* SPDX-License-Identifier: BSD-2-Clause */
#include "segment-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define SLOTS_OFFSET 128                   /* few processes: one page for all */
#define TABLE_ALIGN UINT64_C(65536)        /* the largest page size there is */
#define SHARD_ALIGN (UINT64_C(2) << 20)
#define HIGH_FD 900                        /* out of the program's way */

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

void mh_area_layout(struct mh_area *area, uint32_t owners_max, uint32_t shards_max)
{
	uint64_t at = TABLE_ALIGN, owners = owners_max;

	area->owners_max = owners_max;
	area->shards_max = shards_max;
	/* In the space behind the header, which ends a page that exists anyway. */
	area->ranges_max = MH_RANGES_MAX;
	area->ranges_offset = round_up(sizeof(*area), 64);
	area->maps_offset = round_up(area->ranges_offset +
				     MH_RANGES_MAX * sizeof(struct mh_range), 4096);
	area->owners_offset = at;
	at = round_up(at + owners * sizeof(struct mh_owner), TABLE_ALIGN);
	area->coarse_offset = at;
	at = round_up(at + owners * sizeof(struct mh_coarse), TABLE_ALIGN);
	area->base_offset = at;
	at = round_up(at + owners * sizeof(struct mh_row), TABLE_ALIGN);
	area->objects_max = MH_OBJECTS_MAX;
	area->objects_offset = at;
	at = round_up(at + MH_OBJECTS_MAX * sizeof(struct mh_object), SHARD_ALIGN);
	area->shards_offset = at;
	area->shard_stride =
		round_up(owners * (sizeof(struct mh_row) + sizeof(int64_t)) +
				 sizeof(struct mh_shard_end), TABLE_ALIGN);
	area->area_size = at + shards_max * area->shard_stride;
}

uint64_t mh_area_stride(void)
{
	struct mh_area area = { 0 };

	mh_area_layout(&area, MH_OWNERS_MAX, MH_SHARDS_MAX);
	return area.area_size;
}

static uint64_t areas_offset(uint32_t areas)
{
	return round_up(SLOTS_OFFSET + areas * sizeof(struct mh_slot), TABLE_ALIGN);
}

static uint64_t file_size(uint32_t areas)
{
	return areas_offset(areas) + areas * mh_area_stride();
}

/* ftruncate beyond RLIMIT_FSIZE raises SIGXFSZ: look first. */
static uint32_t areas_allowed(void)
{
	struct rlimit limit;
	uint32_t areas = 4096;

	if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return areas;
	while (areas && file_size(areas) > limit.rlim_cur)
		areas /= 16;
	return areas;
}

_Static_assert(sizeof(struct mh_run) <= SLOTS_OFFSET, "the head of the file");

static int new_file(void)
{
	int fd = memfd_create(MH_SEGMENT_NAME, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(MH_SEGMENT_NAME, MFD_CLOEXEC);
	return fd;
}

static int move_high(int fd)
{
	int start, high = -1;

	for (start = HIGH_FD; start > 16 && high < 0; start /= 2)
		high = fcntl(fd, F_DUPFD_CLOEXEC, start);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

int mh_segment_file(int by_run)
{
	struct mh_run run = {
		.magic = MH_RUN_MAGIC,
		.version = MH_SEGMENT_VERSION,
		.byte_order = MH_BYTE_ORDER,
		.word_bits = sizeof(long) * 8,
		.by_run = (uint32_t)by_run,
		.slots_offset = SLOTS_OFFSET,
		.areas_stride = mh_area_stride(),
		.areas_max = areas_allowed(),
	};
	int fd, saved;

	if (!run.areas_max) {
		errno = EFBIG;
		return -1;
	}
	run.areas_offset = areas_offset(run.areas_max);
	fd = new_file();
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)file_size(run.areas_max)) ||
	    pwrite(fd, &run, sizeof(run), 0) != sizeof(run)) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return move_high(fd);
}
