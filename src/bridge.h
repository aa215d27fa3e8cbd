/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bridge from live bytes to resident memory.  Three witnesses: our
 * counters (live), what the allocator said of itself when it last published
 * (where its own part goes) and the kernel (what is resident).  Live, the
 * cookies and the parts below add up to the RSS, whatever they say.
 */
#ifndef MH_BRIDGE_H
#define MH_BRIDGE_H

#include <stdint.h>

#include "report.h"

struct mh_bridge {
	int64_t rounding;     /* blocks are as large as their size class */
	int64_t cached;       /* freed blocks, ready to serve again */
	int64_t quarantine;   /* freed blocks that wait, with checks */
	int64_t slack;        /* free space in pages that hold blocks */
	int64_t dirty;        /* free pages that the allocator keeps */
	int64_t tables;       /* its own, as far as it may have touched them */
	int64_t unsplit;      /* resident in its mappings, and it did not say what for */
	int64_t not_resident; /* of all that, never touched or swapped out: <= 0 */
	int64_t memhook;
	int64_t stack, file, shared, anonymous;
	int64_t other;        /* the rest */
};

/* Of what was published as cached, the quarantine's part apart. */
static inline void mh_bridge_cached(struct mh_process *p, uint64_t cached,
				    uint64_t quarantine)
{
	if (quarantine > cached)
		quarantine = cached;
	p->allocator_cached_bytes = cached - quarantine;
	p->allocator_quarantine_bytes = quarantine;
}

/* With rss_bytes 0 (not known) `other` is 0 and nothing adds up to it. */
void mh_bridge(const struct mh_snapshot *s, struct mh_bridge *b);

#endif /* MH_BRIDGE_H */
