/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that pretends to be hooked: a memfd named "memhook" with what
 * the case says in it.  Prints its pid when it is ready, and waits.
 *
 *     bad-segment CASE [SEED [FILE]]     --list prints the cases
 *
 * Case "flip" takes FILE, the start of a real segment, and spoils it by
 * SEED; 0 leaves it as it is.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "segment.h"

static struct mh_run run;
static struct mh_slot slot;
static struct mh_area area;

/* A small segment without contradictions: what the cases start from. */
static void make_good(void)
{
	run = (struct mh_run){ .magic = MH_RUN_MAGIC,
			       .version = MH_SEGMENT_VERSION,
			       .byte_order = MH_BYTE_ORDER,
			       .word_bits = sizeof(long) * 8,
			       .slots_offset = 4096,
			       .areas_offset = 65536,
			       .areas_stride = UINT64_C(1) << 24,
			       .areas_max = 4,
			       .areas_used = 1 };
	slot = (struct mh_slot){ .state = MH_SLOT_LIVE, .pid = getpid(),
				 .start_unix_ms = 1 };
	area = (struct mh_area){ .magic = MH_AREA_MAGIC,
				 .version = MH_SEGMENT_VERSION,
				 .by = MH_BY_NONE,
				 .owners_max = 64,
				 .shards_max = 4,
				 .owners_offset = 4096,
				 .coarse_offset = 16384,
				 .base_offset = 32768,
				 .objects_max = 8,
				 .objects_offset = 40960,
				 .ranges_max = 16,
				 .ranges_offset = 49152,
				 .maps_offset = 53248,
				 .shards_offset = 65536,
				 .shard_stride = 8192,
				 .area_size = 131072,
				 .pid = getpid(),
				 .start_unix_ms = 1,
				 .command = "pretender",
				 .file = "pretender",
				 .cookie_size = 16,
				 .owners_used = MH_FIRST_OWNER,
				 .shards_used = 1 };
}

