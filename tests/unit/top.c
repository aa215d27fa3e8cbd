/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memhook top without a terminal: changes and rates, histories, columns, and
 * what is written into a cell.  The tree has a test of its own, tree.c.
 */
#include <locale.h>

#include "../common.h"
#include "top-model.h"
#include "top-table.h"
#include "top-text.h"

#define OWNERS_MAX 65536

/* A snapshot of n owners; what reader_snapshot() would allocate. */
static struct mh_snapshot snapshot(const struct memhook_stats *owners, size_t n)
{
	struct mh_snapshot s = { .owner_count = n };
	size_t i;

	s.owners = malloc((n + 1) * sizeof(*owners));
	memcpy(s.owners, owners, n * sizeof(*owners));
	for (i = 0; i < n; i++) {
		s.totals.live_bytes += owners[i].live_bytes;
		s.totals.alloc_calls += owners[i].alloc_calls;
		s.totals.alloc_bytes += owners[i].alloc_bytes;
	}
	return s;
}

static struct memhook_stats owner(uint32_t row, uint32_t generation, const char *name,
				  uint64_t live, uint64_t calls)
{
	struct memhook_stats s = { .owner = (memhook_owner)generation << 32 | row,
				   .kind = MEMHOOK_KIND_NAMED,
				   .state = MEMHOOK_STATE_ACTIVE, .live_bytes = live,
				   .alloc_calls = calls, .alloc_bytes = 10 * calls };

	snprintf(s.name, sizeof(s.name), "%s", name);
	return s;
}

static void sample(struct top_model *m, uint64_t ms, const struct memhook_stats *owners,
		   size_t n)
{
	struct mh_snapshot s = snapshot(owners, n);

	model_add(m, &s, ms);
}

static const struct tree_owner *of_name(const struct top_model *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->owner_count; i++)
		if (strcmp(m->owners[i].name, name) == 0)
			return &m->owners[i];
	return NULL;
}

START_TEST(changes_and_rates)
{
	struct memhook_stats o[] = { owner(0, 0, "nobody", 50, 100),
				     owner(5, 1, "db/a", 1000, 10) };
	struct top_model m;

	model_init(&m);
	sample(&m, 1000, o, 2);
	ck_assert_int_eq(of_name(&m, "db/a")->n.change, 0);
	ck_assert_double_eq(of_name(&m, "db/a")->n.call_rate, 0);
	o[1].live_bytes = 400;
	o[1].alloc_calls = 40;
	o[1].alloc_bytes = 1100;
	sample(&m, 3000, o, 2);
	ck_assert_int_eq(of_name(&m, "db/a")->n.change, -600);
	ck_assert_double_eq(of_name(&m, "db/a")->n.call_rate, 15);
	ck_assert_double_eq(of_name(&m, "db/a")->n.byte_rate, 500);
	ck_assert_double_eq(of_name(&m, "nobody")->n.call_rate, 0);
	ck_assert_int_eq(m.total.change, -600);
	ck_assert_double_eq(m.total.call_rate, 15);
	model_reset(&m);
	ck_assert_int_eq(of_name(&m, "db/a")->n.change, 0);
	ck_assert_int_eq(m.total.change, 0);
	sample(&m, 4000, o, 2);
	ck_assert_int_eq(of_name(&m, "db/a")->n.change, 0);
	/* A segment that counts backwards, a clock that stands still. */
	o[1].alloc_calls = 1;
	sample(&m, 4000, o, 2);
	ck_assert_double_eq(of_name(&m, "db/a")->n.call_rate, 0);
	model_free(&m);
}
END_TEST

START_TEST(owners_come_and_go)
{
	struct memhook_stats o[] = { owner(0, 0, "nobody", 50, 1),
				     owner(5, 1, "db/a", 1000, 1),
				     owner(6, 1, "db/empty", 0, 1) };
	struct top_model m;

	model_init(&m);
	sample(&m, 1000, o, 3);
	/* Row 5 serves another owner now; row 6 nobody. */
	o[1] = owner(5, 2, "net/b", 70, 20);
	sample(&m, 2000, o, 2);
	ck_assert_uint_eq(m.owner_count, 3);
	ck_assert_int_eq(of_name(&m, "net/b")->n.change, 70);
	ck_assert_double_eq(of_name(&m, "net/b")->n.call_rate, 20);
	ck_assert_int_eq(of_name(&m, "db/a")->gone, 1);
	ck_assert_int_eq(of_name(&m, "db/a")->n.change, -1000);
	ck_assert_uint_eq(of_name(&m, "db/a")->n.live_bytes, 0);
	/* The changes of all rows are that of the total. */
	ck_assert_int_eq(m.tree.nodes[0].n.change, m.total.change);
	model_reset(&m);
	ck_assert_ptr_null(of_name(&m, "db/a"));
	model_free(&m);
}
END_TEST

