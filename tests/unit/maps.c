/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of smaps against text that is in order, odd or hostile, and the
 * bridge, which adds up whatever its numbers are.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"
#include "bridge.h"
#include "maps.h"

static struct mh_maps_work work;
static struct mh_maps maps;

static void begin(const struct mh_range *ranges, uint32_t n)
{
	memset(&work, 0, sizeof(work));
	memset(&maps, 0, sizeof(maps));
	work.ranges = ranges;
	work.range_count = n;
	work.pagemap = -1;
	work.to = &maps;
}

/* In pieces of `piece` bytes.  What is accepted adds up. */
static int parse_in(const char *text, size_t n, size_t piece,
		    const struct mh_range *ranges, uint32_t count)
{
	size_t at;
	int rc;

	begin(ranges, count);
	for (at = 0; at < n; at += piece)
		mh_maps_feed(&work, text + at, n - at < piece ? n - at : piece);
	rc = mh_maps_end(&work);
	maps.time_unix_ms = 1;
	if (rc == 0)
		ck_assert(mh_maps_valid(&maps));
	return rc;
}

static int parse(const char *text)
{
	return parse_in(text, strlen(text), 7, NULL, 0);
}

#define REGION(range, perms, name, kib)                                              \
	range " " perms " 00000000 00:00 0                          " name "\n"       \
	"Size:                  4 kB\nRss:                  " kib " kB\n"             \
	"Pss:                   3 kB\nVmFlags: rd wr mr\n"

static const char good[] =
	REGION("00001000-00003000", "r-xp", "/usr/bin/a program (deleted)", "8")
	REGION("00003000-00004000", "rw-p", "/usr/bin/a program (deleted)", "4")
	REGION("00004000-00005000", "r--p", "/odd\\012name [x]", "4")
	REGION("00010000-00020000", "rw-p", "", "40")
	REGION("00020000-00030000", "rw-p", "[heap]", "12")
	REGION("00030000-00040000", "rw-p", "[anon:two words]", "16")
	REGION("00040000-00041000", "---p", "", "0")
	REGION("00041000-00051000", "rw-p", "", "24")
	REGION("00060000-00070000", "rw-s", "/dev/shm/queue", "32")
	REGION("00070000-00080000", "rw-s", "/memfd:memhook (deleted)", "20")
	REGION("00080000-00090000", "rw-s", "/memfd:memhooks", "8")
	REGION("7fff0000-7fff8000", "rw-p", "[stack]", "28")
	REGION("ffffffffff600000-ffffffffff601000", "--xp", "[vsyscall]", "0");

static const struct mh_maps_name *find(const struct mh_maps_list *l, const char *name)
{
	uint32_t i;

	for (i = 0; i < l->used; i++)
		if (strcmp(l->entry[i].name, name) == 0)
			return &l->entry[i];
	ck_abort_msg("no %s", name);
}

START_TEST(every_class)
{
	size_t piece;

	for (piece = 1; piece < 100; piece += 13) {
		ck_assert_int_eq(parse_in(good, strlen(good), piece, NULL, 0), 0);
		ck_assert_uint_eq(maps.rss_bytes, 196 * 1024);
		ck_assert_uint_eq(maps.file_bytes, 16 * 1024);
		ck_assert_uint_eq(maps.stack_bytes, 52 * 1024);
		ck_assert_uint_eq(maps.shared_bytes, 40 * 1024);
		ck_assert_uint_eq(maps.memhook_bytes, 20 * 1024);
		ck_assert_uint_eq(maps.anonymous_bytes, 68 * 1024);
		ck_assert_uint_eq(maps.heap_bytes, 0);
	}
	ck_assert_uint_eq(maps.files.used, 2);
	ck_assert_uint_eq(find(&maps.files, "/usr/bin/a program (deleted)")->rss_bytes,
			  12 * 1024);
	ck_assert_uint_eq(find(&maps.files, "/odd\\012name [x]")->rss_bytes, 4 * 1024);
	ck_assert_str_eq(maps.anonymous.entry[0].name, "(unnamed)"); /* greatest first */
	ck_assert_uint_eq(find(&maps.anonymous, "[anon:two words]")->rss_bytes, 16384);
	ck_assert_uint_eq(find(&maps.shared, "/memfd:memhooks")->rss_bytes, 8192);
}
END_TEST

