/* SPDX-License-Identifier: BSD-2-Clause */
#include "live.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names.h"
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

/* The live slot of this pid; a program replaced by exec left older ones. */
static int find_slot(struct reader *r, int inner, uint32_t *found)
{
	uint64_t newest = 0;
	struct mh_slot slot;
	int have = 0;
	uint32_t i;

	for (i = 0; i < reader_slots(r); i++) {
		if (reader_slot(r, i, &slot))
			return 0;
		if (slot.pid != inner || slot.state < MH_SLOT_LIVE ||
		    slot.start_unix_ms < newest)
			continue;
		newest = slot.start_unix_ms;
		*found = i;
		have = 1;
	}
	return have;
}

int live_open(struct live *l, int pid)
{
	const char *why;

	memset(l, 0, sizeof(*l));
	l->pid = pid;
	l->fd = -1;
	l->started = proc_start(pid);
	if (!l->started)
		return absent(l, "no such process");
	l->fd = proc_segment(pid, &why);
	if (l->fd < 0)
		return fail(l, why);
	if (reader_open(&l->reader, l->fd) == 0)
		return 0;
	fail(l, l->reader.error);
	live_close(l);
	return -1;
}

int live_read(struct live *l, struct mh_snapshot *s)
{
	uint32_t slot;

	/* The slot is looked up each time: exec and fork add new ones. */
	if (reader_open(&l->reader, l->fd))
		return fail(l, l->reader.error);
	if (!find_slot(&l->reader, proc_inner_pid(l->pid), &slot))
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

uint64_t live_segment(const struct live *l)
{
	struct stat st;

	return fstat(l->fd, &st) ? 0 : st.st_ino;
}

void live_close(struct live *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static int by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Is there a segment behind it?  -1: it may not be looked at. */
static int is_hooked(int pid)
{
	const char *why;
	int fd = proc_segment(pid, &why);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 1 : why && strncmp(why, "permission", 10) == 0 ? -1 : 0;
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
