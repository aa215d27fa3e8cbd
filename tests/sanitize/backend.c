/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator underneath, when that is the sanitizer's: so that it sees
 * each block of ours, its end, and who uses it after free.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../fuzz/operators.h"
#include "backend.h"

/* Our cache relies on jemalloc's classes: 16 apart, then four to a doubling. */
static size_t class_of(size_t size)
{
	size_t step = 16;

	if (size > 32768)
		return size;
	while (size > step * 8)
		step *= 2;
	return (size + step - 1) / step * step;
}

void *memhook_je_malloc(size_t size)
{
	return malloc(class_of(size));
}

void *memhook_je_calloc(size_t count, size_t size)
{
	return calloc(count, class_of(size));
}

void *memhook_je_realloc(void *start, size_t size)
{
	return realloc(start, class_of(size));
}

void *memhook_je_memalign(size_t align, size_t size)
{
	return memalign(align, class_of(size)); /* it goes to a bin, too */
}

void memhook_je_free(void *start)
{
	free(start);
}

/* The size is jemalloc's to believe; here it is what was asked for. */
void memhook_je_sdallocx(void *start, size_t size, int flags)
{
	(void)flags;
	if (malloc_usable_size(start) < size)
		abort();
	free(start);
}

int mh_backend_numbers(struct mh_heap *heap)
{
	*heap = (struct mh_heap){ 0 };
	return -1;
}

void mh_backend_flush(void)
{
}

int mh_backend_trim(void)
{
	return 0;
}

void mh_backend_in_child(void)
{
}

/* The operators are the sanitizer's own: model_has_new is 0, nobody comes here. */
void *model_new(unsigned form, size_t size, size_t align)
{
	(void)form;
	(void)size;
	(void)align;
	abort();
}

void model_delete(unsigned form, void *p, size_t size, size_t align)
{
	(void)form;
	(void)p;
	(void)size;
	(void)align;
	abort();
}
