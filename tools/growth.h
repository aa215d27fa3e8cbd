/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two snapshots side by side, owner by owner: what is live now, and what it
 * was then.  The rows add up to the totals of both.
 */
#ifndef GROWTH_H
#define GROWTH_H

#include <stddef.h>

#include "report.h"

struct growth_row {
	struct memhook_stats now;  /* of one that is gone: its name and sums */
	struct memhook_stats then; /* zeros for one that is new */
	const struct mh_object *object; /* NULL: none; its path belongs to a snapshot */
	uint64_t offset;
	const char *label; /* of a call site: where that is; NULL: not known */
	uint64_t thread; /* its number, while it lives; 0: none, or several */
	size_t others; /* not 0: the sum of so many owners, named "(3 others)" */
	int gone;
};

/* By live bytes now; then, what has allocated most since; what grew most. */
enum growth_key {
	GROWTH_DEFAULT,
	GROWTH_LIVE,
	GROWTH_BLOCKS,
	GROWTH_PEAK,
	GROWTH_ALLOCS,
	GROWTH_RATE,
	GROWTH_GROWTH,
	GROWTH_NAME
};

/*
 * Within one process by handle.  Otherwise by kind, name, object and offset;
 * several of one name (retired ones, threads) are added up.
 */
enum growth_match { GROWTH_BY_HANDLE, GROWTH_BY_NAME };

struct growth {
	struct growth_row *rows;
	size_t count;
	int compared; /* there was a `then` */
	struct growth_row total;
};

/* 0, or -1 for a key that is none. */
int growth_key(const char *name, enum growth_key *key);

/* `then` may be NULL.  Both must live as long as the result. */
void growth_compare(struct growth *g, const struct mh_snapshot *then,
		    const struct mh_snapshot *now, enum growth_match match);
void growth_sort(struct growth *g, enum growth_key key);
/* All rows after the first n in one. */
void growth_limit(struct growth *g, size_t n);
void growth_free(struct growth *g);

/* Signed, modulo 2^64. */
static inline int64_t growth_change(uint64_t now, uint64_t then)
{
	return (int64_t)(now - then);
}

/*
 * The snapshot with the rows for its owners, in their order, for its report.
 * Only view->owners is its own: free() it.
 */
void growth_view(const struct growth *g, const struct mh_snapshot *s,
		 struct mh_snapshot *view);

#endif /* GROWTH_H */
