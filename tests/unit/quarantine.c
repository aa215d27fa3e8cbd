/* SPDX-License-Identifier: BSD-2-Clause */
/* What freed blocks wait in with MEMHOOK_CHECK=on, and for how long. */
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include "../common.h"
#include "again.h"
#include "checks.h"
#include "process.h"
#include "quarantine.h"

/* In the middle of a class of which eight blocks wait. */
#define SIZE 1600
#define WAIT 8

static void make(char **blocks, int n)
{
	while (n--)
		*blocks++ = malloc(opaque(SIZE));
}

static int is_one_of(char **blocks, int n, const char *block)
{
	while (n--)
		if (*blocks++ == block)
			return 1;
	return 0;
}

/* Each waits for eight others, and serves when it is ready, the last one first. */
START_TEST(who_waited_serves)
{
	char *block[2 * WAIT], *more[100];
	int i;

	make(more, 100); /* whatever is ready is served */
	make(block, 2 * WAIT);
	for (i = 0; i < 2 * WAIT; i++)
		free(block[i]);
	for (i = WAIT; i--;)
		ck_assert_ptr_eq(malloc(opaque(SIZE)), block[i]);
	ck_assert(!is_one_of(block + WAIT, WAIT, malloc(opaque(SIZE))));
}
END_TEST

/* Bytes that its rings hold, by its tally. */
static uint64_t by_tally(void)
{
	return mh_tally_cached(mh_hot->tally, mh_settings.cache_bytes);
}

/* What there was most, of these and before. */
static uint64_t many(size_t size, size_t align, uint64_t most)
{
	enum { N = 700 };
	static __thread void *block[N];
	int i;

	for (i = 0; i < N; i++)
		block[i] = align ? memalign(align, size) : malloc(size);
	for (i = 0; i < N; i++) {
		free(block[i]);
		if (by_tally() > most)
			most = by_tally();
	}
	return most;
}

/* Of every size, and some alignments. */
static uint64_t churn(void)
{
	uint64_t most = 0;
	size_t size;

	for (size = 1; size < 40000; size += 16 + size / 8)
		most = many(size, 0, most);
	most = many(100, 64, most);
	return many(5000, 4096, most);
}

static void *count(void *held)
{
	uint64_t said;

	ck_assert_uint_le(churn(), mh_settings.cache_bytes);
	said = by_tally();
	/* The tally has what the rings have. */
	mh_hot->tally = mh_tally_start(mh_settings.cache_bytes) +
			(uint64_t)mh_tally_net(mh_hot->tally);
	mh_quarantine_attach(mh_hot);
	ck_assert_uint_eq(by_tally(), said);
	*(uint64_t *)held = said;
	return NULL;
}

START_TEST(what_waits_is_counted_and_bounded)
{
	uint64_t held[2] = { 0 };
	pthread_t t;
	int i;

	/* The second goes on with what the first left. */
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&t, NULL, count, &held[i]), 0);
		ck_assert_int_eq(pthread_join(t, NULL), 0);
		ck_assert_uint_gt(held[i], mh_settings.cache_bytes / 8);
		ck_assert_uint_ge(mh_quarantine_bytes(), held[i]);
	}
	count(&held[0]);
}
END_TEST

static size_t filled(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && p[i] == (char)MH_FILL; i++)
		;
	return i;
}

/* Served to other sizes of their class, they are filled all the same. */
START_TEST(blocks_are_filled_whoever_had_them)
{
	unsigned seed = 1;
	int i;

	for (i = 0; i < 200000; i++) {
		size_t size = 1 + (size_t)rand_r(&seed) % 700, part = size;
		char *p = malloc(size);

		if (size > MH_FILL_MAX - 24)
			part = MH_FILL_MAX / 2 - 24;
		ck_assert_uint_eq(filled(p, part), part);
		ck_assert_uint_eq(filled(p + size - part, part), part);
		memset(p, i, size);
		free(p);
	}
}
END_TEST

/* Of another process, whose setting it is. */
static struct again budget(const char *text)
{
	return run_again("MEMHOOK_QUARANTINE", text);
}

START_TEST(budgets)
{
	static const char *const bad[] = { "", "0", "15K", "16385K", "1M", "-1", "many" };
	struct again a = budget("16K");
	size_t i;

	ck_assert_uint_eq(a.answer, 16384);
	ck_assert_str_eq(a.said, "");
	a = budget("16777216");
	ck_assert_uint_eq(a.answer, 16777216);
	ck_assert_str_eq(a.said, "");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		a = budget(bad[i]);
		ck_assert_uint_eq(a.answer, 524288);
		ck_assert_str_eq(a.said, "memhook: MEMHOOK_QUARANTINE: not a number of bytes"
					 " from 16384 to 16777216: it stays at 524288\n");
	}
}
END_TEST

static int say_budget(void)
{
	unsigned long answer = mh_settings.cache_bytes;

	if (churn() > answer)
		return 1;
	return answer_with(answer);
}

int main(int argc, char **argv)
{
	TCase *c = tcase_create("quarantine");

	if (!getenv("MEMHOOK_CHECK")) {
		setenv("MEMHOOK_CHECK", "on", 1);
		execv("/proc/self/exe", argv);
		return 99;
	}
	if (argc > 1)
		return say_budget();
	tcase_add_test(c, who_waited_serves);
	tcase_add_test(c, what_waits_is_counted_and_bounded);
	tcase_add_test(c, blocks_are_filled_whoever_had_them);
	tcase_add_test(c, budgets);
	return run_case(c);
}
