/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare loops over malloc and free, one workload per run.
 *
 *     loops WORKLOAD THREADS        prints the nanoseconds of the loop itself
 *
 * The work is fixed, the time is measured.  Blocks are written to as programs
 * do: the first word at least.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned next(unsigned *r)
{
	*r = *r * 1103515245 + 12345;
	return *r >> 8;
}

static void touch(void *p)
{
	*(volatile char *)p = 1;
}

static void pairs(unsigned size, long n)
{
	while (n--) {
		void *p = malloc(size);

		touch(p);
		free(p);
	}
}

static void *pairs_small(void *arg)
{
	pairs(16, 4000000);
	pairs(64, 4000000);
	return arg;
}

static void *pairs_medium(void *arg)
{
	pairs(400, 4000000);
	pairs(1000, 2000000);
	pairs(3000, 2000000);
	return arg;
}

static void *pairs_large(void *arg)
{
	pairs(8192, 1000000);
	pairs(30000, 600000);
	return arg;
}

/* Random replacement in a live set of 10,000 blocks of 16 to 1,024 bytes. */
static void *live(void *arg)
{
	enum { SET = 10000 };
	void **set = calloc(SET, sizeof(*set));
	unsigned r = 42 + (unsigned)(uintptr_t)arg;
	long i;

	for (i = 0; i < 4000000; i++) {
		unsigned k = next(&r) % SET;

		free(set[k]);
		set[k] = malloc(16 + next(&r) % 1009);
		touch(set[k]);
	}
	for (i = 0; i < SET; i++)
		free(set[i]);
	free(set);
	return arg;
}

struct node {
	struct node *left, *right;
	long value;
};

static struct node *grow_tree(int depth)
{
	struct node *n = malloc(sizeof(*n));

	n->value = depth;
	n->left = depth ? grow_tree(depth - 1) : NULL;
	n->right = depth ? grow_tree(depth - 1) : NULL;
	return n;
}

static void cut_tree(struct node *n)
{
	if (!n)
		return;
	cut_tree(n->left);
	cut_tree(n->right);
	free(n);
}

static void *trees(void *arg)
{
	int i;

	for (i = 0; i < 60; i++)
		cut_tree(grow_tree(14));
	return arg;
}

/* A buffer that grows by an eighth, as vectors and strings do. */
static void *growth(void *arg)
{
	int i;

	for (i = 0; i < 4000; i++) {
		size_t size = 16;
		char *p = NULL;

		while (size < 200000) {
			p = realloc(p, size);
			p[size - 1] = 1;
			size += size / 8 + 8;
		}
		free(p);
	}
	return arg;
}

/* Blocks made by one thread and freed by the other, through a ring. */
#define RING 1024
static _Atomic(void *) ring[RING];

static void *produce(void *arg)
{
	unsigned r = 7;
	long i;

	for (i = 0; i < 2000000; i++) {
		void *p = malloc(16 + next(&r) % 240);

		touch(p);
		while (atomic_load_explicit(&ring[i % RING], memory_order_acquire))
			;
		atomic_store_explicit(&ring[i % RING], p, memory_order_release);
	}
	return arg;
}

static void *consume(void *arg)
{
	long i;

	for (i = 0; i < 2000000; i++) {
		void *p;

		while (!(p = atomic_load_explicit(&ring[i % RING], memory_order_acquire)))
			;
		atomic_store_explicit(&ring[i % RING], NULL, memory_order_release);
		free(p);
	}
	return arg;
}

static const struct workload {
	const char *name;
	void *(*work)(void *), *(*other)(void *);
} workloads[] = {
	{ "pairs-small", pairs_small, pairs_small },
	{ "pairs-medium", pairs_medium, pairs_medium },
	{ "pairs-large", pairs_large, pairs_large },
	{ "live-set", live, live },
	{ "trees", trees, trees },
	{ "growth", growth, growth },
	{ "remote-free", produce, consume },
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 0;
	pthread_t second;
	uint64_t start;
	size_t i;

	for (i = 0; i < sizeof(workloads) / sizeof(*workloads); i++) {
		const struct workload *w = &workloads[i];

		if (argc < 2 || strcmp(argv[1], w->name))
			continue;
		start = now();
		if (threads == 2)
			pthread_create(&second, NULL, w->other, (void *)1);
		w->work(NULL);
		if (threads == 2)
			pthread_join(second, NULL);
		printf("%llu\n", (unsigned long long)(now() - start));
		return 0;
	}
	fprintf(stderr, "usage: loops WORKLOAD 1|2\n");
	return 2;
}
