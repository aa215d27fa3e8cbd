/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the allocator's memory and our own lie, so that a reader can tell
 * them from other anonymous memory in /proc/PID/smaps, and free a block from
 * what it must not touch.  Noted when memory is mapped or unmapped, never when a
 * block is allocated.
 */
#ifndef MH_RANGES_H
#define MH_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "segment.h"

enum mh_range_of { MH_RANGE_HEAP = 0, MH_RANGE_OWN = MH_RANGE_IS_OWN };

/* Bounds as mmap() has them: whole pages. */
void mh_range_add(const void *p, size_t size, enum mh_range_of of);
void mh_range_remove(const void *p, size_t size);

/* Can this be read, as part of the allocator's memory?  0: not that we know. */
int mh_range_has(const void *p);

/* Not all of the allocator's memory can be read: from now on none is known. */
void mh_ranges_hide(void);

/* From now on readers see them in this area, too. */
void mh_ranges_show(struct mh_area *area);

/* This process's table as it stands; *n of its entries were used at some time. */
const struct mh_range *mh_ranges(uint32_t *n);

#endif /* MH_RANGES_H */