START_TEST(only_what_follows_a_guard_is_a_stack)
{
	/* another region between, no access to it, larger than a stack, shared */
	ck_assert_int_eq(parse(REGION("1000-2000", "---p", "", "0")
			       REGION("3000-4000", "rw-p", "", "4")
			       REGION("10000-11000", "---p", "", "0")
			       REGION("11000-12000", "r--p", "", "4")
			       REGION("100000-120000", "---p", "", "0")
			       REGION("120000-130000", "rw-p", "", "4")
			       REGION("200000-201000", "---p", "", "0")
			       REGION("201000-2201000", "rw-p", "", "4")), 0);
	ck_assert_uint_eq(maps.stack_bytes, 0);
	ck_assert_uint_eq(maps.anonymous_bytes, 16384);
}
END_TEST

START_TEST(broken_text_is_refused)
{
	static const char *const broken[] = {
		"",
		"\n",
		"Rss: 4 kB\n",
		"no smaps at all\n",
		"1000-2000 rw-p 00000000 00:00 0\n",              /* no Rss */
		"1000-2000 rw-p 00000000 00:00 0\nRss: 4 kB",     /* cut */
		"1000-2000 rw-p 00000000 00:00 0\nRss: 4 kB\nPss:   ",
		"1000-2000 rw-p 00000000 00:00 0\nRss: 4 MB\n",
		"1000-2000 rw-p 00000000 00:00 0\nRss: kB\n",
		"1000-2000 rw-p 00000000 00:00 0\nRss: -4 kB\n",
		"1000-2000 rw-p 00000000 00:00 0\nRss: 8 kB\n",   /* more than fits */
		"1000-2000 rw-p 00000000 00:00 0\nRss: 99999999999999999999 kB\n",
		"1000-2000 rw-p 00000000 00:00 0\nRss: 18014398509481985 kB\n",
		"2000-1000 rw-p 00000000 00:00 0\nRss: 0 kB\n",
		"1000-1000 rw-p 00000000 00:00 0\nRss: 0 kB\n",
		"1000-99999999999999999 rw-p 00000000 00:00 0\nRss: 4 kB\n",
		"1000-2000 rw\nRss: 4 kB\n",
		"1000-2000 rw-p 00000000 0000 0\nRss: 4 kB\n",
		"1000-2000 rw-p 00000000 00:00\nRss: 4 kB\n",
		"1000 2000 rw-p 00000000 00:00 0\nRss: 4 kB\n",
		REGION("1000-3000", "rw-p", "", "4") REGION("2000-4000", "rw-p", "", "4"),
		REGION("3000-4000", "rw-p", "", "4") REGION("1000-2000", "rw-p", "", "4"),
	};
	size_t i;

	ck_assert_int_eq(parse("1000-2000 rw-p 00000000 00:00 0\nRss: 4 kB\n"), 0);
	for (i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		ck_assert_msg(parse(broken[i]) == -1, "accepted: %s", broken[i]);
}
END_TEST

/* The kernel's text with bytes replaced: an answer or none, and it adds up. */
START_TEST(spoiled_text)
{
	char text[sizeof(good)];
	unsigned r = 1, i, k, accepted = 0;

	for (i = 0; i < 20000; i++) {
		memcpy(text, good, sizeof(good));
		for (k = 0; k <= i % 4; k++) {
			r = r * 1103515245 + 12345;
			text[(r >> 8) % (sizeof(good) - 1)] = (char)(r >> 3);
		}
		accepted += parse_in(text, sizeof(good) - 1, 4096, NULL, 0) == 0;
	}
	ck_assert_uint_gt(accepted, 1000);
	ck_assert_uint_lt(accepted, 19000);
}
END_TEST

START_TEST(many_and_long_names)
{
	static char text[200 * 700], tail[120];
	size_t n = 0;
	int i;

	for (i = 0; i < 200; i++)
		n += (size_t)sprintf(text + n,
				     "%x-%x r--p 00000000 08:01 7 /lib/%0*d\nRss: %d kB\n",
				     (i + 1) << 20, (i + 2) << 20, i == 199 ? 300 : 4, i,
				     4 * (i + 1));
	ck_assert_int_eq(parse_in(text, n, 4096, NULL, 0), 0);
	ck_assert_uint_eq(maps.files.used, MH_MAPS_NAMES);
	ck_assert_uint_eq(maps.files.rest_names, 180);
	ck_assert_uint_eq(maps.file_bytes, 4096 * 200 * 201 / 2);
	for (i = 0; i < MH_MAPS_NAMES; i++)
		ck_assert_uint_eq(maps.files.entry[i].rss_bytes, 4096 * (200 - i));
	sprintf(tail, "%0*d", (int)sizeof(maps.files.entry[0].name) - 1, 199);
	ck_assert_str_eq(maps.files.entry[0].name, tail);
}
END_TEST

/* A line longer than any path is cut, not overrun. */
START_TEST(an_endless_line)
{
	static char text[1 << 17];
	size_t n = (size_t)sprintf(text, "1000-2000 rw-p 00000000 00:00 0 /");

	memset(text + n, 'x', sizeof(text) - n);
	strcpy(text + sizeof(text) - 20, "\nRss: 4 kB\n");
	ck_assert_int_eq(parse(text), 0);
	ck_assert_uint_eq(maps.file_bytes, 4096);
}
END_TEST

START_TEST(ranges_take_their_part)
{
	static const struct mh_range ranges[] = {
		{ 0, 0x18000 },
		{ 0x10000, 0x18000 }, { 0x18000, 0x20000 }, /* two, one region */
		{ 0x40000 | MH_RANGE_IS_OWN, 0x60000 },     /* one, more regions */
		{ 0x2c000, 0x38000 },                       /* parts of two */
		{ 0x20000 | MH_RANGE_IS_OWN, 0x24000 },     /* nothing is left for it */
	};

	ck_assert_int_eq(parse_in(good, strlen(good), 99, ranges, 6), 0);
	/* 40 in full; of the others at most what is mapped: 16 of 12, 32 of 16 */
	ck_assert_uint_eq(maps.heap_bytes, (40 + 12 + 16) * 1024);
	ck_assert_uint_eq(maps.heap_mapped_bytes, 0x10000 + 0x4000 + 0x8000);
	ck_assert_uint_eq(maps.memhook_bytes, (20 + 24) * 1024);
	ck_assert_uint_eq(maps.stack_bytes, 28 * 1024);
	ck_assert_uint_eq(maps.anonymous_bytes, 0);
}
END_TEST

static int look_at_myself(const struct mh_range *ranges, uint32_t n)
{
	int smaps = open("/proc/self/smaps", O_RDONLY), rc;

	begin(ranges, n);
	work.pagemap = open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_ge(smaps, 0);
	ck_assert_int_ge(work.pagemap, 0);
	rc = mh_maps_read(&work, smaps, &maps);
	close(work.pagemap);
	close(smaps);
	return rc;
}

/* The kernel's own answer, a region of it divided by what pagemap says. */
START_TEST(this_process)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), half = 1024 * page;
	char *p = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mh_range range = { (uintptr_t)p, (uintptr_t)p + half };
	uint64_t before;

	ck_assert(p != MAP_FAILED);
	madvise(p, 2 * half, MADV_NOHUGEPAGE);
	ck_assert_int_eq(look_at_myself(NULL, 0), 0);
	before = maps.anonymous_bytes;
	memset(p + half - 300 * page, 1, 1000 * page);
	ck_assert_int_eq(look_at_myself(&range, 1), 0);
	ck_assert_uint_eq(maps.heap_bytes, 300 * page);
	ck_assert_uint_eq(maps.heap_mapped_bytes, half);
	ck_assert_uint_ge(maps.anonymous_bytes, before + 700 * page);
	ck_assert_uint_lt(maps.anonymous_bytes, before + 800 * page);
	ck_assert_uint_gt(maps.stack_bytes, 0);
	ck_assert_uint_gt(maps.file_bytes, 0);
	maps.time_unix_ms = 1;
	ck_assert(mh_maps_valid(&maps));
	munmap(p, 2 * half);
}
END_TEST

