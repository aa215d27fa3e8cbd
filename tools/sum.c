/* SPDX-License-Identifier: BSD-2-Clause */
#include "sum.h"

#include <stdlib.h>
#include <string.h>

/* At a time: stays in the processor's cache between read and addition. */
#define BATCH_ROWS 8192
#define PAGE 4096

/*
 * Counters that a pass may read.  Only an enemy has more: it would have to
 * fill so much memory first, and reading takes seconds, not minutes.
 */
#define PASS_LIMIT (UINT64_C(4) << 30)

static void add_rows(struct mh_sum *sum, const struct mh_row *row, size_t n)
{
	size_t i;

	/* A copy of our own: nobody else writes it, so these are plain loads. */
	for (i = 0; i < n; i++) {
		sum[i].free_bytes += atomic_load_explicit(&row[i].free_bytes,
							  memory_order_relaxed);
		sum[i].free_calls += atomic_load_explicit(&row[i].free_calls,
							  memory_order_relaxed);
		sum[i].alloc_bytes += atomic_load_explicit(&row[i].alloc_bytes,
							   memory_order_relaxed);
		sum[i].alloc_calls += atomic_load_explicit(&row[i].alloc_calls,
							   memory_order_relaxed);
	}
}

/* The rows of one shard; holes are skipped: what was never written is zeros. */
static int sum_shard(struct reader *r, uint64_t at, uint32_t rows, struct mh_sum *sum,
		     struct mh_row *buf, uint64_t *budget)
{
	uint64_t end = at + (uint64_t)rows * sizeof(*buf), next = at, from, to;

	while (source_next(&r->source, next, end, &from, &to)) {
		uint64_t first = (from - at) / sizeof(*buf);
		uint64_t n = (to - at + sizeof(*buf) - 1) / sizeof(*buf) - first;

		if (n > BATCH_ROWS)
			n = BATCH_ROWS;
		if (n * sizeof(*buf) > *budget) {
			r->error = "the segment has more counters than a reader will read";
			return -1;
		}
		*budget -= n * sizeof(*buf);
		if (reader_read(r, at + first * sizeof(*buf), buf, n * sizeof(*buf)))
			return -1;
		add_rows(sum + first, buf, n);
		next = at + (first + n) * sizeof(*buf);
	}
	return 0;
}

/*
 * As many as there are now: a pass that went by an older number would miss
 * what a new thread allocated, and not what another one freed of it.
 */
static int read_shards_used(struct reader *r, uint64_t area, const struct mh_area *a,
			    uint32_t *used)
{
	if (reader_read(r, area + offsetof(struct mh_area, shards_used), used,
			sizeof(*used)))
		return -1;
	if (*used > a->shards_max)
		*used = a->shards_max;
	return 0;
}

int sum_shards(struct reader *r, uint64_t area, const struct mh_area *a,
	       struct mh_sum *sum)
{
	struct mh_row *buf = malloc(BATCH_ROWS * sizeof(*buf));
	uint64_t at = area + a->shards_offset, budget = PASS_LIMIT;
	uint32_t s, used;
	int rc;

	if (!buf) {
		r->error = "out of memory";
		return -1;
	}
	memset(sum, 0, a->owners_used * sizeof(*sum));
	rc = read_shards_used(r, area, a, &used);
	for (s = 0; rc == 0 && s < used; s++, at += a->shard_stride)
		rc = sum_shard(r, at, a->owners_used, sum, buf, &budget);
	free(buf);
	return rc;
}

static uint64_t rows_size(const struct mh_area *a)
{
	return a->owners_max * (sizeof(struct mh_row) + sizeof(int64_t));
}

int sum_unseen(struct reader *r, uint64_t area, const struct mh_area *a,
	       struct mh_snapshot *s)
{
	uint64_t at = area + a->shards_offset + rows_size(a);
	struct mh_shard_end end;
	uint32_t shard;

	for (shard = 0; shard < a->shards_used; shard++, at += a->shard_stride) {
		if (reader_read(r, at, &end, sizeof(end)))
			return -1;
		s->unseen_calls += end.unseen_calls;
		s->unseen_bytes += end.unseen_bytes;
	}
	return 0;
}

/* Whole pages: a table's last one counts in full. */
static uint64_t present(struct reader *r, uint64_t at, uint64_t size)
{
	uint64_t end = at + (size + PAGE - 1) / PAGE * PAGE, from, to, bytes = 0;

	while (source_next(&r->source, at, end, &from, &to)) {
		bytes += to - from;
		at = to;
	}
	return bytes;
}

uint64_t sum_memory(struct reader *r, uint64_t area, const struct mh_area *a)
{
	uint64_t bytes = present(r, area, sizeof(*a)), used = a->owners_used;
	uint64_t shard = area + a->shards_offset;
	uint32_t s;

	bytes += present(r, area + a->owners_offset, used * sizeof(struct mh_owner));
	bytes += present(r, area + a->coarse_offset, used * sizeof(struct mh_coarse));
	bytes += present(r, area + a->base_offset, used * sizeof(struct mh_row));
	bytes += present(r, area + a->objects_offset,
			 a->objects_used * sizeof(struct mh_object));
	for (s = 0; s < a->shards_used; s++, shard += a->shard_stride) {
		bytes += present(r, shard, used * sizeof(struct mh_row));
		bytes += present(r, shard + a->owners_max * sizeof(struct mh_row),
				 used * sizeof(int64_t));
		bytes += present(r, shard + rows_size(a), sizeof(struct mh_shard_end));
	}
	return bytes;
}
