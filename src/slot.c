/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory of the segment: which area is whose. */
#include "slot.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* Dead workers' areas that a run keeps for its report before reusing them. */
#define KEEP_DEAD 512

struct mh_run *mh_run;

/*
 * A child that sees its parent by its number is in its parent's namespace:
 * it would be 0 otherwise.  A new process's folder in /proc takes as long to
 * look into as all else about a slot.
 */
uint64_t mh_pid_namespace(void)
{
	static uint64_t namespace;
	static pid_t found_by;
	struct stat ns;

	if (!namespace || getppid() != found_by)
		namespace = stat("/proc/self/ns/pid", &ns) ? 0 : ns.st_ino;
	found_by = getpid();
	return namespace;
}

static int reusable(struct mh_slot *slot, uint64_t namespace)
{
	uint32_t state = atomic_load(&slot->state);

	if (state == MH_SLOT_FREE)
		return 1; /* claimed once, and not mapped */
	if (state == MH_SLOT_EXITED || state == MH_SLOT_REPLACED)
		return kill(slot->pid, 0) && errno == ESRCH;
	return state == MH_SLOT_LIVE && namespace && slot->pid_namespace == namespace &&
	       kill(slot->pid, 0) && errno == ESRCH;
}

/* A slot whose process is gone; a few looks each time are enough. */
static uint32_t take_dead(uint32_t used, uint64_t namespace)
{
	static uint32_t hand;
	uint32_t i, n, first = mh_run->by_run ? 1 : 0;

	for (n = 0; n < 16 && used > first; n++) {
		struct mh_slot *slot;
		uint32_t state;

		i = first + hand++ % (used - first);
		slot = &mh_slots()[i];
		state = atomic_load(&slot->state);
		if (reusable(slot, namespace) &&
		    atomic_compare_exchange_strong(&slot->state, &state,
						   MH_SLOT_CLAIMED)) {
			atomic_fetch_add(&mh_run->areas_reused, 1);
			return i;
		}
	}
	return UINT32_MAX;
}

uint32_t mh_slot_take(uint64_t namespace, int *used_before)
{
	uint32_t used = atomic_load(&mh_run->areas_used), i;

	*used_before = 1;
	if (used >= (mh_run->by_run ? KEEP_DEAD : 2)) {
		i = take_dead(used < mh_run->areas_max ? used : mh_run->areas_max, namespace);
		if (i != UINT32_MAX)
			return i;
	}
	*used_before = 0;
	if (used < mh_run->areas_max) {
		i = atomic_fetch_add(&mh_run->areas_used, 1);
		if (i < mh_run->areas_max) {
			atomic_store(&mh_slots()[i].state, MH_SLOT_CLAIMED);
			return i;
		}
		atomic_fetch_sub(&mh_run->areas_used, 1);
	}
	atomic_fetch_add(&mh_run->areas_denied, 1);
	return UINT32_MAX;
}

/* Programs that this process replaced by exec keep a slot of this pid. */
void mh_slot_close_predecessors(const struct mh_slot *mine)
{
	uint32_t i, used = atomic_load(&mh_run->areas_used);

	for (i = 0; i < used && i < mh_run->areas_max; i++) {
		struct mh_slot *slot = &mh_slots()[i];
		uint32_t live = MH_SLOT_LIVE;

		if (slot != mine && slot->pid == mine->pid &&
		    slot->pid_namespace == mine->pid_namespace)
			atomic_compare_exchange_strong(&slot->state, &live,
						       MH_SLOT_REPLACED);
	}
}
