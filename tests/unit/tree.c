/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners as a tree: groups and their sums, order, folds, filters. */
#include "../common.h"
#include "tree.h"

#define OWNERS_MAX 65536

static struct tree_owner named(const char *name, uint64_t live)
{
	static uint64_t key;

	return (struct tree_owner){ .key = ++key, .name = name,
				    .kind = MEMHOOK_KIND_NAMED,
				    .n = { .live_bytes = live, .live_blocks = 1,
					   .change = -(int64_t)live } };
}

/* The rows as text: groups end in "/", two blanks for each depth. */
static const char *shown(struct tree *t, const struct tree_order *order,
			 const struct tree_folds *folds)
{
	static char text[2000];
	uint32_t *rows = malloc(t->count * sizeof(*rows));
	size_t n = tree_rows(t, order, folds, rows), i, used = 0;

	for (i = 0; i < n; i++) {
		const struct tree_node *node = &t->nodes[rows[i]];
		unsigned start = order->flat ? 0 : node->start;

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%*s%.*s=%d",
					 i ? "|" : "", order->flat ? 0 : 2 * node->depth, "",
					 (int)(node->size - start), node->name + start,
					 (int)node->n.live_bytes);
		if (node->itself)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "*");
	}
	text[used] = '\0';
	free(rows);
	return text;
}

static uint64_t key_of_group(const struct tree *t, const char *name)
{
	uint32_t i;

	for (i = 1; i < t->count; i++)
		if (t->nodes[i].owner == TREE_NONE && t->nodes[i].size == strlen(name) &&
		    memcmp(t->nodes[i].name, name, strlen(name)) == 0)
			return t->nodes[i].key;
	ck_abort_msg("no group %s", name);
}

static const struct tree_folds unfolded;

START_TEST(groups_and_their_sums)
{
	struct tree_owner o[] = { named("db", 5), named("db/cache/rows", 100),
				  named("db/log", 30), named("net/rx", 7),
				  named("plain", 60), named("/a", 1), named("//b/c", 2) };
	struct tree_order order = { TREE_LIVE, 0, 0 };
	struct tree t = { 0 };

	tree_build(&t, o, 7);
	ck_assert_str_eq(shown(&t, &order, &unfolded),
			 "db/=135|  cache/=100|    rows=100|  log=30|  db=5*|"
			 "plain=60|net/=7|  rx=7|//b/=2|  c=2|/a=1");
	ck_assert_uint_eq(t.nodes[0].n.live_bytes, 205);
	ck_assert_uint_eq(t.nodes[0].n.live_blocks, 7);
	ck_assert_int_eq(t.nodes[0].n.change, -205);
	ck_assert_uint_eq(t.nodes[0].owners, 7);
	order.column = TREE_OWNER;
	order.reverse = 1;
	ck_assert_str_eq(shown(&t, &order, &unfolded),
			 "plain=60|net/=7|  rx=7|db/=135|  log=30|  cache/=100|"
			 "    rows=100|  db=5*|/a=1|//b/=2|  c=2");
	order = (struct tree_order){ TREE_LIVE, 0, 1 };
	ck_assert_str_eq(shown(&t, &order, &unfolded),
			 "db/cache/rows=100|plain=60|db/log=30|net/rx=7|db=5*|//b/c=2|/a=1");
	tree_free(&t);
}
END_TEST

START_TEST(kinds_are_apart)
{
	struct tree_owner o[] = { named("a/b", 1), named("a/c", 2), named("a", 3),
				  named("a/d", 4) };
	struct tree_order order = { TREE_OWNER, 0, 0 };
	struct tree t = { 0 };

	o[1].kind = MEMHOOK_KIND_THREAD;
	o[2].kind = o[3].kind = MEMHOOK_KIND_LIBRARY; /* "/" is part of a path */
	tree_build(&t, o, 4);
	ck_assert_str_eq(shown(&t, &order, &unfolded),
			 "a=3|a/=2|  c=2|a/=1|  b=1|a/d=4");
	tree_free(&t);
}
END_TEST

START_TEST(odd_names)
{
	static char deep[MEMHOOK_NAME_MAX];
	struct tree_owner o[] = { named("", 9), named("/", 8), named("x/", 7),
				  named("y//z", 6), named(deep, 5) };
	struct tree_order order = { TREE_LIVE, 0, 0 };
	struct tree t = { 0 };
	size_t i;

	for (i = 0; i < sizeof(deep) - 1; i++)
		deep[i] = i % 2 ? '/' : 'd';
	tree_build(&t, o, 5);
	ck_assert_uint_eq(t.nodes[0].owners, 5);
	for (i = 1; i < t.count; i++) {
		ck_assert_int_lt(t.nodes[i].depth, TREE_DEPTH + 1);
		ck_assert_int_le(t.nodes[i].start, t.nodes[i].size);
	}
	ck_assert_ptr_nonnull(strstr(shown(&t, &order, &unfolded),
				     "=9|/=8|x/=7|  x/=7*|y/=6|  /z=6|d/=5|  d/=5|"));
	tree_free(&t);
}
END_TEST

