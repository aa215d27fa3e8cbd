/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file memhook/malloc.h
 * The redirect header: one source builds with the hook and without it.
 *
 * Every name below is libc's by another name.  A program linked with
 * -lmemhook gets the counted functions, any other program libc's own; no
 * source changes between the two.  `memhook header PREFIX` prints the same
 * for a project's own prefix.
 */
#ifndef MEMHOOK_MALLOC_H
#define MEMHOOK_MALLOC_H

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <memhook.h>

#define memhook_malloc malloc
#define memhook_calloc calloc
#define memhook_realloc realloc
#define memhook_free free
#define memhook_memalign memalign
#define memhook_aligned_alloc aligned_alloc
#define memhook_posix_memalign posix_memalign
#define memhook_strdup strdup

/** The Lua allocator (lua_Alloc) over realloc(3) and free(3). */
static inline void *memhook_lalloc_inline_(void *ud, void *ptr, size_t osize,
					   size_t nsize)
{
	(void)ud;
	(void)osize;
	if (nsize == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, nsize);
}
#define memhook_lalloc memhook_lalloc_inline_

#endif /* MEMHOOK_MALLOC_H */
