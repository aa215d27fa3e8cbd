/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owners of the kind "thread".  A thread that lives has a row of its own; one
 * that has ended leaves a retired row, and the next thread of the same name
 * goes on in it: so there are never more rows of a name than there were
 * threads of that name at once.  Rows that hold nothing serve any name.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "diag.h"
#include "owner.h"
#include "process.h"

#define COMM_MAX 16 /* TASK_COMM_LEN of the kernel */

static struct mh_owner *owner_at(uint32_t row)
{
	return &mh_owners(mh_area)[row];
}

/* Names come from the program: no control characters. */
static void clean(char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 127)
			*name = '?';
}

static void own_name(char name[COMM_MAX + 1])
{
	memset(name, 0, COMM_MAX + 1);
	if (prctl(PR_GET_NAME, name) || !name[0])
		strcpy(name, "[thread]");
	clean(name);
}

static void rename_row(uint32_t row, const char *name)
{
	struct mh_owner *o = owner_at(row);

	if (strcmp(o->name, name) == 0)
		return;
	mh_owner_index_remove(row);
	memcpy(o->name, name, COMM_MAX + 1);
	mh_owner_index_add(row);
}

uint32_t mh_thread_owner_enter(void)
{
	char name[COMM_MAX + 1];
	uint32_t row;

	own_name(name);
	mh_owners_lock();
	row = mh_owner_lookup_retired(name, MEMHOOK_KIND_THREAD);
	if (!row)
		row = mh_owner_add(name, MEMHOOK_KIND_THREAD, 0, 0);
	if (row != MH_OVERFLOW) {
		owner_at(row)->where = (uint64_t)gettid();
		atomic_store(&owner_at(row)->state, MEMHOOK_STATE_ACTIVE);
		mh_owner_mark(row);
	}
	mh_owners_unlock();
	return row;
}

void mh_thread_owner_leave(uint32_t row)
{
	char name[COMM_MAX + 1];

	if (row < MH_FIRST_OWNER)
		return;
	own_name(name);
	mh_owners_lock();
	rename_row(row, name);
	owner_at(row)->where = 0;
	mh_retired_add(row);
	mh_owners_unlock();
}

/* The other threads of a parent are not the child's. */
void mh_thread_owners_orphan(void)
{
	uint32_t row, used = atomic_load(&mh_area->owners_used);

	for (row = MH_FIRST_OWNER; row < used; row++) {
		struct mh_owner *o = owner_at(row);

		if (o->kind != MEMHOOK_KIND_THREAD ||
		    atomic_load(&o->state) != MEMHOOK_STATE_ACTIVE)
			continue;
		o->where = 0;
		mh_retired_add(row);
	}
}

/* "/proc/self/task/TID/comm", its name of this moment: 0, or -1. */
static int current_name(uint64_t tid, char name[COMM_MAX + 1])
{
	struct mh_line_out path = { .fd = -1 };
	ssize_t n;
	int fd;

	mh_put(&path, "/proc/self/task/");
	mh_put_dec(&path, tid);
	mh_put(&path, "/comm");
	path.buf[path.used] = '\0';
	fd = open(path.buf, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	memset(name, 0, COMM_MAX + 1);
	n = read(fd, name, COMM_MAX);
	close(fd);
	if (n <= 1)
		return -1;
	name[n - 1] = '\0'; /* the newline */
	clean(name);
	return 0;
}

void mh_thread_owners_rename(void)
{
	uint32_t row, used = atomic_load(&mh_area->owners_used);
	char name[COMM_MAX + 1];

	/* Not waited for: this may be a crash handler, inside of the lock. */
	if (mh_settings.by != MH_BY_THREAD || pthread_mutex_trylock(&mh_proc->owners))
		return;
	for (row = MH_FIRST_OWNER; row < used; row++) {
		struct mh_owner *o = owner_at(row);

		if (o->kind == MEMHOOK_KIND_THREAD && o->where &&
		    current_name(o->where, name) == 0)
			rename_row(row, name);
	}
	mh_owners_unlock();
}
