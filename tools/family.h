/* SPDX-License-Identifier: BSD-2-Clause */
/* The hooked processes, each service with its forked workers as a tree. */
#ifndef FAMILY_H
#define FAMILY_H

#include <stddef.h>
#include <stdint.h>

struct family_sum {
	uint64_t live_bytes, live_blocks;
	uint64_t rss_bytes; /* of several: pages that they share are in each */
};

struct family_member {
	int pid, ppid;       /* as we see them */
	uint64_t segment;    /* what a family has in common: device and inode */
	char command[64];
	const char *by;
	uint64_t uptime_ms;
	struct family_sum sum;
	size_t parent;       /* while they are read */
	unsigned depth;      /* 0: the parent is not in the family */
	size_t service;      /* index of the family's first member ... */
	size_t size;         /* ... and how many it has */
	struct family_sum total; /* of them all, in the first member */
};

struct families {
	struct family_member *members; /* parents before children, families together */
	size_t count;
	struct family_broken {
		int pid;
		char why[160];
	} *broken; /* hooked, as it seems, and not to be read */
	size_t broken_count;
	unsigned hidden; /* not looked at, for lack of rights */
};

void families_read(struct families *f);
void families_free(struct families *f);

#endif /* FAMILY_H */
