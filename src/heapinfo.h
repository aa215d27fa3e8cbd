/* SPDX-License-Identifier: BSD-2-Clause */
/* The backend's own numbers: published to readers, and glibc's old calls. */
#ifndef MH_HEAPINFO_H
#define MH_HEAPINFO_H

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>

/* Into the segment, with the time.  Takes some 10 microseconds. */
void mh_heap_publish(void);

/*
 * The same when the last time is long ago, or the heap has changed since: for
 * cold events of the hot path.  `live` is what the process has, as the thread
 * has just published it; MH_LIVE_UNKNOWN where it has not: to look would be to
 * wait for those who publish.
 */
#define MH_LIVE_UNKNOWN INT64_MIN
void mh_heap_tick(int64_t live);
void mh_heap_tick_freed(int64_t live); /* after a free */

/*
 * 1 while this thread holds the owners' lock and counts: then neither does
 * anything.  Fork takes the backend's locks before that one, and they would
 * take them after it.
 */
extern __thread char mh_heap_not_now __attribute__((visibility("hidden"),
						    tls_model("initial-exec")));

/* Resident bytes of this process now; 0: not known. */
uint64_t mh_read_rss(void);

struct mallinfo2 mh_mallinfo2(void);
int mh_malloc_info(int options, FILE *stream);

#endif /* MH_HEAPINFO_H */
