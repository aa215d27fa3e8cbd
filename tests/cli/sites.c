/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process whose segment holds call sites, for the tool to find names for.
 * Reads lines "NAME PATH OFFSET BUILD-ID" (numbers in hex, "-" for a file
 * without build-id), prints its pid when it is ready, and waits.
 *
 *     sites [FOLDER]     chroot to FOLDER first
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "segment-file.h"

#define FIRST 2 /* nobody, overflow */

static struct mh_area area;
static struct mh_run run;
static int fd;

static void put(const void *from, size_t size, uint64_t at)
{
	if (pwrite(fd, from, size, (off_t)at) != (ssize_t)size) {
		perror("pwrite");
		exit(99);
	}
}

static void put_table(const void *from, size_t size, uint64_t table, uint32_t i)
{
	put(from, size, run.areas_offset + table + i * size);
}

static void set_build_id(struct mh_object *o, const char *hex)
{
	unsigned byte;

	while (sscanf(hex, "%2x", &byte) == 1 && o->build_id_size < sizeof(o->build_id)) {
		o->build_id[o->build_id_size++] = (uint8_t)byte;
		hex += 2;
	}
}

/* Each has an object of its own, and 100 bytes. */
static void put_site(uint32_t i, const char *name, const char *path, uint64_t offset,
		     const char *build_id)
{
	struct mh_owner owner = { .state = MEMHOOK_STATE_ACTIVE,
				  .kind = MEMHOOK_KIND_SITE,
				  .where = MH_WHERE(i, offset) };
	struct mh_object object = { .bias = 0x10000 };
	struct mh_row row = { .alloc_bytes = 100, .alloc_calls = 1 };

	snprintf(owner.name, sizeof(owner.name), "%s", name);
	snprintf(object.path, sizeof(object.path), "%s", path);
	set_build_id(&object, build_id);
	put_table(&owner, sizeof(owner), area.owners_offset, FIRST + i);
	put_table(&object, sizeof(object), area.objects_offset, i);
	put_table(&row, sizeof(row), area.shards_offset, FIRST + i);
}

static void put_headers(uint32_t sites)
{
	struct timespec now;
	struct mh_slot slot = { .state = MH_SLOT_LIVE, .pid = getpid() };

	clock_gettime(CLOCK_REALTIME, &now);
	slot.start_unix_ms = (uint64_t)now.tv_sec * 1000 +
			     (uint64_t)now.tv_nsec / 1000000;
	area.magic = MH_AREA_MAGIC;
	area.version = MH_SEGMENT_VERSION;
	area.by = MH_BY_SITE;
	area.owners_used = FIRST + sites;
	area.objects_used = sites;
	area.shards_used = 1;
	area.cookie_size = 16;
	area.pid = getpid();
	area.start_unix_ms = slot.start_unix_ms;
	strcpy(area.command, "sites");
	put(&area, sizeof(area), run.areas_offset);
	put(&slot, sizeof(slot), run.slots_offset);
	run.areas_used = 1;
	put(&run, sizeof(run), 0);
}

int main(int argc, char **argv)
{
	char name[64], path[448], build_id[96];
	unsigned long long offset;
	uint32_t n = 0;

	fd = mh_segment_file(0);
	if (fd < 0 || pread(fd, &run, sizeof(run), 0) != sizeof(run))
		return 99;
	mh_area_layout(&area, MH_OWNERS_MAX, 8);
	if (argc > 1 && (chroot(argv[1]) || chdir("/"))) {
		perror("chroot");
		return 99;
	}
	while (scanf("%63s %447s %llx %95s", name, path, &offset, build_id) == 4)
		put_site(n++, name, path, offset, build_id);
	put_headers(n);
	printf("%d\n", getpid());
	fflush(stdout);
	for (;;)
		pause();
}
