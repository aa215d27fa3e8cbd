/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners folded by "/" in their names: which, into what, and that no byte is lost. */
#include "../common.h"
#include "rollup.h"

static struct memhook_stats owner(uint32_t kind, const char *name, uint64_t live)
{
	struct memhook_stats s = { .size = sizeof(s),
				   .owner = 7,
				   .kind = kind,
				   .state = MEMHOOK_STATE_RETIRED,
				   .live_bytes = live,
				   .live_blocks = 1,
				   .peak_bytes = 2 * live,
				   .alloc_bytes = 3 * live,
				   .alloc_calls = 4,
				   .free_bytes = 2 * live,
				   .free_calls = 3 };

	snprintf(s.name, sizeof(s.name), "%s", name);
	return s;
}

static struct memhook_stats named(const char *name, uint64_t live)
{
	return owner(MEMHOOK_KIND_NAMED, name, live);
}

static const struct memhook_stats *row(const struct memhook_stats *rows, size_t n,
				       const char *name)
{
	size_t i, found = n;

	for (i = 0; i < n; i++) {
		if (strcmp(rows[i].name, name))
			continue;
		ck_assert_msg(found == n, "two rows '%s'", name);
		found = i;
	}
	ck_assert_msg(found < n, "no row '%s'", name);
	return &rows[found];
}

START_TEST(groups)
{
	static const struct {
		const char *name;
		size_t length;
	} cases[] = { { "db", 0 },   { "db/cache", 3 }, { "db/log/old", 3 }, { "db/", 3 },
		      { "/db", 0 },  { "/db/x", 4 },    { "//db/x", 5 },     { "/", 0 },
		      { "//", 0 },   { "", 0 } };
	struct memhook_stats s;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		s = named(cases[i].name, 0);
		ck_assert_msg(rollup_group(&s) == cases[i].length, "'%s'", cases[i].name);
	}
	s = owner(MEMHOOK_KIND_THREAD, "pool/1", 0);
	ck_assert_uint_eq(rollup_group(&s), 5);
	s = owner(MEMHOOK_KIND_LIBRARY, "a/b", 0);
	ck_assert_uint_eq(rollup_group(&s), 0);
	s = owner(MEMHOOK_KIND_SITE, "main at src/a.c:3", 0);
	ck_assert_uint_eq(rollup_group(&s), 0);
}
END_TEST

START_TEST(members_are_added_up)
{
	struct memhook_stats o[] = { named("db/log", 30), named("db-x", 1),
				     named("db", 100), named("alone", 5),
				     named("db/cache", 20), named("db/", 4),
				     named("db", 1000), named("dba/x", 2) };
	const struct memhook_stats *db;
	size_t n;

	o[4].state = MEMHOOK_STATE_ACTIVE;
	n = rollup_fold(o, 8);
	ck_assert_uint_eq(n, 4);
	db = row(o, n, "db/");
	ck_assert_uint_eq(db->live_bytes, 1154);
	ck_assert_uint_eq(db->live_blocks, 5);
	ck_assert_uint_eq(db->peak_bytes, 2 * 1154);
	ck_assert_uint_eq(db->alloc_bytes, 3 * 1154);
	ck_assert_uint_eq(db->alloc_calls, 20);
	ck_assert_uint_eq(db->free_bytes, 2 * 1154);
	ck_assert_uint_eq(db->free_calls, 15);
	ck_assert_uint_eq(db->owner, MEMHOOK_AUTO);
	ck_assert_uint_eq(db->state, MEMHOOK_STATE_ACTIVE);
	ck_assert_uint_eq(row(o, n, "dba/")->live_bytes, 2);
	ck_assert_uint_eq(row(o, n, "dba/")->state, MEMHOOK_STATE_RETIRED);
	ck_assert_uint_eq(row(o, n, "db-x")->owner, 7);
	ck_assert_uint_eq(row(o, n, "alone")->live_bytes, 5);
}
END_TEST

START_TEST(what_has_no_group_stays)
{
	struct memhook_stats o[] = { named("db", 1), named("db", 2), named("/a", 3),
				     owner(MEMHOOK_KIND_THREAD, "db/1", 4),
				     owner(MEMHOOK_KIND_LIBRARY, "lib/x", 5) };

	ck_assert_uint_eq(rollup_fold(o, 0), 0);
	ck_assert_uint_eq(rollup_fold(o, 5), 5);
	/* of another kind: not the parent of that thread */
	ck_assert_uint_eq(row(o, 5, "db/")->live_bytes, 4);
	ck_assert_uint_eq(row(o, 5, "lib/x")->live_bytes, 5);
}
END_TEST

/* The longest name there is, with and without its slash. */
START_TEST(long_names)
{
	char name[MEMHOOK_NAME_MAX + 1];
	struct memhook_stats o[3];

	memset(name, 'x', sizeof(name));
	name[MEMHOOK_NAME_MAX - 1] = '\0';
	o[0] = named(name, 1);
	name[MEMHOOK_NAME_MAX - 2] = '/';
	o[1] = named(name, 2);
	name[MEMHOOK_NAME_MAX - 2] = '\0';
	o[2] = named(name, 4);
	ck_assert_uint_eq(rollup_fold(o, 3), 2);
	name[MEMHOOK_NAME_MAX - 2] = '/';
	ck_assert_uint_eq(row(o, 2, name)->live_bytes, 6);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("rollup");

	tcase_add_test(c, groups);
	tcase_add_test(c, members_are_added_up);
	tcase_add_test(c, what_has_no_group_stays);
	tcase_add_test(c, long_names);
	return run_case(c);
}
