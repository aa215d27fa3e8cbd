/* SPDX-License-Identifier: BSD-2-Clause */
/* What is added up over all shards of an area whose header was checked. */
#ifndef SUM_H
#define SUM_H

#include "reader.h"
#include "stats.h"

/* One pass: the counters of rows below owners_used.  0, or -1 with r->error. */
int sum_shards(struct reader *r, uint64_t area, const struct mh_area *a,
	       struct mh_sum *sum);

/* Allocations that found no frame outside the see-through list. */
int sum_unseen(struct reader *r, uint64_t area, const struct mh_area *a,
	       struct mh_snapshot *s);

/* Bytes of what is used of the area that exist in memory. */
uint64_t sum_memory(struct reader *r, uint64_t area, const struct mh_area *a);

#endif /* SUM_H */
