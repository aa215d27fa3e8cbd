/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spoils one counter of a process that runs under the hook:
 *
 *     drift PID CASE OWNER     --list prints the cases
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segment.h"

static int fd;
static struct mh_run run;
static struct mh_area area;
static uint64_t start; /* of the area */
static uint32_t row;   /* of the owner */

static void get(uint64_t at, void *to, size_t size)
{
	if (pread(fd, to, size, (off_t)at) == (ssize_t)size)
		return;
	perror("pread");
	exit(99);
}

static void put(uint64_t at, const void *from, size_t size)
{
	if (pwrite(fd, from, size, (off_t)at) == (ssize_t)size)
		return;
	perror("pwrite");
	exit(99);
}

static int open_segment(int pid)
{
	char folder[64], target[64];
	struct dirent *entry;
	int found = -1;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	while (dir && found < 0 && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target,
				       sizeof(target) - 1);

		if (n > 0 && strncmp(target, "/memfd:memhook", 14) == 0)
			found = openat(dirfd(dir), entry->d_name, O_RDWR);
	}
	return found;
}

static int find_area(int pid)
{
	struct mh_slot slot;
	uint32_t i;

	get(0, &run, sizeof(run));
	for (i = 0; i < run.areas_used; i++) {
		get(run.slots_offset + i * sizeof(slot), &slot, sizeof(slot));
		if (slot.pid != pid)
			continue;
		start = run.areas_offset + i * run.areas_stride;
		get(start, &area, sizeof(area));
		return 0;
	}
	return -1;
}

static int find_owner(const char *name)
{
	struct mh_owner o;

	for (row = 0; row < area.owners_used; row++) {
		get(start + area.owners_offset + row * sizeof(o), &o, sizeof(o));
		if (strcmp(o.name, name) == 0)
			return 0;
	}
	return -1;
}

/* Adds to a 64-bit number of the first shard, or of a table. */
static void add(uint64_t at, int64_t n)
{
	uint64_t value;

	get(start + at, &value, sizeof(value));
	value += (uint64_t)n;
	put(start + at, &value, sizeof(value));
}

#define COUNTER(row, field) \
	(area.shards_offset + (row) * sizeof(struct mh_row) + offsetof(struct mh_row, field))
#define BASE(field) \
	(area.base_offset + row * sizeof(struct mh_row) + offsetof(struct mh_row, field))

static const char *const cases[] = { "negative-bytes", "negative-blocks", "no-block",
				     "base-live",      "base-large",	  "coarse",
				     "coarse-total",   "peak",	  "peak-total",
				     "behind",	       "no-owner" };

static int spoil(const char *what)
{
	uint32_t free_state = MEMHOOK_STATE_FREE;

	if (strcmp(what, "negative-bytes") == 0)
		add(COUNTER(row, free_bytes), 1 << 30);
	else if (strcmp(what, "negative-blocks") == 0)
		add(COUNTER(row, free_calls), 1 << 30);
	else if (strcmp(what, "no-block") == 0)
		add(COUNTER(row, free_calls), 10); /* all that it has */
	else if (strcmp(what, "base-live") == 0)
		add(BASE(alloc_bytes), 1);
	else if (strcmp(what, "base-large") == 0)
		add(BASE(alloc_bytes), 1 << 30), add(BASE(free_bytes), 1 << 30);
	else if (strcmp(what, "coarse") == 0)
		add(area.coarse_offset + row * sizeof(struct mh_coarse), 1 << 30);
	else if (strcmp(what, "coarse-total") == 0)
		add(offsetof(struct mh_area, total), -(1 << 30));
	else if (strcmp(what, "peak") == 0)
		add(area.coarse_offset + row * sizeof(struct mh_coarse) +
			    offsetof(struct mh_coarse, peak_bytes), -(1 << 30));
	else if (strcmp(what, "peak-total") == 0)
		add(offsetof(struct mh_area, total.peak_bytes), -(1 << 30));
	else if (strcmp(what, "behind") == 0)
		add(COUNTER(area.owners_used + 3, alloc_bytes), 1);
	else if (strcmp(what, "no-owner") == 0)
		put(start + area.owners_offset + row * sizeof(struct mh_owner), &free_state,
		    sizeof(free_state));
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	int pid = argc == 4 ? atoi(argv[1]) : 0;
	size_t i;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
			puts(cases[i]);
		return 0;
	}
	fd = pid ? open_segment(pid) : -1;
	if (fd < 0 || find_area(pid) || find_owner(argv[3]) || spoil(argv[2])) {
		fprintf(stderr, "drift: nothing was spoiled\n");
		return 99;
	}
	return 0;
}
