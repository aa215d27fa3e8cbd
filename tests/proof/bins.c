/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache's classes, for each size there is: blocks that share a bin are of
 * one class of the allocator's, so that any of them can serve any request of
 * the bin.  And the borders of what may be asked for at all, by every call.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../abilities.h"
#include "cache.h"

size_t memhook_je_nallocx(size_t size, int flags);
int posix_memalign(void **to, size_t align, size_t size);

static unsigned long checked;

static void check_that(int holds, const char *what, size_t n)
{
	checked++;
	if (holds)
		return;
	fprintf(stderr, "%s: not for %zu\n", what, n);
	exit(1);
}

static void bins(void)
{
	static struct mh_cache cache;
	size_t size, held;

	mh_cache_init(&cache, 1, MH_CACHE_ROOM);
	for (size = 0; size <= MH_CACHED_MAX; size++) {
		struct mh_bin *bin = mh_bin(&cache, size);

		held = memhook_je_nallocx(mh_backend_size(size + MH_COOKIE_SIZE), 0);
		check_that(bin->weight >> 32 == held, "one class to a bin", size);
		check_that(held >= size + MH_COOKIE_SIZE && held <= MH_HELD_MAX,
			   "cookie and block fit", size);
		/* Blocks of no bytes are not cached (zero.h): full of nothing. */
		check_that((size ? bin->limit > bin->top : bin->limit == bin->top) &&
				   (char *)bin + bin->limit + sizeof(void *) <=
					   cache.bins + sizeof(cache.bins),
			   "a bin within the cache", size);
	}
}

/* Too much for a cookie or an address space: NULL and ENOMEM, by each way in. */
static void refused(size_t size)
{
	volatile size_t n = size;
	void *p = (void *)4711, *old = malloc(10);
	size_t align;

	errno = 0;
	check_that(!malloc(n) && errno == ENOMEM, "malloc refuses", n);
	check_that(!calloc(1, n) && !calloc(n, 1), "calloc refuses", n);
	check_that(!realloc(old, n) && malloc_usable_size(old) == 10, "realloc refuses", n);
	check_that(!reallocarray(old, n, 1), "reallocarray refuses", n);
	check_that(!valloc(n) && !pvalloc(n), "valloc refuses", n);
	for (align = 16; align; align <<= 1) {
		check_that(!aligned_alloc(align, n), "aligned_alloc refuses", n);
		check_that(!memalign(align, n), "memalign refuses", n);
		check_that(posix_memalign(&p, align, n) == ENOMEM && p == (void *)4711,
			   "posix_memalign refuses", n);
	}
	free(old);
}

/* Any alignment: what does not fit beside it is refused, what fits is aligned. */
static void aligned(void)
{
	size_t align, d, most = addresses_are_free() ? 0 : (size_t)1 << 30;

	for (align = 16; align != most; align <<= 1)
		for (d = 0; d < 64; d++) {
			volatile size_t n = d < 32 ? d : (size_t)0 - align - 64 + d;
			void *p = aligned_alloc(align, n);

			check_that(!p || ((uintptr_t)p & (align - 1)) == 0, "aligned", n);
			check_that(!p || n < 32, "does not fit", n);
			check_that(p || align > 4096 || n >= 32, "fits", n);
			free(p);
		}
}

int main(void)
{
	size_t bit, d;

	bins();
	aligned();
	for (d = 0; d < 300; d++) {
		refused(SIZE_MAX - d);
		refused((size_t)PTRDIFF_MAX - d);
		refused((size_t)PTRDIFF_MAX + d);
	}
	for (bit = sizeof(size_t) > 4 ? 44 : 31; bit < sizeof(size_t) * 8; bit++)
		for (d = 0; d < 40; d++)
			refused(((size_t)1 << bit) + d);
	for (d = 0; d < 300; d++)
		refused(MH_SIZE_MAX + 1 + d);
	/* products that wrap around to something small, or to nothing */
	for (bit = 1; bit < sizeof(size_t) * 8; bit++) {
		volatile size_t n = (size_t)1 << bit, m = SIZE_MAX / n + 1;

		check_that(!calloc(n, m) && !calloc(m + 1, n), "calloc wraps", n);
		check_that(!reallocarray(NULL, n, m), "reallocarray wraps", n);
	}
	printf("%lu checks\n", checked);
	return 0;
}
