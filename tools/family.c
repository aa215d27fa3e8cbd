/* SPDX-License-Identifier: BSD-2-Clause */
#include "family.h"

#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "tool.h"

#define NOBODY SIZE_MAX

/* Passed over when it has ended, or has nothing of its own (`memhook run`). */
static void read_member(struct families *f, int pid)
{
	struct family_member *m = &f->members[f->count];
	struct mh_snapshot s;
	struct live l;
	int rc = live_open(&l, pid);

	if (rc == 0)
		rc = live_read(&l, &s);
	if (rc == 0) {
		m->pid = pid;
		m->ppid = proc_parent(pid);
		m->segment = live_segment(&l);
		if (!m->segment)
			m->segment = UINT64_MAX - (uint64_t)pid; /* its own, for all we know */
		memcpy(m->command, s.command, sizeof(m->command));
		m->by = s.by;
		m->uptime_ms = s.uptime_ms;
		m->sum.live_bytes = s.totals.live_bytes;
		m->sum.live_blocks = s.totals.live_blocks;
		m->sum.rss_bytes = s.process.rss_bytes;
		reader_free(&s);
		f->count++;
	} else if (!l.absent) {
		f->broken[f->broken_count].pid = pid;
		memcpy(f->broken[f->broken_count++].why, l.error, sizeof(l.error));
	}
	live_close(&l);
}

/* Who forked whom: only within one segment, for only a fork shares it. */
static void find_parents(struct families *f)
{
	size_t i, k;

	for (i = 0; i < f->count; i++) {
		struct family_member *m = &f->members[i];

		m->parent = NOBODY;
		for (k = 0; k < f->count; k++)
			if (f->members[k].pid == m->ppid && k != i &&
			    f->members[k].segment == m->segment)
				m->parent = k;
	}
}

/* Children behind their parents, by number. */
static void put_below(struct families *f, struct family_member *to, size_t *n,
		      size_t parent, uint64_t segment, unsigned depth)
{
	size_t i;

	for (i = 0; i < f->count; i++) {
		struct family_member *m = &f->members[i];

		/* Numbers may change hands while we look: nobody is put twice. */
		if (m->depth || m->segment != segment || m->parent != parent)
			continue;
		m->depth = depth + 1;
		to[(*n)++] = *m;
		put_below(f, to, n, i, segment, depth + 1);
	}
}

static void add(struct family_sum *to, const struct family_sum *s)
{
	to->live_bytes += s->live_bytes;
	to->live_blocks += s->live_blocks;
	to->rss_bytes += s->rss_bytes;
}

/* Members first .. n - 1 are one family. */
static void sum_up(struct family_member *members, size_t first, size_t n)
{
	size_t i;

	for (i = first; i < n; i++) {
		members[i].service = first;
		members[i].size = n - first;
		members[i].depth--;
		add(&members[first].total, &members[i].sum);
	}
}

static void arrange(struct families *f)
{
	struct family_member *sorted = calloc(f->count + 1, sizeof(*sorted));
	size_t i, first, n = 0;

	if (!sorted)
		out_of_memory();
	for (i = 0; i < f->count; i++) {
		if (f->members[i].depth)
			continue;
		first = n;
		put_below(f, sorted, &n, NOBODY, f->members[i].segment, 0);
		if (!f->members[i].depth) {
			/* Each other's children, as it looks: this one is first. */
			f->members[i].parent = NOBODY;
			put_below(f, sorted, &n, NOBODY, f->members[i].segment, 0);
		}
		sum_up(sorted, first, n);
	}
	free(f->members);
	f->members = sorted;
	f->count = n;
}

void families_read(struct families *f)
{
	size_t i, n;
	int *pids;

	memset(f, 0, sizeof(*f));
	n = live_list(&pids, &f->hidden);
	f->members = calloc(n + 1, sizeof(*f->members));
	f->broken = calloc(n + 1, sizeof(*f->broken));
	if (!f->members || !f->broken)
		out_of_memory();
	for (i = 0; i < n; i++)
		read_member(f, pids[i]);
	free(pids);
	find_parents(f);
	arrange(f);
}

void families_free(struct families *f)
{
	free(f->members);
	free(f->broken);
}
