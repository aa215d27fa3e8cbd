/* SPDX-License-Identifier: BSD-2-Clause */
/* A hard limit is exact: with eight threads, across fork, set while they run. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"

enum { THREADS = 8 };

static memhook_owner owner;
static pthread_barrier_t barrier;

static void in_threads(void *(*work)(void *))
{
	pthread_t t[THREADS];
	int i;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, work,
						(void *)(uintptr_t)i), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	pthread_barrier_destroy(&barrier);
}

enum { ROUNDS = 200, FIT = 1000, SIZE = 64 };
static void *filled[THREADS][FIT];
static _Atomic int got, wrong_rounds;

/* All fill it at once; each then frees what another one got. */
static void *fill(void *arg)
{
	int me = (int)(uintptr_t)arg, round, i, n;

	MEMHOOK_SCOPE(owner);
	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		for (n = 0; n < FIT && (filled[me][n] = malloc(SIZE)); n++)
			;
		atomic_fetch_add(&got, n);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			wrong_rounds += atomic_exchange(&got, 0) != FIT;
		pthread_barrier_wait(&barrier);
		for (i = 0; i < FIT; i++) {
			free(filled[(me + 1) % THREADS][i]);
			filled[(me + 1) % THREADS][i] = NULL;
		}
	}
	return NULL;
}

/* Not one block more, and none less: what was freed elsewhere is seen. */
START_TEST(eight_threads_get_what_fits)
{
	owner = fresh_owner("exact/fill");
	ck_assert_int_eq(memhook_limit(owner, 0, FIT * SIZE + SIZE - 1, NULL, NULL), 0);
	in_threads(fill);
	ck_assert_int_eq(wrong_rounds, 0);
	ck_holds(owner, 0, 0);
}
END_TEST

enum { HARD = 100000, SLOTS = 64 };
static struct { _Atomic(size_t *) block; } slot[SLOTS];
static _Atomic int64_t model; /* never more than what is live */
static _Atomic int64_t most;
static _Atomic long refused, granted;

static void add(int64_t n)
{
	int64_t now = atomic_fetch_add(&model, n) + n, m = atomic_load(&most);

	while (m < now && !atomic_compare_exchange_weak(&most, &m, now))
		;
}

static void drop(size_t *p)
{
	if (!p)
		return;
	atomic_fetch_sub(&model, (int64_t)*p);
	free(p);
}

static size_t *regrow(size_t *p, size_t size)
{
	size_t had = *p, *q;

	if (size < had)
		atomic_fetch_sub(&model, (int64_t)(had - size));
	q = realloc(p, size);
	if (!q) {
		refused++;
		return p;
	}
	granted++;
	if (size > had)
		add((int64_t)(size - had));
	*q = size;
	return q;
}

static void *mix(void *arg)
{
	unsigned r = (unsigned)(uintptr_t)arg + 1;
	size_t *p, size;
	int i;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 40000; i++) {
		r = r * 1103515245 + 12345;
		size = sizeof(size) + (r >> 8) % 6000;
		p = atomic_exchange(&slot[(r >> 4) % SLOTS].block, NULL);
		if (p && i % 3 == 0) {
			p = regrow(p, size);
		} else {
			drop(p);
			p = i % 5 ? malloc(size) : aligned_alloc(64, size);
			if (p) {
				granted++;
				add((int64_t)size);
				*p = size;
			} else {
				refused++;
			}
		}
		drop(atomic_exchange(&slot[(r >> 4) % SLOTS].block, p));
	}
	return NULL;
}

START_TEST(never_one_byte_more)
{
	void *p;
	int i;

	owner = fresh_owner("exact/mix");
	ck_assert_int_eq(memhook_limit(owner, 0, HARD, NULL, NULL), 0);
	in_threads(mix);
	ck_assert_int_gt(refused, 100);
	ck_assert_int_gt(granted, 1000);
	ck_assert_int_le(most, HARD);
	ck_assert_int_gt(most, HARD / 2);
	for (i = 0; i < SLOTS; i++)
		drop(slot[i].block);
	ck_holds(owner, 0, 0);
	{
		MEMHOOK_SCOPE(owner);
		p = malloc(opaque(HARD)); /* nothing of it got lost */
	}
	ck_assert_ptr_nonnull(p);
	free(p);
}
END_TEST

static _Atomic int calls;

static void count(memhook_owner o, uint64_t live, void *arg)
{
	(void)arg;
	calls += o == owner && live >= FIT * SIZE / 2;
}

/* Each round rises once above the soft limit and falls to nothing. */
START_TEST(soft_calls_one_of_eight_threads)
{
	owner = fresh_owner("exact/soft");
	ck_assert_int_eq(memhook_limit(owner, FIT * SIZE / 2, FIT * SIZE, count,
				       NULL), 0);
	in_threads(fill);
	ck_assert_int_eq(calls, ROUNDS);
}
END_TEST

