/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names that replace libc's, and nothing else.  All in one object: a
 * static program takes all of them or none.
 *
 * They carry no symbol version: with one, LD_PRELOAD would not replace them
 * and libc's own strdup would go on using libc's heap.  This file is built
 * with -fno-builtin: gcc would turn malloc and memset into calloc, itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "backend.h"
#include "block.h"
#include "heapinfo.h"
#include "owner.h"
#include "process.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

/* Not in libc's headers, or not in all of them. */
void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t align, size_t size);

EXPORT void *malloc(size_t size)
{
	return mh_alloc(size, MH_LIVE_MALLOC, NULL);
}

/* By this name the library knows its own malloc from another's. */
#if __has_attribute(copy)
#define LIKE(f) __attribute__((copy(f)))
#else
#define LIKE(f)
#endif
extern __typeof__(malloc) mh_own_malloc
	__attribute__((alias("malloc"), visibility("hidden"))) LIKE(malloc);

EXPORT void *calloc(size_t count, size_t size)
{
	size_t total;

	if (mh_unlikely(__builtin_mul_overflow(count, size, &total)))
		total = SIZE_MAX;
	return mh_calloc(total, MH_LIVE_MALLOC, NULL);
}

EXPORT void free(void *block)
{
	mh_free(block, MH_LIVE_MALLOC, MH_ANY_SIZE, NULL);
}

/*
 * From here on are names that not every allocator has.  When another one's
 * malloc was bound first, these may still be ours: they work by its blocks.
 */
EXPORT void cfree(void *block)
{
	if (mh_unlikely(!mh_is_active()))
		return free(block);
	mh_free(block, MH_LIVE_MALLOC, MH_ANY_SIZE, NULL);
}

EXPORT void *realloc(void *block, size_t size)
{
	return mh_realloc(block, size, MH_HERE);
}

static void *resize(void *block, size_t size, struct mh_from from)
{
	if (mh_likely(mh_is_active()))
		return mh_realloc(block, size, from);
	return realloc(block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return resize(block, total, MH_HERE);
}

EXPORT void free_sized(void *block, size_t size)
{
	if (mh_unlikely(!mh_is_active()))
		return free(block);
	mh_free(block, MH_LIVE_MALLOC, size, NULL);
}

EXPORT void free_aligned_sized(void *block, size_t align, size_t size)
{
	(void)align;
	if (mh_unlikely(!mh_is_active()))
		return free(block);
	mh_free(block, MH_LIVE_MALLOC, size, NULL);
}

static int power_of_two(size_t n)
{
	return n && (n & (n - 1)) == 0;
}

/* glibc 2.38 and ISO C: nothing but powers of two. */
EXPORT void *aligned_alloc(size_t align, size_t size)
{
	if (!power_of_two(align)) {
		errno = EINVAL;
		return NULL;
	}
	return mh_alloc_aligned(align, size, MH_LIVE_MALLOC, MH_HERE_AND_FP);
}

/* glibc: the next power of two serves an alignment that is none. */
EXPORT void *memalign(size_t align, size_t size)
{
	size_t power = MH_COOKIE_SIZE;

	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	while (power < align)
		power <<= 1;
	return mh_alloc_aligned(power, size, MH_LIVE_MALLOC, MH_HERE_AND_FP);
}

EXPORT int posix_memalign(void **to, size_t align, size_t size)
{
	int saved = errno;
	void *block;

	if (!power_of_two(align) || align % sizeof(void *))
		return EINVAL;
	block = mh_alloc_aligned(align, size, MH_LIVE_MALLOC, MH_HERE_AND_FP);
	errno = saved;
	if (!block)
		return ENOMEM;
	*to = block;
	return 0;
}

EXPORT void *valloc(size_t size)
{
	return mh_alloc_aligned((size_t)sysconf(_SC_PAGESIZE), size, MH_LIVE_MALLOC,
				MH_HERE_AND_FP);
}

EXPORT void *pvalloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t rounded = (size + page - 1) & ~(page - 1);

	if (rounded < size)
		rounded = SIZE_MAX;
	if (mh_unlikely(!mh_is_active()))
		return aligned_alloc(page, rounded);
	return mh_alloc_aligned(page, rounded, MH_LIVE_MALLOC, MH_HERE_AND_FP);
}

