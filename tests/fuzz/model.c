/* SPDX-License-Identifier: BSD-2-Clause */
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct model_actor model_actors[MODEL_ACTORS];
void (*model_failed)(void);
int model_no_mail;

static struct mail {
	pthread_mutex_t lock;
	struct model_block block;
} mails[MODEL_MAILS];

void model_fail(const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	text[n] = '\n';
	if (write(STDERR_FILENO, text, (size_t)n + 1) < 0)
		_exit(99);
	if (model_failed)
		model_failed();
	abort();
}

/* splitmix64, by Sebastiano Vigna. https://prng.di.unimi.it/splitmix64.c */
static uint64_t random_word(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

unsigned model_byte(struct model_stream *in)
{
	if (!in->data)
		return random_word(&in->random) & 255;
	if (!in->left) {
		in->ended = 1;
		return 0;
	}
	in->left--;
	return *in->data++;
}

size_t model_word(struct model_stream *in)
{
	size_t high = model_byte(in);

	return high << 8 | model_byte(in);
}

void model_count(struct model_owner *o, size_t size)
{
	if (!o)
		return;
	atomic_fetch_add(&o->alloc_bytes, (int64_t)size);
	atomic_fetch_add(&o->alloc_calls, 1);
}

void model_uncount(struct model_owner *o, size_t size)
{
	if (!o)
		return;
	atomic_fetch_add(&o->free_bytes, (int64_t)size);
	atomic_fetch_add(&o->free_calls, 1);
}

int64_t model_live(struct model_owner *o)
{
	return atomic_load(&o->alloc_bytes) - atomic_load(&o->free_bytes);
}

static int in_scope(const struct model_actor *a, const struct model_owner *o)
{
	unsigned i;

	for (i = 0; i <= a->depth; i++)
		if (a->scope[i].effective == o)
			return 1;
	return 0;
}

static int free_for_use(const struct model_actor *a, struct model_owner *o)
{
	if (!o->used)
		return 1;
	return o->retired && !in_scope(a, o) &&
	       atomic_load(&o->alloc_calls) == atomic_load(&o->free_calls);
}

struct model_owner *model_owner_new(struct model_actor *a)
{
	struct model_owner *o = a->row;

	while (o < a->row + MODEL_ROWS && !free_for_use(a, o))
		o++;
	if (o == a->row + MODEL_ROWS)
		return NULL;
	memset(o, 0, sizeof(*o));
	snprintf(o->name, sizeof(o->name), "model/%u/%u", a->number, a->generation++);
	o->used = 1;
	o->handle = memhook_owner_create(o->name);
	if (o->handle == MEMHOOK_NOBODY || o->handle == MEMHOOK_OVERFLOW)
		model_fail("%s cannot be created: %s", o->name, strerror(errno));
	model_check_owner(o);
	return o;
}

static void compare(struct model_owner *o, const char *what, uint64_t said, int64_t is)
{
	if (said != (uint64_t)is)
		model_fail("%s: %s is %llu, the model says %lld", o->name, what,
			   (unsigned long long)said, (long long)is);
}

/* Nobody allocates for it now. */
void model_check_owner(struct model_owner *o)
{
	struct memhook_stats s = { .size = sizeof(s) };
	int64_t blocks = atomic_load(&o->alloc_calls) - atomic_load(&o->free_calls);

	if (memhook_stats(o->handle, &s)) {
		if (o->retired && !blocks && errno == ESRCH)
			return; /* its row has served again */
		model_fail("%s: %s", o->name, strerror(errno));
	}
	if (strcmp(s.name, o->name) || s.owner != o->handle ||
	    s.state != (o->retired ? MEMHOOK_STATE_RETIRED : MEMHOOK_STATE_ACTIVE))
		model_fail("%s is called %s, state %u", o->name, s.name, s.state);
	compare(o, "live_bytes", s.live_bytes, model_live(o));
	compare(o, "live_blocks", s.live_blocks, blocks);
	compare(o, "alloc_bytes", s.alloc_bytes, atomic_load(&o->alloc_bytes));
	compare(o, "alloc_calls", s.alloc_calls, atomic_load(&o->alloc_calls));
	compare(o, "free_bytes", s.free_bytes, atomic_load(&o->free_bytes));
	compare(o, "free_calls", s.free_calls, atomic_load(&o->free_calls));
	if (s.peak_bytes < s.live_bytes)
		model_fail("%s: the peak is below what is live", o->name);
}

static int add_up(const struct memhook_stats *s, void *arg)
{
	struct memhook_stats *sum = arg;

	sum->live_bytes += s->live_bytes;
	sum->live_blocks += s->live_blocks;
	return 0;
}

void model_check(void)
{
	struct memhook_stats sum = { 0 }, total = { .size = sizeof(total) };
	struct model_actor *a;
	unsigned i;

	for (a = model_actors; a < model_actors + MODEL_ACTORS; a++)
		for (i = 0; i < MODEL_ROWS; i++)
			if (a->row[i].used)
				model_check_owner(&a->row[i]);
	memhook_each(add_up, &sum);
	if (memhook_totals(&total) || total.live_bytes != sum.live_bytes ||
	    total.live_blocks != sum.live_blocks)
		model_fail("the owners hold %llu bytes in %llu blocks, the total is "
			   "%llu in %llu", (unsigned long long)sum.live_bytes,
			   (unsigned long long)sum.live_blocks,
			   (unsigned long long)total.live_bytes,
			   (unsigned long long)total.live_blocks);
}

void model_begin_thread(struct model_actor *a)
{
	a->depth = 0;
	a->scope[0].said = MEMHOOK_AUTO;
	a->scope[0].effective = NULL;
}

/* Another's block for mine; neither waits. */
int model_swap_mail(unsigned i, struct model_block *b)
{
	struct mail *m = &mails[i % MODEL_MAILS];
	struct model_block theirs;

	if (model_no_mail || pthread_mutex_trylock(&m->lock))
		return 0;
	theirs = m->block;
	m->block = *b;
	*b = theirs;
	pthread_mutex_unlock(&m->lock);
	return 1;
}

void model_init(void)
{
	unsigned i, k;

	if (!memhook_active()) {
		fputs("the hook is not this program's malloc\n", stderr);
		exit(99);
	}
	for (i = 0; i < MODEL_MAILS; i++)
		pthread_mutex_init(&mails[i].lock, NULL);
	for (i = 0; i < MODEL_ACTORS; i++) {
		struct model_actor *a = &model_actors[i];

		a->number = i;
		for (k = 0; k < MODEL_NAMES; k++)
			a->name[k] = model_owner_new(a);
	}
}

void model_give_all_back(void)
{
	struct model_actor *a;
	unsigned i;

	for (i = 0; i < MODEL_MAILS; i++)
		model_drop(model_actors, &mails[i].block);
	for (a = model_actors; a < model_actors + MODEL_ACTORS; a++)
		for (i = 0; i < MODEL_BLOCKS; i++)
			model_drop(a, &a->block[i]);
	model_check();
}
