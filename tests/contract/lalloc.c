/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook_lalloc by itself: the owner given, refusals, shrinking. */
#include "../common.h"

START_TEST(blocks_are_charged_to_the_owner_given)
{
	memhook_owner given = fresh_owner("lua given"), other = fresh_owner("lua other");
	memhook_owner was = memhook_enter(other), after;
	char *p = memhook_lalloc(&given, NULL, 5, 100), *q;

	q = memhook_lalloc(NULL, NULL, 5, 30);
	after = memhook_current();
	memhook_leave(was);
	ck_assert_uint_eq(after, other);
	ck_holds(given, 100, 1);
	ck_holds(other, 30, 1);
	/* Who made it keeps it. */
	p = memhook_lalloc(&other, p, 100, 200);
	q = memhook_lalloc(&given, q, 30, 3000);
	ck_holds(given, 200, 1);
	ck_holds(other, 3000, 1);
	ck_assert_ptr_null(memhook_lalloc(&other, p, 200, 0));
	ck_assert_ptr_null(memhook_lalloc(&given, q, 3000, 0));
	ck_holds(given, 0, 0);
	ck_holds(other, 0, 0);
	/* A handle that is not in force any more charges nobody. */
	ck_assert_int_eq(memhook_owner_retire(given), 0);
	p = memhook_lalloc(&given, NULL, 5, 100);
	ck_assert_ptr_nonnull(p);
	ck_holds(given, 0, 0);
	free(p);
}
END_TEST

START_TEST(growth_is_refused_and_never_a_shrink)
{
	memhook_owner o = fresh_owner("lua refused");
	size_t huge = opaque(SIZE_MAX) - 1;
	char *p = memhook_lalloc(&o, NULL, 5, 100);

	strcpy(p, "kept");
	errno = 0;
	ck_assert_ptr_null(memhook_lalloc(&o, NULL, 5, huge));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_ptr_null(memhook_lalloc(&o, p, 100, huge));
	ck_assert_uint_eq(memhook_current(), MEMHOOK_AUTO);
	ck_assert_str_eq(p, "kept");
	/* What Lua calls a shrink, and realloc refuses. */
	ck_assert_ptr_eq(memhook_lalloc(&o, p, SIZE_MAX, huge), p);
	ck_assert_ptr_null(memhook_lalloc(&o, NULL, SIZE_MAX, huge));
	ck_assert_str_eq(p, "kept");
	ck_holds(o, 100, 1);
	free(p);
	ck_holds(o, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("lalloc");

	tcase_add_test(c, blocks_are_charged_to_the_owner_given);
	tcase_add_test(c, growth_is_refused_and_never_a_shrink);
	return run_case(c);
}
