/* SPDX-License-Identifier: BSD-2-Clause */
/* Resident memory of another process, by what it is. */
#ifndef SMAPS_H
#define SMAPS_H

#include "maps.h"
#include "reader.h"

/*
 * Look at /proc/PID/smaps, with the ranges of area `slot`.  0, or -1: it may
 * not be read, or the process is gone; *m is zeros then.
 */
int smaps_read(struct reader *r, uint32_t slot, int pid, struct mh_maps *m);

/*
 * What the process saw of itself at its exit, if it came to that and if it
 * adds up, into a snapshot.  It lies `at` this offset of the segment.  0, or
 * -1 with r->error.
 */
int smaps_published(struct reader *r, uint64_t at, struct mh_snapshot *s);

/* Look now, for a snapshot, which keeps what it had when there is nothing. */
void smaps_add(struct reader *r, uint32_t slot, struct mh_snapshot *s);

/* A copy of *m becomes the snapshot's. */
void smaps_use(struct mh_snapshot *s, const struct mh_maps *m);

#endif /* SMAPS_H */