/* Exactly what was asked for: all else is an invitation to write on. */
EXPORT size_t malloc_usable_size(void *block)
{
	return mh_usable_size(block, CALLER);
}

/*
 * libc's own would charge libc.  `copy` is not called strdup: a header may
 * make that a macro.
 */
static inline __attribute__((always_inline)) char *copy(const char *s, size_t n,
							struct mh_from from)
{
	char *block = mh_likely(mh_is_active()) ? mh_alloc(n + 1, MH_LIVE_MALLOC, &from)
						: malloc(n + 1);

	if (!block)
		return NULL;
	block[n] = '\0';
	return memcpy(block, s, n);
}

EXPORT char *(strdup)(const char *s)
{
	return copy(s, strlen(s), MH_HERE);
}

EXPORT char *(strndup)(const char *s, size_t n)
{
	return copy(s, strnlen(s, n), MH_HERE);
}

EXPORT wchar_t *wcsdup(const wchar_t *s)
{
	size_t size = (wcslen(s) + 1) * sizeof(*s);
	wchar_t *block = mh_likely(mh_is_active()) ? mh_alloc(size, MH_LIVE_MALLOC, NULL)
						   : malloc(size);

	return block ? memcpy(block, s, size) : NULL;
}

EXPORT char *memhook_strdup(const char *s)
{
	return copy(s, strlen(s), MH_HERE);
}

EXPORT void *memhook_lalloc(void *ud, void *block, size_t osize, size_t nsize)
{
	const memhook_owner *owner = ud;
	memhook_owner previous = MEMHOOK_AUTO;
	void *p;

	if (nsize == 0) {
		if (mh_likely(mh_is_active()))
			mh_free(block, MH_LIVE_MALLOC, MH_ANY_SIZE, NULL);
		else
			free(block);
		return NULL;
	}
	if (owner)
		previous = memhook_enter(*owner);
	p = resize(block, nsize, MH_HERE);
	if (owner)
		memhook_leave(previous);
	/*
	 * Lua relies on it that a block can always be made smaller.  (For a new
	 * block osize is a type, not a size.)
	 */
	return !p && block && nsize <= osize ? block : p;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
	mh_attach();
	return mh_mallinfo2();
}

/* glibc's wraps around; "at least 2 GiB" is nearer to the truth. */
static int narrow(size_t n)
{
	return n < INT_MAX ? (int)n : INT_MAX;
}

EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 wide = mallinfo2();

	return (struct mallinfo){ .arena = narrow(wide.arena),
				  .fsmblks = narrow(wide.fsmblks),
				  .uordblks = narrow(wide.uordblks),
				  .fordblks = narrow(wide.fordblks),
				  .keepcost = narrow(wide.keepcost) };
}

/* glibc's tuning knobs have nothing to turn here: 0 says "not done". */
EXPORT int mallopt(int parameter, int value)
{
	(void)parameter;
	(void)value;
	return 0;
}

EXPORT int malloc_trim(size_t pad)
{
	(void)pad;
	mh_attach();
	mh_threads_trim();
	return mh_backend_trim();
}

EXPORT void malloc_stats(void)
{
	mh_attach();
	memhook_report(STDERR_FILENO, MEMHOOK_TEXT);
}

EXPORT int malloc_info(int options, FILE *stream)
{
	mh_attach();
	return mh_malloc_info(options, stream);
}

#ifdef PIC
/* What dlclose unmaps may come back as another library: caller.c. */
EXPORT int dlclose(void *handle)
{
	static int (*_Atomic libc_dlclose)(void *);
	int (*next)(void *) = atomic_load(&libc_dlclose);
	int rc;

	if (!next) {
		next = (int (*)(void *))dlsym(RTLD_NEXT, "dlclose");
		atomic_store(&libc_dlclose, next);
	}
	mh_caller_unload_begin();
	rc = next(handle);
	mh_caller_unload_end();
	return rc;
}
#endif
