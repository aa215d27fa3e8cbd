/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a segment: the part that the hook and `memhook run` share.
 */
#ifndef MH_SEGMENT_FILE_H
#define MH_SEGMENT_FILE_H

#include "segment.h"

/*
 * 65,536 owners x 40 bytes make a shard of 2.5 MiB, of which only touched
 * pages exist; 4,096 threads have one of their own, the rest share shard 0.
 */
#if SIZE_MAX > 0xffffffff
#define MH_OWNERS_MAX 65536
#define MH_SHARDS_MAX 4096
#else
#define MH_OWNERS_MAX 8192
#define MH_SHARDS_MAX 128
#endif
#define MH_OBJECTS_MAX 4096

/* Fills in the sizes and offsets of an area. */
void mh_area_layout(struct mh_area *area, uint32_t owners_max, uint32_t shards_max);

/* Distance of areas in the file: the size of the largest one. */
uint64_t mh_area_stride(void);

/*
 * A new, empty segment.  Returns its descriptor (close-on-exec, a high
 * number), or -1 with errno: EFBIG when RLIMIT_FSIZE forbids it.
 */
int mh_segment_file(int by_run);

#endif /* MH_SEGMENT_FILE_H */
