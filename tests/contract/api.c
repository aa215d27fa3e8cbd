/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners, scopes, transfer, resolver, statistics, inspect, dump, report. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../common.h"

START_TEST(active_and_version)
{
	ck_assert_int_eq(memhook_active(), 1);
	ck_assert_str_eq(memhook_version(), MEMHOOK_VERSION);
}
END_TEST

START_TEST(names)
{
	char longest[MEMHOOK_NAME_MAX], too_long[MEMHOOK_NAME_MAX + 1];
	memhook_owner a = memhook_owner_create("db/cache"), b;

	ck_assert_uint_ne(a, memhook_owner_create("db"));
	b = memhook_owner_create("db/cache");
	ck_assert_uint_eq(a, b);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	a = memhook_owner_create(longest);
	ck_assert_str_eq(stats_of(a).name, longest);
	errno = 0;
	ck_assert_uint_eq(memhook_owner_create(too_long), MEMHOOK_NOBODY);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(memhook_owner_create(""), MEMHOOK_NOBODY);
	ck_assert_uint_eq(memhook_owner_create(NULL), MEMHOOK_NOBODY);
	ck_assert_uint_eq(memhook_owner_create("a\nb"), MEMHOOK_NOBODY);
	ck_assert_uint_eq(memhook_owner_create("a\177b"), MEMHOOK_NOBODY);
}
END_TEST

START_TEST(scopes_nest)
{
	memhook_owner a = fresh_owner("nest/a"), b = fresh_owner("nest/b"), p, q;
	void *x, *y, *z;

	ck_assert_uint_eq(memhook_current(), MEMHOOK_AUTO);
	p = memhook_enter(a);
	ck_assert_uint_eq(p, MEMHOOK_AUTO);
	x = malloc(10);
	q = memhook_enter(b);
	ck_assert_uint_eq(q, a);
	y = malloc(20);
	memhook_leave(q);
	ck_assert_uint_eq(memhook_current(), a);
	z = malloc(30);
	memhook_leave(p);
	ck_assert_uint_eq(memhook_current(), MEMHOOK_AUTO);
	ck_holds(a, 40, 2);
	ck_holds(b, 20, 1);
	free(x);
	free(y);
	free(z);
	ck_holds(a, 0, 0);
	ck_holds(b, 0, 0);
}
END_TEST

static void *scoped(memhook_owner o)
{
	MEMHOOK_SCOPE(o);
	return malloc(77);
}

START_TEST(the_scope_macro_leaves_by_return)
{
	memhook_owner o = fresh_owner("macro");
	void *p = scoped(o), *q = malloc(5);

	ck_assert_uint_eq(memhook_current(), MEMHOOK_AUTO);
	ck_holds(o, 77, 1);
	free(p);
	free(q);
}
END_TEST