/* A reservation of 8 TiB that a range covers in part: an answer all the same. */
START_TEST(an_endless_reservation)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)(UINT64_C(1) << 43);
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct mh_range range = { (uintptr_t)p, (uintptr_t)p + size - page };

	if (p == MAP_FAILED)
		return; /* 32 bits, a kernel or a limit that do not give as much */
	memset(p + size - page, 1, page);
	ck_assert_int_eq(look_at_myself(&range, 1), 0);
	ck_assert_uint_gt(work.pages_read, 0);
	ck_assert_uint_lt(work.pages_read, (size >> 5) / page);
	ck_assert_uint_eq(maps.heap_bytes, 0);
	munmap(p, size);
}
END_TEST

START_TEST(what_does_not_add_up)
{
	struct mh_maps m, spoiled;
	uint64_t *word = (uint64_t *)&spoiled;
	size_t i;

	ck_assert_int_eq(parse(good), 0);
	m = maps;
	/* Every number up to the lists. */
	for (i = 1; i < offsetof(struct mh_maps, heap_mapped_bytes) / 8; i++) {
		spoiled = m;
		word[i] += 4096;
		ck_assert_msg(!mh_maps_valid(&spoiled), "word %zu", i);
		spoiled = m;
		word[i] = UINT64_MAX - 4095;
		ck_assert_msg(!mh_maps_valid(&spoiled), "word %zu", i);
	}
	spoiled = m;
	spoiled.files.used = UINT32_MAX;
	ck_assert(!mh_maps_valid(&spoiled));
	spoiled = m;
	spoiled.shared.entry[0].rss_bytes += 4096;
	ck_assert(!mh_maps_valid(&spoiled));
	spoiled = m;
	memset(spoiled.files.entry[0].name, 'x', sizeof(spoiled.files.entry[0].name));
	ck_assert(mh_maps_valid(&spoiled));
	ck_assert_uint_lt(strlen(spoiled.files.entry[0].name),
			  sizeof(spoiled.files.entry->name));
}
END_TEST

