/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)
#define PAGE_OF_FILE (UINT64_C(1) << 61)
#define PAGE_FLAGS (UINT64_C(63) << 58) /* the three, and those that no page has */
#define ASK_PAGES 512 /* of pagemap at a time */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t page_size(void)
{
	static uint64_t size;

	if (!size)
		size = (uint64_t)sysconf(_SC_PAGESIZE);
	return size;
}

int source_file(struct source *s, int fd)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->pagemap = -1;
	if (fstat(fd, &st))
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	s->size = (uint64_t)st.st_size;
	s->inode = st.st_ino;
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct source_part *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/*
 * A page of a file that was swapped out is in no page table: then pagemap
 * shows it as it shows a hole, and cannot be asked.
 */
static int swap_is_used(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long total = 1, unused = 0, n;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SwapTotal: %llu", &n) == 1)
			total = n;
		if (sscanf(line, "SwapFree: %llu", &n) == 1)
			unused = n;
	}
	if (f)
		fclose(f);
	return total != unused;
}

static int open_proc(int pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Sorted; an enemy may have mapped the same pages twice: one will do. */
static size_t put_in_order(struct source_part *parts, size_t n)
{
	size_t i, kept = 0;

	qsort(parts, n, sizeof(*parts), by_offset);
	for (i = 0; i < n; i++)
		if (kept == 0 || parts[i].offset >= parts[kept - 1].offset +
							    parts[kept - 1].size)
			parts[kept++] = parts[i];
	return kept;
}

/*
 * Does it know of the file's first page, which the process has read?  If not,
 * it does not speak of this memory: emulators put their program's elsewhere, or
 * have another byte order and hand the kernel's words on as they are.
 */
static int pagemap_is_true(const struct source *s)
{
	uint64_t entry = 0;

	if (s->part_count == 0 || s->parts[0].offset != 0 ||
	    pread(s->pagemap, &entry, sizeof(entry),
		  (off_t)(s->parts[0].address / page_size() * sizeof(entry))) !=
		    sizeof(entry))
		return 0;
	return (entry & PAGE_FLAGS) == (PAGE_PRESENT | PAGE_OF_FILE);
}

static void open_pagemap(struct source *s, int pid)
{
	s->pagemap = swap_is_used() ? -1 : open_proc(pid, "pagemap");
	if (s->pagemap < 0 || pagemap_is_true(s))
		return;
	close(s->pagemap);
	s->pagemap = -1;
}

int source_memory(struct source *s, int pid, struct source_part *parts, size_t n)
{
	memset(s, 0, sizeof(*s));
	s->parts = parts;
	s->part_count = put_in_order(parts, n);
	s->size = INT64_MAX;
	s->fd = open_proc(pid, "mem");
	s->pagemap = -1;
	if (s->fd < 0)
		return -1;
	open_pagemap(s, pid);
	return 0;
}

void source_close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->pagemap >= 0)
		close(s->pagemap);
	free(s->parts);
	s->fd = -1;
	s->pagemap = -1;
	s->parts = NULL;
	s->part_count = 0;
}

/* The first part that ends after `at`. */
static const struct source_part *part_after(const struct source *s, uint64_t at)
{
	size_t low = 0, high = s->part_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->parts[middle].offset + s->parts[middle].size > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low < s->part_count ? &s->parts[low] : NULL;
}

/*
 * Within one part: the first pages from `at` on that exist.  1, or 0 with
 * *to: none before that.
 */
static int present(const struct source *s, const struct source_part *p, uint64_t at,
		   uint64_t end, uint64_t *from, uint64_t *to)
{
	uint64_t page = page_size(), entry[ASK_PAGES];
	uint64_t first = (p->address + (at - p->offset)) / page;
	size_t n = least(ASK_PAGES, (end - at + page - 1) / page + 1), i = 0, k;
	ssize_t got;

	got = pread(s->pagemap, entry, n * sizeof(*entry), (off_t)(first * 8));
	if (got < (ssize_t)sizeof(*entry)) {
		*from = at; /* it does not say: all of it, then */
		*to = end;
		return 1;
	}
	n = (size_t)got / sizeof(*entry);
	while (i < n && !(entry[i] & (PAGE_PRESENT | PAGE_SWAPPED)))
		i++;
	for (k = i; k < n && entry[k] & (PAGE_PRESENT | PAGE_SWAPPED);)
		k++;
	/* Back to offsets; the first page may begin before `at`. */
	*from = i ? (first + i) * page - p->address + p->offset : at;
	*to = least(end, (first + (i < n ? k : n)) * page - p->address + p->offset);
	return i < n && *from < end;
}

static int next_in_memory(const struct source *s, uint64_t at, uint64_t end,
			  uint64_t *from, uint64_t *to)
{
	const struct source_part *p;

	while (at < end && (p = part_after(s, at)) && p->offset < end) {
		uint64_t part_end = least(end, p->offset + p->size);

		if (at < p->offset)
			at = p->offset;
		if (s->pagemap < 0) {
			*from = at;
			*to = part_end;
			return 1;
		}
		if (present(s, p, at, part_end, from, to))
			return 1;
		at = *to;
	}
	return 0;
}

static int next_in_file(const struct source *s, uint64_t at, uint64_t end,
			uint64_t *from, uint64_t *to)
{
	off_t data, hole;

	if (at >= end || at > INT64_MAX)
		return 0;
	data = lseek(s->fd, (off_t)at, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 0; /* holes only, up to the end of the file */
	*from = data < 0 ? at : (uint64_t)data;
	if (*from >= end)
		return 0;
	hole = lseek(s->fd, (off_t)*from, SEEK_HOLE);
	*to = hole <= (off_t)*from ? end : least(end, (uint64_t)hole);
	return 1;
}

int source_next(const struct source *s, uint64_t at, uint64_t end, uint64_t *from,
		uint64_t *to)
{
	return s->parts ? next_in_memory(s, at, end, from, to)
			: next_in_file(s, at, end, from, to);
}

static int read_all(int fd, uint64_t at, char *to, size_t size)
{
	while (size) {
		ssize_t n = pread(fd, to, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) {
			errno = ENODATA;
			return -1;
		}
		to += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int source_read(const struct source *s, uint64_t at, void *to, size_t size)
{
	uint64_t end = at + size, from, until, next;
	const struct source_part *p;

	if (!s->parts)
		return read_all(s->fd, at, to, size);
	memset(to, 0, size);
	for (next = at; source_next(s, next, end, &from, &until); next = until) {
		p = part_after(s, from);
		if (read_all(s->fd, p->address + (from - p->offset),
			     (char *)to + (from - at), until - from))
			return -1;
	}
	return 0;
}
