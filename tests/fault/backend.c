/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call of the allocator underneath fails in turn: the same operations,
 * again and again, with the first call refused, then the second, and so on
 * until there are no more.  What the model expects is NULL and ENOMEM for the
 * operation that it hit, the old block intact, and every number as before.
 *
 *     backend [SEEDS]         Linked with the archive and ld's --wrap.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../fuzz/model.h"

#define STEPS 400

void *__real_memhook_je_malloc(size_t size);
void *__real_memhook_je_calloc(size_t count, size_t size);
void *__real_memhook_je_realloc(void *start, size_t size);
void *__real_memhook_je_memalign(size_t align, size_t size);
void *__wrap_memhook_je_malloc(size_t size);
void *__wrap_memhook_je_calloc(size_t count, size_t size);
void *__wrap_memhook_je_realloc(void *start, size_t size);
void *__wrap_memhook_je_memalign(size_t align, size_t size);

static unsigned long calls, fail_at, failed, seed;
static unsigned long by_call[4];
static int acting;

/* As jemalloc refuses. */
static int refuse(unsigned call)
{
	if (!acting || ++calls != fail_at)
		return 0;
	failed++;
	by_call[call]++;
	errno = ENOMEM;
	return 1;
}

void *__wrap_memhook_je_malloc(size_t size)
{
	return refuse(0) ? NULL : __real_memhook_je_malloc(size);
}

void *__wrap_memhook_je_calloc(size_t count, size_t size)
{
	return refuse(1) ? NULL : __real_memhook_je_calloc(count, size);
}

void *__wrap_memhook_je_realloc(void *start, size_t size)
{
	return refuse(2) ? NULL : __real_memhook_je_realloc(start, size);
}

void *__wrap_memhook_je_memalign(size_t align, size_t size)
{
	return refuse(3) ? NULL : __real_memhook_je_memalign(align, size);
}

/* Since the last question. */
static int fault(void)
{
	static unsigned long seen;
	int yes = failed != seen;

	seen = failed;
	return yes;
}

static void say_where(void)
{
	fprintf(stderr, "seed %lu, call %lu of the backend refused\n", seed, fail_at);
}

/* On a thread of its own: its cache is empty, so that the backend is called. */
static void *act(void *arg)
{
	struct model_actor *a = arg;
	unsigned i;

	model_begin_thread(a);
	a->alone = 1;
	a->in = (struct model_stream){ .random = seed };
	acting = 1;
	for (i = 0; i < STEPS; i++)
		model_step(a);
	acting = 0;
	fault();
	model_check();
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long seeds = argc > 1 ? strtoul(argv[1], NULL, 10) : 10, runs = 0;
	pthread_t t;

	model_has_new = 0; /* libstdc++ may have loaded, with operators of its own */
	model_failed = say_where;
	model_fault = fault;
	model_init();
	for (seed = 1; seed <= seeds; seed++) {
		fail_at = 0;
		do {
			fail_at++;
			calls = 0;
			if (pthread_create(&t, NULL, act, &model_actors[0]))
				return 99;
			pthread_join(t, NULL);
			model_give_all_back();
			runs++;
		} while (calls >= fail_at);
	}
	printf("%lu runs, refused: %lu of malloc, %lu of calloc, %lu of realloc, %lu of "
	       "memalign\n", runs, by_call[0], by_call[1], by_call[2], by_call[3]);
	return !by_call[0] || !by_call[1] || !by_call[2] || !by_call[3];
}
