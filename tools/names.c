/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What threads call themselves now.  The process writes it down now and then;
 * /proc knows it at once, also of one that hangs.
 */
#include "names.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/* 0, or -1: it has ended, or may not be looked at. */
static int thread_name(int pid, uint64_t tid, char *name, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%llu/comm", pid,
		 (unsigned long long)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, name, size - 1);
	close(fd);
	if (n <= 1)
		return -1;
	name[n - 1] = '\0'; /* the newline */
	return 0;
}

void names_refresh(int pid, struct mh_snapshot *s)
{
	char name[MEMHOOK_NAME_MAX];
	size_t i;

	/* Elsewhere threads have other numbers than those that they know. */
	if (proc_inner_pid(pid) != pid)
		return;
	for (i = 0; i < s->owner_count; i++) {
		struct memhook_stats *o = &s->owners[i];
		uint32_t row = (uint32_t)o->owner;

		if (o->kind == MEMHOOK_KIND_THREAD && row < s->table_rows &&
		    s->table[row].where &&
		    thread_name(pid, s->table[row].where, name, sizeof(name)) == 0)
			strcpy(o->name, name);
	}
}
