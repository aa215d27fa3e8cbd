/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader against hostile segments: a good one, then thousands with words
 * of its headers replaced.  It answers or refuses; it never crashes, and
 * never says more than the segment has room for.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"
#include "reader.h"
#include "segment-file.h"
#include "sum.h"

static void put(int fd, const void *from, size_t n, uint64_t at)
{
	ck_assert_int_eq(pwrite(fd, from, n, (off_t)at), (ssize_t)n);
}

/* A segment with one area: 20 owners, 3 shards. */
static int good_segment(void)
{
	struct mh_slot slot = { .state = MH_SLOT_LIVE, .pid = getpid() };
	struct mh_row row = { 5, 1, 105, 2 };
	struct mh_area a = { 0 };
	struct mh_run run;
	int fd = mh_segment_file(0), i, s;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &run, sizeof(run), 0), sizeof(run));
	run.areas_used = 1;
	mh_area_layout(&a, 1024, 8);
	a.magic = MH_AREA_MAGIC;
	a.version = MH_SEGMENT_VERSION;
	a.owners_used = 20;
	a.shards_used = 3;
	a.cookie_size = 16;
	a.pid = getpid();
	strcpy(a.command, "victim");
	put(fd, &run, sizeof(run), 0);
	put(fd, &slot, sizeof(slot), run.slots_offset);
	put(fd, &a, sizeof(a), run.areas_offset);
	for (i = 0; i < 20; i++) {
		struct mh_owner o = { .state = MEMHOOK_STATE_ACTIVE,
				      .kind = MEMHOOK_KIND_NAMED };

		snprintf(o.name, sizeof(o.name), "owner-%d", i);
		put(fd, &o, sizeof(o), run.areas_offset + a.owners_offset + i * sizeof(o));
		for (s = 0; s < 3; s++)
			put(fd, &row, sizeof(row),
			    run.areas_offset + a.shards_offset + s * a.shard_stride +
				    i * sizeof(row));
	}
	return fd;
}

START_TEST(a_good_segment)
{
	struct mh_snapshot s;
	struct reader r;
	int fd = good_segment();

	ck_assert_int_eq(reader_open(&r, fd), 0);
	ck_assert_int_eq(reader_snapshot(&r, 0, &s), 0);
	ck_assert_uint_eq(s.owner_count, 20);
	ck_assert_uint_eq(s.totals.live_bytes, 20 * 3 * 100);
	ck_assert_uint_eq(s.totals.live_blocks, 20 * 3);
	ck_assert_int_eq(s.consistent, 1);
	ck_assert_uint_gt(s.process.memhook_bytes, 4096);
	reader_free(&s);
	ck_assert_int_eq(reader_snapshot(&r, 1, &s), -1); /* never filled */
	ck_assert_int_eq(reader_snapshot(&r, 1u << 31, &s), -1);
	close(fd);
}
END_TEST

/* A thread that came since the header was read: its shard is read all the same. */
START_TEST(a_shard_that_was_not_there_yet)
{
	struct mh_row row = { 0, 0, 7000, 1 };
	struct mh_sum sum[20];
	struct mh_area a, now;
	struct reader r;
	int fd = good_segment();

	ck_assert_int_eq(reader_open(&r, fd), 0);
	ck_assert_int_eq(pread(fd, &a, sizeof(a), (off_t)r.run.areas_offset), sizeof(a));
	now = a;
	now.shards_used = 4;
	put(fd, &now, sizeof(now), r.run.areas_offset);
	put(fd, &row, sizeof(row), r.run.areas_offset + a.shards_offset + 3 * a.shard_stride);
	ck_assert_int_eq(sum_shards(&r, r.run.areas_offset, &a, sum), 0);
	ck_assert_uint_eq(sum[0].alloc_bytes, 3 * 105 + 7000);
	now.shards_used = UINT32_MAX; /* an enemy's */
	put(fd, &now, sizeof(now), r.run.areas_offset);
	ck_assert_int_eq(sum_shards(&r, r.run.areas_offset, &a, sum), 0);
	ck_assert_uint_eq(sum[0].alloc_bytes, 3 * 105 + 7000);
	close(fd);
}
END_TEST

