/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc knows of a process. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define MEMFD_LINK "/memfd:" MH_SEGMENT_NAME

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

/* The 22nd word of stat; the second may hold blanks and brackets. */
uint64_t proc_start(int pid)
{
	FILE *f = open_proc(pid, "stat");
	unsigned long long start = 0;
	char line[1024], *p;
	int word;

	if (!f)
		return 0;
	if (fgets(line, sizeof(line), f) && (p = strrchr(line, ')'))) {
		for (word = 2; p && word < 22; word++)
			p = strchr(p + 1, ' ');
		if (p)
			start = strtoull(p + 1, NULL, 10) + 1;
	}
	fclose(f);
	return start;
}

/* The words of stat that follow the command, which may hold blanks itself. */
static int read_words(int pid, char *state, int *parent, unsigned *flags)
{
	FILE *f = open_proc(pid, "stat");
	char line[1024], *p;
	int n = 0;

	if (!f)
		return -1;
	if (fgets(line, sizeof(line), f) && (p = strrchr(line, ')')))
		n = sscanf(p + 1, " %c %d %*d %*d %*d %*d %u", state, parent, flags);
	fclose(f);
	return n == 3 ? 0 : -1;
}

int proc_parent(int pid)
{
	unsigned flags;
	int parent;
	char state;

	return read_words(pid, &state, &parent, &flags) ? 0 : parent;
}

/* PF_KTHREAD of the kernel's sched.h; it has no memory, nor has a zombie. */
int proc_is_kernel(int pid)
{
	unsigned flags;
	int parent;
	char state;

	return read_words(pid, &state, &parent, &flags) || flags & 0x00200000 ||
	       state == 'Z';
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

/* The first entry of a /proc directory whose link is our memfd. */
static int find_link(int pid, const char *folder, const char **why)
{
	char path[300], target[300];
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, folder);
	dir = opendir(path);
	if (!dir) {
		*why = errno == EACCES || errno == EPERM
			       ? "permission denied: it belongs to another user"
			       : "no such process";
		return -1;
	}
	while (fd < 0 && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target,
				       sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, MEMFD_LINK) == 0 ||
		    strcmp(target, MEMFD_LINK " (deleted)") == 0)
			fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
	}
	closedir(dir);
	return fd;
}

int proc_segment(int pid, const char **why)
{
	int fd;

	*why = NULL;
	fd = find_link(pid, "fd", why);
	if (fd >= 0 || *why)
		return fd;
	/* The program closed it; the mapping leads there, for root. */
	fd = find_link(pid, "map_files", why);
	if (fd < 0)
		*why = "not hooked: no memhook segment (start it with `memhook run`,"
		       " or link it with -lmemhook)";
	return fd;
}
