/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes and alignments that nobody can mean, blocks of no bytes, code in the heap. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "misuse.h"

/* Not known to the compiler. */
static size_t opaque(size_t n)
{
	volatile size_t v = n;

	return v;
}

static enum outcome refused(const void *block)
{
	return !block && errno == ENOMEM ? REFUSED : WENT_ON;
}

static enum outcome minus_one(size_t size)
{
	(void)size;
	return refused(malloc(opaque(SIZE_MAX)));
}

static enum outcome more_than_half(size_t size)
{
	(void)size;
	return refused(malloc(opaque((size_t)PTRDIFF_MAX + 1)));
}

static enum outcome negative_realloc(size_t size)
{
	p = malloc(size);
	return refused(realloc(p, opaque((size_t)-2)));
}

static enum outcome product_calloc(size_t size)
{
	(void)size;
	return refused(calloc(opaque(SIZE_MAX / 2), 3));
}

static enum outcome product_reallocarray(size_t size)
{
	(void)size;
	p = malloc(100);
	return refused(reallocarray(p, opaque(SIZE_MAX / 4), 5));
}

static enum outcome aligned_too_much(size_t size)
{
	(void)size;
	return refused(aligned_alloc(4096, opaque(SIZE_MAX - 4096)));
}

static enum outcome odd_alignment(size_t size)
{
	void *block = NULL;

	(void)size;
	return posix_memalign(&block, opaque(24), 100) == EINVAL && !block ? REFUSED
									   : WENT_ON;
}

static enum outcome read_it(char *block)
{
	p = block;
	q = (char *)(size_t)p[0];
	return WENT_ON;
}

static enum outcome zero_read(size_t size)
{
	(void)size;
	return read_it(malloc(opaque(0)));
}

static enum outcome zero_write(size_t size)
{
	(void)size;
	p = malloc(opaque(0));
	p[0] = 'x';
	return WENT_ON;
}

static enum outcome zero_calloc(size_t size)
{
	(void)size;
	return read_it(calloc(opaque(0), 8));
}

static enum outcome zero_realloc(size_t size)
{
	(void)size;
	return read_it(realloc(NULL, opaque(0)));
}

static enum outcome zero_aligned(size_t size)
{
	(void)size;
	return read_it(memalign(64, opaque(0)));
}

/* glibc gives so small a block that a terminating byte fits. */
static enum outcome zero_string(size_t size)
{
	(void)size;
	p = malloc(opaque(0));
	strcpy(p, "");
	free(p);
	return WENT_ON;
}

static enum outcome zero_twice(size_t size)
{
	(void)size;
	p = malloc(opaque(0));
	free(p);
	free(p);
	return WENT_ON;
}

static enum outcome zero_behind(size_t size)
{
	(void)size;
	p = malloc(opaque(0));
	free(p + 1);
	return WENT_ON;
}

static enum outcome zero_much_later(size_t size)
{
	(void)size;
	p = malloc(opaque(0));
	free(p);
	time_goes_by(0);
	free(p);
	return WENT_ON;
}

static enum outcome executed(size_t size)
{
	p = malloc(size);
	memset(p, 0xc3, 16); /* "return", on x86; elsewhere no code at all */
	((void (*)(void))(uintptr_t)p)();
	return WENT_ON;
}

const struct misuse sizes[] = {
	{ "size-of-minus-one", minus_one, 0 },
	{ "size-of-more-than-half", more_than_half, 0 },
	{ "size-negative-in-realloc", negative_realloc, 1 },
	{ "size-product-in-calloc", product_calloc, 0 },
	{ "size-product-in-reallocarray", product_reallocarray, 0 },
	{ "size-aligned-too-much", aligned_too_much, 0 },
	{ "alignment-of-24", odd_alignment, 0 },
	{ "zero-bytes-read", zero_read, 0 },
	{ "zero-bytes-written", zero_write, 0 },
	{ "zero-bytes-of-calloc-read", zero_calloc, 0 },
	{ "zero-bytes-of-realloc-read", zero_realloc, 0 },
	{ "zero-bytes-of-memalign-read", zero_aligned, 0 },
	{ "zero-bytes-as-a-string", zero_string, 0 },
	{ "zero-bytes-double-free", zero_twice, 0 },
	{ "zero-bytes-double-free-much-later", zero_much_later, 0 },
	{ "zero-bytes-free-off-by-one", zero_behind, 0 },
	{ "code-in-the-heap", executed, 1 },
	{ NULL, NULL, 0 },
};