START_TEST(retired_owners)
{
	memhook_owner o = fresh_owner("gone"), previous = memhook_enter(o), again;
	void *p = malloc(100), *q;
	struct memhook_stats before = { .size = sizeof(before) }, after = before;

	memhook_leave(previous);
	ck_assert_int_eq(memhook_owner_retire(o), 0);
	ck_assert_int_eq(memhook_owner_retire(o), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert_uint_eq(stats_of(o).state, MEMHOOK_STATE_RETIRED);
	ck_holds(o, 100, 1);
	again = memhook_owner_create("gone");
	ck_assert_uint_ne(again, o); /* its name lives on, it does not */
	previous = memhook_enter(o); /* stale: nobody */
	memhook_stats(MEMHOOK_NOBODY, &before);
	q = malloc(50);
	memhook_stats(MEMHOOK_NOBODY, &after);
	ck_assert_uint_eq(memhook_current(), MEMHOOK_NOBODY);
	memhook_leave(previous);
	ck_assert_uint_eq(after.alloc_bytes - before.alloc_bytes, 50);
	ck_holds(o, 100, 1);
	ck_holds(again, 0, 0);
	free(p);
	free(q);
	ck_holds(o, 0, 0);
	ck_assert_int_eq(memhook_owner_retire(MEMHOOK_NOBODY), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(memhook_owner_retire((memhook_owner)99999), -1);
	ck_assert_int_eq(errno, ESRCH);
}
END_TEST

/* A row serves a new owner from zero, and never while anything holds it. */
START_TEST(rows_are_reused_safely)
{
	memhook_owner held = fresh_owner("held"), idle, inside, next, previous;
	struct memhook_stats s = { .size = sizeof(s) };
	void *p;
	int i;

	previous = memhook_enter(held);
	p = malloc(10);
	memhook_leave(previous);
	idle = fresh_owner("idle");
	previous = memhook_enter(idle);
	free(malloc(1000));
	memhook_leave(previous);
	memhook_owner_retire(held);
	memhook_owner_retire(idle);
	next = memhook_owner_create("next");
	ck_assert_uint_eq((uint32_t)next, (uint32_t)idle);
	ck_assert_uint_ne(next, idle);
	ck_assert_uint_eq(stats_of(next).alloc_calls, 0);
	ck_assert_uint_eq(stats_of(next).alloc_bytes, 0);
	ck_assert_int_eq(memhook_stats(idle, &s), -1);
	ck_assert_int_eq(errno, ESRCH);
	/* a thread is inside: not reused */
	inside = next;
	previous = memhook_enter(inside);
	memhook_owner_retire(inside);
	for (i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "more-%d", i);
		next = memhook_owner_create(name);
		ck_assert_uint_ne((uint32_t)next, (uint32_t)inside);
		ck_assert_uint_ne((uint32_t)next, (uint32_t)held);
	}
	memhook_leave(previous);
	free(p);
}
END_TEST

START_TEST(a_full_table_overflows)
{
	struct memhook_stats before = stats_of(MEMHOOK_OVERFLOW), after;
	memhook_owner o = 0, previous;
	char name[32];
	void *p;
	int i;

	for (i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "full-%d", i);
		errno = 0;
		o = memhook_owner_create(name);
		if (errno == ENOSPC)
			break;
	}
	ck_assert_int_gt(i, sizeof(void *) == 8 ? 65000 : 8000);
	ck_assert_int_lt(i, 65536);
	ck_assert_uint_eq(o, MEMHOOK_OVERFLOW);
	previous = memhook_enter(o);
	p = malloc(123);
	memhook_leave(previous);
	after = stats_of(MEMHOOK_OVERFLOW);
	ck_assert_uint_eq(after.live_bytes - before.live_bytes, 123);
	ck_assert_str_eq(after.name, "overflow");
	free(p);
}
END_TEST

