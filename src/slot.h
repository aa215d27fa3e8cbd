/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MH_SLOT_H
#define MH_SLOT_H

#include "segment.h"

extern struct mh_run *mh_run; /* header and slots, mapped for good; or NULL */

static inline struct mh_slot *mh_slots(void)
{
	return (struct mh_slot *)((char *)mh_run + mh_run->slots_offset);
}

uint64_t mh_pid_namespace(void); /* 0: not known */

/*
 * A slot for this process, state MH_SLOT_CLAIMED; UINT32_MAX when there is
 * none.  *used_before: its area holds another process's numbers.
 */
uint32_t mh_slot_take(uint64_t pid_namespace, int *used_before);

/* Programs that this process replaced by exec have a slot of this pid. */
void mh_slot_close_predecessors(const struct mh_slot *mine);

#endif /* MH_SLOT_H */
