/* SPDX-License-Identifier: BSD-2-Clause */
/* Which parts of the area are in a core dump. */
#ifndef MH_DEBUGGER_H
#define MH_DEBUGGER_H

#include <stdint.h>

#include "segment.h"

/* A new area, in a forked child with what it will take over. */
void mh_dump_area(const struct mh_area *parents);

/* So many are in use now.  Under the owners' lock. */
void mh_dump_rows(uint32_t used);
void mh_dump_objects(uint32_t used);

/* A shard was opened. */
void mh_dump_shard(uint32_t shard);

#endif /* MH_DEBUGGER_H */
