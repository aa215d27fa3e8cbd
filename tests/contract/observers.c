/* SPDX-License-Identifier: BSD-2-Clause */
/* Observers: what they are told, what they may do, forked children. */
#include <sys/wait.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"

/*
 * The events of one owner: Check allocates, too.  volatile: libc's header
 * promises gcc that malloc and free change nothing of ours.
 */
static memhook_owner owner;
static struct event {
	char what;
	void *block;
	size_t bytes;
	const void *caller;
} events[100];
static volatile int n_events;

static void note(char what, void *block, size_t bytes, memhook_owner o,
		 const void *caller)
{
	if (o != owner || n_events == 100)
		return;
	events[n_events++] = (struct event){ what, block, bytes, caller };
	errno = E2BIG; /* must not be seen by whoever allocates or frees */
}

static void on_alloc(void *block, size_t bytes, memhook_owner o, const void *caller,
		     void *arg)
{
	note('a', block, bytes, o, caller);
	(void)arg;
}

static void on_free(void *block, size_t bytes, memhook_owner o, const void *caller,
		    void *arg)
{
	note('f', block, bytes, o, caller);
	(void)arg;
}

static const struct memhook_observer both = { sizeof(both), on_alloc, on_free, NULL };

#define TOLD(i, w, b, n)                                                      \
	ck_assert(events[i].what == (w) && events[i].block == (b) &&          \
		  events[i].bytes == (n) && events[i].caller)

START_TEST(each_call_is_told)
{
	memhook_owner was;
	void *p, *q, *r, *s, *t;
	int error;

	owner = fresh_owner("told");
	ck_assert_int_eq(memhook_observe(&both), 0);
	was = memhook_enter(owner);
	errno = 7;
	p = malloc(10);
	q = calloc(2, 10);
	r = aligned_alloc(256, 30);
	s = strdup("abc");
	t = realloc(p, 100000);
	errno = 7;
	free(q);
	free(r);
	free(s);
	free(t);
	error = errno;
	memhook_leave(was);
	ck_assert_int_eq(memhook_unobserve(&both), 0);
	ck_assert_int_eq(error, 7);
	ck_assert_int_eq(n_events, 10);
	TOLD(0, 'a', p, 10);
	TOLD(1, 'a', q, 20);
	TOLD(2, 'a', r, 30);
	TOLD(3, 'a', s, 4);
	TOLD(4, 'f', p, 10);
	TOLD(5, 'a', t, 100000);
	TOLD(6, 'f', q, 20);
	TOLD(9, 'f', t, 100000);
	was = memhook_enter(owner);
	free(malloc(1));
	memhook_leave(was);
	ck_assert_int_eq(n_events, 10);
	ck_holds(owner, 0, 0);
}
END_TEST

START_TEST(a_realloc_that_fails_is_told)
{
	memhook_owner was;
	void *p, *failed;

	owner = fresh_owner("fails");
	ck_assert_int_eq(memhook_observe(&both), 0);
	was = memhook_enter(owner);
	p = malloc(100000);
	limit_address_space();
	failed = realloc(p, opaque((size_t)1 << 30));
	unlimit_address_space();
	memhook_leave(was);
	ck_assert_int_eq(memhook_unobserve(&both), 0);
	ck_assert_ptr_null(failed);
	ck_assert_int_eq(n_events, 3);
	TOLD(0, 'a', p, 100000);
	TOLD(1, 'f', p, 100000); /* it came to nothing */
	TOLD(2, 'a', p, 100000);
	free(p);
	ck_holds(owner, 0, 0);
}
END_TEST

static volatile int busy_calls;

static void busy(void *block, size_t bytes, memhook_owner o, const void *caller,
		 void *arg)
{
	void *p = malloc(bytes + 1), *q = realloc(malloc(3), 5000);

	(void)caller;
	(void)arg;
	busy_calls++;
	if (o == owner)
		printf("%p: %zu bytes of %llx\n", block, bytes, (unsigned long long)o);
	free(q);
	free(p);
}

START_TEST(an_observer_that_allocates_and_prints_does_not_loop)
{
	const struct memhook_observer o = { sizeof(o), busy, busy, NULL };
	memhook_owner was;
	int before;

	owner = fresh_owner("busy");
	ck_assert_int_eq(memhook_observe(&o), 0);
	ck_assert_int_eq(memhook_observe(&both), 0); /* nor is another told */
	was = memhook_enter(owner);
	before = busy_calls;
	free(malloc(10));
	before = busy_calls - before;
	memhook_leave(was);
	ck_assert_int_eq(memhook_unobserve(&both), 0);
	ck_assert_int_eq(memhook_unobserve(&o), 0);
	ck_assert_int_eq(before, 2);
	ck_assert_int_eq(n_events, 2);
	ck_assert_uint_eq(stats_of(owner).alloc_calls, 1 + 2 * 3); /* but counted */
	ck_holds(owner, 0, 0);
}
END_TEST

