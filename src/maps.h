/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resident memory by what it is: /proc/PID/smaps, read to its end.  Used by
 * the tool and, in a crash handler too, by the process itself: neither
 * malloc nor stdio, and little stack; the work area is the caller's.
 */
#ifndef MH_MAPS_H
#define MH_MAPS_H

#include <stddef.h>
#include <stdint.h>

#include "segment.h"

/* Names that are added up at a time; beyond that the least goes to `rest`. */
#define MH_MAPS_ROOM 64

struct mh_maps_sums {
	uint64_t rest_bytes;
	uint32_t rest_names;
	uint32_t used;
	struct mh_maps_name entry[MH_MAPS_ROOM];
};

struct mh_maps_region {
	uint64_t start, end, rss;
	int has_rss;
	char perms[5];
	char name[4608];
};

struct mh_maps_work {
	const struct mh_range *ranges; /* those of the process */
	uint32_t range_count;
	int pagemap; /* /proc/PID/pagemap or -1: splits what lies in a range in part */

	struct mh_maps *to;
	struct mh_maps_region now;
	uint64_t guard_end; /* where a region without access ended, that may guard a stack */
	uint64_t pages_read; /* of pagemap */
	int have, broken;
	struct mh_maps_sums files, shared, anonymous;
	size_t used;
	char line[4608]; /* PATH_MAX and what stands before it; as long as a name */
	char buf[4096];
};

/* Piece by piece.  Ranges and pagemap were set, the rest is zeros. */
void mh_maps_feed(struct mh_maps_work *w, const char *text, size_t n);

/* 0, or -1: it was no smaps.  The time is left to the caller. */
int mh_maps_end(struct mh_maps_work *w);

/* All of an open smaps into *to: 0, or -1 and *to is zeros. */
int mh_maps_read(struct mh_maps_work *w, int smaps, struct mh_maps *to);

/* Do its parts add up?  For one that another process wrote. */
int mh_maps_valid(struct mh_maps *m);

#endif /* MH_MAPS_H */
