/* SPDX-License-Identifier: BSD-2-Clause */
/* The process reads itself. */
#ifndef MH_SNAPSHOT_H
#define MH_SNAPSHOT_H

#include "memhook.h"
#include "segment.h"

void mh_owner_stats(const struct mh_area *area, uint32_t row, struct memhook_stats *s);
void mh_total_stats(const struct mh_area *area, struct memhook_stats *s);

/* What smaps says of us now, into the segment: for when we are gone. */
void mh_maps_publish(void);

/* Room for a report that must not map any; the report.  NULL; an errno. */
void *mh_report_room(void);
int mh_report_in(void *room, int fd, int format);

#endif /* MH_SNAPSHOT_H */