static volatile int inside_error;

static void remove_itself(void *block, size_t bytes, memhook_owner o, const void *caller,
			  void *arg)
{
	(void)block;
	(void)bytes;
	(void)caller;
	if (o == owner && !inside_error && memhook_unobserve(arg))
		inside_error = errno;
}

START_TEST(answers)
{
	struct memhook_observer o = both;
	struct memhook_observer self = { sizeof(self), remove_itself, NULL, &self };
	memhook_owner was;
	char tag[9];
	int i;

#define FAILS(error, call)                                                    \
	do {                                                                  \
		errno = 0;                                                    \
		ck_assert_int_eq((call), -1);                                 \
		ck_assert_int_eq(errno, (error));                             \
	} while (0)
	owner = fresh_owner("answers");
	for (i = 0; i < 8; i++) {
		o.arg = &tag[i];
		ck_assert_int_eq(memhook_observe(&o), 0);
		FAILS(EEXIST, memhook_observe(&o));
	}
	o.arg = &tag[8];
	FAILS(ENOSPC, memhook_observe(&o));
	FAILS(ENOENT, memhook_unobserve(&o));
	for (i = 0; i < 8; i++) {
		o.arg = &tag[i];
		ck_assert_int_eq(memhook_unobserve(&o), 0);
		FAILS(ENOENT, memhook_unobserve(&o));
	}
	o.size = sizeof(o) - 1;
	FAILS(EINVAL, memhook_observe(&o));
	o = (struct memhook_observer){ .size = sizeof(o) };
	FAILS(EINVAL, memhook_observe(&o));
	FAILS(EINVAL, memhook_unobserve(NULL));
	ck_assert_int_eq(memhook_observe(&self), 0);
	was = memhook_enter(owner);
	free(malloc(1));
	memhook_leave(was);
	ck_assert_int_eq(inside_error, EDEADLK);
	ck_assert_int_eq(memhook_unobserve(&self), 0);
}
END_TEST

static volatile pid_t forked;

/* Forks in the middle of what it is told: a child is born inside a callback. */
static void forking(void *block, size_t bytes, memhook_owner o, const void *caller,
		    void *arg)
{
	(void)block;
	(void)caller;
	(void)arg;
	if (o == owner && bytes == 77)
		forked = fork();
}

/* 0 when the child is told, counts, and can take away. */
static int goes_on(void *p)
{
	struct memhook_stats s = { .size = sizeof(s) };
	int before = n_events;

	free(p);
	if (n_events != before + (p != NULL) || memhook_unobserve(&both))
		return 1;
	before = n_events;
	free(malloc(5));
	return n_events != before || memhook_stats(owner, &s) || s.live_bytes ? 2 : 0;
}

static void check_child(void *p)
{
	int status;

	if (forked == 0)
		_exit(goes_on(p));
	ck_assert_int_eq(waitpid(forked, &status, 0), forked);
	ck_assert_msg(status == 0, "status %x", status);
}

START_TEST(children_have_their_parents_observers)
{
	struct memhook_observer o = { sizeof(o), forking, NULL, NULL };
	memhook_owner was;
	void *p;

	owner = fresh_owner("child");
	ck_assert_int_eq(memhook_observe(&both), 0);
	was = memhook_enter(owner);
	p = malloc(7);
	forked = fork();
	memhook_leave(was);
	check_child(p);
	free(p);
	/* forked in on_alloc */
	ck_assert_int_eq(memhook_observe(&o), 0);
	was = memhook_enter(owner);
	p = malloc(77);
	memhook_leave(was);
	check_child(p);
	ck_assert_int_eq(memhook_unobserve(&o), 0);
	/* in on_free of free, and of realloc */
	o = (struct memhook_observer){ sizeof(o), NULL, forking, NULL };
	ck_assert_int_eq(memhook_observe(&o), 0);
	free(p);
	check_child(NULL);
	was = memhook_enter(owner);
	p = realloc(malloc(77), 700);
	memhook_leave(was);
	check_child(p);
	ck_assert_int_eq(memhook_unobserve(&o), 0);
	free(p);
	ck_assert_int_eq(memhook_unobserve(&both), 0);
	ck_holds(owner, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("observers");

	tcase_add_test(c, each_call_is_told);
	if (address_space_has_limits())
		tcase_add_test(c, a_realloc_that_fails_is_told);
	tcase_add_test(c, an_observer_that_allocates_and_prints_does_not_loop);
	tcase_add_test(c, answers);
	tcase_add_test(c, children_have_their_parents_observers);
	return run_case(c);
}
