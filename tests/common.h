/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the Check programs share.  Check allocates for itself and forks: look
 * at the change of an owner that the test made, never at totals.
 */
#ifndef TESTS_COMMON_H
#define TESTS_COMMON_H

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memhook.h>

/* Sizes and blocks that gcc must not reason about. */
static inline size_t opaque(size_t n)
{
	volatile size_t v = n;

	return v;
}

static inline struct memhook_stats stats_of(memhook_owner owner)
{
	struct memhook_stats s = { .size = sizeof(s) };

	ck_assert_int_eq(memhook_stats(owner, &s), 0);
	return s;
}

/* An owner with nothing charged to it yet. */
static inline memhook_owner fresh_owner(const char *name)
{
	memhook_owner owner = memhook_owner_create(name);

	ck_assert(owner != MEMHOOK_NOBODY);
	ck_assert_uint_eq(stats_of(owner).alloc_calls, 0);
	return owner;
}

#define ck_holds(owner, bytes, blocks)                                        \
	do {                                                                  \
		struct memhook_stats s_ = stats_of(owner);                    \
		ck_assert_uint_eq(s_.live_bytes, (bytes));                    \
		ck_assert_uint_eq(s_.live_blocks, (blocks));                  \
	} while (0)

/* A peak from `low` to `high`, where each of so many threads may be 64 KiB off. */
#define ck_peaks(owner, threads, low, high)                                   \
	do {                                                                  \
		const uint64_t off_ = (threads) * UINT64_C(65536);            \
		const uint64_t peak_ = stats_of(owner).peak_bytes;            \
		ck_assert_uint_ge(peak_, (low) - off_);                       \
		ck_assert_uint_le(peak_, (high) + off_);                      \
	} while (0)

/* Runs a suite of one case; CK_FORK=no helps under a debugger. */
static inline int run_case_within(TCase *c, double seconds)
{
	Suite *s = suite_create("memhook");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, seconds);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int run_case(TCase *c)
{
	return run_case_within(c, 120);
}

#endif /* TESTS_COMMON_H */