START_TEST(the_filter_stays)
{
	struct memhook_stats o[] = { owner(2, 1, "db/a", 3, 1), owner(3, 1, "x", 5, 1) };
	struct top_model m;
	size_t owners;
	uint64_t live;

	model_init(&m);
	sample(&m, 1, o, 2);
	model_filter(&m, "B/");
	sample(&m, 2, o, 2);
	model_filtered(&m, &owners, &live);
	ck_assert_uint_eq(owners, 1);
	ck_assert_uint_eq(live, 3);
	ck_assert_uint_eq(m.total.live_bytes, 8);
	model_free(&m);
}
END_TEST

/* Sites by function, threads by number; a site that is gone keeps its name. */
START_TEST(what_owners_are_called)
{
	struct memhook_stats o[] = { owner(0, 0, "lib+0x12", 30, 1),
				     owner(1, 1, "worker", 20, 1) };
	struct mh_snapshot s = snapshot(o, 2);
	struct top_model m;

	s.owners[0].kind = MEMHOOK_KIND_SITE;
	s.owners[1].kind = MEMHOOK_KIND_THREAD;
	s.table_rows = 2;
	s.table = calloc(2, sizeof(*s.table));
	s.table[0].where = 99;
	s.table[1].where = 4711;
	s.symbols = calloc(2, sizeof(*s.symbols));
	s.symbols[0].label = "work (a/b.c:12)";
	model_init(&m);
	model_add(&m, &s, 1);
	ck_assert_uint_eq(of_name(&m, "work (a/b.c:12)")->thread, 0);
	ck_assert_uint_eq(of_name(&m, "worker")->thread, 4711);
	sample(&m, 2, o + 1, 1);
	ck_assert_int_eq(of_name(&m, "work (a/b.c:12)")->gone, 1);
	model_free(&m);
}
END_TEST

/* A full table, groups as well: the histories do not grow with it. */
START_TEST(histories_are_bounded)
{
	struct memhook_stats *o = malloc(OWNERS_MAX * sizeof(*o));
	const struct top_history *h;
	struct top_model m;
	uint32_t i, round;
	char name[32];

	for (i = 0; i < OWNERS_MAX; i++) {
		snprintf(name, sizeof(name), "t%u/o%u", i % 100, i);
		/* 300 large ones */
		o[i] = owner(i, 1, name, i < 300 ? 1 << 20 : 1000, 1);
	}
	model_init(&m);
	for (round = 0; round < TOP_SAMPLES + 2; round++) {
		sample(&m, round * 1000, o, OWNERS_MAX);
		history_show(&m.histories, m.owners[60000].key, 1000);
		o[60000].live_bytes++;
		o[0].live_bytes += 2;
	}
	ck_assert_uint_le(m.histories.used, TOP_HISTORIES);
	ck_assert_uint_ge(m.histories.used, 300);
	h = history_show(&m.histories, m.owners[60000].key, 0);
	ck_assert_uint_eq(history_size(h), TOP_SAMPLES);
	ck_assert_uint_eq(history_at(h, TOP_SAMPLES - 1), 1000 + round - 1);
	ck_assert_uint_eq(history_at(h, 0), 1000 + round - TOP_SAMPLES);
	h = history_show(&m.histories, m.owners[0].key, 0);
	ck_assert_uint_eq(history_at(h, TOP_SAMPLES - 1), (1 << 20) + 2 * (round - 1));
	/* More is shown than there is room for: the oldest give way. */
	for (i = 1000; i < 1000 + 3 * TOP_HISTORIES; i++) {
		history_round(&m.histories);
		history_show(&m.histories, m.owners[i].key, i);
	}
	ck_assert_uint_eq(m.histories.used, TOP_HISTORIES);
	for (round = 1; round <= 100; round++) {
		h = history_show(&m.histories, m.owners[i - round].key, 0);
		ck_assert_uint_ge(history_size(h), 1);
		ck_assert_uint_eq(history_at(h, 0), i - round);
	}
	/* What is gone is forgotten. */
	sample(&m, 1, o, 2);
	model_reset(&m);
	sample(&m, 2, o, 2);
	ck_assert_uint_eq(m.histories.used, 2 + 2 + 1); /* owners, groups, all */
	model_free(&m);
	free(o);
}
END_TEST

