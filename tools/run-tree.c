/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memhook run: the other processes, as a tree by who forked whom, and what a
 * parent holds together with its workers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "run.h"
#include "stats.h"
#include "tool.h"

#define WORKERS_SHOWN 20
#define DEEPEST 16 /* what was forked further down is shown at the top */
#define NONE UINT32_MAX

struct node {
	const struct run_member *member;
	struct memhook_stats own, sum; /* sum: with all below it; its peak is a sum */
	unsigned below;                /* processes in it */
	uint32_t first_child, next;
	int placed;
};

struct tree {
	const struct run *run;
	struct node *nodes;
	uint32_t count, root;
	unsigned shown;
};

/* Numbers are used again: the youngest of those that were there before it. */
static const struct run_member *forked_by(const struct tree *t,
					  const struct run_member *m)
{
	const struct run_member *found = NULL;
	uint32_t i;

	for (i = 0; i < t->count; i++) {
		const struct run_member *p = t->nodes[i].member;

		if (p != m && p->slot.pid == m->slot.ppid &&
		    p->slot.pid_namespace == m->slot.pid_namespace &&
		    p->slot.start_unix_ms <= m->slot.start_unix_ms &&
		    (!found || found->slot.start_unix_ms <= p->slot.start_unix_ms))
			found = p;
	}
	return found;
}

/* A program that was replaced hangs below the one that its process is now. */
static uint32_t find_parent(const struct tree *t, uint32_t child)
{
	const struct run_member *m = t->nodes[child].member;
	const struct run_member *p = m->successor ? m->successor : forked_by(t, m);
	uint32_t i;

	while (p && p->successor)
		p = p->successor;
	for (i = 0; i < t->count; i++)
		if (t->nodes[i].member == p)
			return i;
	return t->root;
}

static void hang(struct tree *t, uint32_t child, uint32_t parent)
{
	uint32_t *link = &t->nodes[parent].first_child;

	while (*link != NONE)
		link = &t->nodes[*link].next;
	t->nodes[child].next = NONE;
	*link = child;
}

static void add(struct memhook_stats *sum, const struct memhook_stats *s)
{
	mh_add_stats(sum, s);
	sum->peak_bytes += s->peak_bytes;
}

/* What a replaced program held is gone: it is shown, and not added. */
static void add_up(struct tree *t, uint32_t n, unsigned depth)
{
	struct node *node = &t->nodes[n];
	uint32_t c;

	node->placed = 1;
	node->sum = node->own;
	for (c = node->first_child; c != NONE && depth < DEEPEST; c = t->nodes[c].next) {
		const struct node *child = &t->nodes[c];

		if (child->placed)
			continue;
		add_up(t, c, depth + 1);
		if (child->member->successor)
			continue;
		add(&node->sum, &child->sum);
		node->below += 1 + child->below;
	}
}

static const char *state_text(const struct tree *t, const struct node *node, char *buf,
			      size_t size)
{
	const struct run_member *m = node->member;

	if (m->state == RUN_REPLACED)
		snprintf(buf, size, "became %.10s", m->became);
	else if (m == t->nodes[t->root].member && WIFSIGNALED(t->run->status))
		snprintf(buf, size, "killed");
	else
		snprintf(buf, size, "%s", run_state_name(m->state));
	return buf;
}

static void show_line(struct tree *t, struct mh_out *o, const struct node *node,
		      unsigned depth)
{
	char name[128], pid[32], state[32];

	snprintf(name, sizeof(name), "%*s%s", (int)depth * 2, "", node->member->command);
	snprintf(pid, sizeof(pid), " (%d)", node->member->slot.pid);
	mh_report_cells(o, name, pid, &node->own);
	mh_out_str(o, "  ");
	mh_out_str(o, state_text(t, node, state, sizeof(state)));
	mh_out_str(o, "\n");
}

static void show_sum(struct mh_out *o, const struct node *node, unsigned depth)
{
	char name[64];

	snprintf(name, sizeof(name), "%*s= with %u worker%s", (int)depth * 2, "",
		 node->below, node->below == 1 ? "" : "s");
	mh_report_cells(o, name, "", &node->sum);
	mh_out_str(o, "  sum of peaks\n");
}

