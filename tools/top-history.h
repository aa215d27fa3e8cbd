/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recent live bytes, of some.  65,536 owners are possible, and groups on top
 * of them: TOP_HISTORIES of them are remembered, those that were shown most
 * recently and, while there is room, the largest ones (about 560 KiB in all).
 * The others start one when they are shown.
 */
#ifndef TOP_HISTORY_H
#define TOP_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define TOP_SAMPLES 64
#define TOP_HISTORIES 1024

struct top_history {
	uint64_t key;
	uint64_t wanted; /* round in which it was last asked for */
	uint64_t pushed; /* round of its latest sample */
	uint32_t next;   /* in its bucket; TOP_HISTORIES ends it */
	uint32_t count;  /* samples ever; the last TOP_SAMPLES of them are kept */
	uint64_t live[TOP_SAMPLES];
};

struct top_histories {
	struct top_history *pool;
	uint32_t used;
	uint32_t bucket[TOP_HISTORIES];
	uint64_t round;
};

void history_init(struct top_histories *h);
void history_free(struct top_histories *h);

/* A new round of samples. */
void history_round(struct top_histories *h);

/* This round's sample of one that is remembered; for others nothing. */
void history_push(struct top_histories *h, uint64_t key, uint64_t live);

/* Forget what has had no sample in this round. */
void history_sweep(struct top_histories *h);

/*
 * It is being shown: remember it from now on, in the place of whatever was
 * not shown for the longest time.  Its history.
 */
const struct top_history *history_show(struct top_histories *h, uint64_t key,
				       uint64_t live);

/* Remember it if there is room.  1 when it is remembered. */
int history_offer(struct top_histories *h, uint64_t key, uint64_t live);

/* Sample i of a history; 0 is the oldest of history_size(). */
uint32_t history_size(const struct top_history *h);
uint64_t history_at(const struct top_history *h, uint32_t i);

#endif /* TOP_HISTORY_H */
