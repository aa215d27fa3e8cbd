/* SPDX-License-Identifier: BSD-2-Clause */
/* The build without jemalloc: each call's documented inactive answer. */
#include <unistd.h>

#include "common.h"

static int called;

static int count(const struct memhook_stats *s, void *arg)
{
	(void)s;
	(void)arg;
	return ++called;
}

static memhook_owner never(void *arg)
{
	(void)arg;
	called++;
	return MEMHOOK_NOBODY;
}

static void limit(memhook_owner owner, uint64_t live_bytes, void *arg)
{
	(void)owner;
	(void)live_bytes;
	(void)arg;
	called++;
}

static void told(void *block, size_t bytes, memhook_owner owner, const void *caller,
		 void *arg)
{
	(void)block;
	(void)caller;
	limit(owner, bytes, arg);
}

#define INACTIVE(call)                                                        \
	do {                                                                  \
		errno = 0;                                                    \
		ck_assert_int_eq((call), -1);                                 \
		ck_assert_int_eq(errno, ENOSYS);                              \
	} while (0)

START_TEST(inactive_answers)
{
	struct memhook_stats s = { .size = sizeof(s) };
	struct memhook_block b = { .size = sizeof(b) };
	struct memhook_observer o = { .size = sizeof(o), .on_alloc = told };
	memhook_owner owner = 12345;
	char *p;

	ck_assert_int_eq(memhook_active(), 0);
	ck_assert_str_eq(memhook_version(), MEMHOOK_VERSION);
	errno = 0;
	ck_assert_uint_eq(memhook_owner_create("x"), MEMHOOK_NOBODY);
	ck_assert_int_eq(errno, ENOSYS);
	INACTIVE(memhook_owner_retire(MEMHOOK_NOBODY));
	ck_assert_uint_eq(memhook_enter(MEMHOOK_NOBODY), MEMHOOK_AUTO);
	memhook_leave(MEMHOOK_AUTO);
	ck_assert_uint_eq(memhook_current(), MEMHOOK_AUTO);
	p = malloc(10);
	INACTIVE(memhook_transfer(p, MEMHOOK_NOBODY));
	memhook_set_resolver(never, NULL);
	INACTIVE(memhook_stats(MEMHOOK_NOBODY, &s));
	INACTIVE(memhook_totals(&s));
	ck_assert_int_eq(memhook_each(count, NULL), 0);
	INACTIVE(memhook_limit(MEMHOOK_NOBODY, 1, 2, limit, NULL));
	INACTIVE(memhook_observe(&o));
	INACTIVE(memhook_unobserve(&o));
	INACTIVE(memhook_inspect(p, &b));
	INACTIVE(memhook_report(1, MEMHOOK_TEXT));
	p = memhook_lalloc(&owner, p, 10, 20);
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_null(memhook_lalloc(&owner, p, 20, opaque(SIZE_MAX) - 1));
	ck_assert_ptr_eq(memhook_lalloc(&owner, p, SIZE_MAX, opaque(SIZE_MAX) - 1), p);
	ck_assert_ptr_null(memhook_lalloc(NULL, p, 20, 0));
	p = memhook_strdup("abc");
	ck_assert_str_eq(p, "abc");
	free(p);
	ck_assert_int_eq(called, 0);
}
END_TEST

START_TEST(the_dump_says_so)
{
	char text[64] = "";
	int fd[2], saved = dup(1);

	ck_assert_int_eq(pipe(fd), 0);
	fflush(stdout);
	dup2(fd[1], 1);
	memhook_dump(text);
	dup2(saved, 1);
	ck_assert_int_gt(read(fd[0], text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "not use jemalloc\n");
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("passthrough");

	tcase_add_test(c, inactive_answers);
	tcase_add_test(c, the_dump_says_so);
	return run_case(c);
}