static void show(struct tree *t, struct mh_out *o, uint32_t n, unsigned depth)
{
	const struct node *node = &t->nodes[n];
	uint32_t c;

	if (t->shown > WORKERS_SHOWN)
		return;
	t->shown++;
	show_line(t, o, node, depth);
	for (c = node->first_child; c != NONE && depth < DEEPEST; c = t->nodes[c].next)
		show(t, o, c, depth + 1);
	if (node->below && (n == t->root || t->shown <= WORKERS_SHOWN))
		show_sum(o, node, depth);
}

static int make_nodes(struct tree *t, struct reader *r, const struct run_members *m)
{
	struct mh_snapshot s;
	uint32_t k;

	t->nodes = calloc(m->count, sizeof(*t->nodes));
	for (k = 0; t->nodes && k < m->count; k++) {
		struct node *node = &t->nodes[t->count];

		if (reader_snapshot(r, m->list[k].i, &s))
			continue;
		if (&m->list[k] == m->main)
			t->root = t->count;
		node->member = &m->list[k];
		node->own = s.totals;
		node->first_child = node->next = NONE;
		reader_free(&s);
		t->count++;
	}
	return t->nodes && t->root != NONE ? 0 : -1;
}

static void grow(struct tree *t)
{
	uint32_t n;

	for (n = 0; n < t->count; n++)
		if (n != t->root)
			hang(t, n, find_parent(t, n));
	add_up(t, t->root, 0);
}

/* What the tree had no room for, and the OOM killer's victims. */
static void notes(const struct tree *t, struct mh_out *o, const struct reader *r,
		  uint64_t kills)
{
	char line[128];

	if (t->count > t->shown) {
		snprintf(line, sizeof(line), "and %u more (--format=json shows all)\n",
			 t->count - t->shown);
		mh_out_str(o, line);
	}
	if (r->run.areas_reused || r->run.areas_denied) {
		snprintf(line, sizeof(line),
			 "%u that ended gave up their place, %u found none\n",
			 r->run.areas_reused, r->run.areas_denied);
		mh_out_str(o, line);
	}
	if (kills) {
		snprintf(line, sizeof(line),
			 "The OOM killer ended %llu other process%s in this cgroup.\n",
			 (unsigned long long)kills, kills == 1 ? "" : "es");
		mh_out_str(o, line);
	}
}

static void explain(const struct tree *t, struct mh_out *o)
{
	unsigned gone = 0, replaced = 0, lost = 0;
	uint32_t n;

	for (n = 0; n < t->count; n++) {
		gone += n != t->root && t->nodes[n].member->state == RUN_GONE;
		replaced += t->nodes[n].member->successor != NULL;
		lost += t->nodes[n].member->state == RUN_REPLACED &&
			!t->nodes[n].member->successor;
	}
	if (gone)
		mh_out_str(o, t->run->options->follow
			   ? "gone: it was killed, or became a program that cannot be"
			     " hooked\n"
			   : "gone: it was killed, or became another program (exec),"
			     " unhooked without --follow\n");
	if (replaced)
		mh_out_str(o, "became: replaced by exec; that program has a line, too\n");
	if (lost)
		mh_out_str(o, t->run->options->follow
			   ? "became: replaced by exec; where that program has no line it"
			     " could not be hooked\n"
			   : "became: replaced by exec; that program is not hooked"
			     " without --follow\n");
}

void run_tree(const struct run *run, struct mh_out *o, struct reader *r,
	      const struct run_members *m, uint64_t kills)
{
	struct tree t = { .run = run, .root = NONE };

	if (m->count > 1 && make_nodes(&t, r, m) == 0) {
		grow(&t);
		mh_out_str(o, "\nPROCESS                             LIVE    BLOCKS"
			      "       PEAK  STATE\n");
		show(&t, o, t.root, 0);
		explain(&t, o);
	}
	notes(&t, o, r, kills);
	free(t.nodes);
}