static int64_t sum(const struct mh_snapshot *s, const struct mh_bridge *b)
{
	return (int64_t)(s->totals.live_bytes + s->process.cookie_bytes) + b->rounding +
	       b->cached + b->quarantine + b->slack + b->dirty + b->tables + b->unsplit +
	       b->not_resident + b->memhook + b->stack + b->file + b->shared + b->anonymous + b->other;
}

/* A heap of 500, 420 of it resident, in a process of 1000. */
START_TEST(the_parts_of_the_bridge)
{
	struct mh_maps m = { .rss_bytes = 1000, .heap_bytes = 420, .memhook_bytes = 80,
			     .stack_bytes = 100, .file_bytes = 300, .shared_bytes = 60,
			     .anonymous_bytes = 40, .heap_mapped_bytes = 600 };
	struct mh_snapshot s = { .totals.live_bytes = 200, .process = {
		.cookie_bytes = 50, .allocator_time_ms = 1,
		.allocator_allocated_bytes = 350, .allocator_cached_bytes = 45,
		.allocator_quarantine_bytes = 15,
		.allocator_live_bytes = 200,
		.allocator_active_bytes = 370, .allocator_dirty_bytes = 30,
		.allocator_resident_bytes = 500 } };
	struct mh_bridge b;

	mh_use_maps(&s, &m);
	mh_bridge(&s, &b);
	ck_assert_int_eq(b.rounding, 40);
	ck_assert_int_eq(b.cached, 45);
	ck_assert_int_eq(b.quarantine, 15);
	ck_assert_int_eq(b.slack, 20);
	ck_assert_int_eq(b.dirty, 30);
	ck_assert_int_eq(b.tables, 100);
	ck_assert_int_eq(b.not_resident, -80);
	ck_assert_int_eq(b.other, 0);
	ck_assert_int_eq(sum(&s, &b), 1000);
	s.totals.live_bytes = 220; /* grown since, with cookies in proportion */
	s.process.cookie_bytes = 55;
	mh_bridge(&s, &b);
	ck_assert_int_eq(b.rounding, 40);
	ck_assert_int_eq(sum(&s, &b), 1000);
	s.totals.live_bytes = 200;
	s.process.cookie_bytes = 50;
	m.heap_mapped_bytes = 450; /* then no more than 30 can be missing */
	mh_bridge(&s, &b);
	ck_assert_int_eq(b.not_resident, -30);
	ck_assert_int_eq(b.other, -50);
	s.process.allocator_time_ms = 0; /* never published */
	mh_bridge(&s, &b);
	ck_assert_int_eq(b.unsplit, 170);
	ck_assert_int_eq(b.rounding + b.other, 0);
	s.process.allocator_time_ms = 1; /* published, and 200 freed since */
	s.totals.live_bytes = 40;
	s.process.cookie_bytes = 10;
	mh_bridge(&s, &b);
	ck_assert_int_eq(b.unsplit + b.not_resident, 420 - 300);
	ck_assert_int_eq(b.other, 0);
	ck_assert_int_eq(sum(&s, &b), 1000);
	ck_assert_int_eq(sum(&s, &b), 1000);
	s.maps = NULL; /* smaps not read */
	mh_bridge(&s, &b);
	ck_assert_int_eq(b.other + b.rounding + b.cached + b.quarantine + b.slack +
				  b.dirty + b.tables, 1000 - 50 - 80);
	s.process.rss_bytes = 0;
	mh_bridge(&s, &b);
	ck_assert_int_eq(b.other, 0);
}
END_TEST

