/* SPDX-License-Identifier: BSD-2-Clause */
#include "smaps.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int open_proc(int pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct look {
	struct mh_area area;
	struct mh_range range[MH_RANGES_MAX];
	struct mh_maps_work work;
};

static int read_ranges(struct reader *r, uint32_t slot, struct look *t)
{
	uint64_t start;
	uint32_t n;

	if (reader_area(r, slot, &t->area, &start))
		return -1;
	n = t->area.ranges_max < MH_RANGES_MAX ? t->area.ranges_max : MH_RANGES_MAX;
	t->work.ranges = t->range;
	t->work.range_count = n;
	return reader_read(r, start + t->area.ranges_offset, t->range,
			   n * sizeof(*t->range));
}

int smaps_read(struct reader *r, uint32_t slot, int pid, struct mh_maps *m)
{
	struct look *t = calloc(1, sizeof(*t));
	int smaps = open_proc(pid, "smaps"), rc = -1;

	*m = (struct mh_maps){ 0 };
	if (t && smaps >= 0 && read_ranges(r, slot, t) == 0) {
		t->work.pagemap = open_proc(pid, "pagemap");
		rc = mh_maps_read(&t->work, smaps, m);
		if (t->work.pagemap >= 0)
			close(t->work.pagemap);
	}
	if (rc == 0) {
		m->time_unix_ms = now_ms();
		m->ranges_lost = t->area.ranges_lost;
	}
	if (smaps >= 0)
		close(smaps);
	free(t);
	return rc;
}

void smaps_use(struct mh_snapshot *s, const struct mh_maps *m)
{
	if (!s->maps)
		s->maps = malloc(sizeof(*m));
	if (!s->maps)
		return;
	*s->maps = *m;
	mh_use_maps(s, s->maps);
}

int smaps_published(struct reader *r, uint64_t at, struct mh_snapshot *s)
{
	struct mh_maps m;

	if (reader_read(r, at, &m, sizeof(m)))
		return -1;
	if (mh_maps_valid(&m))
		smaps_use(s, &m);
	return 0;
}

void smaps_add(struct reader *r, uint32_t slot, struct mh_snapshot *s)
{
	struct mh_maps m;

	if (smaps_read(r, slot, s->pid, &m) == 0)
		smaps_use(s, &m);
}
