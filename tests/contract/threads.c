/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: frees elsewhere, many threads, late destructors, running readers. */
#include <pthread.h>
#include <stdatomic.h>

#include "../common.h"

static memhook_owner owner;

static void *make_hundred(void *arg)
{
	void **blocks = arg;
	int i;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 100; i++)
		blocks[i] = malloc((size_t)i + 1);
	return NULL;
}

START_TEST(blocks_freed_by_another_thread)
{
	void *blocks[100];
	pthread_t t;
	int i;

	owner = fresh_owner("remote");
	pthread_create(&t, NULL, make_hundred, blocks);
	pthread_join(t, NULL);
	ck_holds(owner, 5050, 100); /* a dead thread's counters are kept */
	for (i = 0; i < 100; i++)
		free(blocks[i]);
	ck_holds(owner, 0, 0);
}
END_TEST

static pthread_barrier_t barrier;

static void *churn(void *arg)
{
	void *keep;
	int i;

	MEMHOOK_SCOPE(owner);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 200; i++)
		free(malloc((size_t)i * 7));
	keep = malloc(10);
	pthread_barrier_wait(&barrier);
	return (void)arg, keep;
}

START_TEST(five_hundred_threads_at_once)
{
	enum { N = 500 };
	static pthread_t t[N];
	pthread_attr_t small;
	int i, turn;

	owner = fresh_owner("many");
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (turn = 0; turn < 3; turn++) {
		pthread_barrier_init(&barrier, NULL, N);
		for (i = 0; i < N; i++)
			ck_assert_int_eq(pthread_create(&t[i], &small, churn, NULL), 0);
		for (i = 0; i < N; i++) {
			void *kept;

			pthread_join(t[i], &kept);
			if (i % 2)
				free(kept);
		}
		ck_holds(owner, 10 * (N / 2) * (turn + 1), (N / 2) * (turn + 1));
	}
}
END_TEST

static pthread_key_t late_keys[8];
static memhook_owner late_owner;
static _Atomic int64_t late_bytes, late_blocks; /* the test's own model */

static void *late_make(size_t size)
{
	memhook_owner was = memhook_enter(late_owner);
	size_t *p = malloc(size);

	memhook_leave(was);
	*p = size;
	late_bytes += (int64_t)size;
	late_blocks++;
	return p;
}

static void late_free(void *p)
{
	late_bytes -= (int64_t)*(size_t *)p;
	late_blocks--;
	free(p);
}

/* Runs after our own destructor has: in each round of destructors again. */
static void late(void *p)
{
	static __thread int rounds;
	void *q = late_make(64);

	late_free(p);
	if (rounds++ < 20 && !pthread_getspecific(late_keys[rounds % 8]))
		pthread_setspecific(late_keys[rounds % 8], q);
	else
		late_free(q);
}

static void *with_destructors(void *arg)
{
	int i;

	for (i = 0; i < 8; i++)
		pthread_setspecific(late_keys[i], late_make(32));
	return arg;
}

START_TEST(destructors_after_ours)
{
	pthread_t t;
	int i, turn;

	late_owner = fresh_owner("late");
	for (i = 0; i < 8; i++)
		pthread_key_create(&late_keys[i], late);
	for (turn = 0; turn < 50; turn++) {
		pthread_create(&t, NULL, with_destructors, NULL);
		pthread_join(t, NULL);
	}
	/* glibc gives up after four rounds; what was set then is leaked */
	ck_holds(late_owner, (uint64_t)late_bytes, (uint64_t)late_blocks);
	ck_assert_uint_ge(stats_of(late_owner).alloc_calls, 50 * 16);
}
END_TEST

static _Atomic int stop;

static void *mix(void *arg)
{
	static _Atomic(void *) shared[64];
	unsigned r = (unsigned)(uintptr_t)arg;

	MEMHOOK_SCOPE(owner);
	while (!atomic_load(&stop)) {
		r = r * 1103515245 + 12345;
		free(atomic_exchange(&shared[(r >> 8) % 64], malloc((r >> 12) % 4000)));
	}
	for (r = 0; r < 64; r++)
		free(atomic_exchange(&shared[r], NULL));
	return NULL;
}

START_TEST(never_negative_while_threads_run)
{
	struct memhook_stats s = { .size = sizeof(s) };
	pthread_t t[8];
	int i;

	owner = fresh_owner("running");
	for (i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, mix, (void *)(uintptr_t)(i + 1));
	for (i = 0; i < 20000; i++) {
		memhook_stats(owner, &s);
		/* the raw difference, not the clamped one */
		if (s.alloc_calls < s.free_calls || s.alloc_bytes < s.free_bytes)
			break;
	}
	atomic_store(&stop, 1);
	ck_assert_uint_ge(s.alloc_calls, s.free_calls);
	ck_assert_uint_ge(s.alloc_bytes, s.free_bytes);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	ck_holds(owner, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("threads");

	tcase_add_test(c, blocks_freed_by_another_thread);
	tcase_add_test(c, five_hundred_threads_at_once);
	tcase_add_test(c, destructors_after_ours);
	tcase_add_test(c, never_negative_while_threads_run);
	return run_case(c);
}