START_TEST(transfers)
{
	memhook_owner a = fresh_owner("from"), b = fresh_owner("to");
	memhook_owner previous = memhook_enter(a);
	void *p = malloc(100), *q = aligned_alloc(256, 300);

	memhook_leave(previous);
	ck_assert_int_eq(memhook_transfer(p, b), 0);
	ck_holds(a, 300, 1);
	ck_holds(b, 100, 1);
	ck_assert_int_eq(memhook_transfer(q, b), 0);
	ck_holds(a, 0, 0);
	ck_holds(b, 400, 2);
	ck_assert_int_eq(memhook_transfer(&a, b), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(memhook_transfer(NULL, b), 0);
	memhook_owner_retire(a);
	ck_assert_int_eq(memhook_transfer(p, a), -1);
	ck_assert_int_eq(errno, ESRCH);
	p = realloc(p, 5000);
	ck_holds(b, 5300, 2);
	free(p);
	free(q);
	ck_holds(b, 0, 0);
}
END_TEST

static memhook_owner answer;
static int asked;

static memhook_owner resolve(void *arg)
{
	free(malloc(10)); /* must not ask again */
	asked++;
	ck_assert_ptr_eq(arg, &answer);
	return answer;
}

START_TEST(a_resolver_answers_outside_of_scopes)
{
	memhook_owner a = fresh_owner("resolved/a"), b = fresh_owner("resolved/b"), was;
	void *p, *q, *r;

	answer = a;
	memhook_set_resolver(resolve, &answer);
	p = malloc(10);
	answer = b;
	q = malloc(20);
	was = memhook_enter(a);
	r = malloc(40);
	memhook_leave(was);
	answer = MEMHOOK_AUTO;
	free(malloc(5));
	memhook_set_resolver(NULL, NULL);
	ck_assert_int_ge(asked, 3);
	asked = 0;
	free(malloc(5));
	ck_assert_int_eq(asked, 0);
	ck_holds(a, 50, 2);
	ck_holds(b, 20, 1);
	free(p);
	free(q);
	free(r);
	ck_holds(a, 0, 0);
	ck_holds(b, 0, 0);
}
END_TEST

START_TEST(sizes_of_structures)
{
	struct {
		struct memhook_stats s;
		char more[64];
	} larger = { .s.size = sizeof(larger) };
	struct memhook_stats small = { .size = 16 };
	struct memhook_block block = { .size = 8 };

	memset(larger.more, 'm', sizeof(larger.more));
	ck_assert_int_eq(memhook_stats(MEMHOOK_NOBODY, &larger.s), 0);
	ck_assert(larger.more[0] == 'm' && larger.more[63] == 'm');
	ck_assert_int_eq(memhook_stats(MEMHOOK_NOBODY, &small), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(memhook_totals(&small), -1);
	ck_assert_int_eq(memhook_inspect(&small, &block), -1);
	ck_assert_int_eq(errno, EINVAL);
	small.size = sizeof(small);
	ck_assert_int_eq(memhook_stats(MEMHOOK_AUTO, &small), -1);
	ck_assert_int_eq(errno, ESRCH);
}
END_TEST

struct sum {
	uint64_t bytes, blocks;
	int nobody, stop_after, calls;
};

static int add(const struct memhook_stats *s, void *arg)
{
	struct sum *sum = arg;

	sum->bytes += s->live_bytes;
	sum->blocks += s->live_blocks;
	sum->nobody |= strcmp(s->name, "nobody") == 0;
	return ++sum->calls == sum->stop_after ? 42 : 0;
}

START_TEST(owners_add_up_to_the_totals)
{
	struct memhook_stats t = { .size = sizeof(t) };
	struct sum sum = { 0 }, first = { .stop_after = 1 };
	void *p = malloc(1000);

	ck_assert_int_eq(memhook_each(add, &sum), 0);
	ck_assert_int_eq(memhook_totals(&t), 0);
	ck_assert_uint_eq(sum.bytes, t.live_bytes);
	ck_assert_uint_eq(sum.blocks, t.live_blocks);
	ck_assert_uint_ge(t.peak_bytes, t.live_bytes);
	ck_assert_int_eq(sum.nobody, 1);
	ck_assert_int_eq(memhook_each(add, &first), 42);
	ck_assert_int_eq(first.calls, 1);
	free(p);
}
END_TEST

START_TEST(peaks_within_their_bound)
{
	memhook_owner o = fresh_owner("peak"), previous = memhook_enter(o);
	void *p = malloc(10000000), *volatile keep = p;

	free(keep);
	memhook_leave(previous);
	ck_peaks(o, 1, 10000000, 10000000);
	ck_holds(o, 0, 0);
}
END_TEST

static unsigned state_of(const void *p)
{
	struct memhook_block b = { .size = sizeof(b) };

	ck_assert_int_eq(memhook_inspect(p, &b), 0);
	return b.state;
}

START_TEST(inspect_anything)
{
	memhook_owner o = fresh_owner("inspected"), previous = memhook_enter(o);
	char *p = malloc(100), *a = aligned_alloc(4096, 50), *pages;
	struct memhook_block b = { .size = sizeof(b) };

	memhook_leave(previous);
	ck_assert_int_eq(memhook_inspect(p, &b), 0);
	ck_assert_uint_eq(b.state, MEMHOOK_BLOCK_LIVE);
	ck_assert_uint_eq(b.kind, MEMHOOK_MALLOC);
	ck_assert_uint_eq(b.requested, 100);
	ck_assert_uint_eq(b.owner, o);
	ck_assert_uint_eq(b.alignment, 16);
	ck_assert_ptr_eq(b.cookie, p - 16);
	memhook_inspect(a, &b);
	ck_assert_uint_eq(b.alignment, 4096);
	free(p);
	ck_assert_uint_eq(state_of(p), MEMHOOK_BLOCK_FREED);
	free(a);
	pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	mprotect(pages, 4096, PROT_NONE);
	munmap(pages + 8192, 4096);
	ck_assert_uint_eq(state_of(NULL), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of((void *)16), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of((void *)-16), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of((void *)-1), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of(&b), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of(pages), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of(pages + 16), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of(pages + 4096), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of(pages + 8192), MEMHOOK_BLOCK_FOREIGN);
	ck_assert_uint_eq(state_of(pages + 8208), MEMHOOK_BLOCK_FOREIGN);
}
END_TEST

/* What `print` writes on standard output. */
static void capture(void (*print)(void), char *text, size_t size)
{
	int fd[2], saved = dup(1);
	ssize_t n;

	ck_assert_int_eq(pipe(fd), 0);
	fflush(stdout);
	dup2(fd[1], 1);
	close(fd[1]);
	print();
	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	n = read(fd[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd[0]);
}

static void *dumped;

static void dump_twice(void)
{
	dumped = malloc(12);
	memhook_dump(dumped);
	free(dumped);
	memhook_dump(dumped);
	memhook_dump((void *)0x1230);
	memhook_dump(NULL);
}

START_TEST(the_dump)
{
	char got[1024], want[1024];

	capture(dump_twice, got, sizeof(got));
	snprintf(want, sizeof(want),
		 "[mem_cookie: %p]: mem_size: 12 bytes, tag: MEM_MALLOCED, cookie_size:"
		 " 16 bytes\nptr: %p\n"
		 "[mem_cookie: %p]: mem_size: 12 bytes, tag: MEM_FREE, cookie_size:"
		 " 16 bytes\nptr: %p\n"
		 "[mem_cookie: none]: not a block of memhook\nptr: 0x1230\n"
		 "[mem_cookie: none]: not a block of memhook\nptr: 0x0\n",
		 (void *)((char *)dumped - 16), dumped, (void *)((char *)dumped - 16),
		 dumped);
	ck_assert_str_eq(got, want);
}
END_TEST

static void report_json(void)
{
	ck_assert_int_eq(memhook_report(1, MEMHOOK_JSON), 0);
}

static void report_text(void)
{
	ck_assert_int_eq(memhook_report(1, MEMHOOK_TEXT), 0);
}

START_TEST(the_report)
{
	memhook_owner o = fresh_owner("odd \"name\" \\ \303\251 \377"), was = memhook_enter(o);
	void *p = malloc(4321);
	static char text[60000];
	json_object *j, *owners, *first;

	memhook_leave(was);
	capture(report_json, text, sizeof(text));
	j = json_tokener_parse(text);
	ck_assert_ptr_nonnull(j);
	ck_assert_str_eq(json_object_get_string(json_object_object_get(j, "schema")),
			 "memhook/1");
	owners = json_object_object_get(j, "owners");
	ck_assert_uint_ge(json_object_array_length(owners), 2);
	first = json_object_array_get_idx(owners, 0);
	ck_assert_int_ge(json_object_get_int64(
				 json_object_object_get(first, "live_bytes")), 4321);
	ck_assert_ptr_nonnull(strstr(text, "odd \\\"name\\\" \\\\ \303\251 \\ufffd"));
	capture(report_text, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "4.2 KiB"));
	ck_assert_ptr_nonnull(strstr(text, "total"));
	ck_assert_int_eq(memhook_report(-1, MEMHOOK_TEXT), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(memhook_report(1, 9), -1);
	ck_assert_int_eq(errno, EINVAL);
	free(p);
}
END_TEST

START_TEST(lua_and_strdup)
{
	memhook_owner o = fresh_owner("lua"), was = memhook_enter(o);
	char *p = memhook_lalloc(NULL, NULL, 5, 100), *s = memhook_strdup("abc");

	memhook_leave(was);
	ck_holds(o, 104, 2);
	strcpy(p, "kept");
	p = memhook_lalloc(NULL, p, 100, 1000);
	ck_assert_str_eq(p, "kept");
	ck_holds(o, 1004, 2);
	ck_assert_ptr_null(memhook_lalloc(NULL, p, 1000, 0));
	ck_assert_ptr_null(memhook_lalloc(NULL, NULL, 0, 0));
	free(s);
	ck_holds(o, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("api");

	tcase_add_test(c, active_and_version);
	tcase_add_test(c, names);
	tcase_add_test(c, scopes_nest);
	tcase_add_test(c, the_scope_macro_leaves_by_return);
	tcase_add_test(c, retired_owners);
	tcase_add_test(c, rows_are_reused_safely);
	tcase_add_test(c, a_full_table_overflows);
	tcase_add_test(c, transfers);
	tcase_add_test(c, a_resolver_answers_outside_of_scopes);
	tcase_add_test(c, sizes_of_structures);
	tcase_add_test(c, owners_add_up_to_the_totals);
	tcase_add_test(c, peaks_within_their_bound);
	tcase_add_test(c, inspect_anything);
	tcase_add_test(c, the_dump);
	tcase_add_test(c, the_report);
	tcase_add_test(c, lua_and_strdup);
	return run_case(c);
}
