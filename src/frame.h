/* SPDX-License-Identifier: BSD-2-Clause */
/* From one frame to its caller's, by the tables that exceptions use. */
#ifndef MH_FRAME_H
#define MH_FRAME_H

#include <dlfcn.h>

#include "caller.h"

/* Frames that are walked through at most. */
#define MH_DEPTH_MAX 64

/* The rule at a return address, which lies in the object `found`. */
struct mh_step mh_frame_rule(const void *caller, const struct dl_find_object *found);

/* A frame, while one walks outwards. */
struct mh_frame {
	const void *caller; /* return address into it */
	uintptr_t cfa;      /* its stack pointer */
	uintptr_t fp;       /* its frame pointer; 0: not known */
};

/* A larger one is taken for a mistake, of ours or of who wrote the table. */
#define MH_FRAME_MAX (1 << 20)

/*
 * To the caller's frame; 0 when there is no way.  The constants were looked
 * at when the rule was made; a frame pointer was in the hands of all the code
 * on the way.
 */
static inline int mh_frame_up(struct mh_frame *f, struct mh_step step)
{
	uintptr_t end = f->cfa;

	if (step.kind == MH_STEP_FP && f->fp - f->cfa < MH_FRAME_MAX)
		end = f->fp;
	else if (step.kind != MH_STEP_SP)
		return 0;
	end += (uintptr_t)step.cfa_offset;
	f->caller = *(const void *const *)(end - sizeof(void *));
	if (step.fp_offset)
		f->fp = *(const uintptr_t *)(end + (uintptr_t)(intptr_t)step.fp_offset);
	else if (step.fp_lost)
		f->fp = 0;
	f->cfa = end;
	return 1;
}

#endif /* MH_FRAME_H */
