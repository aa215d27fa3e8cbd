/*
 * Made by: memhook header inc_
 * Counted when linked with -lmemhook, libc's own otherwise.
 */
#ifndef INC_MALLOC_H
#define INC_MALLOC_H

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define inc_malloc malloc
#define inc_calloc calloc
#define inc_realloc realloc
#define inc_free free
#define inc_memalign memalign
#define inc_aligned_alloc aligned_alloc
#define inc_posix_memalign posix_memalign
#define inc_strdup strdup

/* The Lua allocator (lua_Alloc) over realloc and free. */
static inline void *inc_lalloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
	(void)ud;
	(void)osize;
	if (nsize == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, nsize);
}

#endif /* INC_MALLOC_H */
