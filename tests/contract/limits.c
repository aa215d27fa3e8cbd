/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits: when the soft one calls, what the hard one refuses and what not. */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>

#include "../common.h"

/* glibc's, for C++: a destructor of a thread-local object. */
extern int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library);
extern void *__dso_handle;

/* volatile: libc's header promises gcc that malloc changes nothing of ours */
static volatile int calls;
static volatile uint64_t told;
static volatile memhook_owner told_owner;

static void count(memhook_owner o, uint64_t live, void *arg)
{
	(void)arg;
	calls++;
	told = live;
	told_owner = o;
	errno = E2BIG; /* must not be seen by whoever allocates */
}

static void *make(memhook_owner o, size_t size)
{
	MEMHOOK_SCOPE(o);
	return malloc(opaque(size));
}

START_TEST(soft_calls_once_per_crossing)
{
	memhook_owner o = fresh_owner("soft");
	void *block[100], *large;
	int i;

	ck_assert_int_eq(memhook_limit(o, 10000, 0, count, NULL), 0);
	for (i = 0; i < 99; i++)
		block[i] = make(o, 100);
	ck_assert_int_eq(calls, 0);
	errno = 0;
	block[99] = make(o, 100); /* reached */
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(calls, 1);
	ck_assert_uint_eq(told, 10000);
	ck_assert_uint_eq(told_owner, o);
	large = make(o, 50000);
	free(large);
	for (i = 0; i < 1000; i++) { /* never below fifteen sixteenths */
		free(block[i % 100]);
		block[i % 100] = make(o, 100);
	}
	ck_assert_int_eq(calls, 1);
	for (i = 0; i < 13; i++)
		free(block[i]);
	for (i = 0; i < 12; i++) /* from 8,700, below seven eighths */
		block[i] = make(o, 100);
	ck_assert_int_eq(calls, 1);
	block[12] = make(o, 100);
	ck_assert_int_eq(calls, 2);
	for (i = 0; i < 100; i++)
		free(block[i]);
	large = make(o, 1000000); /* in one leap */
	ck_assert_int_eq(calls, 3);
	free(large);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(soft_of_a_few_bytes_and_other_ways_to_get_there)
{
	memhook_owner o = fresh_owner("soft/1"), other = fresh_owner("soft/other");
	void *p;
	int i;

	ck_assert_int_eq(memhook_limit(o, 1, 0, count, NULL), 0);
	for (i = 0; i < 10; i++)
		free(make(o, 1));
	ck_assert_int_eq(calls, 10);
	p = make(other, 100);
	ck_assert_int_eq(memhook_transfer(p, o), 0);
	ck_assert_int_eq(calls, 11);
	ck_assert_int_eq(memhook_limit(o, 1000, 0, count, NULL), 0);
	p = realloc(p, 999); /* outside the scope: charged to it all the same */
	ck_assert_int_eq(calls, 11);
	p = realloc(p, 1000);
	ck_assert_int_eq(calls, 12);
	ck_assert_int_eq(memhook_limit(o, 0, 0, NULL, NULL), 0);
	free(p);
	free(make(o, 100000));
	ck_assert_int_eq(calls, 12);
}
END_TEST

static memhook_owner second;
static void *spare;

static void do_much(memhook_owner o, uint64_t live, void *arg)
{
	struct memhook_stats s = { .size = sizeof(s) };
	int i;

	calls++;
	ck_assert_int_eq(memhook_stats(o, &s), 0);
	ck_assert_uint_ge(s.live_bytes, live);
	free(spare); /* falls below, and is armed again */
	spare = NULL;
	for (i = 0; i < 100; i++)
		free(malloc(100000));
	*(void **)arg = make(second, 5000); /* a crossing there: told later */
	ck_assert_int_eq(memhook_owner_retire(o), 0);
	printf("%s: %llu bytes\n", s.name, (unsigned long long)live);
}

START_TEST(a_callback_may_do_anything)
{
	memhook_owner o = fresh_owner("busy");
	void *p, *from_inside = NULL;

	second = fresh_owner("busy/second");
	ck_assert_int_eq(memhook_limit(o, 10000, 0, do_much, &from_inside), 0);
	ck_assert_int_eq(memhook_limit(second, 5000, 0, count, NULL), 0);
	spare = make(o, 9000);
	p = make(o, 1000);
	ck_assert_int_eq(calls, 1);
	ck_assert_uint_eq(stats_of(o).state, MEMHOOK_STATE_RETIRED);
	ck_holds(o, 1000, 1);
	free(make(second, 1));
	ck_assert_int_eq(calls, 2);
	ck_assert_uint_eq(told_owner, second);
	free(p);
	free(from_inside);
}
END_TEST

/* Check allocates, too: nothing is asserted inside the scope. */
static int got_away;

#define REFUSED(call)                                                         \
	do {                                                                  \
		errno = 0;                                                    \
		got_away += (call) != NULL || errno != ENOMEM;                \
	} while (0)

/* No way past it, nothing counted, and the old block as it was. */
START_TEST(hard_refuses)
{
	memhook_owner o = fresh_owner("hard"), was;
	void *volatile p = make(o, 1), *untouched = &o;
	char *q, *volatile kept;

	ck_assert_int_eq(memhook_limit(o, 0, 1000, NULL, NULL), 0);
	q = make(o, 999);
	memset(q, 'q', 999);
	kept = q;
	was = memhook_enter(o);
	REFUSED(malloc(opaque(1)));
	REFUSED(calloc(1, opaque(1)));
	REFUSED(aligned_alloc(64, opaque(64)));
	REFUSED(strdup(""));
	REFUSED(strndup("abc", 2));
	REFUSED(memhook_strdup("x"));
	REFUSED(memhook_lalloc(NULL, NULL, 0, 10));
	REFUSED(realloc(kept, opaque(1000)));
	REFUSED(reallocarray(kept, 10, opaque(100)));
	REFUSED(malloc(opaque(SIZE_MAX)));
	REFUSED(malloc(opaque(1) << (sizeof(size_t) > 4 ? 40 : 30)));
	errno = 0;
	got_away += posix_memalign((void **)&untouched, 4096, 8) != ENOMEM || errno;
	memhook_leave(was);
	ck_assert_int_eq(got_away, 0);
	ck_assert_ptr_eq(untouched, &o);
	ck_assert(q[0] == 'q' && q[998] == 'q' && malloc_usable_size(q) == 999);
	ck_holds(o, 1000, 2);
	ck_assert_uint_eq(stats_of(o).alloc_calls, 2);
	free(p);
	p = make(o, 2);
	ck_assert_ptr_null(p);
	p = make(o, 1); /* what was freed may be had again, to the byte */
	ck_assert_ptr_nonnull(p);
	free(p);
	free(q);
	ck_holds(o, 0, 0);
	p = make(o, 1001);
	ck_assert_ptr_null(p);
	q = make(o, 1000);
	ck_assert_ptr_nonnull(q);
	free(q);
}
END_TEST

START_TEST(hard_lets_through_what_asks_for_no_more)
{
	memhook_owner o = fresh_owner("hard/full"), was;
	void *p = make(o, 2000), *nothing;

	ck_assert_int_eq(memhook_limit(o, 0, 1000, NULL, NULL), 0); /* exceeded already */
	was = memhook_enter(o);
	nothing = malloc(opaque(0));
	p = realloc(p, 2000);
	p = realloc(p, 1500);
	memhook_leave(was);
	ck_assert(nothing && p);
	ck_holds(o, 1500, 2);
	was = memhook_enter(o);
	p = realloc(p, 500);
	ck_assert_ptr_null(realloc(p, opaque(1001)));
	p = realloc(p, 1000); /* needs no room for both */
	memhook_leave(was);
	ck_holds(o, 1000, 2);
	free(p);
	free(nothing);
}
END_TEST

static memhook_owner resolve(void *arg)
{
	return *(memhook_owner *)arg;
}

START_TEST(hard_refuses_within_the_scope_and_nowhere_else)
{
	memhook_owner o = fresh_owner("hard/scope"), was;
	memhook_owner other = fresh_owner("hard/other");
	void *p = make(o, 1000), *q = make(other, 500), *r, *s;

	ck_assert_int_eq(memhook_limit(o, 0, 1000, NULL, NULL), 0);
	was = memhook_enter(o);
	r = make(other, 10); /* the inner scope counts */
	memhook_leave(was);
	ck_assert_ptr_nonnull(r);
	was = memhook_enter(other);
	p = realloc(p, 3000); /* its block, but not its scope */
	memhook_leave(was);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(memhook_transfer(q, o), 0);
	memhook_set_resolver(resolve, &o);
	s = malloc(opaque(100));
	memhook_set_resolver(NULL, NULL);
	ck_assert_ptr_nonnull(s);
	ck_holds(o, 3600, 3);
	free(p);
	ck_assert_ptr_null(make(o, 401)); /* all of it was counted */
	p = make(o, 400);
	ck_assert_ptr_nonnull(p);
	free(p);
	free(q);
	free(r);
	free(s);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(what_is_transferred_takes_room)
{
	memhook_owner o = fresh_owner("hard/to");
	void *p = malloc(opaque(500)), *q;

	ck_assert_int_eq(memhook_limit(o, 0, 1000, NULL, NULL), 0);
	ck_assert_int_eq(memhook_transfer(p, o), 0);
	ck_assert_ptr_null(make(o, 501));
	q = make(o, 500);
	ck_assert_ptr_nonnull(q);
	free(p);
	free(q);
}
END_TEST

static int destroyed;

static void destroy(void *object)
{
	destroyed += object == &destroyed;
}

static void *(*touch)(void);
static memhook_owner full;

/* Its thread-local memory and its destructors, at the limit. */
static void *with_thread_locals(void *arg)
{
	MEMHOOK_SCOPE(full);
	if (__cxa_thread_atexit_impl(destroy, &destroyed, &__dso_handle) || !touch())
		return NULL;
	return malloc(opaque(1)) ? NULL : arg; /* still refused to others */
}

START_TEST(libc_and_the_loader_are_never_refused)
{
	void *guest, **blocks, *p, *joined;
	char *printed = NULL, *line = NULL;
	memhook_owner was;
	size_t size = 0;
	pthread_t t;
	FILE *f;
	int n;

	full = fresh_owner("hard/libc");
	p = make(full, 1000);
	ck_assert_int_eq(memhook_limit(full, 0, 1000, NULL, NULL), 0);
	was = memhook_enter(full);
	n = asprintf(&printed, "%d", 12345);
	f = fopen("/proc/self/maps", "r");
	size = f && getline(&line, &size, f) > 0 && fclose(f) == 0;
	guest = dlopen(getenv("MEMHOOK_GUEST"), RTLD_NOW | RTLD_LOCAL);
	n += dlsym(guest, "no such symbol") || !dlerror() ? 100 : 0;
	memhook_leave(was);
	ck_assert_int_eq(n, 5);
	ck_assert_uint_eq(size, 1);
	ck_assert_msg(guest != NULL, "%s", dlerror());
	ck_assert_uint_gt(stats_of(full).live_bytes, 1000 + 6); /* counted */
	blocks = dlsym(guest, "guest_blocks");
	ck_assert(!blocks[0] && !blocks[1] && !blocks[2]); /* its constructor's own */
	touch = (void *(*)(void))dlsym(guest, "guest_touch");
	for (n = 0; n < 20; n++) {
		was = memhook_enter(full);
		size = (size_t)pthread_create(&t, NULL, with_thread_locals, &full);
		memhook_leave(was);
		ck_assert_uint_eq(size, 0);
		pthread_join(t, &joined);
		ck_assert_ptr_eq(joined, &full);
	}
	ck_assert_int_eq(destroyed, 20);
	free(printed);
	free(line);
	free(p);
}
END_TEST

START_TEST(bad_limits)
{
	memhook_owner o = fresh_owner("bad"), gone = fresh_owner("gone"), next;

#define FAILS(error, call)                                                    \
	do {                                                                  \
		errno = 0;                                                    \
		ck_assert_int_eq((call), -1);                                 \
		ck_assert_int_eq(errno, (error));                             \
	} while (0)
	FAILS(EINVAL, memhook_limit(MEMHOOK_NOBODY, 0, 1, NULL, NULL));
	FAILS(EINVAL, memhook_limit(MEMHOOK_OVERFLOW, 1, 0, count, NULL));
	FAILS(EINVAL, memhook_limit(o, 1, 0, NULL, NULL));
	FAILS(EINVAL, memhook_limit(o, 11, 10, count, NULL));
	FAILS(ESRCH, memhook_limit(MEMHOOK_AUTO, 1, 0, count, NULL));
	FAILS(ESRCH, memhook_limit(o + (UINT64_C(1) << 32), 1, 0, count, NULL));
	errno = 7;
	ck_assert_int_eq(memhook_limit(o, 10, 10, count, NULL), 0);
	ck_assert_int_eq(memhook_limit(o, UINT64_MAX, UINT64_MAX, count, NULL), 0);
	ck_assert_int_eq(errno, 7);
	free(make(o, 1000000));
	ck_assert_int_eq(calls, 0);
	/* the next one in its row begins without */
	ck_assert_int_eq(memhook_limit(gone, 1, 1, count, NULL), 0);
	ck_assert_int_eq(memhook_owner_retire(gone), 0);
	FAILS(ESRCH, memhook_limit(gone, 0, 0, NULL, NULL));
	next = fresh_owner("next");
	ck_assert_uint_eq((uint32_t)next, (uint32_t)gone);
	free(make(next, 100));
	ck_assert_uint_eq(stats_of(next).alloc_bytes, 100);
	ck_assert_int_eq(calls, 0);
}
END_TEST

static void start_over(void)
{
	calls = 0;
}

int main(void)
{
	TCase *c = tcase_create("limits");

	if (!getenv("MEMHOOK_GUEST")) {
		fprintf(stderr, "MEMHOOK_GUEST is not set\n");
		return 77;
	}
	tcase_add_checked_fixture(c, start_over, NULL);
	tcase_add_test(c, soft_calls_once_per_crossing);
	tcase_add_test(c, soft_of_a_few_bytes_and_other_ways_to_get_there);
	tcase_add_test(c, a_callback_may_do_anything);
	tcase_add_test(c, hard_refuses);
	tcase_add_test(c, hard_lets_through_what_asks_for_no_more);
	tcase_add_test(c, hard_refuses_within_the_scope_and_nowhere_else);
	tcase_add_test(c, what_is_transferred_takes_room);
	tcase_add_test(c, libc_and_the_loader_are_never_refused);
	tcase_add_test(c, bad_limits);
	return run_case(c);
}
