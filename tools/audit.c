/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sums made in another way than the report makes them: by shard, over every
 * row, also over those behind the last owner.
 */
#include "audit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stats.h"
#include "tool.h"

/* How far a thread may be from what it published: src/account.h. */
#define THREAD_BOUND UINT64_C(65536)
/* A writer that ran past the owners is found directly behind them. */
#define ROWS_BEHIND 1024

/* Everything that must agree, as one pass saw it. */
struct pass {
	struct mh_area area;
	uint32_t rows; /* owners, and some behind them */
	struct mh_sum *sums;
	struct mh_row *base;
	struct mh_coarse *coarse;
	struct mh_owner *owners;
};

static void *room_for(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		out_of_memory();
	return p;
}

static void free_pass(struct pass *p)
{
	free(p->sums);
	free(p->base);
	free(p->coarse);
	free(p->owners);
	memset(p, 0, sizeof(*p));
}

static int read_shards(struct reader *r, uint64_t start, struct pass *p)
{
	const struct mh_area *a = &p->area;
	struct mh_row *rows = room_for(p->rows, sizeof(*rows));
	uint32_t shard, i;
	int rc = 0;

	for (shard = 0; shard < a->shards_used && rc == 0; shard++) {
		rc = reader_read(r, start + a->shards_offset + shard * a->shard_stride,
				 rows, p->rows * sizeof(*rows));
		for (i = 0; i < p->rows && rc == 0; i++) {
			p->sums[i].free_bytes += rows[i].free_bytes;
			p->sums[i].free_calls += rows[i].free_calls;
			p->sums[i].alloc_bytes += rows[i].alloc_bytes;
			p->sums[i].alloc_calls += rows[i].alloc_calls;
		}
	}
	free(rows);
	return rc;
}

static int read_pass(struct reader *r, uint32_t slot, struct pass *p)
{
	const struct mh_area *a = &p->area;
	uint64_t start;
	size_t n;

	memset(p, 0, sizeof(*p));
	if (reader_area(r, slot, &p->area, &start))
		return -1;
	n = a->owners_used;
	p->rows = a->owners_max - a->owners_used < ROWS_BEHIND
			  ? a->owners_max : a->owners_used + ROWS_BEHIND;
	p->sums = room_for(p->rows, sizeof(*p->sums));
	p->base = room_for(p->rows, sizeof(*p->base));
	p->coarse = room_for(p->rows, sizeof(*p->coarse));
	p->owners = room_for(n, sizeof(*p->owners));
	if (read_shards(r, start, p) == 0 &&
	    reader_read(r, start + a->base_offset, p->base,
			p->rows * sizeof(*p->base)) == 0 &&
	    reader_read(r, start + a->coarse_offset, p->coarse,
			p->rows * sizeof(*p->coarse)) == 0 &&
	    reader_read(r, start + a->owners_offset, p->owners,
			n * sizeof(*p->owners)) == 0)
		return 0;
	free_pass(p);
	return -1;
}

static int same(const struct pass *p, const struct pass *q)
{
	return p->rows == q->rows && p->area.shards_used == q->area.shards_used &&
	       p->area.total.live_bytes == q->area.total.live_bytes &&
	       !memcmp(p->sums, q->sums, p->rows * sizeof(*p->sums)) &&
	       !memcmp(p->base, q->base, p->rows * sizeof(*p->base)) &&
	       !memcmp(p->coarse, q->coarse, p->rows * sizeof(*p->coarse));
}

static void drift(struct audit *a, const struct pass *p, uint32_t row, const char *what,
		  int64_t expected, int64_t found)
{
	struct audit_drift *d = &a->list[a->drifts];

	if (a->drifts++ >= AUDIT_LISTED)
		return;
	d->what = what;
	d->row = row;
	d->expected = expected;
	d->found = found;
	d->owner[0] = '\0';
	if (p && row < p->area.owners_used)
		memcpy(d->owner, p->owners[row].name, sizeof(d->owner) - 1);
	d->owner[sizeof(d->owner) - 1] = '\0';
}

