/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded in front of another malloc: 16 bytes more to each request, and
 * nothing done with them.  What a prefix costs in memory, whoever writes it.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#define PAD 16

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

#define NEXT(type, name)                                                  \
	static __typeof__(type) *real;                                          \
	if (!real)                                                        \
		real = (__typeof__(type) *)next(name)

void *malloc(size_t size)
{
	NEXT(void *(size_t), "malloc");
	return real(size + PAD);
}

void *calloc(size_t count, size_t size)
{
	size_t bytes;

	NEXT(void *(size_t, size_t), "calloc");
	if (__builtin_mul_overflow(count, size, &bytes))
		bytes = SIZE_MAX - PAD;
	return real(1, bytes + PAD);
}

void *realloc(void *block, size_t size)
{
	NEXT(void *(void *, size_t), "realloc");
	return real(block, size + PAD);
}

/* operator new of C++, and of arrays: size_t is unsigned long. */
void *_Znwm(size_t size)
{
	NEXT(void *(size_t), "_Znwm");
	return real(size + PAD);
}

void *_Znam(size_t size)
{
	NEXT(void *(size_t), "_Znam");
	return real(size + PAD);
}

/* Sized deletes would tell jemalloc the wrong size. */
void free(void *block)
{
	NEXT(void(void *), "free");
	real(block);
}

void _ZdlPv(void *block)
{
	free(block);
}

void _ZdaPv(void *block)
{
	free(block);
}

void _ZdlPvm(void *block, size_t size)
{
	(void)size;
	free(block);
}

void _ZdaPvm(void *block, size_t size)
{
	(void)size;
	free(block);
}
