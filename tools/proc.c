/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc knows of a process. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

static FILE *open_proc(int pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fopen(path, "re");
}

int proc_exists(int pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

uint64_t proc_rss(int pid)
{
	FILE *f = open_proc(pid, "statm");
	unsigned long long size, resident = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * What follows the command in stat, which may hold blanks and brackets itself:
 * its third word is the first here.
 */
static char *stat_words(int pid, char *line, size_t size)
{
	FILE *f = open_proc(pid, "stat");
	char *p = NULL;

	if (!f)
		return NULL;
	if (fgets(line, (int)size, f) && (p = strrchr(line, ')')) && p[1] == ' ')
		p += 2;
	else
		p = NULL;
	fclose(f);
	return p;
}

/* The 22nd word of stat. */
uint64_t proc_start(int pid)
{
	char line[1024], *p = stat_words(pid, line, sizeof(line));
	int word;

	for (word = 3; p && word < 22; word++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p ? strtoull(p, NULL, 10) + 1 : 0;
}

int proc_parent(int pid)
{
	char line[1024], *p = stat_words(pid, line, sizeof(line));

	return p && p[1] == ' ' ? atoi(p + 2) : 0;
}

int proc_is_zombie(int pid)
{
	char line[1024], *p = stat_words(pid, line, sizeof(line));

	return p && (*p == 'Z' || *p == 'X');
}

uint64_t proc_namespace(int pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* PF_KTHREAD of the kernel's sched.h; it has no memory, nor has a zombie. */
int proc_is_kernel(int pid)
{
	char line[1024], *p = stat_words(pid, line, sizeof(line)), state;
	unsigned flags;

	return !p || sscanf(p, "%c %*d %*d %*d %*d %*d %u", &state, &flags) != 2 ||
	       flags & 0x00200000 || state == 'Z';
}

/* Last number of the line "NSpid:". */
int proc_inner_pid(int pid)
{
	FILE *f = open_proc(pid, "status");
	char line[512];
	int inner = pid;

	if (!f)
		return pid;
	while (fgets(line, sizeof(line), f)) {
		char *last;

		if (strncmp(line, "NSpid:", 6))
			continue;
		last = strrchr(line, '\t');
		inner = last ? atoi(last) : pid;
	}
	fclose(f);
	return inner;
}
