/* SPDX-License-Identifier: BSD-2-Clause */
/* Many blocks: made, dropped, looked at. */
#ifndef TESTS_MANY_H
#define TESTS_MANY_H

#include <stdlib.h>

#include "../common.h"

#define MANY 30000 /* more than there is room for */
#define MORE 70000 /* more than thrice as much, and time to notice */

static void *block[MORE];

static inline void make(size_t size, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		block[i] = malloc(opaque(size));
}

static inline void drop(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(block[i]);
}

static inline void make_and_drop(size_t size, size_t n)
{
	make(size, n);
	drop(n);
}

/* Each block is somebody's alone: what was written to it stays. */
static inline int blocks_are_distinct(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		*(size_t *)block[i] = i;
	for (i = 0; i < n && *(size_t *)block[i] == i; i++)
		;
	return i == n;
}

#endif /* TESTS_MANY_H */