START_TEST(numbers)
{
	static const struct {
		uint64_t n;
		const char *bytes, *count;
	} t[] = { { 0, "0B", "0" }, { 1023, "1023B", "1023" }, { 1024, "1.00K", "1024" },
		  { 10234, "9.99K", "10234" }, { 10239, "10.0K", "10239" },
		  { 1048575, "1.00M", "1.05M" }, { 999999, "977K", "999999" },
		  { 1000000, "977K", "1.00M" }, { UINT64_C(1) << 50, "1.00P", "1.13P" },
		  { UINT64_MAX, "16.0E", "18.4E" } };
	char text[CELL];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		cell_bytes(text, t[i].n);
		ck_assert_str_eq(text, t[i].bytes);
		cell_count(text, t[i].n);
		ck_assert_str_eq(text, t[i].count);
	}
	cell_change(text, -2048);
	ck_assert_str_eq(text, "-2.00K");
	cell_change(text, 5);
	ck_assert_str_eq(text, "+5B");
	cell_change(text, 0);
	ck_assert_str_eq(text, "0");
	cell_change(text, INT64_MIN);
	ck_assert_str_eq(text, "-8.00E");
	cell_rate(text, 0.44);
	ck_assert_str_eq(text, "0.4");
	cell_rate(text, 9.96);
	ck_assert_str_eq(text, "10");
	cell_rate(text, 1e30);
	ck_assert_str_eq(text, "18.4E");
	cell_byte_rate(text, 2048);
	ck_assert_str_eq(text, "2.00K");
	cell_time(text, 59999);
	ck_assert_str_eq(text, "59s");
	cell_time(text, 751000);
	ck_assert_str_eq(text, "12:31");
	cell_time(text, 15151000);
	ck_assert_str_eq(text, "4:12:31");
	cell_time(text, UINT64_C(86400000) * 3 + 751000);
	ck_assert_str_eq(text, "3d 00:12");
}
END_TEST

/* Every cell fits seven columns, whatever the number. */
START_TEST(no_cell_is_too_wide)
{
	char text[CELL];
	int shift;

	for (shift = 0; shift < 64; shift++) {
		uint64_t n = UINT64_MAX >> shift;
		int less;

		for (less = 0; less < 3; less++) {
			cell_bytes(text, n - (n >> less) / 1000);
			ck_assert_uint_le(strlen(text), 6);
			cell_count(text, n - (n >> less) / 1000);
			ck_assert_uint_le(strlen(text), 6);
			cell_change(text, (int64_t)(n >> 1) - less);
			ck_assert_uint_le(strlen(text), 7);
		}
	}
}
END_TEST

static void name_is(const char *name, size_t columns, const wchar_t *expected)
{
	wchar_t text[200];

	cell_name(text, columns, name, strlen(name));
	if (wcscmp(text, expected))
		ck_abort_msg("'%s' in %zu columns: '%ls', not '%ls'", name, columns, text,
			     expected);
}

START_TEST(names)
{
	name_is("db", 4, L"db  ");
	name_is("abcdefgh", 8, L"abcdefgh");
	name_is("abcdefghij", 8, L"abc..hij");
	name_is("abcdefghij", 3, L"aij");
	name_is("abc", 0, L"");
	/* escape sequences, C1 controls, bidirectional overrides, half characters */
	name_is("a\033[2Jb\n\177", 10, L"a?[2Jb??  ");
	name_is("\xc2\x9b" "31m", 5, L"?31m ");
	name_is("x\xe2\x80\xaey", 3, L"x?y");
	name_is("\xff\xc3", 3, L"?? ");
	name_is("gr\xc3\xb6\xc3\x9f" "e", 5, L"gr\u00f6\u00dfe");
	/* two columns each: none is cut in half */
	name_is("\xe6\xbc\xa2\xe5\xad\x97", 5, L"\u6f22\u5b57 ");
	name_is("\xe6\xbc\xa2\xe5\xad\x97", 3, L"\u5b57 ");
	setlocale(LC_CTYPE, "C");
	name_is("\xc3\xb6", 3, L"?? ");
	setlocale(LC_CTYPE, "C.UTF-8");
}
END_TEST