START_TEST(folds)
{
	struct tree_owner o[] = { named("a/b/c", 1), named("a/d", 2), named("e/f", 4) };
	struct tree_order order = { TREE_OWNER, 0, 0 };
	struct tree_folds f = { 0 };
	struct tree t = { 0 };

	tree_build(&t, o, 3);
	tree_toggle(&f, key_of_group(&t, "a/b/"));
	ck_assert_str_eq(shown(&t, &order, &f), "a/=3|  b/=1|  d=2|e/=4|  f=4");
	tree_toggle(&f, key_of_group(&t, "a/"));
	ck_assert_str_eq(shown(&t, &order, &f), "a/=3|e/=4|  f=4");
	tree_build(&t, o, 3); /* the next sample: folds are found again */
	ck_assert_str_eq(shown(&t, &order, &f), "a/=3|e/=4|  f=4");
	tree_toggle(&f, key_of_group(&t, "a/"));
	ck_assert_str_eq(shown(&t, &order, &f), "a/=3|  b/=1|  d=2|e/=4|  f=4");
	tree_fold_all(&f, 1);
	ck_assert_str_eq(shown(&t, &order, &f), "a/=3|e/=4");
	tree_toggle(&f, key_of_group(&t, "e/"));
	ck_assert_str_eq(shown(&t, &order, &f), "a/=3|e/=4|  f=4");
	free(f.toggled);
	tree_free(&t);
}
END_TEST

START_TEST(filters)
{
	struct tree_owner o[] = { named("a/cache", 1), named("a/d", 2), named("e/f", 4),
				  named("CACHE", 8) };
	struct tree_order order = { TREE_OWNER, 0, 0 };
	struct tree t = { 0 };

	tree_build(&t, o, 4);
	tree_filter(&t, "cache");
	ck_assert_str_eq(shown(&t, &order, &unfolded), "CACHE=8|a/=3|  cache=1");
	tree_filter(&t, "a/");
	ck_assert_str_eq(shown(&t, &order, &unfolded), "a/=3|  cache=1|  d=2");
	tree_filter(&t, "nothing like it");
	ck_assert_str_eq(shown(&t, &order, &unfolded), "");
	tree_filter(&t, "");
	ck_assert_str_eq(shown(&t, &order, &unfolded),
			 "CACHE=8|a/=3|  cache=1|  d=2|e/=4|  f=4");
	tree_free(&t);
}
END_TEST

START_TEST(every_column_sorts)
{
	struct tree_owner o[] = { named("b", 0), named("a", 0) };
	struct tree_order order = { TREE_OWNER, 0, 0 };
	struct tree t = { 0 };
	int column;

	o[0].n = (struct tree_numbers){ 2, 2, 2, 2, 2, 2.0, 2.0 };
	o[1].n = (struct tree_numbers){ 1, 1, 1, 1, -1, 1.0, 1.0 };
	tree_build(&t, o, 2);
	for (column = TREE_LIVE; column < TREE_COLUMNS; column++) {
		/* All else equal but for the ties' order, which says the opposite. */
		order = (struct tree_order){ (enum tree_column)column, 0, 0 };
		ck_assert_str_eq(shown(&t, &order, &unfolded), "b=2|a=1");
		order.reverse = 1;
		ck_assert_str_eq(shown(&t, &order, &unfolded), "a=1|b=2");
	}
	tree_free(&t);
}
END_TEST

/* As many groups as 65,536 names can make: found again, and all there. */
START_TEST(a_full_table)
{
	struct tree_owner *o = malloc(OWNERS_MAX * sizeof(*o));
	char (*name)[40] = malloc(OWNERS_MAX * sizeof(*name));
	struct tree_order order = { TREE_LIVE, 0, 0 };
	struct tree t = { 0 };
	uint32_t *rows, i;

	for (i = 0; i < OWNERS_MAX; i++) {
		snprintf(name[i], sizeof(name[i]), "%x/b/c/d/e/f/g/h/i", i);
		o[i] = named(name[i], 1);
	}
	tree_build(&t, o, OWNERS_MAX);
	ck_assert_uint_eq(t.groups, TREE_DEPTH * OWNERS_MAX);
	tree_build(&t, o, OWNERS_MAX);
	ck_assert_uint_eq(t.groups, TREE_DEPTH * OWNERS_MAX);
	ck_assert_uint_eq(t.nodes[0].n.live_bytes, OWNERS_MAX);
	rows = malloc(t.count * sizeof(*rows));
	ck_assert_uint_eq(tree_rows(&t, &order, &unfolded, rows),
			  (TREE_DEPTH + 1) * OWNERS_MAX);
	tree_free(&t);
	free(rows);
	free(name);
	free(o);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("tree");

	tcase_add_test(c, groups_and_their_sums);
	tcase_add_test(c, kinds_are_apart);
	tcase_add_test(c, odd_names);
	tcase_add_test(c, folds);
	tcase_add_test(c, filters);
	tcase_add_test(c, every_column_sorts);
	tcase_add_test(c, a_full_table);
	return run_case(c);
}
