/* SPDX-License-Identifier: BSD-2-Clause */
#include "top-history.h"

#include <stdlib.h>
#include <string.h>

#define NONE TOP_HISTORIES

static uint32_t *bucket(struct top_histories *h, uint64_t key)
{
	return &h->bucket[(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) % TOP_HISTORIES];
}

static void empty_buckets(struct top_histories *h)
{
	size_t i;

	for (i = 0; i < TOP_HISTORIES; i++)
		h->bucket[i] = NONE;
}

void history_init(struct top_histories *h)
{
	memset(h, 0, sizeof(*h));
	h->pool = calloc(TOP_HISTORIES, sizeof(*h->pool));
	if (!h->pool)
		abort();
	empty_buckets(h);
}

void history_free(struct top_histories *h)
{
	free(h->pool);
	h->pool = NULL;
}

void history_round(struct top_histories *h)
{
	h->round++;
}

static struct top_history *find(struct top_histories *h, uint64_t key)
{
	uint32_t i;

	for (i = *bucket(h, key); i != NONE; i = h->pool[i].next)
		if (h->pool[i].key == key)
			return &h->pool[i];
	return NULL;
}

static void add_sample(struct top_histories *h, struct top_history *one, uint64_t live)
{
	if (one->count && one->pushed == h->round)
		return;
	one->live[one->count++ % TOP_SAMPLES] = live;
	one->pushed = h->round;
}

void history_push(struct top_histories *h, uint64_t key, uint64_t live)
{
	struct top_history *one = find(h, key);

	if (one)
		add_sample(h, one, live);
}

static void link_one(struct top_histories *h, uint32_t i)
{
	uint32_t *first = bucket(h, h->pool[i].key);

	h->pool[i].next = *first;
	*first = i;
}

void history_sweep(struct top_histories *h)
{
	uint32_t i, kept = 0;

	empty_buckets(h);
	for (i = 0; i < h->used; i++) {
		if (h->pool[i].pushed != h->round)
			continue;
		if (kept != i)
			h->pool[kept] = h->pool[i];
		link_one(h, kept++);
	}
	h->used = kept;
}

static struct top_history *start(struct top_histories *h, uint32_t i, uint64_t key,
				 uint64_t live)
{
	struct top_history *one = &h->pool[i];

	one->key = key;
	one->count = 0;
	one->wanted = 0;
	add_sample(h, one, live);
	link_one(h, i);
	return one;
}

static void unlink_one(struct top_histories *h, uint32_t i)
{
	uint32_t *at = bucket(h, h->pool[i].key);

	while (*at != i)
		at = &h->pool[*at].next;
	*at = h->pool[i].next;
}

static uint32_t longest_unwanted(const struct top_histories *h)
{
	uint32_t i, found = 0;

	for (i = 1; i < h->used; i++)
		if (h->pool[i].wanted < h->pool[found].wanted)
			found = i;
	return found;
}

const struct top_history *history_show(struct top_histories *h, uint64_t key,
				       uint64_t live)
{
	struct top_history *one = find(h, key);
	uint32_t i;

	if (!one && h->used < TOP_HISTORIES) {
		one = start(h, h->used++, key, live);
	} else if (!one) {
		i = longest_unwanted(h);
		unlink_one(h, i);
		one = start(h, i, key, live);
	}
	one->wanted = h->round;
	return one;
}

int history_offer(struct top_histories *h, uint64_t key, uint64_t live)
{
	if (find(h, key))
		return 1;
	if (h->used == TOP_HISTORIES)
		return 0;
	start(h, h->used++, key, live);
	return 1;
}

uint32_t history_size(const struct top_history *h)
{
	return h->count < TOP_SAMPLES ? h->count : TOP_SAMPLES;
}

uint64_t history_at(const struct top_history *h, uint32_t i)
{
	return h->live[(h->count - history_size(h) + i) % TOP_SAMPLES];
}
