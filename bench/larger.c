/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded before an allocator: every block sixteen bytes larger, and
 * nothing else.  What that costs in memory is the floor of any allocator
 * with a cookie before each block; what it costs in time no cookie saves.
 *
 * An aligned block grows by its alignment: the cookie is before the aligned
 * address.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define EXTRA 16

#define EXPORT __attribute__((visibility("default")))

static void *(*next_malloc)(size_t), *(*next_calloc)(size_t, size_t),
	*(*next_realloc)(void *, size_t), *(*next_aligned)(size_t, size_t);

/* The first call comes from the loader, before threads: dlsym allocates nothing. */
static __attribute__((constructor, cold)) void look(void)
{
	next_calloc = dlsym(RTLD_NEXT, "calloc");
	next_realloc = dlsym(RTLD_NEXT, "realloc");
	next_aligned = dlsym(RTLD_NEXT, "memalign");
	next_malloc = dlsym(RTLD_NEXT, "malloc");
}

static size_t larger(size_t size, size_t by)
{
	return size > PTRDIFF_MAX - by ? SIZE_MAX : size + by;
}

EXPORT void *malloc(size_t size)
{
	if (__builtin_expect(!next_malloc, 0))
		look();
	return next_malloc(larger(size, EXTRA));
}

EXPORT void *calloc(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_expect(!next_calloc, 0))
		look();
	if (__builtin_mul_overflow(count, size, &bytes))
		bytes = SIZE_MAX;
	return next_calloc(1, larger(bytes, EXTRA));
}

EXPORT void *realloc(void *p, size_t size)
{
	if (__builtin_expect(!next_realloc, 0))
		look();
	return next_realloc(p, p && !size ? 0 : larger(size, EXTRA));
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	if (__builtin_expect(!next_aligned, 0))
		look();
	return next_aligned(alignment, larger(size, alignment > EXTRA ? alignment : EXTRA));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

EXPORT int posix_memalign(void **p, size_t alignment, size_t size)
{
	void *block = memalign(alignment, size);

	if (!block)
		return ENOMEM;
	*p = block;
	return 0;
}

/* operator new: jemalloc has its own, which would not come through here. */
#define OPERATOR(name, parameters, call)		\
	EXPORT void *name parameters;			\
	EXPORT void *name parameters			\
	{						\
		void *p = call;				\
							\
		if (__builtin_expect(!p, 0))		\
			abort();			\
		return p;				\
	}

OPERATOR(_Znwm, (size_t size), malloc(size))
OPERATOR(_Znam, (size_t size), malloc(size))
OPERATOR(_ZnwmRKSt9nothrow_t, (size_t size, void *tag __attribute__((unused))), malloc(size))
OPERATOR(_ZnamRKSt9nothrow_t, (size_t size, void *tag __attribute__((unused))), malloc(size))
OPERATOR(_ZnwmSt11align_val_t, (size_t size, size_t align), memalign(align, size))
OPERATOR(_ZnamSt11align_val_t, (size_t size, size_t align), memalign(align, size))

/* ... and the deletes that tell a size, which is not the block's. */
#define DELETE(name, ...)				\
	EXPORT void name(void *p, __VA_ARGS__);		\
	EXPORT void name(void *p, __VA_ARGS__)		\
	{						\
		free(p);				\
	}

DELETE(_ZdlPvm, size_t size __attribute__((unused)))
DELETE(_ZdaPvm, size_t size __attribute__((unused)))
DELETE(_ZdlPvmSt11align_val_t, size_t size __attribute__((unused)),
       size_t align __attribute__((unused)))
DELETE(_ZdaPvmSt11align_val_t, size_t size __attribute__((unused)),
       size_t align __attribute__((unused)))
