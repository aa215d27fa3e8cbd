/* SPDX-License-Identifier: BSD-2-Clause */
/* A running process, looked at once or again and again. */
#ifndef LIVE_H
#define LIVE_H

#include <stddef.h>

#include "reader.h"

struct live {
	int pid;              /* as we see it */
	struct source source; /* its segment */
	uint32_t slot;        /* of the segment, as live_read() found it */
	uint64_t started;     /* tells it from a later process of the same number */
	struct reader reader;
	char error[320];      /* why the last call failed; names no process */
	int absent;           /* and that there was nothing to be read, nothing wrong */
};

/* The live slot of this process: 1, or 0 when there is none. */
int live_find(struct reader *r, int pid, uint32_t *found);

/* 0, or -1 with l->error. */
int live_open(struct live *l, int pid);

/*
 * A new snapshot; reader_free() it.  0, or -1 with l->error: the process may
 * have ended since, or its number may have gone to another one.
 */
int live_read(struct live *l, struct mh_snapshot *s);

/*
 * What of it is resident, into a snapshot just read.  The kernel looks at each
 * page for that: of a large process it takes longer than all the rest.
 */
void live_explain(struct live *l, struct mh_snapshot *s);

/* What tells its segment from all others; its forked workers share it.  0: unknown. */
uint64_t live_segment(const struct live *l);

void live_close(struct live *l);

/*
 * The hooked processes that this user may read, by number; *pids is
 * allocated.  `hidden` counts those whose descriptors may not be looked at.
 */
size_t live_list(int **pids, unsigned *hidden);

#endif /* LIVE_H */