/* What is spoiled may be any number: sums wrap around, as the counters do. */
static int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int within(int64_t a, int64_t b, uint64_t bound)
{
	return (a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a) <= bound;
}

/* A peak may be more than what there is; less by no more than the bound. */
static int is_peak(int64_t peak, int64_t bytes, uint64_t bound)
{
	return peak >= bytes || within(peak, bytes, bound);
}

static int64_t bytes_of(const struct mh_sum *s)
{
	return (int64_t)(s->alloc_bytes - s->free_bytes);
}

static int64_t calls_of(const struct mh_sum *s)
{
	return (int64_t)(s->alloc_calls - s->free_calls);
}

/* Frees as an earlier pass saw them, allocations as a later one: at any time. */
static void check_negative(struct audit *a, const struct pass *p, const struct pass *q)
{
	uint32_t i, n = p->rows < q->rows ? p->rows : q->rows;

	for (i = 0; i < n; i++) {
		int64_t bytes = (int64_t)(q->sums[i].alloc_bytes - p->sums[i].free_bytes);
		int64_t calls = (int64_t)(q->sums[i].alloc_calls - p->sums[i].free_calls);

		if (bytes < 0)
			drift(a, q, i, "more bytes freed than allocated", 0, bytes);
		if (calls < 0)
			drift(a, q, i, "more blocks freed than allocated", 0, calls);
	}
}

/* What a row's owner began with: nothing was live, and it only grew since. */
static void check_base(struct audit *a, const struct pass *p, uint32_t i)
{
	const struct mh_row *base = &p->base[i];
	const struct mh_sum *sum = &p->sums[i];

	if (base->alloc_bytes != base->free_bytes)
		drift(a, p, i, "began with live bytes", 0,
		      (int64_t)(base->alloc_bytes - base->free_bytes));
	if (base->alloc_calls != base->free_calls)
		drift(a, p, i, "began with live blocks", 0,
		      (int64_t)(base->alloc_calls - base->free_calls));
	if (base->alloc_bytes > sum->alloc_bytes)
		drift(a, p, i, "began with more bytes than there ever were",
		      (int64_t)sum->alloc_bytes, (int64_t)base->alloc_bytes);
	if (base->alloc_calls > sum->alloc_calls)
		drift(a, p, i, "began with more allocations than there ever were",
		      (int64_t)sum->alloc_calls, (int64_t)base->alloc_calls);
}

static void check_row(struct audit *a, const struct pass *p, uint32_t i)
{
	int64_t bytes = bytes_of(&p->sums[i]), calls = calls_of(&p->sums[i]);
	int64_t coarse = p->coarse[i].live_bytes;

	if (bytes > 0 && calls == 0)
		drift(a, p, i, "live bytes without a live block", 0, bytes);
	if (!within(coarse, bytes, a->bound_bytes))
		drift(a, p, i, "the coarse sum is off by more than its bound", bytes,
		      coarse);
	if (!is_peak(p->coarse[i].peak_bytes, bytes, a->bound_bytes))
		drift(a, p, i, "the peak is below what is live", bytes,
		      p->coarse[i].peak_bytes);
}

/* Is there an owner for what was counted? */
static void check_place(struct audit *a, const struct pass *p, uint32_t i)
{
	int64_t bytes = bytes_of(&p->sums[i]), calls = calls_of(&p->sums[i]);

	if (i >= p->area.owners_used && (p->sums[i].alloc_calls || p->sums[i].free_calls ||
					 p->sums[i].alloc_bytes || p->sums[i].free_bytes))
		drift(a, p, i, "counted behind the last owner", 0, bytes);
	else if (i < p->area.owners_used && (bytes || calls) &&
		 p->owners[i].state == MEMHOOK_STATE_FREE)
		drift(a, p, i, "blocks of no owner", 0, bytes);
}