static void read_all(int fd)
{
	struct mh_snapshot s;
	struct mh_slot slot;
	struct mh_out out;
	struct reader r;
	int null = memfd_create("null", 0);

	if (reader_open(&r, fd) == 0) {
		reader_slot(&r, 0, &slot);
		reader_slot(&r, 77777, &slot);
		if (reader_snapshot(&r, 0, &s) == 0) {
			ck_assert_uint_le(s.owner_count, 65536);
			mh_out_init(&out, null);
			mh_report_text(&out, &s);
			mh_report_json(&out, &s);
			mh_out_flush(&out);
			reader_free(&s);
		}
	}
	close(null);
}

START_TEST(replaced_words)
{
	static const uint64_t evil[] = { 0, 1, 63, 4095, 4096, 65535, 65536, 1u << 20,
					 UINT32_MAX, UINT64_C(1) << 40, INT64_MAX,
					 UINT64_MAX, UINT64_MAX - 4095, UINT64_C(1) << 63 };
	unsigned r = 12345;
	struct mh_run run;
	int fd = good_segment(), i;

	ck_assert_int_eq(pread(fd, &run, sizeof(run), 0), sizeof(run));
	for (i = 0; i < 6000; i++) {
		unsigned k, words = 1 + (r >> 20) % 3;
		uint64_t at[3], was[3];

		for (k = 0; k < words; k++) {
			uint64_t value;

			r = r * 1103515245 + 12345;
			at[k] = (r >> 8) % 3 == 0 ? (r >> 10) % 16 * 8
				: (r >> 8) % 3 == 1
					? run.areas_offset + (r >> 10) % 64 * 8
					: run.areas_offset + 65536 + (r >> 10) % 600 * 4;
			r = r * 1103515245 + 12345;
			value = (r >> 24) % 2 ? evil[(r >> 8) % 14]
					      : (uint64_t)r << 32 | r * 2654435761u;
			ck_assert_int_eq(pread(fd, &was[k], 8, (off_t)at[k]), 8);
			put(fd, &value, (r >> 25) % 2 ? 8 : 4, at[k]);
		}
		read_all(fd);
		while (k--)
			put(fd, &was[k], 8, at[k]);
	}
	close(fd);
}
END_TEST

START_TEST(no_segment_at_all)
{
	static const char junk[8192] = "junk";
	struct reader r;
	int fd = memfd_create(MH_SEGMENT_NAME, 0), ends[2];

	ck_assert_int_eq(reader_open(&r, fd), -1); /* empty */
	put(fd, junk, sizeof(junk), 0);
	ck_assert_int_eq(reader_open(&r, fd), -1);
	ck_assert_ptr_nonnull(strstr(r.error, "magic"));
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(reader_open(&r, ends[0]), -1);
	ck_assert_int_eq(reader_open(&r, -1), -1);
	close(fd);
}
END_TEST

START_TEST(other_versions)
{
	struct mh_run run, other;
	struct reader r;
	int fd = good_segment();

	ck_assert_int_eq(pread(fd, &run, sizeof(run), 0), sizeof(run));
	other = run;
	other.version = 99;
	put(fd, &other, sizeof(other), 0);
	ck_assert_int_eq(reader_open(&r, fd), -1);
	ck_assert_ptr_nonnull(strstr(r.error, "another, newer version"));
	other.version = 0;
	put(fd, &other, sizeof(other), 0);
	ck_assert_int_eq(reader_open(&r, fd), -1);
	ck_assert_ptr_nonnull(strstr(r.error, "another version"));
	other = run;
	other.word_bits = 16;
	put(fd, &other, sizeof(other), 0);
	ck_assert_int_eq(reader_open(&r, fd), -1);
	ck_assert_ptr_nonnull(strstr(r.error, "word size"));
	other = run;
	other.byte_order = 0x04030201;
	put(fd, &other, sizeof(other), 0);
	ck_assert_int_eq(reader_open(&r, fd), -1);
	ck_assert_ptr_nonnull(strstr(r.error, "byte order"));
	close(fd);
}
END_TEST