/* Another process's numbers may be anything. */
START_TEST(a_bridge_of_anything)
{
	unsigned r = 7, i, k;

	for (i = 0; i < 100000; i++) {
		struct mh_snapshot s = { .totals.live_bytes = 4711 };
		struct mh_maps m = { 0 };
		struct mh_bridge b;
		uint64_t *p = (uint64_t *)&s.process, *q = (uint64_t *)&m;

		for (k = 0; k < sizeof(s.process) / 8 + 9; k++) {
			uint64_t n;

			r = r * 1103515245 + 12345;
			n = (UINT64_MAX >> (r >> 8) % 64) - (r >> 20);
			if (k < sizeof(s.process) / 8)
				p[k] = n;
			else
				q[k - sizeof(s.process) / 8] = n;
		}
		s.process.cookie_bytes >>= 8;
		s.process.rss_bytes = (s.process.rss_bytes >> 8) + 1;
		s.maps = &m;
		mh_bridge(&s, &b);
		ck_assert_int_eq(sum(&s, &b), (int64_t)s.process.rss_bytes);
		ck_assert_int_le(b.not_resident, 0);
		ck_assert(b.rounding >= 0 && b.cached >= 0 && b.slack >= 0 &&
			  b.dirty >= 0 && b.tables >= 0 && b.stack >= 0 && b.file >= 0);
	}
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("maps");

	tcase_add_test(c, every_class);
	tcase_add_test(c, only_what_follows_a_guard_is_a_stack);
	tcase_add_test(c, broken_text_is_refused);
	tcase_add_test(c, spoiled_text);
	tcase_add_test(c, many_and_long_names);
	tcase_add_test(c, an_endless_line);
	tcase_add_test(c, ranges_take_their_part);
	if (maps_are_true()) {
		tcase_add_test(c, this_process);
		tcase_add_test(c, an_endless_reservation);
	}
	tcase_add_test(c, what_does_not_add_up);
	tcase_add_test(c, the_parts_of_the_bridge);
	tcase_add_test(c, a_bridge_of_anything);
	return run_case(c);
}
