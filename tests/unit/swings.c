/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sums that peaks come from, as a thread's bytes come and go: how far off they are,
 * and how often they are added to.  Linked with the archive, to look at them.
 */
#include <stdlib.h>

#include "../common.h"
#include "owner.h"
#include "process.h"

#define SIZE 1000
#define TURNS 64
#define MOST 1000 /* blocks */

static void *block[MOST];

struct seen {
	int64_t live, most;
	int times; /* it was added to */
	int64_t off; /* at most */
};

static void look(struct seen *s, const struct mh_coarse *c, int64_t has)
{
	int64_t now = atomic_load(&c->live_bytes);

	s->times += now != s->live;
	s->live = now;
	if (now > s->most)
		s->most = now;
	if (llabs(now - has) > s->off)
		s->off = llabs(now - has);
}

/* n blocks come, and go again. */
static struct seen swing(const struct mh_coarse *c, int n)
{
	struct seen s = { .live = atomic_load(&c->live_bytes) };
	int i, turns = TURNS;

	while (turns--) {
		for (i = 0; i < n; i++) {
			block[i] = malloc(SIZE);
			look(&s, c, (i + 1) * SIZE);
		}
		while (i--) {
			free(block[i]);
			look(&s, c, i * SIZE);
		}
	}
	return s;
}

/* Blocks of one swing, and how often that is added to the sums of owner and process. */
static const struct {
	int blocks;
	double owners, totals;
} swings[] = {
	{ 30, 0, 0.1 }, { 60, 0.1, 0.1 }, { 64, 0.1, 0.1 },
	{ 80, 3, 0.1 }, { 96, 4, 0.2 },   { 128, 6, 3 },
	{ 160, 8, 5 },  { 250, 14, 7 },   { MOST, 64, 40 },
};

START_TEST(an_owners_sum)
{
	memhook_owner o = fresh_owner("swings/owner");
	struct mh_coarse *c = &mh_coarse(mh_area)[mh_owner_row(o)];
	int n = swings[_i].blocks;
	struct seen s;

	{
		MEMHOOK_SCOPE(o);
		s = swing(c, n);
	}
	ck_assert_int_lt(s.off, 65536);
	ck_assert_int_le(s.most, n * SIZE);
	ck_assert_int_ge(atomic_load(&c->peak_bytes), n * SIZE - 65536);
	ck_assert_double_le(s.times, swings[_i].owners * TURNS);
}
END_TEST

START_TEST(the_sum_of_all)
{
	struct seen s = swing(&mh_area->total, swings[_i].blocks);

	ck_assert_int_ge(s.most, swings[_i].blocks * SIZE - 65536);
	ck_assert_double_le(s.times, swings[_i].totals * TURNS);
}
END_TEST

static uint64_t live_of_all(void)
{
	struct memhook_stats all = { .size = sizeof(all) };

	memhook_totals(&all);
	return all.live_bytes;
}

/* One large block that comes and goes. */
START_TEST(a_large_block)
{
	memhook_owner o = fresh_owner("swings/large");
	struct mh_coarse *c = &mh_coarse(mh_area)[mh_owner_row(o)];
	struct seen owners = { .live = 0 };
	struct seen all = { .live = atomic_load(&mh_area->total.live_bytes) };
	int64_t others = (int64_t)live_of_all();
	int turns = TURNS;

	while (turns--) {
		memhook_owner was = memhook_enter(o);
		void *p = malloc(opaque(65536));

		look(&owners, c, 65536);
		look(&all, &mh_area->total, others + 65536);
		free(p);
		memhook_leave(was);
		look(&owners, c, 0);
		look(&all, &mh_area->total, others);
	}
	ck_assert_int_lt(owners.off, 65536);
	ck_assert_int_lt(all.off, 65536);
	ck_assert_int_eq(owners.most, 65536);
	ck_assert_int_le(owners.times, 2);
	ck_assert_int_le(all.times, 2);
}
END_TEST

int main(void)
{
	enum { KINDS = sizeof(swings) / sizeof(*swings) };
	TCase *c = tcase_create("swings");

	tcase_add_loop_test(c, an_owners_sum, 0, KINDS);
	tcase_add_loop_test(c, the_sum_of_all, 0, KINDS);
	tcase_add_test(c, a_large_block);
	return run_case(c);
}
