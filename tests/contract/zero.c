/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of zero bytes: blocks like any other, but that nobody can read or
 * write them.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"

#define MANY 6000 /* more than have a page each */
#define EACH 250 /* of all threads no more than have one */
#define THREADS 4

static void *blocks[MANY];

/* The kernel says EFAULT where the program would be shot. */
static int reachable(const void *p)
{
	int fd[2], can;

	ck_assert_int_eq(pipe(fd), 0);
	can = write(fd[1], p, 1) == 1;
	ck_assert(can || errno == EFAULT);
	close(fd[0]);
	close(fd[1]);
	return can;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t p = (uintptr_t)*(void *const *)a, q = (uintptr_t)*(void *const *)b;

	return (p > q) - (p < q);
}

START_TEST(each_is_its_own)
{
	memhook_owner o = fresh_owner("zero/many"), was = memhook_enter(o);
	size_t i, reached = 0;

	for (i = 0; i < MANY; i++)
		blocks[i] = malloc(opaque(0));
	memhook_leave(was);
	ck_holds(o, 0, MANY);
	for (i = 0; i < MANY; i++) {
		ck_assert_ptr_nonnull(blocks[i]);
		ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
		ck_assert_uint_eq(malloc_usable_size(blocks[i]), 0);
		if (i < 1000)
			reached += (size_t)reachable(blocks[i]);
	}
	ck_assert_uint_eq(reached, 0);
	qsort(blocks, MANY, sizeof(*blocks), by_address);
	for (i = 1; i < MANY; i++)
		ck_assert_ptr_ne(blocks[i - 1], blocks[i]);
	for (i = 0; i < MANY; i++)
		free(blocks[i]);
	ck_holds(o, 0, 0);
	for (i = 0; i < 2; i++) { /* there is room again */
		blocks[i] = malloc(opaque(0));
		ck_assert(!reachable(blocks[i]));
		free(blocks[i]);
	}
}
END_TEST

START_TEST(however_they_are_made)
{
	memhook_owner o = fresh_owner("zero/ways"), was = memhook_enter(o);
	void *p[8] = { malloc(opaque(0)), calloc(opaque(0), 5), realloc(NULL, opaque(0)),
		       reallocarray(NULL, 7, opaque(0)), aligned_alloc(64, opaque(0)),
		       memalign(4096, opaque(0)), valloc(opaque(0)), NULL };
	int failed = posix_memalign(&p[7], 256, opaque(0));
	size_t i;

	memhook_leave(was);
	ck_assert_int_eq(failed, 0);
	ck_holds(o, 0, 8);
	for (i = 0; i < 8; i++)
		ck_assert_msg(!reachable(p[i]), "block %zu", i);
	ck_assert_uint_eq((uintptr_t)p[5] % 4096, 0);
	for (i = 0; i < 8; i++)
		free(p[i]);
	p[0] = memalign(8192, opaque(0));
	ck_assert_uint_eq((uintptr_t)p[0] % 8192, 0);
	free(p[0]);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(they_grow_and_change_hands)
{
	memhook_owner o = fresh_owner("zero/a"), to = fresh_owner("zero/b"), was;
	struct memhook_block b = { .size = sizeof(b) };
	char *p;

	was = memhook_enter(o);
	p = malloc(opaque(0));
	memhook_leave(was);
	ck_assert_int_eq(memhook_inspect(p, &b), 0);
	ck_assert_int_eq(b.state, MEMHOOK_BLOCK_LIVE);
	ck_assert_uint_eq(b.requested, 0);
	ck_assert_int_eq(memhook_transfer(p, to), 0);
	ck_holds(o, 0, 0);
	ck_holds(to, 0, 1);
	p = realloc(p, 100);
	ck_assert_ptr_nonnull(p);
	memset(p, 1, 100);
	ck_holds(to, 100, 1);
	free(p);
	ck_holds(to, 0, 0);
	was = memhook_enter(o);
	p = malloc(opaque(0));
	memhook_leave(was);
	free(p);
	ck_assert_int_eq(memhook_inspect(p, &b), 0);
	ck_assert_int_eq(b.state, MEMHOOK_BLOCK_FREED);
	ck_assert_int_eq(memhook_inspect(p + 16, &b), 0);
	ck_assert_int_eq(b.state, MEMHOOK_BLOCK_FOREIGN);
}
END_TEST

/* A page is one block's: its number is taken by nobody else meanwhile. */
static _Atomic int holder[65536];

static void *take_and_give(void *arg)
{
	void *mine[EACH];
	intptr_t twice = 0;
	int i, round;

	(void)arg;
	for (round = 0; round < 200; round++) {
		for (i = 0; i < EACH; i++) {
			mine[i] = malloc(opaque(0));
			twice += atomic_exchange(&holder[(uintptr_t)mine[i] >> 12 & 65535], 1);
		}
		for (i = 0; i < EACH; i++) {
			atomic_store(&holder[(uintptr_t)mine[i] >> 12 & 65535], 0);
			free(mine[i]);
		}
	}
	return (void *)twice;
}

START_TEST(no_page_is_two_threads)
{
	pthread_t t[THREADS];
	void *twice;
	int i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, take_and_give, NULL), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], &twice);
		ck_assert_ptr_null(twice);
	}
}
END_TEST

START_TEST(a_child_has_them_too)
{
	memhook_owner o = fresh_owner("zero/fork"), was = memhook_enter(o);
	void *p = malloc(opaque(0)), *q;
	int status;
	pid_t pid;

	memhook_leave(was);
	pid = fork();
	if (pid == 0) {
		q = malloc(opaque(0));
		if (q == p)
			_exit(1);
		free(q);
		free(p);
		_exit(stats_of(o).live_blocks ? 2 : 0);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_holds(o, 0, 1);
	free(p);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("zero");

	tcase_add_test(c, each_is_its_own);
	tcase_add_test(c, however_they_are_made);
	tcase_add_test(c, they_grow_and_change_hands);
	tcase_add_test(c, no_page_is_two_threads);
	tcase_add_test(c, a_child_has_them_too);
	return run_case(c);
}