static const struct spoil {
	const char *name;
	void *field;
	size_t size;
	uint64_t value;
} spoils[] = {
#define RUN(field, value) \
	{ "run." #field "=" #value, &run.field, sizeof(run.field), value }
#define AREA(field, value) \
	{ "area." #field "=" #value, &area.field, sizeof(area.field), value }
	RUN(magic, 0),
	RUN(version, 99),
	RUN(byte_order, 0x04030201),
	RUN(word_bits, 16),
	RUN(slots_offset, UINT64_MAX),
	RUN(slots_offset, 0),
	RUN(areas_offset, UINT64_MAX - 64),
	RUN(areas_offset, 0),
	RUN(areas_stride, 0),
	RUN(areas_stride, UINT64_MAX),
	RUN(areas_max, 0),
	RUN(areas_max, UINT32_MAX),
	AREA(magic, 1),
	AREA(version, 2),
	AREA(owners_max, 0),
	AREA(owners_max, UINT32_MAX),
	AREA(shards_max, 0),
	AREA(shards_max, UINT32_MAX),
	AREA(owners_offset, UINT64_MAX - 100),
	AREA(coarse_offset, 131072),
	AREA(base_offset, 1),
	AREA(objects_offset, UINT64_MAX - 100),
	AREA(objects_offset, 131008),
	AREA(objects_max, UINT32_MAX),
	AREA(ranges_offset, UINT64_MAX - 100),
	AREA(ranges_max, UINT32_MAX),
	AREA(maps_offset, 131008),
	AREA(shards_offset, UINT64_MAX / 2),
	AREA(shard_stride, 0),
	AREA(shard_stride, UINT64_MAX),
	AREA(area_size, UINT64_MAX),
	AREA(area_size, 0),
	AREA(owners_used, 0),
};

#define SPOILS (sizeof(spoils) / sizeof(*spoils))

/* By its type: the low bytes of a value are the last ones on some processors. */
static void spoil(const struct spoil *s)
{
	if (s->size == sizeof(uint32_t))
		*(uint32_t *)s->field = (uint32_t)s->value;
	else
		*(uint64_t *)s->field = s->value;
}

static void put(int fd, const void *from, size_t size, uint64_t at)
{
	if (pwrite(fd, from, size, (off_t)at) != (ssize_t)size) {
		perror("pwrite");
		exit(99);
	}
}

static void put_all(int fd)
{
	static const char nobody[] = "nobody";

	if (ftruncate(fd, (off_t)(run.areas_offset + 4 * (UINT64_C(1) << 24))))
		exit(99);
	put(fd, &run, sizeof(run), 0);
	put(fd, &slot, sizeof(slot), 4096);
	put(fd, &area, sizeof(area), 65536);
	put(fd, nobody, sizeof(nobody),
	    65536 + 4096 + offsetof(struct mh_owner, name));
}

static void put_text(int fd, const char *text)
{
	put(fd, text, strlen(text), 0);
}

static unsigned next(unsigned *r)
{
	*r = *r * 1103515245 + 12345;
	return *r >> 8;
}

/* Somewhere in the headers that a reader believes or not. */
static uint64_t any_place(const struct mh_run *real, unsigned *r)
{
	uint64_t tables = real->areas_offset + sizeof(struct mh_area);

	switch (next(r) % 4) {
	case 0:
		return next(r) % sizeof(*real);
	case 1:
		return real->slots_offset + next(r) % sizeof(struct mh_slot);
	case 2:
		return tables + next(r) % 1024; /* the first owners */
	default:
		return real->areas_offset + next(r) % offsetof(struct mh_area, published);
	}
}

/* A real segment with a few of its headers' bytes changed. */
static void put_flipped(int fd, unsigned seed, const char *file)
{
	static unsigned char head[1 << 20];
	unsigned r = seed, i, n = seed ? 1 + next(&r) % 6 : 0;
	int from = open(file, O_RDONLY);
	ssize_t size = from < 0 ? -1 : read(from, head, sizeof(head));
	struct mh_run real;

	memcpy(&real, head, sizeof(real));
	/* or a reader would stop at the file's size, and nothing be tried */
	if (size < (ssize_t)sizeof(real) ||
	    (uint64_t)size < real.areas_offset + sizeof(struct mh_area) + 1024 ||
	    ftruncate(fd, (off_t)(real.areas_offset + real.areas_max * real.areas_stride)))
		exit(99);
	((struct mh_slot *)(head + real.slots_offset))->pid = getpid();
	for (i = 0; i < n; i++)
		head[any_place(&real, &r)] = (unsigned char)next(&r);
	put(fd, head, (size_t)size, 0);
	close(from);
}

static int fill(int fd, const char *name, unsigned seed, const char *file)
{
	size_t i;

	make_good();
	if (strcmp(name, "empty") == 0)
		return 0;
	if (strcmp(name, "flip") == 0 && file)
		return put_flipped(fd, seed, file), 0;
	if (strcmp(name, "text") == 0)
		return put_text(fd, "This is no segment at all.\n"), 0;
	if (strcmp(name, "good") == 0)
		return put_all(fd), 0;
	if (strcmp(name, "truncated") == 0)
		return put_all(fd), ftruncate(fd, 65536 + 100);
	for (i = 0; i < SPOILS; i++)
		if (strcmp(name, spoils[i].name) == 0) {
			spoil(&spoils[i]);
			if (run.areas_offset != 65536) {
				put(fd, &run, sizeof(run), 0);
				return ftruncate(fd, 1 << 20);
			}
			return put_all(fd), 0;
		}
	return -1;
}

int main(int argc, char **argv)
{
	size_t i;
	int fd;

	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		puts("empty\ntext\ntruncated");
		for (i = 0; i < SPOILS; i++)
			puts(spoils[i].name);
		return 0;
	}
	fd = memfd_create(MH_SEGMENT_NAME, 0);
	if (argc < 2 || fd < 0 ||
	    fill(fd, argv[1], argc > 2 ? (unsigned)atoi(argv[2]) : 0,
		 argc > 3 ? argv[3] : NULL)) {
		fprintf(stderr, "no case '%s'\n", argc > 1 ? argv[1] : "");
		return 99;
	}
	printf("%d\n", getpid());
	fflush(stdout);
	for (;;)
		pause();
}
