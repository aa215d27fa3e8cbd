/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run: looks at a process while it lives, for when it is dead. */
#include <time.h>

#include "live.h"
#include "run.h"

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void run_sample(int segment, int pid, struct run_sample *sample)
{
	uint64_t now = now_us(), took;
	struct mh_maps m;
	struct reader r;
	uint32_t slot;

	if (segment < 0 || now < sample->due_us || reader_open(&r, segment) ||
	    !live_find(&r, pid, &slot) || smaps_read(&r, slot, pid, &m))
		return;
	sample->maps = m;
	took = now_us() - now;
	sample->due_us = now + took * 50;
}

void run_sample_use(struct mh_snapshot *s, int exited, const struct run_sample *sample)
{
	if ((!exited || !s->maps) && sample->maps.time_unix_ms)
		smaps_use(s, &sample->maps);
	else if (s->maps)
		mh_use_maps(s, s->maps);
}
