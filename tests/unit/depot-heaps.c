/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a depot does with a heap that is larger than it, with larger blocks, with a thread
 * that but frees, and with what is needed all the time.  Linked with the archive.
 */
#include <malloc.h>
#include <pthread.h>

#include "cache.h"
#include "many.h"

/* A large heap gets all of it back from the backend, in order; a smaller one does not. */
START_TEST(an_overrun_one_is_emptied)
{
	make_and_drop(100, MANY);
	ck_assert_uint_gt(mh_depots_bytes(), MH_DEPOT_ROOM / 8 * 7);
	make_and_drop(100, MORE);
	ck_assert_uint_lt(mh_depots_bytes(), MH_DEPOT_ROOM / 8);
	make_and_drop(100, MANY);
	ck_assert_uint_gt(mh_depots_bytes(), MH_DEPOT_ROOM / 8 * 7);
}
END_TEST

/* A dozen of each are the backend's, however often they come and go. */
START_TEST(few_larger_ones_do_not_come)
{
	int turns;

	for (turns = 0; turns < 100; turns++) {
		make_and_drop(1100, 34);
		make_and_drop(10000, 16);
		make_and_drop(40000, 100); /* nor do those, ever */
	}
	ck_assert_uint_eq(mh_depots_bytes(), 0);
}
END_TEST

static void many_come(size_t size, size_t n)
{
	uint64_t held;

	make_and_drop(size, n);
	held = mh_depots_bytes();
	ck_assert_uint_gt(held, (n - 64) * size);
	make(size, n);
	ck_assert(blocks_are_distinct(n));
	ck_assert_uint_lt(mh_depots_bytes(), held / 8);
	drop(n);
	ck_assert_uint_ge(mh_depots_bytes(), held / 8 * 7);
	malloc_trim(0);
}

START_TEST(many_larger_ones_come)
{
	many_come(1100, 1000);
	many_come(5000, 300);
	many_come(30000, 66);
}
END_TEST

/* What is needed each time is not swept, whatever else comes and goes. */
START_TEST(what_is_needed_stays)
{
	uint64_t held;
	int turns;

	make_and_drop(100, 10000);
	held = mh_depots_bytes();
	for (turns = 0; turns < 300; turns++) {
		make_and_drop(100, 10000);
		make_and_drop(400, 300);
	}
	ck_assert_uint_ge(mh_depots_bytes(), held);
	make(100, 10000);
	ck_assert(blocks_are_distinct(10000));
	ck_assert_uint_lt(mh_depots_bytes(), held / 4);
}
END_TEST

/* Of each class there is. */
START_TEST(larger_ones_are_swept)
{
	int turns = 0;

	make_and_drop(5000, 300);
	ck_assert_uint_gt(mh_depots_bytes(), 1 << 20);
	while (mh_depots_bytes() > 1 << 20 && ++turns < 20000)
		make_and_drop(500, 250);
	ck_assert_int_lt(turns, 20000);
}
END_TEST

static void *drop_more(void *arg)
{
	free(malloc(opaque(500))); /* once it has asked, too */
	drop(MORE);
	return arg;
}

/* For others to fetch: it will not build such a heap itself. */
START_TEST(a_thread_that_but_frees_keeps_it)
{
	pthread_t t;

	make(100, MORE);
	ck_assert_uint_eq(mh_depots_bytes(), 0);
	pthread_create(&t, NULL, drop_more, NULL);
	pthread_join(t, NULL);
	ck_assert_uint_gt(mh_depots_bytes(), MH_DEPOT_ROOM / 16 * 15);
}
END_TEST

START_TEST(trim_lets_it_begin_anew)
{
	static void *before[5000];
	size_t i;

	for (i = 0; i < 5000; i++)
		before[i] = malloc(opaque(100));
	make_and_drop(100, MORE);
	make_and_drop(100, MORE);
	malloc_trim(0);
	for (i = 0; i < 5000; i++)
		free(before[i]);
	ck_assert_uint_gt(mh_depots_bytes(), 4000 * 128);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("depot-heaps");

	tcase_add_test(c, an_overrun_one_is_emptied);
	tcase_add_test(c, few_larger_ones_do_not_come);
	tcase_add_test(c, many_larger_ones_come);
	tcase_add_test(c, what_is_needed_stays);
	tcase_add_test(c, larger_ones_are_swept);
	tcase_add_test(c, a_thread_that_but_frees_keeps_it);
	tcase_add_test(c, trim_lets_it_begin_anew);
	return run_case(c);
}
