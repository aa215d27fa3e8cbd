/* SPDX-License-Identifier: BSD-2-Clause */
/* Do the counters of a segment agree with each other? */
#ifndef AUDIT_H
#define AUDIT_H

#include "reader.h"
#include "report.h"

enum audit_result {
	AUDIT_CONSISTENT,
	AUDIT_DRIFT,
	AUDIT_RUNNING, /* never at rest: only what holds at any time was audited */
	AUDIT_FAILED   /* it could not be read: r->error */
};

#define AUDIT_LISTED 20

struct audit {
	uint32_t owners, shards;
	int64_t live_bytes, live_blocks; /* less than none, when they drifted */
	uint64_t bound_bytes; /* how far coarse sums may be off */
	unsigned passes;
	int exact;            /* 0: forked beside threads, and how far off is not known */
	size_t drifts;        /* found; the first ones are listed */
	struct audit_drift {
		const char *what;
		char owner[MEMHOOK_NAME_MAX]; /* "" for the process as a whole */
		uint32_t row;
		int64_t expected, found;
	} list[AUDIT_LISTED];
};

/*
 * Audit the process of this slot, for up to `ms` until it rests for two
 * passes.  The numbers of the report are compared with sums made here.
 */
enum audit_result audit_slot(struct reader *r, uint32_t slot, uint64_t ms,
			     struct audit *a);

#endif /* AUDIT_H */
