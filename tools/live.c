/* SPDX-License-Identifier: BSD-2-Clause */
#include "live.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ladder.h"
#include "names.h"
#include "smaps.h"
#include "tool.h"

static int fail(struct live *l, const char *why)
{
	snprintf(l->error, sizeof(l->error), "%s", why);
	return -1;
}

/* Ended, or not begun: whoever looks at all processes passes it over. */
static int absent(struct live *l, const char *why)
{
	l->absent = 1;
	return fail(l, why);
}

/*
 * The live slot of this pid; a program replaced by exec left older ones.  One
 * run may have processes of the same number in several PID namespaces.
 */
int live_find(struct reader *r, int pid, uint32_t *found)
{
	uint64_t newest = 0, namespace = proc_namespace(pid);
	int inner = proc_inner_pid(pid), have = 0;
	struct mh_slot slot;
	uint32_t i;

	for (i = 0; i < reader_slots(r); i++) {
		if (reader_slot(r, i, &slot))
			return 0;
		if (slot.pid != inner || slot.state < MH_SLOT_LIVE ||
		    slot.start_unix_ms < newest)
			continue;
		if (namespace && slot.pid_namespace && slot.pid_namespace != namespace)
			continue;
		newest = slot.start_unix_ms;
		*found = i;
		have = 1;
	}
	return have;
}

/*
 * A zombie has neither descriptors nor memory, but who started it may still
 * hold the segment: `memhook run`, or the parent of a forked worker.
 */
static int open_ancestors(struct live *l)
{
	int up, steps = 0;
	const char *why;
	uint32_t slot;

	for (up = proc_parent(l->pid); up > 0 && steps < 64; up = proc_parent(up)) {
		steps++;
		if (ladder_open(up, &l->source, &why) != LADDER_FOUND)
			continue;
		if (reader_open_source(&l->reader, &l->source) == 0 &&
		    live_find(&l->reader, l->pid, &slot))
			return 0;
		source_close(&l->source);
	}
	return absent(l, "it has ended, and its counters with it (`memhook run` reports"
			 " what ended)");
}

static int open_source(struct live *l)
{
	const char *why;

	if (proc_is_zombie(l->pid))
		return open_ancestors(l);
	return ladder_open(l->pid, &l->source, &why) == LADDER_FOUND ? 0 : fail(l, why);
}

int live_open(struct live *l, int pid)
{
	memset(l, 0, sizeof(*l));
	l->pid = pid;
	l->source.fd = -1;
	l->source.pagemap = -1;
	l->started = proc_start(pid);
	if (!l->started)
		return absent(l, "no such process");
	if (open_source(l))
		return -1;
	if (reader_open_source(&l->reader, &l->source) == 0)
		return 0;
	fail(l, l->reader.error);
	live_close(l);
	return -1;
}

/* Read through its memory, it may have mapped more since, or be another program. */
static int look_again(struct live *l)
{
	if (l->source.parts) {
		source_close(&l->source);
		if (open_source(l))
			return -1;
	}
	/* The slot is looked up each time: exec and fork add new ones. */
	return reader_open_source(&l->reader, &l->source) ? fail(l, l->reader.error) : 0;
}

int live_read(struct live *l, struct mh_snapshot *s)
{
	uint32_t slot;

	if (look_again(l))
		return -1;
	if (!live_find(&l->reader, l->pid, &slot))
		return absent(l, "it has no counters in its segment (it has not"
				 " allocated yet)");
	if (reader_snapshot(&l->reader, slot, s))
		return fail(l, l->reader.error);
	l->slot = slot;
	s->pid = l->pid;
	names_refresh(l->pid, s);
	s->process.rss_bytes = proc_rss(l->pid);
	/* Last, so that all of the above was about this very process. */
	if (proc_start(l->pid) == l->started)
		return 0;
	reader_free(s);
	return absent(l, "it has ended");
}

void live_explain(struct live *l, struct mh_snapshot *s)
{
	struct mh_maps m;

	if (smaps_read(&l->reader, l->slot, l->pid, &m) == 0 &&
	    proc_start(l->pid) == l->started)
		smaps_use(s, &m);
}

uint64_t live_segment(const struct live *l)
{
	return l->source.inode;
}

void live_close(struct live *l)
{
	source_close(&l->source);
}

static int by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Is there a segment behind it?  -1: it may not be looked at. */
static int is_hooked(int pid)
{
	struct source source;
	const char *why;
	enum ladder rc = ladder_open(pid, &source, &why);

	if (rc == LADDER_FOUND)
		source_close(&source);
	return rc == LADDER_FOUND ? 1 : rc == LADDER_DENIED ? -1 : 0;
}

size_t live_list(int **pids, unsigned *hidden)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t n = 0, room = 0;

	*pids = NULL;
	*hidden = 0;
	while (dir && (entry = readdir(dir))) {
		int pid = atoi(entry->d_name), hooked;

		if (pid <= 0 || (hooked = is_hooked(pid)) == 0)
			continue;
		if (hooked < 0) {
			*hidden += !proc_is_kernel(pid);
			continue;
		}
		if (n == room) {
			room = room ? 2 * room : 64;
			*pids = realloc(*pids, room * sizeof(**pids));
			if (!*pids)
				abort();
		}
		(*pids)[n++] = pid;
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(*pids, n, sizeof(**pids), by_number);
	return n;
}
