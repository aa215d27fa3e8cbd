/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator underneath.  Nothing else in src/ knows that it is jemalloc:
 * a private copy of Debian's archive, its names prefixed with memhook_je_ by
 * src/private-jemalloc.sh.
 */
#ifndef MH_BACKEND_H
#define MH_BACKEND_H

#include <stddef.h>
#include <stdint.h>

void *memhook_je_malloc(size_t size);
void *memhook_je_calloc(size_t count, size_t size);
void *memhook_je_realloc(void *start, size_t size);
void *memhook_je_memalign(size_t alignment, size_t size);
void memhook_je_free(void *start);
void memhook_je_sdallocx(void *start, size_t size, int flags);

#define mh_backend_memalign memhook_je_memalign
#define mh_backend_free memhook_je_free

/*
 * Where C asks for less than 16 bytes of alignment, as on 32-bit ARM, jemalloc has
 * classes between the multiples of 16, whose blocks lie between them, too.  Its
 * other classes are all there, so that a rounded size avoids these.
 */
static inline size_t mh_backend_size(size_t size)
{
	if (_Alignof(max_align_t) < 16 && size <= SIZE_MAX - 15)
		return (size + 15) & ~(size_t)15;
	return size;
}

static inline void *mh_backend_malloc(size_t size)
{
	return memhook_je_malloc(mh_backend_size(size));
}

static inline void *mh_backend_realloc(void *start, size_t size)
{
	return memhook_je_realloc(start, mh_backend_size(size));
}

static inline void *mh_backend_calloc(size_t size)
{
	return memhook_je_calloc(1, mh_backend_size(size));
}

/*
 * Free a block made without alignment, whose size is known.  Telling jemalloc
 * the size saves it the lookup of the address, but only for its small classes
 * (4096 bytes held) and away from page starts, where it looks all the same
 * and takes longer about it.
 */
static inline void mh_backend_free_sized(void *start, size_t size)
{
	if (__builtin_expect(size <= 4096 && ((uintptr_t)start & 4095) != 0, 1))
		memhook_je_sdallocx(start, mh_backend_size(size), 0);
	else
		memhook_je_free(start);
}

/* backend-jemalloc.c */
struct mh_heap {
	uint64_t allocated; /* set aside for blocks, by size class */
	uint64_t active;    /* in pages that hold at least one block */
	uint64_t resident;  /* in pages that may be in memory, caches included */
	uint64_t metadata;  /* the allocator's own */
	uint64_t cached;    /* of allocated: freed blocks in its threads' caches */
	uint64_t quarantine; /* of cached: ours, with checks */
	uint64_t dirty;     /* of resident: free pages that it keeps */
	uint64_t mapped;
	uint64_t retained;
};

int mh_backend_numbers(struct mh_heap *heap); /* 0, or -1: not known */
void mh_backend_flush(void); /* this thread's cache in the backend */
int mh_backend_trim(void); /* 1 when there was something to give back */

/* backend-fork.c: first of all in a forked child, before the backend's own handler */
void mh_backend_in_child(void);

#endif /* MH_BACKEND_H */
