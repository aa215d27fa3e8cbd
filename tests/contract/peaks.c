/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peaks of what one thread and what several have: within 64 KiB for each of them
 * of the most that there ever was.
 */
#include <pthread.h>
#include <string.h>

#include "../common.h"

#define THREADS 6
#define BLOCKS 40
#define PHASES 400

static memhook_owner owner;

/* Up and down, by sizes of all kinds; a resized block is one block. */
START_TEST(peaks_follow_any_path)
{
	enum { PLACES = 50, STEPS = 20000 };
	static struct { char *p; size_t size; } block[PLACES];
	size_t live = 0, peak = 0; /* as wide as the differences of sizes */
	unsigned r = (unsigned)_i + 1;
	int step, i;

	owner = fresh_owner("peak/path");
	MEMHOOK_SCOPE(owner);
	for (step = 0; step < STEPS; step++) {
		size_t size, most;

		i = (int)((r = r * 1103515245 + 12345) >> 8) % PLACES;
		most = (size_t)16 << (r >> 8) / PLACES % 14;
		size = r % 3 || !block[i].p ? (r >> 12) % most + 1 : 0;
		live += size - block[i].size;
		block[i].p = realloc(block[i].p, size);
		block[i].size = size;
		if (live > peak)
			peak = live;
	}
	for (i = 0; i < PLACES; i++)
		free(block[i].p);
	memset(block, 0, sizeof(block));
	ck_peaks(owner, 1, peak, peak);
}
END_TEST

START_TEST(a_peak_has_a_growing_block_once)
{
	size_t size = 1 << 20;
	char *p;

	owner = fresh_owner("peak/grown");
	MEMHOOK_SCOPE(owner);
	p = malloc(size);
	while (size < 8 << 20)
		p = realloc(p, size += size / 8);
	ck_peaks(owner, 1, size, size);
	free(p);
}
END_TEST

struct holder {
	pthread_t thread;
	unsigned draws;
	void *block[BLOCKS];
	uint64_t has; /* bytes */
};

static unsigned draw(struct holder *me, unsigned below)
{
	me->draws = me->draws * 1103515245 + 12345;
	return (me->draws >> 8) % below;
}

/* Frees all that it has, then takes some blocks of some size: for a time large ones. */
static void turn(struct holder *me)
{
	size_t size = (size_t)16 << draw(me, 14);
	int i, n = (int)draw(me, BLOCKS);

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < BLOCKS; i++)
		free(me->block[i]);
	memset(me->block, 0, sizeof(me->block));
	for (i = 0; i < n; i++)
		me->block[i] = malloc(size);
	me->has = n * size;
}

static void start(struct holder *all, void *(*run)(void *))
{
	int i;

	for (i = 0; i < THREADS; i++) {
		all[i].draws = (unsigned)i;
		pthread_create(&all[i].thread, NULL, run, &all[i]);
	}
}

static void join(struct holder *all)
{
	int i, k;

	for (i = 0; i < THREADS; i++)
		pthread_join(all[i].thread, NULL);
	for (i = 0; i < THREADS; i++)
		for (k = 0; k < BLOCKS; k++)
			free(all[i].block[k]);
}

/* One after the other, in an order that nobody foresees: what is had then is known. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct holder in_turn[THREADS];
static uint64_t most;

static void *by_turns(void *arg)
{
	int n, i;

	for (n = 0; n < PHASES; n++) {
		uint64_t sum = 0;

		pthread_mutex_lock(&mutex);
		turn(arg);
		for (i = 0; i < THREADS; i++)
			sum += in_turn[i].has;
		if (sum > most)
			most = sum;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

START_TEST(a_peak_is_what_was_had_at_one_time)
{
	owner = fresh_owner("peaks/turns");
	start(in_turn, by_turns);
	join(in_turn);
	ck_peaks(owner, THREADS, most, most);
	ck_holds(owner, 0, 0);
}
END_TEST

/*
 * All at once, then a look at what they have: the most of these sums is below the
 * peak, and what all have before or after a step is not.
 */
static struct holder at_once[THREADS];
static uint64_t had[THREADS], low, high;
static pthread_barrier_t barrier;

static void look(void)
{
	uint64_t sum = 0, larger = 0;
	int i;

	for (i = 0; i < THREADS; i++) {
		sum += at_once[i].has;
		larger += at_once[i].has > had[i] ? at_once[i].has : had[i];
		had[i] = at_once[i].has;
	}
	low = sum > low ? sum : low;
	high = larger > high ? larger : high;
}

static void *all_at_once(void *arg)
{
	int n;

	for (n = 0; n < PHASES; n++) {
		turn(arg);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			look();
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

START_TEST(a_peak_is_not_missed)
{
	owner = fresh_owner("peaks/at-once");
	pthread_barrier_init(&barrier, NULL, THREADS);
	start(at_once, all_at_once);
	join(at_once);
	ck_peaks(owner, THREADS, low, high);
	ck_holds(owner, 0, 0);
}
END_TEST

/* What the first has given back is not had when the second comes to have as much. */
static void *rise_and_fall(void *arg)
{
	static void *block[1000];
	int i;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 1000; i++)
		block[i] = malloc(1000);
	for (i = 0; i < 1000; i++)
		free(block[i]);
	if (arg)
		pthread_barrier_wait(arg); /* and lives on */
	return NULL;
}

START_TEST(a_peak_is_not_of_what_was_had_before)
{
	pthread_barrier_t both;
	pthread_t t;

	owner = fresh_owner("peaks/before");
	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&t, NULL, rise_and_fall, &both);
	while (stats_of(owner).free_calls < 1000)
		sched_yield();
	rise_and_fall(NULL);
	ck_peaks(owner, 2, 1000000, 1000000);
	pthread_barrier_wait(&both);
	pthread_join(t, NULL);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("peaks");

	tcase_add_loop_test(c, peaks_follow_any_path, 0, 20);
	tcase_add_test(c, a_peak_has_a_growing_block_once);
	tcase_add_test(c, a_peak_is_what_was_had_at_one_time);
	tcase_add_test(c, a_peak_is_not_missed);
	tcase_add_test(c, a_peak_is_not_of_what_was_had_before);
	return run_case(c);
}
