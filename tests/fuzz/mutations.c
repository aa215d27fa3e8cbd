/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 20,000 spoiled segments, the same in each run: bytes of the image of a good
 * one are replaced, copied and cut off.  The reader and the renderers answer
 * or refuse; built with the sanitizers where the compiler has them.
 *
 *     mutations [COUNT [FIRST]]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image.h"
#include "segment-file.h"

static int segment = -1, null = -1;

static void put(const void *from, size_t n, uint64_t at)
{
	if (pwrite(segment, from, n, (off_t)at) != (ssize_t)n)
		exit(99);
}

/* Names that a terminal or a parser of JSON would choke on; no NUL at the end. */
static void put_owners(const struct mh_run *run, const struct mh_area *a)
{
	static const char *const names[] = { "nobody", "overflow", "\033[2J\"\\\n",
					     "\xff\xfe\xc3", "a/b", "thread" };
	struct mh_owner o;
	uint64_t i;

	for (i = 0; i < a->owners_used; i++) {
		memset(&o, 'x', sizeof(o));
		o.state = i % 3;
		o.generation = (uint32_t)i;
		o.kind = i % 6;
		o.where = MH_WHERE(i % 3, i * 1000);
		if (i < 6)
			strcpy(o.name, names[i]);
		put(&o, sizeof(o), run->areas_offset + a->owners_offset + i * sizeof(o));
	}
}

static void put_good(void)
{
	struct mh_slot slot = { .state = MH_SLOT_LIVE, .pid = 7 };
	struct mh_row row = { 5, 1, 105, 2 };
	struct mh_object object = { .build_id_size = 20, .path = "/lib/\033]0;x\007" };
	struct mh_area a = { .magic = MH_AREA_MAGIC, .version = MH_SEGMENT_VERSION,
			     .by = MH_BY_SITE, .cookie_size = 16,
			     .command = "victim\"\n", .owners_used = 12,
			     .shards_used = 3, .objects_used = 2 };
	struct mh_run run;
	uint64_t i;

	segment = mh_segment_file(0);
	if (segment < 0 || pread(segment, &run, sizeof(run), 0) != sizeof(run))
		exit(99);
	run.areas_used = 2;
	mh_area_layout(&a, 256, 8);
	put(&run, sizeof(run), 0);
	put(&slot, sizeof(slot), run.slots_offset);
	put(&slot, sizeof(slot), run.slots_offset + sizeof(slot));
	put(&a, sizeof(a), run.areas_offset);
	put(&object, sizeof(object), run.areas_offset + a.objects_offset);
	put_owners(&run, &a);
	for (i = 0; i < 3; i++)
		put(&row, sizeof(row),
		    run.areas_offset + a.shards_offset + i * a.shard_stride + i * 64);
}

static unsigned next(unsigned *r)
{
	*r = *r * 1103515245 + 12345;
	return *r >> 8;
}

static size_t spoil(uint8_t *image, size_t size, unsigned *r)
{
	static const uint64_t evil[] = { 0, 1, 63, 4095, 65535, 65536, 1u << 31,
					 UINT32_MAX, UINT64_C(1) << 40, INT64_MAX,
					 UINT64_MAX, UINT64_MAX - 4095,
					 UINT64_C(1) << 63 };
	unsigned n = 1 + next(r) % 6;
	uint64_t value;

	while (n--) {
		size_t at = next(r) % (size - 8), from = next(r) % (size - 8);

		switch (next(r) % 4) {
		case 0:
			image[at] = (uint8_t)next(r);
			break;
		case 1:
			value = evil[next(r) % (sizeof(evil) / sizeof(*evil))];
			memcpy(image + at, &value, next(r) % 2 ? 8 : 4);
			break;
		case 2:
			image[at] ^= (uint8_t)(1u << next(r) % 8);
			break;
		default:
			memmove(image + at, image + from, 8);
		}
	}
	return next(r) % 50 ? size : 8 + next(r) % (size - 8);
}

int main(int argc, char **argv)
{
	static uint8_t good[IMAGE_MAX], bad[IMAGE_MAX];
	unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 20000, shown = 0;
	unsigned first = argc > 2 ? (unsigned)atoi(argv[2]) : 1, i;
	size_t size;

	put_good();
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	size = image_make(segment, good, sizeof(good));
	for (i = 0; i < count && size; i++) {
		unsigned r = (first + i) * 2654435761u;
		size_t n;

		memcpy(bad, good, size);
		n = spoil(bad, size, &r);
		if (image_expand(segment, bad, n) == 0)
			shown += read_everything(segment, null);
	}
	printf("%u spoiled segments of %zu bytes: %u reports in spite of it\n", count,
	       size, shown);
	/* else they were all refused at the door, and little was tried */
	return shown < count / 10;
}
