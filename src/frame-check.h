/* SPDX-License-Identifier: BSD-2-Clause */
/* MEMHOOK_CHECK_FRAMES=1: our steps against those of the exception unwinder. */
#ifndef MH_FRAME_CHECK_H
#define MH_FRAME_CHECK_H

/* Is `found` the return address `depth` frames outside of `caller`? */
void mh_frame_check(const void *caller, unsigned depth, const void *found);

/* One line on standard error: what was checked, what differed. */
void mh_frame_check_report(void);

#endif /* MH_FRAME_CHECK_H */
