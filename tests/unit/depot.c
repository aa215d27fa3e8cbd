/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lies ready for all threads beyond what each one's cache may hold: that it is
 * served again, which blocks, how many bytes; who gets it; and what is given back
 * when.  Linked with the archive, to ask for the depots alone.
 */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"
#include "again.h"
#include "cache.h"
#include "many.h"
#include "process.h"
#include "thread.h"

/* Blocks for such a request that this thread's depot has. */
static uint32_t ready(size_t size)
{
	struct mh_depot *d = mh_depot_there(((struct mh_line *)mh_hot)->shard);

	return d->shelf[mh_bin(mh_cache(mh_hot), size)->number].count;
}

static int by_address(const void *a, const void *b)
{
	const char *p = *(char *const *)a, *q = *(char *const *)b;

	return (p > q) - (p < q);
}

/* All of them, and nothing else: the backend was not asked for one. */
START_TEST(the_same_blocks_come_back)
{
	static void *before[5000];
	uint64_t held;
	size_t i;

	make(100, 5000);
	memcpy(before, block, sizeof(before));
	qsort(before, 5000, sizeof(*before), by_address);
	drop(5000);
	held = mh_depots_bytes();
	ck_assert_uint_ge(held, 5000 * 128 - MH_CACHE_ROOM);
	ck_assert_uint_le(held, 5000 * 128);
	ck_assert_uint_ge(mh_depots_own_bytes(), held / 128 * sizeof(void *));
	make(100, 5000);
	for (i = 0; i < 5000; i++)
		ck_assert_ptr_nonnull(bsearch(&block[i], before, 5000, sizeof(*before),
					      by_address));
	ck_assert_uint_lt(mh_depots_bytes(), MH_CACHE_ROOM);
}
END_TEST

/* Zeroed and aligned ones, and those that realloc wants, come from there as well. */
START_TEST(every_way_leads_there)
{
	uint64_t held;
	size_t i;

	make(100, 5000);
	for (i = 0; i < 5000; i++)
		memset(block[i], 0xff, 100);
	drop(5000);
	held = mh_depots_bytes();
	for (i = 0; i < 1000; i++) {
		static const char zeros[100];

		block[i] = calloc(opaque(1), 100);
		ck_assert_mem_eq(block[i], zeros, 100);
	}
	ck_assert_uint_lt(mh_depots_bytes(), held - 64 * 1024);
	held = mh_depots_bytes();
	for (i = 0; i < 1000; i++)
		block[i] = realloc(malloc(opaque(10)), 100);
	ck_assert_uint_lt(mh_depots_bytes(), held - 64 * 1024);
	held = mh_depots_bytes();
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(posix_memalign(&block[i], 32, 80), 0);
	ck_assert_uint_lt(mh_depots_bytes(), held - 64 * 1024);
	held = mh_depots_bytes();
	drop(1000);
	ck_assert_uint_gt(mh_depots_bytes(), held);
	make_and_drop(200, 2000); /* for realloc to find some ready */
	make(100, 5000);
	held = ready(100);
	for (i = 0; i < 1000; i++)
		block[i] = realloc(block[i], 200);
	ck_assert_uint_gt(ready(100), held);
}
END_TEST

/* What comes from all over the heap, as after a sort, may have a quarter of it. */
START_TEST(disorder_has_a_quarter)
{
	size_t i;

	make(100, MANY);
	for (i = 0; i < MANY; i++) /* 7919 is prime, and divides no 30000 */
		free(block[i * 7919 % MANY]);
	ck_assert_uint_gt(mh_depots_bytes(), MH_DEPOT_ROOM / 8);
	ck_assert_uint_le(mh_depots_bytes(), MH_DEPOT_ROOM / 4);
	make_and_drop(100, MANY);
	ck_assert_uint_gt(mh_depots_bytes(), MH_DEPOT_ROOM / 2);
}
END_TEST

#define THREADS 4
#define CROWD "TEST_OF_A_CROWD"
#define FEW 10000 /* for 1 MiB */

static pthread_barrier_t dropped;

static void *make_drop_and_wait(void *arg)
{
	static __thread void *mine[FEW];
	size_t i;

	for (i = 0; i < FEW; i++)
		mine[i] = malloc(opaque(100));
	for (i = 0; i < FEW; i++)
		free(mine[i]);
	pthread_barrier_wait(&dropped);
	return arg;
}

