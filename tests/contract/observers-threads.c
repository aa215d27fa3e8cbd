/* SPDX-License-Identifier: BSD-2-Clause */
/* Observers of eight threads: each event once, and none after the removal. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common.h"

enum { THREADS = 8 };

static memhook_owner owner;

/*
 * A model of all blocks, by address: none is told twice, or gone before it
 * came, whatever eight threads do.
 */
enum { TABLE = 1 << 14 };
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static void *table[TABLE];
static int64_t model_bytes, model_blocks;
static int twice, unknown;

static unsigned place(const void *block)
{
	unsigned i = (unsigned)((uintptr_t)block >> 4) * 2654435761u >> 18;

	while (table[i] && table[i] != block)
		i = (i + 1) % TABLE;
	return i;
}

static void appear(void *block, size_t bytes, memhook_owner o, const void *caller,
		   void *arg)
{
	unsigned i;

	(void)caller;
	(void)arg;
	if (o != owner)
		return;
	pthread_mutex_lock(&table_lock);
	i = place(block);
	twice += table[i] == block;
	table[i] = block;
	model_bytes += (int64_t)bytes;
	model_blocks++;
	pthread_mutex_unlock(&table_lock);
}

static void vanish(void *block, size_t bytes, memhook_owner o, const void *caller,
		   void *arg)
{
	unsigned i, k;

	(void)caller;
	(void)arg;
	if (o != owner)
		return;
	pthread_mutex_lock(&table_lock);
	i = place(block);
	unknown += table[i] != block;
	table[i] = NULL;
	/* what was put behind it goes where it is looked for */
	for (k = (i + 1) % TABLE; table[k]; k = (k + 1) % TABLE) {
		void *other = table[k];

		table[k] = NULL;
		table[place(other)] = other;
	}
	model_bytes -= (int64_t)bytes;
	model_blocks--;
	pthread_mutex_unlock(&table_lock);
}

static _Atomic(void *) slot[256];

static void *mix(void *arg)
{
	unsigned r = (unsigned)(uintptr_t)arg + 1;
	void *p;
	int i;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 20000; i++) {
		r = r * 1103515245 + 12345;
		p = atomic_exchange(&slot[(r >> 8) % 256], NULL);
		if (i % 3) {
			free(p);
			p = malloc(1 + (r >> 12) % 4000);
		} else {
			p = realloc(p, 1 + (r >> 12) % 9000);
		}
		free(atomic_exchange(&slot[(r >> 8) % 256], p));
	}
	return NULL;
}

static void in_threads(void *(*work)(void *), pthread_t *t)
{
	int i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, work,
						(void *)(uintptr_t)i), 0);
}

START_TEST(what_is_told_is_what_is_counted)
{
	const struct memhook_observer o = { sizeof(o), appear, vanish, NULL };
	pthread_t t[THREADS];
	int i;

	owner = fresh_owner("model");
	ck_assert_int_eq(memhook_observe(&o), 0);
	in_threads(mix, t);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(twice, 0);
	ck_assert_int_eq(unknown, 0);
	ck_assert_int_gt(model_blocks, 100);
	ck_holds(owner, (uint64_t)model_bytes, (uint64_t)model_blocks);
	for (i = 0; i < 256; i++)
		free(slot[i]);
	ck_assert_int_eq(memhook_unobserve(&o), 0);
	ck_assert_int_eq(model_bytes, 0);
	ck_assert_int_eq(model_blocks, 0);
	ck_holds(owner, 0, 0);
}
END_TEST

static _Atomic int stop;
static _Atomic long alive_calls;

static void alive(void *block, size_t bytes, memhook_owner o, const void *caller,
		  void *arg)
{
	(void)block;
	(void)bytes;
	(void)o;
	(void)caller;
	(*(_Atomic long *)arg)++; /* a page that is taken away with the observer */
	alive_calls++;
}

static void *churn(void *arg)
{
	void *p = NULL;

	while (!atomic_load(&stop)) {
		free(malloc(100));
		p = realloc(p, 10);
		free(aligned_alloc(64, 10));
	}
	free(p);
	return arg;
}

/* A call after its removal would write to a page that is gone: SIGSEGV. */
START_TEST(removed_while_threads_run)
{
	struct memhook_observer o = { sizeof(o), alive, alive, NULL };
	pthread_t t[THREADS];
	int i;

	in_threads(churn, t);
	for (i = 0; i < 300 || !atomic_load(&alive_calls); i++) {
		o.arg = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ck_assert_int_eq(memhook_observe(&o), 0);
		sched_yield();
		ck_assert_int_eq(memhook_unobserve(&o), 0);
		munmap(o.arg, 4096);
	}
	atomic_store(&stop, 1);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}
END_TEST

static _Atomic int is_inside, may_go, has_returned;

static void linger(void *block, size_t bytes, memhook_owner o, const void *caller,
		   void *arg)
{
	(void)block;
	(void)bytes;
	(void)caller;
	(void)arg;
	if (o != owner)
		return;
	atomic_store(&is_inside, 1);
	while (!atomic_load(&may_go))
		usleep(1000);
}

static const struct memhook_observer lingering = { sizeof(lingering), linger, NULL,
						   NULL };

static void *allocate(void *arg)
{
	MEMHOOK_SCOPE(owner);
	free(malloc(10));
	return arg;
}

static void *take_away(void *arg)
{
	(void)arg;
	memhook_unobserve(&lingering);
	atomic_store(&has_returned, 1);
	return NULL;
}

START_TEST(removal_waits_for_a_call_under_way)
{
	pthread_t a, b;
	int i;

	owner = fresh_owner("linger");
	ck_assert_int_eq(memhook_observe(&lingering), 0);
	pthread_create(&a, NULL, allocate, NULL);
	while (!atomic_load(&is_inside))
		usleep(1000);
	pthread_create(&b, NULL, take_away, NULL);
	for (i = 0; i < 50; i++) {
		usleep(1000);
		ck_assert_int_eq(has_returned, 0);
	}
	atomic_store(&may_go, 1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	ck_assert_int_eq(has_returned, 1);
	ck_assert_int_eq(memhook_observe(&lingering), 0); /* its place is free */
	ck_assert_int_eq(memhook_unobserve(&lingering), 0);
}
END_TEST

static _Atomic int second_calls;

static void count(void *block, size_t bytes, memhook_owner o, const void *caller,
		  void *arg)
{
	(void)block;
	(void)bytes;
	(void)caller;
	(void)arg;
	second_calls += o == owner;
}

/* A thread on its way from one observer to the next, which goes meanwhile. */
START_TEST(removed_before_its_turn)
{
	const struct memhook_observer next = { sizeof(next), count, NULL, NULL };
	pthread_t t;

	owner = fresh_owner("turn");
	ck_assert_int_eq(memhook_observe(&lingering), 0);
	ck_assert_int_eq(memhook_observe(&next), 0);
	pthread_create(&t, NULL, allocate, NULL);
	while (!atomic_load(&is_inside))
		usleep(1000);
	ck_assert_int_eq(second_calls, 0); /* it is the second: or nothing is proved */
	ck_assert_int_eq(memhook_unobserve(&next), 0);
	atomic_store(&may_go, 1);
	pthread_join(t, NULL);
	ck_assert_int_eq(second_calls, 0);
	ck_assert_int_eq(memhook_unobserve(&lingering), 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("observers-threads");

	tcase_add_test(c, what_is_told_is_what_is_counted);
	tcase_add_test(c, removed_while_threads_run);
	tcase_add_test(c, removal_waits_for_a_call_under_way);
	tcase_add_test(c, removed_before_its_turn);
	return run_case(c);
}
