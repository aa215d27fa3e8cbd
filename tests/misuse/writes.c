/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read or written in front of a block, behind it, or when it is gone. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "misuse.h"

static enum outcome end(void)
{
	free(p);
	return WENT_ON;
}

/* One with another one in front of it: not the first thing of a mapping. */
static char *not_the_first(size_t size)
{
	char *highest = malloc(size), *block;
	int i;

	for (i = 0; i < 3; i++) {
		block = malloc(size);
		if ((uintptr_t)block > (uintptr_t)highest)
			highest = block;
	}
	return highest;
}

static enum outcome before(size_t size, size_t by)
{
	p = not_the_first(size);
	p[-(ptrdiff_t)by] ^= 1;
	return end();
}

static enum outcome before_1(size_t size)
{
	return before(size, 1);
}

static enum outcome before_16(size_t size)
{
	return before(size, 16);
}

static enum outcome before_17(size_t size)
{
	return before(size, 17);
}

static enum outcome before_much(size_t size)
{
	p = not_the_first(size);
	memset(p - 32, 'x', 32);
	return end();
}

static enum outcome before_then_realloc(size_t size)
{
	p = malloc(size);
	p[-3] ^= 1;
	p = realloc(p, size + 1);
	return end();
}

static enum outcome before_then_size(size_t size)
{
	p = malloc(size);
	p[-9] ^= 1;
	return malloc_usable_size(p) == 1 ? REFUSED : WENT_ON;
}

static enum outcome before_and_kept(size_t size)
{
	p = malloc(size);
	p[-1] ^= 1;
	time_goes_by(size);
	return WENT_ON;
}

static enum outcome behind(size_t size, size_t by)
{
	p = malloc(size);
	p[size - 1 + by] ^= 1;
	return end();
}

static enum outcome behind_1(size_t size)
{
	return behind(size, 1);
}

static enum outcome behind_16(size_t size)
{
	return behind(size, 16);
}

#define PAGE ((size_t)4096)
#define ROW 128

/*
 * One that has memory a page behind it, another one's, for what is next to the
 * heap may be nothing.  With strict there is no such block; then the last one,
 * which has nothing behind it.
 */
static char *with_a_page_behind(size_t size)
{
	uintptr_t row[ROW], behind;
	int i, j;

	for (i = 0; i < ROW && size < LARGE; i++)
		row[i] = (uintptr_t)malloc(size);
	for (i = 0; i < ROW && size < LARGE; i++)
		for (j = 0; j < ROW; j++) {
			behind = row[i] + size + PAGE;
			if (row[j] - row[i] <= PAGE && row[j] / PAGE == behind / PAGE)
				return (char *)row[i];
		}
	return malloc(size);
}

static enum outcome behind_a_page(size_t size)
{
	p = with_a_page_behind(size);
	p[size + PAGE] ^= 1;
	return end();
}

static enum outcome behind_much(size_t size)
{
	p = malloc(size);
	memset(p + size, 0, 64);
	return end();
}

static enum outcome behind_then_realloc(size_t size)
{
	p = malloc(size);
	p[size] ^= 1;
	p = realloc(p, size + 1);
	return end();
}

static enum outcome behind_and_kept(size_t size)
{
	p = malloc(size);
	p[size] ^= 1;
	time_goes_by(size);
	return WENT_ON;
}

static enum outcome read_behind(size_t size)
{
	p = malloc(size);
	q = (char *)(size_t)p[size];
	return end();
}

/* The end of a string, where the block ends in the middle of a word. */
static enum outcome string_end(size_t size)
{
	(void)size;
	p = malloc(43);
	p[43] = '\0';
	return end();
}

/* Each block fills its place: what is behind one is the next one's cookie. */
static enum outcome into_next(size_t size)
{
	char *volatile row[ROW];
	int i;

	for (i = 0; i < ROW; i++)
		row[i] = malloc(size);
	for (i = 0; i < ROW; i++)
		if (row[i] + size + 16 == row[(i + 1) % ROW])
			break;
	if (i < ROW)
		row[i][size] ^= 1;
	else
		row[0][size] ^= 1; /* no neighbours here */
	for (i = 0; i < ROW; i++)
		free(row[i]);
	return WENT_ON;
}

static enum outcome into_next_small(size_t size)
{
	(void)size;
	return into_next(112);
}

static enum outcome into_next_medium(size_t size)
{
	(void)size;
	return into_next(2032);
}

const struct misuse writes[] = {
	{ "underflow-by-1", before_1, 1 },
	{ "underflow-by-16", before_16, 1 },
	{ "underflow-by-17", before_17, 1 },
	{ "underflow-memset", before_much, 1 },
	{ "underflow-then-realloc", before_then_realloc, 1 },
	{ "underflow-then-size", before_then_size, 1 },
	{ "underflow-never-freed", before_and_kept, 1 },
	{ "overflow-by-1", behind_1, 1 },
	{ "overflow-by-16", behind_16, 1 },
	{ "overflow-by-a-page", behind_a_page, 1 },
	{ "overflow-memset", behind_much, 1 },
	{ "overflow-then-realloc", behind_then_realloc, 1 },
	{ "overflow-never-freed", behind_and_kept, 1 },
	{ "overflow-read", read_behind, 1 },
	{ "overflow-of-a-string", string_end, 0 },
	{ "overflow-into-next-small", into_next_small, 0 },
	{ "overflow-into-next-medium", into_next_medium, 0 },
	{ NULL, NULL, 0 },
};

static enum outcome after_free(size_t size)
{
	p = malloc(size);
	free(p);
	p[size / 2] ^= 1;
	time_goes_by(size);
	return WENT_ON;
}

static enum outcome after_free_until_exit(size_t size)
{
	p = malloc(size);
	free(p);
	p[size - 1] ^= 1;
	return WENT_ON;
}

static enum outcome after_free_in_front(size_t size)
{
	p = malloc(size);
	free(p);
	p[-1] ^= 1;
	time_goes_by(size);
	return WENT_ON;
}

static enum outcome after_free_with_a_heir(size_t size)
{
	p = malloc(size);
	free(p);
	q = malloc(size);
	p[size / 2] ^= 1;
	free(q);
	time_goes_by(size);
	return WENT_ON;
}

static enum outcome read_after_free(size_t size)
{
	p = malloc(size);
	memset(p, 'x', size);
	free(p);
	q = (char *)(size_t)p[size / 2];
	return WENT_ON;
}

static enum outcome after_realloc(size_t size)
{
	p = memalign(64, size);
	q = realloc(p, size + 100);
	p[0] ^= 1;
	time_goes_by(size);
	return WENT_ON;
}

static void *write_to_it(void *block)
{
	*(volatile char *)block = 'x';
	return NULL;
}

static enum outcome after_free_by_a_thread(size_t size)
{
	pthread_t t;

	(void)size;
	p = malloc(SMALL);
	free(p);
	if (pthread_create(&t, NULL, write_to_it, p) == 0)
		pthread_join(t, NULL);
	return WENT_ON;
}

const struct misuse late_writes[] = {
	{ "write-after-free", after_free, 1 },
	{ "write-after-free-until-exit", after_free_until_exit, 1 },
	{ "write-after-free-in-front", after_free_in_front, 1 },
	{ "write-after-free-with-a-heir", after_free_with_a_heir, 1 },
	{ "write-after-realloc", after_realloc, 1 },
	{ "write-after-free-by-a-thread", after_free_by_a_thread, 0 },
	{ "read-after-free", read_after_free, 1 },
	{ NULL, NULL, 0 },
};
