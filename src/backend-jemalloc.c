/* SPDX-License-Identifier: BSD-2-Clause */
/* What only jemalloc's control interface can tell or do. */
#include "backend.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "diag.h"
#include "ranges.h"

int memhook_je_mallctl(const char *name, void *old, size_t *old_size, void *new_,
		       size_t new_size);

/* MALLCTL_ARENAS_ALL of jemalloc(3), 4096: every arena at once. */
#define PURGE_ALL "arena.4096.purge"
#define STATS_ALL "stats.arenas.4096."

static int number(const char *name, uint64_t *n)
{
	size_t value = 0, size = sizeof(value);
	int rc = memhook_je_mallctl(name, &value, &size, NULL, 0);

	*n = value;
	return rc;
}

int mh_backend_numbers(struct mh_heap *heap)
{
	uint64_t epoch = 1, page;

	/* jemalloc's numbers are a snapshot, taken when the epoch moves. */
	if (memhook_je_mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)))
		return -1;
	if (number("stats.allocated", &heap->allocated) ||
	    number("stats.active", &heap->active) ||
	    number("stats.resident", &heap->resident) ||
	    number("stats.metadata", &heap->metadata) ||
	    number("stats.mapped", &heap->mapped) ||
	    number("stats.retained", &heap->retained) ||
	    number(STATS_ALL "tcache_bytes", &heap->cached) ||
	    number(STATS_ALL "pdirty", &heap->dirty) || number("arenas.page", &page))
		return -1;
	heap->dirty *= page; /* of its own: on ARM, Debian's has 64 KiB */
	return 0;
}

void mh_backend_flush(void)
{
	memhook_je_mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

int mh_backend_trim(void)
{
	struct mh_heap heap = { 0 };

	mh_backend_flush();
	mh_backend_numbers(&heap);
	memhook_je_mallctl(PURGE_ALL, NULL, NULL, NULL, 0);
	return heap.dirty > 0;
}

/*
 * What jemalloc maps, and how: the private copy calls these instead of
 * libc's, so that readers can tell its memory from the program's own.  Those
 * that its free() comes to keep errno, as free() has to; to save it around
 * each call of free would cost more.
 */
void *memhook_je_mmap(void *at, size_t size, int prot, int flags, int fd, __off_t offset);
void *memhook_je_mmap64(void *at, size_t size, int prot, int flags, int fd,
			off64_t offset);
int memhook_je_munmap(void *p, size_t size);
int memhook_je_madvise(void *p, size_t size, int advice);
char *memhook_je_strerror_r(int error, char *buf, size_t size);
void *memhook_je_sbrk(intptr_t grow);

static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) & ~(page - 1);
}

void *memhook_je_mmap64(void *at, size_t size, int prot, int flags, int fd,
			off64_t offset)
{
	static int began;
	void *p = mmap64(at, size, prot, flags, fd, offset);

	if (p == MAP_FAILED) {
		/* jemalloc 5.3.0 writes to its first page without a look */
		if (!began)
			mh_die("no memory for the allocator's first page");
		return p;
	}
	began = 1;
	if (prot == PROT_NONE) /* strict overcommit: a piece is made readable in time */
		mh_ranges_hide();
	if (flags & MAP_FIXED)
		mh_range_remove(p, whole_pages(size));
	mh_range_add(p, whole_pages(size), MH_RANGE_HEAP);
	return p;
}

/* jemalloc is built without large files: its off_t is a word, ours is not. */
void *memhook_je_mmap(void *at, size_t size, int prot, int flags, int fd, __off_t offset)
{
	return memhook_je_mmap64(at, size, prot, flags, fd, offset);
}

/* Why munmap failed last, of whatever thread: relaxed, for a message. */
static _Atomic int munmap_error;

/* Out of the table first: another thread may get the same addresses. */
int memhook_je_munmap(void *p, size_t size)
{
	int saved = errno, rc;

	mh_range_remove(p, whole_pages(size));
	rc = munmap(p, size);
	if (rc)
		atomic_store_explicit(&munmap_error, errno, memory_order_relaxed);
	errno = saved;
	return rc;
}

/*
 * The GNU one.  jemalloc asks for a text when munmap failed, and at no other
 * time, with locks held: libc's translates it and allocates for that.  `error`
 * is the errno that was kept.
 */
char *memhook_je_strerror_r(int error, char *buf, size_t size)
{
	const char *why = strerrordesc_np(
		atomic_load_explicit(&munmap_error, memory_order_relaxed));

	(void)error, (void)buf, (void)size;
	return (char *)(why ? why : "unknown");
}

int memhook_je_madvise(void *p, size_t size, int advice)
{
	int saved = errno, rc = madvise(p, size, advice);

	errno = saved;
	return rc;
}

/* Only with MALLOC_CONF=dss:..., or when mmap fails. */
void *memhook_je_sbrk(intptr_t grow)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *p = sbrk(grow);
	uintptr_t start = (uintptr_t)p & ~(page - 1);

	if (p != (void *)-1 && grow > 0) {
		size_t size = whole_pages((uintptr_t)p + (uintptr_t)grow - start);

		mh_range_remove((void *)start, size);
		mh_range_add((void *)start, size, MH_RANGE_HEAP);
	}
	return p;
}