/* Each at a time has what would fill one. */
static void crowd(void)
{
	pthread_t t[THREADS];
	int i;

	pthread_barrier_init(&dropped, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, make_drop_and_wait, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* More than there is room for, but not twice as much. */
static void fill(size_t size)
{
	size_t bytes = MH_CACHE_ROOM + mh_settings.depot_bytes / 2 * 3;
	size_t n = bytes / (size + MH_COOKIE_SIZE);

	make_and_drop(size, n < MORE ? n : MORE);
}

/* None lies in the places of two classes. */
static int small_blocks_are_distinct(void)
{
	size_t i;

	for (i = 0; i < MANY; i++)
		block[i] = malloc(opaque(i % 3 ? 8 : 40));
	return blocks_are_distinct(MANY);
}

static int say_what_is_held(void)
{
	uint64_t held;
	size_t size;

	if (getenv(CROWD)) {
		crowd();
		return answer_with((unsigned long)mh_depots_bytes());
	}
	fill(40);
	for (size = 1; size < 1000; size += 1 + size / 4)
		fill(size);
	fill(1000);
	held = mh_depots_bytes();
	if (!small_blocks_are_distinct())
		abort();
	return answer_with((unsigned long)held);
}

START_TEST(budgets)
{
	static const struct {
		const char *budget;
		uint64_t most;
	} want[] = {
		{ NULL, 2 << 20 }, { "0", 0 }, { "65536", 65536 }, { "1024K", 1 << 20 },
		{ "16384K", 16 << 20 }, { "70000", 70000 }, { "100000", 100000 },
	};
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(*want); i++) {
		struct again a = run_again("MEMHOOK_DEPOT", want[i].budget);

		ck_assert_str_eq(a.said, "");
		ck_assert_uint_le(a.answer, want[i].most);
		ck_assert_uint_ge(a.answer, want[i].most / 2);
	}
}
END_TEST

static void use_one_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* For each processor that the process starts with, not for each thread. */
START_TEST(all_have_one_bound)
{
	struct again a;

	use_one_processor();
	setenv(CROWD, "1", 1);
	a = run_again("MEMHOOK_DEPOT", "1024K");
	ck_assert_str_eq(a.said, "");
	ck_assert_uint_le(a.answer, 1 << 20);
	ck_assert_uint_ge(a.answer, 1 << 19);
}
END_TEST

START_TEST(bad_budgets_are_named_and_passed_over)
{
	static const char *const bad[] = { "", "-1", "16385K", "1M", "lots" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct again a = run_again("MEMHOOK_DEPOT", bad[i]);

		ck_assert_str_eq(a.said,
				 "memhook: MEMHOOK_DEPOT: not a number of bytes from 0 to "
				 "16777216: it stays at 2097152\n");
		ck_assert_uint_gt(a.answer, 1 << 20);
	}
}
END_TEST

/* Without caches there is nothing that they have no room for. */
START_TEST(none_without_caches)
{
	ck_assert_uint_eq(run_again("MEMHOOK_CACHE", "0").answer, 0);
}
END_TEST

START_TEST(trim_empties_them)
{
	make_and_drop(100, 5000);
	ck_assert_uint_gt(mh_depots_bytes(), 0);
	malloc_trim(0);
	ck_assert_uint_eq(mh_depots_bytes(), 0);
	make_and_drop(100, 5000);
	ck_assert_uint_gt(mh_depots_bytes(), 0);
}
END_TEST

static int child_fails(pid_t (*forks)(void), int (*child)(uint64_t held))
{
	uint64_t held;
	int status;
	pid_t pid;

	make_and_drop(100, 5000);
	held = mh_depots_bytes();
	ck_assert_uint_gt(held, 0);
	pid = forks();
	if (pid == 0)
		_exit(child(held));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_uint_eq(mh_depots_bytes(), held);
	return status;
}

static int has_them(uint64_t held)
{
	if (mh_depots_bytes() != held)
		return 1;
	make(100, 5000);
	if (mh_depots_bytes() > held / 4 || !blocks_are_distinct(5000))
		return 2;
	drop(5000);
	return mh_depots_bytes() < held / 2 ? 3 : 0;
}

static int has_none(uint64_t held)
{
	free(malloc(opaque(10))); /* who has left is noticed by the first call */
	if (mh_depots_bytes() != 0)
		return 1;
	make_and_drop(100, 5000);
	return mh_depots_bytes() < held / 2 ? 2 : 0;
}

START_TEST(a_child_has_them)
{
	ck_assert_int_eq(child_fails(fork, has_them), 0);
}
END_TEST

START_TEST(one_without_handlers_has_none)
{
	ck_assert_int_eq(child_fails(_Fork, has_none), 0);
}
END_TEST

/* What a child could not use would be lost, again with each generation. */
START_TEST(generations_do_not_add_up)
{
	size_t first, n;

	make_and_drop(100, 5000);
	first = mallinfo2().uordblks;
	for (n = 0; n < 20; n++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			make_and_drop(100, 5000);
			continue;
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (n == 0)
			ck_assert_int_eq(status, 0);
		else
			_exit(status != 0);
		return;
	}
	/* What a thread's cache holds is. */
	_exit(mallinfo2().uordblks > first + n * MH_CACHE_ROOM);
}
END_TEST

static void *drop_all(void *shard)
{
	drop(MANY);
	*(uint32_t *)shard = ((struct mh_line *)mh_hot)->shard;
	return NULL;
}

/* One thread makes, another frees: those blocks are for the first one again. */
START_TEST(the_full_one_of_others_is_used)
{
	uint32_t mine = ((struct mh_line *)mh_attach())->shard, theirs;
	uint64_t held;
	pthread_t t;

	make(100, MANY);
	pthread_create(&t, NULL, drop_all, &theirs);
	pthread_join(t, NULL);
	ck_assert_uint_ne(theirs % MH_DEPOTS, mine % MH_DEPOTS);
	held = mh_depots_bytes();
	ck_assert_uint_gt(held, MH_DEPOT_ROOM / 16 * 15);
	make(100, 5000);
	ck_assert_uint_lt(mh_depots_bytes(), held - 64 * 1024);
	/* But no more of them: theirs is not full any longer. */
	ck_assert_uint_gt(mh_depots_bytes(), MH_DEPOT_ROOM / 2);
}
END_TEST

START_TEST(what_nobody_needs_goes_back)
{
	uint64_t held;
	int turns = 0;

	make_and_drop(100, 5000);
	held = mh_depots_bytes();
	while (mh_depots_bytes() > held / 3 && ++turns < 20000)
		make_and_drop(500, 250);
	ck_assert_int_lt(turns, 20000);
	make(100, 5000);
	ck_assert(blocks_are_distinct(5000));
}
END_TEST

/* Nor does what fills it keep others out. */
START_TEST(a_full_one_makes_room)
{
	uint64_t held;
	int turns = 0;

	make_and_drop(100, MANY);
	held = mh_depots_bytes();
	ck_assert_uint_gt(held, MH_DEPOT_ROOM / 16 * 15);
	while (mh_depots_bytes() > held / 2 && ++turns < 1000)
		make_and_drop(500, 1000);
	ck_assert_int_lt(turns, 1000);
}
END_TEST

/* As when another thread was stopped in the midst of it. */
START_TEST(nobody_waits)
{
	struct mh_depot *d;
	uint64_t held;

	make_and_drop(100, 5000);
	d = mh_depot_of(((struct mh_line *)mh_hot)->shard);
	held = mh_depots_bytes();
	atomic_store(&d->busy, 1);
	make_and_drop(100, 5000);
	malloc_trim(0);
	ck_assert_uint_eq(mh_depots_bytes(), held);
	atomic_store(&d->busy, 0);
	make(100, 5000);
	ck_assert_uint_lt(mh_depots_bytes(), held);
}
END_TEST

/* A free does not touch errno, not even the one that has the memory mapped. */
START_TEST(errno_stays)
{
	make(100, 5000);
	errno = EXDEV;
	drop(5000);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_uint_gt(mh_depots_own_bytes(), 0);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c;

	(void)argv;
	if (argc > 1)
		return say_what_is_held();
	c = tcase_create("depot");
	tcase_add_test(c, the_same_blocks_come_back);
	tcase_add_test(c, every_way_leads_there);
	tcase_add_test(c, disorder_has_a_quarter);
	tcase_add_test(c, budgets);
	tcase_add_test(c, all_have_one_bound);
	tcase_add_test(c, bad_budgets_are_named_and_passed_over);
	tcase_add_test(c, none_without_caches);
	tcase_add_test(c, trim_empties_them);
	tcase_add_test(c, a_child_has_them);
	if (fork_wipes())
		tcase_add_test(c, one_without_handlers_has_none);
	tcase_add_test(c, generations_do_not_add_up);
	tcase_add_test(c, the_full_one_of_others_is_used);
	tcase_add_test(c, what_nobody_needs_goes_back);
	tcase_add_test(c, a_full_one_makes_room);
	tcase_add_test(c, nobody_waits);
	tcase_add_test(c, errno_stays);
	return run_case(c);
}
