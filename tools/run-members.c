/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes of a run.  How a worker died only its parent is told: what
 * can be known is whether it said goodbye, and what program it was last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "run.h"
#include "tool.h"

#define COMM 15 /* characters of a name that the kernel keeps */

const char *run_state_name(enum run_state state)
{
	static const char *const names[] = { "running", "ended", "replaced", "gone",
					     "unknown" };

	return names[state];
}

/* Neither gone nor a corpse, and not another process of that number. */
static int is_alive(int pid, uint64_t started)
{
	char path[64], line[512] = "", *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	p = strrchr(line, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	return !started || proc_start(pid) == started;
}

static int same_process(const struct mh_slot *a, const struct mh_slot *b)
{
	return a->pid == b->pid && a->pid_namespace == b->pid_namespace;
}

static int is_later(const struct run_member *a, const struct run_member *b)
{
	if (a->slot.start_unix_ms != b->slot.start_unix_ms)
		return a->slot.start_unix_ms > b->slot.start_unix_ms;
	return a->i > b->i;
}

static void went_on_as(struct run_member *m, const char *program)
{
	m->state = RUN_REPLACED;
	snprintf(m->became, sizeof(m->became), "%s", program);
}

/* The program that took its place is the next one of this process. */
static void find_successor(struct run_member *m, const struct run_members *all)
{
	const struct run_member *next = NULL;
	uint32_t k;

	for (k = 0; k < all->count; k++) {
		const struct run_member *o = &all->list[k];

		if (same_process(&o->slot, &m->slot) && is_later(o, m) &&
		    (!next || is_later(next, o)))
			next = o;
	}
	m->successor = next;
	went_on_as(m, next ? next->command : "another");
}

/*
 * CMD is our child: its name is there even when it is dead.  A new one says
 * that there was an exec, unless it took the name itself while we watched.
 */
static void judge_cmd(const struct run *run, struct run_member *m)
{
	if (run->exe[0] && strcmp(run->exe, m->file))
		went_on_as(m, run->exe);
	else if (!run->ended)
		m->state = RUN_RUNNING;
	else if (run->last_comm[0] && strcmp(run->last_comm, run->comm) &&
		 strncmp(run->last_comm, m->command, COMM) &&
		 strncmp(run->last_comm, m->file, COMM))
		went_on_as(m, run->last_comm);
	else
		m->state = WIFEXITED(run->status) ? RUN_ENDED : RUN_GONE;
}

static void judge_other(const struct run *run, struct run_member *m)
{
	const struct run_image *seen = NULL;
	char exe[64] = "";

	if (m->i < run->other_count && run->others[m->i].pid == m->slot.pid &&
	    run->others[m->i].start_unix_ms == m->slot.start_unix_ms)
		seen = &run->others[m->i];
	if (is_alive(m->slot.pid, seen ? seen->started : 0)) {
		m->state = RUN_RUNNING;
		run_exe(m->slot.pid, exe, sizeof(exe));
	} else {
		m->state = RUN_GONE;
		if (seen)
			memcpy(exe, seen->exe, sizeof(exe));
	}
	if (exe[0] && strcmp(exe, m->file))
		went_on_as(m, exe);
}

static void judge(const struct run *run, struct run_member *m,
		  const struct run_members *all, uint64_t namespace)
{
	if (m->slot.state == MH_SLOT_REPLACED)
		find_successor(m, all);
	else if (m->slot.state == MH_SLOT_EXITED)
		m->state = RUN_ENDED;
	else if (m->slot.pid_namespace != namespace)
		m->state = RUN_UNKNOWN;
	else if (m->slot.pid == run->pid)
		judge_cmd(run, m);
	else
		judge_other(run, m);
}

static int collect(struct reader *r, struct run_members *m)
{
	uint32_t i, slots = reader_slots(r);

	m->list = calloc(slots + 1, sizeof(*m->list));
	if (!m->list) {
		r->error = "out of memory";
		return -1;
	}
	for (i = 0; i < slots; i++) {
		struct run_member *one = &m->list[m->count];
		struct reader_published said;

		if (reader_slot(r, i, &one->slot) || one->slot.state < MH_SLOT_LIVE ||
		    one->slot.state > MH_SLOT_REPLACED || reader_published(r, i, &said))
			continue;
		one->i = i;
		memcpy(one->command, said.command, sizeof(one->command));
		memcpy(one->file, said.file, sizeof(one->file));
		m->count++;
	}
	return 0;
}

/* CMD's last program; else the first process there was. */
static struct run_member *find_main(const struct run *run, const struct run_members *m,
				    uint64_t namespace)
{
	struct run_member *found = NULL;
	uint32_t k;

	for (k = 0; k < m->count; k++) {
		struct run_member *one = &m->list[k];

		if (one->slot.pid == run->pid && one->slot.pid_namespace == namespace &&
		    (!found || is_later(one, found)))
			found = one;
	}
	return found || !m->count ? found : &m->list[0];
}

int run_members(const struct run *run, struct reader *r, struct run_members *m)
{
	uint64_t namespace = run_namespace();
	uint32_t k;

	memset(m, 0, sizeof(*m));
	if (reader_open(r, run->segment) || collect(r, m))
		return -1;
	for (k = 0; k < m->count; k++)
		judge(run, &m->list[k], m, namespace);
	m->main = find_main(run, m, namespace);
	return 0;
}

void run_members_free(struct run_members *m)
{
	free(m->list);
	m->list = NULL;
}