static void spark_is(const uint64_t *live, size_t n, size_t columns,
		     const wchar_t *expected)
{
	struct top_history h = { 0 };
	wchar_t text[TOP_SAMPLES + 1];

	for (; h.count < n; h.count++)
		h.live[h.count % TOP_SAMPLES] = live[h.count];
	cell_spark(text, columns, &h, wcschr(expected, L'█') != NULL);
	if (wcscmp(text, expected))
		ck_abort_msg("'%ls', not '%ls'", text, expected);
}

START_TEST(sparklines)
{
	uint64_t rising[100], i;

	for (i = 0; i < 100; i++)
		rising[i] = 1000 * i;
	spark_is(rising, 8, 10, L"  ▁▂▃▄▅▆▇█");
	spark_is(rising, 100, 8, L"▁▂▃▄▅▆▇█");
	spark_is(rising, 8, 8, L"_.-:=+*#");
	spark_is((uint64_t[]){ 0, 0, 0 }, 3, 4, L" ___");
	spark_is((uint64_t[]){ 7000, 7000 }, 2, 2, L"__");
	spark_is((uint64_t[]){ 7000, 7001 }, 2, 2, L"__"); /* steady */
	spark_is((uint64_t[]){ 0, UINT64_MAX }, 2, 2, L"_#");
	spark_is(NULL, 0, 3, L"   ");
}
END_TEST

START_TEST(columns_fit_every_line)
{
	static const struct top_column c[] = {
		{ "NAME", 10, 30, 0, 1 }, { "A", 6, 6, 0, 0 },	{ "B", 6, 6, 2, 0 },
		{ "C", 6, 6, 1, 0 },	  { "D", 8, 20, 3, 0 },
	};
	size_t w[TABLE_COLUMNS], line, i, sum;

	for (line = 1; line < 300; line++) {
		table_layout(c, 5, line, w);
		for (sum = 0, i = 0; i < 5; i++)
			sum += w[i] ? w[i] + (i > 0) : 0;
		ck_assert_uint_ge(w[0], 4);
		ck_assert(line < 4 || sum <= line);
		/* All of the line is used, up to what the columns can take. */
		ck_assert(line < 4 || line > 72 || w[0] == 30 || sum == line);
	}
	table_layout(c, 5, 40, w); /* 10+1+6+1+6+1+6+1+8 */
	for (i = 0; i < 5; i++)
		ck_assert_uint_eq(w[i], c[i].width);
	table_layout(c, 5, 39, w);
	ck_assert_uint_eq(w[4], 0);
	ck_assert_uint_eq(w[2], 6);
	table_layout(c, 5, 30, w);
	ck_assert_uint_eq(w[2], 0);
	ck_assert_uint_eq(w[3], 6);
	table_layout(c, 5, 15, w); /* a shorter name before no number */
	ck_assert_uint_eq(w[0], 8);
	ck_assert_uint_eq(w[1], 6);
	table_layout(c, 5, 10, w);
	ck_assert_uint_eq(w[1], 0);
	table_layout(c, 5, 300, w);
	ck_assert_uint_eq(w[0], 30);
	ck_assert_uint_eq(w[4], 20);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("top");

	/* Names are checked against the locale's characters. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	tcase_add_test(c, changes_and_rates);
	tcase_add_test(c, owners_come_and_go);
	tcase_add_test(c, the_filter_stays);
	tcase_add_test(c, what_owners_are_called);
	tcase_add_test(c, histories_are_bounded);
	tcase_add_test(c, numbers);
	tcase_add_test(c, no_cell_is_too_wide);
	tcase_add_test(c, names);
	tcase_add_test(c, sparklines);
	tcase_add_test(c, columns_fit_every_line);
	return run_case(c);
}
