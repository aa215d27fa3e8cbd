/* SPDX-License-Identifier: BSD-2-Clause */
/* From one frame to its caller's, by the tables that exceptions use. */
#ifndef MH_FRAME_H
#define MH_FRAME_H

#include <dlfcn.h>

#include "caller.h"

/* The rule at a return address, which lies in the object `found`. */
struct mh_step mh_frame_rule(const void *caller, const struct dl_find_object *found);

/* A frame, while one walks outwards. */
struct mh_frame {
	const void *caller; /* return address into it */
	uintptr_t cfa;      /* its stack pointer */
	uintptr_t fp;       /* its frame pointer; 0: not known */
};

/* To the caller's frame.  0 when there is no way. */
int mh_frame_up(struct mh_frame *frame, struct mh_step step);

#endif /* MH_FRAME_H */