static void add_up(struct audit *a, const struct pass *p)
{
	uint32_t i;

	a->live_bytes = a->live_blocks = 0;
	for (i = 0; i < p->rows; i++) {
		a->live_bytes = plus(a->live_bytes, bytes_of(&p->sums[i]));
		a->live_blocks = plus(a->live_blocks, calls_of(&p->sums[i]));
	}
}

/* What the report says of the same moment, against what was added up here. */
static void check_report(struct audit *a, const struct mh_snapshot *s)
{
	int64_t bytes = 0, blocks = 0;
	size_t i;

	for (i = 0; i < s->owner_count; i++) {
		bytes = plus(bytes, (int64_t)s->owners[i].live_bytes);
		blocks = plus(blocks, (int64_t)s->owners[i].live_blocks);
	}
	if (bytes != a->live_bytes)
		drift(a, NULL, 0, "the owners' bytes are not the shards'", a->live_bytes,
		      bytes);
	if (blocks != a->live_blocks)
		drift(a, NULL, 0, "the owners' blocks are not the shards'", a->live_blocks,
		      blocks);
	bytes = (int64_t)s->totals.live_bytes;
	blocks = (int64_t)s->totals.live_blocks;
	if (bytes != a->live_bytes)
		drift(a, NULL, 0, "the total's bytes are not the shards'", a->live_bytes,
		      bytes);
	if (blocks != a->live_blocks)
		drift(a, NULL, 0, "the total's blocks are not the shards'", a->live_blocks,
		      blocks);
}

static void check_all(struct audit *a, const struct pass *p, const struct mh_snapshot *s)
{
	int64_t coarse = p->area.total.live_bytes;
	uint32_t i;

	for (i = 0; i < p->rows; i++) {
		check_place(a, p, i);
		check_base(a, p, i);
		if (a->exact)
			check_row(a, p, i);
	}
	/* A child that began inexact may be off wherever it was then. */
	if (!a->exact)
		return;
	check_report(a, s);
	if (!within(coarse, a->live_bytes, a->bound_bytes))
		drift(a, NULL, 0, "the coarse total is off by more than its bound",
		      a->live_bytes, coarse);
	if (!is_peak(p->area.total.peak_bytes, a->live_bytes, a->bound_bytes))
		drift(a, NULL, 0, "the total's peak is below what is live",
		      a->live_bytes, p->area.total.peak_bytes);
}

static void describe(struct audit *a, const struct pass *p)
{
	a->owners = p->area.owners_used;
	a->shards = p->area.shards_used;
	a->bound_bytes = a->shards * THREAD_BOUND + p->area.inexact_bytes;
	a->exact = !p->area.inexact;
}

/* One look: two passes, the report between them. */
static enum audit_result look(struct reader *r, uint32_t slot, struct audit *a)
{
	enum audit_result result = AUDIT_FAILED;
	struct mh_snapshot s = { .pid = 0 };
	struct pass p = { .rows = 0 }, q = { .rows = 0 };

	a->drifts = 0;
	a->passes += 2;
	if (read_pass(r, slot, &p) == 0 && reader_snapshot(r, slot, &s) == 0 &&
	    read_pass(r, slot, &q) == 0) {
		int rests = same(&p, &q) && s.consistent;

		describe(a, &q);
		add_up(a, &q);
		if (a->exact)
			check_negative(a, &p, &q);
		if (rests)
			check_all(a, &q, &s);
		result = a->drifts ? AUDIT_DRIFT
			 : rests   ? AUDIT_CONSISTENT : AUDIT_RUNNING;
	}
	reader_free(&s);
	free_pass(&p);
	free_pass(&q);
	return result;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

enum audit_result audit_slot(struct reader *r, uint32_t slot, uint64_t ms,
			     struct audit *a)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	uint64_t end = now_ms() + ms;
	enum audit_result result;

	memset(a, 0, sizeof(*a));
	while ((result = look(r, slot, a)) == AUDIT_RUNNING && now_ms() < end)
		nanosleep(&pause, NULL);
	return result;
}