static uint64_t blocks(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks;
}

/* A part of the file, as a process maps it; nothing of it is read by that. */
static struct source_part map(int fd, uint64_t offset, size_t size, int protection)
{
	void *p = mmap(NULL, size, protection, MAP_SHARED, fd, (off_t)offset);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return (struct source_part){ offset, size, (uintptr_t)p };
}

/* A process writes before it reads: what it has written, its page tables have. */
static void touch(const struct source_part *p, int fd)
{
	uint64_t at = p->offset, end = at + p->size;

	while ((at = (uint64_t)lseek(fd, (off_t)at, SEEK_DATA)) < end) {
		volatile char *c = (char *)(uintptr_t)(p->address + at - p->offset);

		*c = *c;
		at += 4096;
	}
}

/*
 * Through the memory of a process (this one): the same numbers, no page more,
 * neither for holes nor for what the process may not touch itself.
 */
START_TEST(through_memory)
{
	struct source_part *parts = calloc(5, sizeof(*parts));
	int fd = good_segment(), i;
	uint64_t before;
	struct mh_snapshot s;
	struct source source;
	struct mh_area a;
	struct reader r;

	ck_assert_int_eq(reader_open(&r, fd), 0);
	ck_assert_int_eq(reader_read(&r, r.run.areas_offset, &a, sizeof(a)), 0);
	parts[3] = map(fd, 0, r.run.areas_offset, PROT_READ | PROT_WRITE);
	parts[2] = map(fd, r.run.areas_offset, a.shards_offset, PROT_READ | PROT_WRITE);
	parts[1] = map(fd, r.run.areas_offset + a.shards_offset, 2 * a.shard_stride,
		       PROT_READ | PROT_WRITE);
	/* never opened by the process */
	parts[0] = map(fd, r.run.areas_offset + a.shards_offset + 2 * a.shard_stride,
		       a.shard_stride, PROT_NONE);
	parts[4] = parts[3]; /* an enemy's: the same again */
	for (i = 1; i < 4; i++)
		touch(&parts[i], fd);
	before = blocks(fd);
	ck_assert_int_eq(source_memory(&source, getpid(), parts, 5), 0);
	ck_assert_uint_eq(source.part_count, 4);
	ck_assert_int_eq(reader_open_source(&r, &source), 0);
	ck_assert_int_eq(reader_snapshot(&r, 0, &s), 0);
	ck_assert_uint_eq(s.owner_count, 20);
	if (source.pagemap >= 0) {
		ck_assert_uint_eq(s.totals.live_bytes, 20 * 2 * 100);
		ck_assert_uint_eq(blocks(fd), before);
	}
	reader_free(&s);
	ck_assert_int_eq(reader_snapshot(&r, 1, &s), -1); /* nowhere mapped: zeros */
	source_close(&source);
	close(fd);
}
END_TEST

/* What the tool says of a process with such a descriptor: one line, status 1. */
START_TEST(the_tool_on_garbage)
{
	static const char junk[8192] = "junk";
	char *tool = getenv("MEMHOOK_TOOL"), command[512], line[256] = "";
	int fd = memfd_create(MH_SEGMENT_NAME, 0);
	FILE *p;

	if (!tool)
		return;
	put(fd, junk, sizeof(junk), 0);
	snprintf(command, sizeof(command), "'%s' stat %d 2>&1", tool, getpid());
	p = popen(command, "r");
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), p));
	ck_assert_ptr_nonnull(strstr(line, "not a memhook segment"));
	ck_assert_ptr_null(fgets(line, sizeof(line), p));
	ck_assert_int_eq(WEXITSTATUS(pclose(p)), 1);
	close(fd);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("reader");

	tcase_add_test(c, a_good_segment);
	tcase_add_test(c, a_shard_that_was_not_there_yet);
	tcase_add_test(c, replaced_words);
	tcase_add_test(c, no_segment_at_all);
	tcase_add_test(c, other_versions);
	if (memory_is_true())
		tcase_add_test(c, through_memory);
	tcase_add_test(c, the_tool_on_garbage);
	return run_case(c);
}
