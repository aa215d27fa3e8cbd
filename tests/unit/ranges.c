/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the allocator's memory and ours lie, as noted when it is mapped, and
 * what the caches hold.  Linked with the archive, for the hidden functions.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"
#include "cache.h"
#include "process.h"
#include "ranges.h"
#include "thread.h"

static uint64_t in_ranges(const struct mh_range *r, uint32_t n, uintptr_t start,
			  uintptr_t end)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint64_t from = r[i].start & ~MH_RANGE_IS_OWN, to = r[i].end;

		from = from > start ? from : start;
		to = to < end ? to : end;
		bytes += r[i].start && from < to ? to - from : 0;
	}
	return bytes;
}

#define PAGE UINT64_C(4096)
/* Where nothing else is mapped. */
#define PLACE ((uintptr_t)1 << (sizeof(uintptr_t) > 4 ? 40 : 28))
#define AT(n) ((void *)(uintptr_t)(PLACE + (n) * PAGE))

/* How much of the 4096 pages from AT(0) on is noted, here and for readers. */
static uint64_t noted_pages(void)
{
	uint32_t n;
	const struct mh_range *own = mh_ranges(&n);
	uint64_t pages = in_ranges(own, n, (uintptr_t)AT(0), (uintptr_t)AT(4096)) / PAGE;

	ck_assert_uint_eq(pages, in_ranges(mh_area_ranges(mh_area), MH_RANGES_MAX,
					   (uintptr_t)AT(0), (uintptr_t)AT(4096)) / PAGE);
	return pages;
}

START_TEST(ranges_grow_split_and_go)
{
	uint32_t before, after;

	mh_ranges(&before);
	mh_range_add(AT(100), 10 * PAGE, MH_RANGE_HEAP);
	mh_range_add(AT(110), 10 * PAGE, MH_RANGE_HEAP); /* above it */
	mh_range_add(AT(90), 10 * PAGE, MH_RANGE_HEAP);  /* below it */
	mh_ranges(&after);
	ck_assert_uint_le(after, before + 1);
	ck_assert_uint_eq(noted_pages(), 30);
	mh_range_add(AT(120), 10 * PAGE, MH_RANGE_OWN);
	ck_assert_uint_eq(noted_pages(), 40);
	mh_range_remove(AT(95), 10 * PAGE); /* out of the middle */
	ck_assert_uint_eq(noted_pages(), 30);
	mh_range_remove(AT(80), 12 * PAGE); /* an end, and what is not there */
	mh_range_remove(AT(118), 4 * PAGE); /* an end and a beginning */
	ck_assert_uint_eq(noted_pages(), 3 + 13 + 8);
	mh_range_remove(AT(0), 200 * PAGE);
	ck_assert_uint_eq(noted_pages(), 0);
}
END_TEST

START_TEST(a_full_table_counts_what_it_lost)
{
	unsigned i;

	for (i = 0; i < MH_RANGES_MAX; i++)
		mh_range_add(AT(2 * i), PAGE, MH_RANGE_HEAP);
	ck_assert_uint_gt(mh_area->ranges_lost, 0);
	ck_assert_uint_eq(noted_pages() + mh_area->ranges_lost, MH_RANGES_MAX);
	mh_range_remove(AT(0), 4096 * PAGE);
	ck_assert_uint_eq(noted_pages(), 0);
}
END_TEST

START_TEST(what_the_backend_maps_is_noted)
{
	size_t size = 64 << 20;
	void *p = malloc(size);
	uint32_t n;
	const struct mh_range *r = mh_ranges(&n);

	ck_assert_uint_eq(in_ranges(r, n, (uintptr_t)p, (uintptr_t)p + size), size);
	free(p);
	ck_assert_uint_eq(in_ranges(r, n, (uintptr_t)mh_hot, (uintptr_t)(mh_hot + 1)),
			  sizeof(*mh_hot));
}
END_TEST

/* The child has an area of its own, with what it was born with. */
START_TEST(ranges_of_a_child)
{
	uint64_t at_fork;
	pid_t pid;
	int status;

	mh_range_add(AT(100), 10 * PAGE, MH_RANGE_HEAP);
	at_fork = noted_pages();
	pid = fork();
	if (pid == 0) {
		mh_range_add(AT(300), 5 * PAGE, MH_RANGE_HEAP);
		_exit(noted_pages() == at_fork + 5 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(noted_pages(), at_fork);
	/* Nor does a child without fork handlers write into its parent's. */
	pid = (pid_t)syscall(SYS_fork);
	if (pid == 0) {
		mh_range_add(AT(300), 5 * PAGE, MH_RANGE_HEAP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_uint_eq(noted_pages(), at_fork);
	mh_range_remove(AT(0), 4096 * PAGE);
}
END_TEST

/* Threads that map and unmap: in the end all is as it was. */
static void *map_and_unmap(void *arg)
{
	uintptr_t first = (uintptr_t)arg;
	unsigned i;

	for (i = 0; i < 2000; i++) {
		mh_range_add(AT(first), 16 * PAGE, MH_RANGE_HEAP);
		mh_range_remove(AT(first + 4), 8 * PAGE);
		mh_range_remove(AT(first), 16 * PAGE);
	}
	return NULL;
}

START_TEST(ranges_of_many_threads)
{
	pthread_t t[4];
	uintptr_t i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, map_and_unmap,
						(void *)(i * 16)), 0);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(noted_pages(), 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("ranges");

	mh_attach();
	tcase_add_test(c, ranges_grow_split_and_go);
	tcase_add_test(c, a_full_table_counts_what_it_lost);
	tcase_add_test(c, what_the_backend_maps_is_noted);
	tcase_add_test(c, ranges_of_a_child);
	tcase_add_test(c, ranges_of_many_threads);
	return run_case(c);
}