/* Threads that are inside, on their hot path, while it is set and removed. */
static void *inside(void *arg)
{
	void *p;
	int i, bad = 0;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 50; i++) {
		p = malloc(10);
		pthread_barrier_wait(&barrier);
		if ((uintptr_t)arg == 0)
			bad |= memhook_limit(owner, 0, 10 * THREADS, NULL, NULL);
		pthread_barrier_wait(&barrier);
		bad |= malloc(opaque(1)) != NULL;
		pthread_barrier_wait(&barrier); /* before anybody makes room */
		free(p);
		p = malloc(10);
		bad |= !p;
		pthread_barrier_wait(&barrier);
		if ((uintptr_t)arg == 0)
			bad |= memhook_limit(owner, 0, 0, NULL, NULL);
		pthread_barrier_wait(&barrier);
		free(p);
		p = malloc(1000);
		bad |= !p;
		free(p);
		pthread_barrier_wait(&barrier);
	}
	wrong_rounds += bad;
	return NULL;
}

START_TEST(set_and_removed_while_threads_are_inside)
{
	owner = fresh_owner("exact/inside");
	wrong_rounds = 0;
	in_threads(inside);
	ck_assert_int_eq(wrong_rounds, 0);
	ck_holds(owner, 0, 0);
}
END_TEST

static pthread_key_t late_key;
static _Atomic int late_right;

/* After our own destructor: a thread without counters of its own. */
static void late(void *p)
{
	void *q;

	free(p);
	memhook_enter(owner);
	q = malloc(opaque(90));
	late_right += q && !malloc(opaque(20));
	free(q);
}

static void *with_destructor(void *arg)
{
	MEMHOOK_SCOPE(owner);
	pthread_setspecific(late_key, malloc(10));
	return arg;
}

START_TEST(threads_that_are_ending)
{
	pthread_t t;
	int i;

	owner = fresh_owner("exact/late");
	ck_assert_int_eq(memhook_limit(owner, 0, 100, NULL, NULL), 0);
	pthread_key_create(&late_key, late);
	for (i = 0; i < 20; i++) {
		pthread_create(&t, NULL, with_destructor, NULL);
		pthread_join(t, NULL);
	}
	ck_assert_int_eq(late_right, 20);
	ck_holds(owner, 0, 0);
}
END_TEST

/* 0 when the child may have 400 bytes more than its parent had. */
static int child(void *parents)
{
	struct memhook_stats s = { .size = sizeof(s) };
	void *p, *q;

	MEMHOOK_SCOPE(owner);
	p = malloc(opaque(400));
	if (!p || malloc(opaque(1)))
		return 1;
	free(parents);
	q = malloc(opaque(600));
	if (!q || malloc(opaque(1)))
		return 2;
	return memhook_stats(owner, &s) || s.live_bytes != 1000 ? 3 : 0;
}

static void reap(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

START_TEST(children_have_the_limit_for_themselves)
{
	memhook_owner was;
	void *p, *q;
	int i, wipes = fork_wipes();
	pid_t pid;

	owner = fresh_owner("exact/fork");
	ck_assert_int_eq(memhook_limit(owner, 0, 1000, NULL, NULL), 0);
	was = memhook_enter(owner);
	p = malloc(opaque(600));
	memhook_leave(was);
	for (i = 0; i < 4; i++) {
		pid = i % 2 || !wipes ? fork() : _Fork();
		if (pid == 0)
			_exit(child(p));
		reap(pid);
	}
	was = memhook_enter(owner);
	q = malloc(opaque(400));
	memhook_leave(was);
	ck_assert_ptr_nonnull(q);
	free(p);
	free(q);
}
END_TEST

static _Atomic int stop;

static void *churn(void *arg)
{
	MEMHOOK_SCOPE(owner);
	while (!atomic_load(&stop))
		free(malloc(opaque(50)));
	return arg;
}

/* What their threads were being granted is lost to the child, not to its limit. */
START_TEST(fork_while_threads_allocate)
{
	pthread_t t[THREADS];
	pid_t pid;
	int i;

	owner = fresh_owner("exact/fork-threads");
	ck_assert_int_eq(memhook_limit(owner, 0, 1000, NULL, NULL), 0);
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, churn, NULL);
	for (i = 0; i < 50; i++) {
		pid = fork();
		if (pid == 0) {
			struct memhook_stats s = { .size = sizeof(s) };

			alarm(60);
			MEMHOOK_SCOPE(owner);
			while (malloc(opaque(1)))
				;
			memhook_stats(owner, &s);
			_exit(s.live_bytes == 1000 ? 0 : 1);
		}
		reap(pid);
	}
	atomic_store(&stop, 1);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_holds(owner, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("limits-exact");

	tcase_add_test(c, eight_threads_get_what_fits);
	tcase_add_test(c, never_one_byte_more);
	tcase_add_test(c, soft_calls_one_of_eight_threads);
	tcase_add_test(c, set_and_removed_while_threads_are_inside);
	tcase_add_test(c, threads_that_are_ending);
	tcase_add_test(c, children_have_the_limit_for_themselves);
	tcase_add_test(c, fork_while_threads_allocate);
	return run_case(c);
}
