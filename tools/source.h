/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a segment's bytes come from: its file, or the memory of a process
 * that has it mapped.  Reading never adds a page to either.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stddef.h>
#include <stdint.h>

/* A stretch of the file, and where the process sees it. */
struct source_part {
	uint64_t offset, size, address;
};

struct source {
	int fd;                    /* the file, or /proc/PID/mem */
	int pagemap;               /* memory: tells pages from holes; -1: nothing does */
	struct source_part *parts; /* memory: by offset.  NULL: fd is the file */
	size_t part_count;
	uint64_t size;             /* of the file; memory: not known, the largest */
	uint64_t inode;            /* of the file: tells segments apart */
};

/* 0, or -1 with errno; EINVAL: no regular file.  source_close() closes fd. */
int source_file(struct source *s, int fd);

/*
 * By way of a process's memory; takes the parts, which are allocated.  0, or
 * -1 with errno: EACCES and EPERM when it may not be traced.
 */
int source_memory(struct source *s, int pid, struct source_part *parts, size_t n);

/* All of it, holes and what is not mapped as zeros.  0, or -1 with errno. */
int source_read(const struct source *s, uint64_t at, void *to, size_t size);

/*
 * The first stretch between `at` and `end` that may hold anything but zeros.
 * 1, or 0: there is none.
 */
int source_next(const struct source *s, uint64_t at, uint64_t end, uint64_t *from,
		uint64_t *to);

void source_close(struct source *s);

#endif /* SOURCE_H */
