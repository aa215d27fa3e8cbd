/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads' caches of freed blocks may hold: the default, other
 * budgets, none; what bad values are told; what a thread's end, malloc_trim
 * and fork leave.  Linked with the archive, to ask for the caches alone.
 */
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"
#include "again.h"
#include "cache.h"
#include "process.h"
#include "thread.h"

static uint64_t cached(const struct mh_hot *h)
{
	return mh_tally_cached(h->tally, mh_settings.cache_bytes);
}

static uint64_t worst; /* of one thread: what its cache held at most */

static void look(void)
{
	if (worst < cached(mh_hot))
		worst = cached(mh_hot);
}

static void many(size_t size)
{
	static __thread void *block[100];
	size_t i;

	for (i = 0; i < 100; i++) {
		block[i] = malloc(opaque(size));
		look();
	}
	for (i = 0; i < 100; i++) {
		free(block[i]);
		look();
	}
}

/*
 * More than the calling thread's cache takes, of every size it has.  Whenever
 * it is full, the half of it goes.
 */
static void *fill(void *arg)
{
	size_t size;

	for (size = 0; size <= MH_CACHED_MAX; size += 16 + size / 8)
		many(size);
	many(1000);
	many(500);
	return arg;
}

static struct again with_budget(const char *budget)
{
	return run_again("MEMHOOK_CACHE", budget);
}

/* In main(), before Check: what one thread has. */
static int say_what_is_held(void)
{
	pthread_t t;
	int i;

	if (pthread_create(&t, NULL, fill, NULL) || pthread_join(t, NULL))
		return 1;
	fill(NULL);
	malloc_trim(0);
	fill(NULL);
	for (i = 0; i < 10; i++)
		many(100);
	return answer_with((unsigned long)worst);
}

START_TEST(budgets)
{
	static const struct {
		const char *budget;
		uint64_t most;
	} want[] = {
		{ NULL, 65536 }, { "65536", 65536 }, { "64K", 65536 }, { "0", 0 },
		{ "4096", 4096 }, { "8K", 8192 }, { "200000", 200000 },
		{ "1024K", 1048576 }, { "1048576", 1048576 }, { "16", 16 },
		{ "1000", 1000 },
	};
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(*want); i++) {
		struct again a = with_budget(want[i].budget);

		ck_assert_str_eq(a.said, "");
		ck_assert_uint_le(a.answer, want[i].most);
		/* Whole blocks, in proportion: but it is used. */
		if (want[i].most > 16)
			ck_assert_uint_ge(a.answer, want[i].most / 4);
	}
}
END_TEST

START_TEST(bad_budgets_are_named_and_passed_over)
{
	static const char *const bad[] = { "", "-1", "1048577", "1025K", "64k", "64KB", " 5",
					   "lots", "18446744073709551616",
					   "18014398509481984K" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct again a = with_budget(bad[i]);

		ck_assert_str_eq(a.said,
				 "memhook: MEMHOOK_CACHE: not a number of bytes from 0 to "
				 "1048576: it stays at 65536\n");
		ck_assert_uint_gt(a.answer, 16384);
		ck_assert_uint_le(a.answer, 65536);
	}
}
END_TEST

static void *fill_mine(void *arg)
{
	struct mh_hot **mine = arg;

	fill(NULL);
	*mine = mh_hot;
	return cached(*mine) > 16384 ? arg : NULL;
}

START_TEST(a_threads_end_returns_them)
{
	struct mh_hot *theirs = NULL;
	void *was_full;
	pthread_t t;

	pthread_create(&t, NULL, fill_mine, &theirs);
	pthread_join(t, &was_full);
	ck_assert_ptr_nonnull(was_full);
	ck_assert_ptr_ne(theirs, mh_attach());
	ck_assert_uint_eq(cached(theirs), 0);
}
END_TEST

START_TEST(trim_empties_the_callers)
{
	uint64_t full, empty;

	fill(NULL);
	full = mh_caches_bytes();
	malloc_trim(0);
	empty = mh_caches_bytes();
	ck_assert_uint_gt(full, 16384);
	ck_assert_uint_eq(empty, 0);
}
END_TEST

static pthread_barrier_t full, trimmed, freed;

static void *fill_and_free_one(void *arg)
{
	void *one = malloc(opaque(100));

	fill(NULL);
	*(struct mh_hot **)arg = mh_hot;
	pthread_barrier_wait(&full);
	pthread_barrier_wait(&trimmed);
	free(one);
	pthread_barrier_wait(&freed);
	pthread_barrier_wait(&trimmed);
	return NULL;
}

/* Others are asked to, and do with their next free, not before. */
START_TEST(trim_reaches_other_threads)
{
	struct mh_hot *theirs;
	pthread_t t;

	pthread_barrier_init(&full, NULL, 2);
	pthread_barrier_init(&trimmed, NULL, 2);
	pthread_barrier_init(&freed, NULL, 2);
	pthread_create(&t, NULL, fill_and_free_one, &theirs);
	pthread_barrier_wait(&full);
	malloc_trim(0);
	ck_assert_uint_gt(cached(theirs), 16384);
	pthread_barrier_wait(&trimmed);
	pthread_barrier_wait(&freed);
	ck_assert_uint_le(cached(theirs), 128);
	pthread_barrier_wait(&trimmed);
	pthread_join(t, NULL);
}
END_TEST

START_TEST(a_child_has_none)
{
	int status;
	pid_t pid;

	fill(NULL);
	ck_assert_uint_gt(mh_caches_bytes(), 16384);
	pid = fork();
	if (pid == 0) {
		if (cached(mh_attach()) != 0)
			_exit(1);
		fill(NULL);
		if (mh_caches_bytes() < 16384 || mh_caches_bytes() > 65536)
			_exit(2);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c;

	(void)argv;
	if (argc > 1)
		return say_what_is_held();
	c = tcase_create("caches");
	tcase_add_test(c, budgets);
	tcase_add_test(c, bad_budgets_are_named_and_passed_over);
	tcase_add_test(c, a_threads_end_returns_them);
	tcase_add_test(c, trim_empties_the_callers);
	tcase_add_test(c, trim_reaches_other_threads);
	tcase_add_test(c, a_child_has_none);
	return run_case(c);
}
