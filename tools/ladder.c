/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "ladder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "segment.h"

#define MEMFD_LINK "/memfd:" MH_SEGMENT_NAME
#define PARTS_LIMIT 65536 /* the kernel's own limit of mappings is less */

static const char denied[] =
	"permission denied: it belongs to another user, or it gained, changed or gave"
	" up rights since it started; ask as root";
static const char not_hooked[] =
	"not hooked: no memhook segment (start it with `memhook run`, or link it with"
	" -lmemhook)";
static const char private_counters[] =
	"libmemhook is loaded, but there is no segment: it got no memfd when it started"
	" (seccomp or RLIMIT_FSIZE forbids it), so that it alone can report"
	" (MEMHOOK_REPORT=FILE), or another malloc won";
static const char closed[] =
	"it closed its descriptors, and its memory may not be read (ptrace rights,"
	" kernel.yama.ptrace_scope); ask as root";

static int is_ours(const char *target)
{
	return strcmp(target, MEMFD_LINK) == 0 ||
	       strcmp(target, MEMFD_LINK " (deleted)") == 0;
}

/*
 * Opening what an enemy named so must not block, nor do anything to it: a
 * FIFO, a device or a file of a FUSE server may bear that name in a mount
 * namespace of its own.  A memfd is a regular file of tmpfs.
 */
static int open_link(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_CLOEXEC), readable = -1;
	struct statfs fs;
	struct stat st;
	char path[64];

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fstatfs(fd, &fs) == 0 &&
	    fs.f_type == TMPFS_MAGIC) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		readable = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	close(fd);
	return readable;
}

static enum ladder unreadable(int error, const char **why)
{
	int forbidden = error == EACCES || error == EPERM;

	*why = forbidden ? denied : "no such process";
	return forbidden ? LADDER_DENIED : LADDER_GONE;
}

static enum ladder by_descriptor(int pid, int *fd, const char **why)
{
	char path[64], target[300];
	struct dirent *entry;
	DIR *dir;

	*fd = -1;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return unreadable(errno, why);
	while (*fd < 0 && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target,
				       sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (is_ours(target))
			*fd = open_link(dirfd(dir), entry->d_name);
	}
	closedir(dir);
	return *fd < 0 ? LADDER_NONE : LADDER_FOUND;
}

/* The mappings of one segment. */
struct parts {
	struct source_part *list;
	size_t n, room;
	unsigned long long inode;
	int hooked; /* our library is mapped */
};

static void add_part(struct parts *p, uint64_t offset, uint64_t start, uint64_t end)
{
	if (p->n == PARTS_LIMIT)
		return;
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 16;
		p->list = realloc(p->list, p->room * sizeof(*p->list));
		if (!p->list)
			abort();
	}
	p->list[p->n++] = (struct source_part){ .offset = offset,
						.size = end - start,
						.address = start };
}

/* Of several segments the first: parts of another one would be garbage. */
static void take_line(struct parts *p, char *line)
{
	unsigned long long start, end, offset, inode;
	char shared;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%llx-%llx %*3c%c %llx %*s %llu %n", &start, &end, &shared,
		   &offset, &inode, &at) != 5 || !at)
		return;
	if (strstr(line + at, "/libmemhook.so"))
		p->hooked = 1;
	if (shared != 's' || !is_ours(line + at) || (p->n && inode != p->inode))
		return;
	p->inode = inode;
	add_part(p, offset, start, end);
}

static enum ladder read_maps(int pid, struct parts *p, const char **why)
{
	char path[64], *line = NULL;
	size_t room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return unreadable(errno, why);
	while (getline(&line, &room, f) > 0)
		take_line(p, line);
	free(line);
	fclose(f);
	return p->n ? LADDER_FOUND : LADDER_NONE;
}

static int by_map_file(int pid, const struct source_part *part)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)part->address,
		 (unsigned long long)(part->address + part->size));
	return open_link(AT_FDCWD, path);
}

static enum ladder by_mapping(int pid, struct source *s, const char **why)
{
	struct parts p = { .list = NULL };
	enum ladder rc = read_maps(pid, &p, why);
	int fd;

	if (rc == LADDER_NONE)
		*why = p.hooked ? private_counters : not_hooked;
	if (rc != LADDER_FOUND)
		return rc;
	fd = by_map_file(pid, &p.list[0]);
	if (fd >= 0 && source_file(s, fd) == 0) {
		free(p.list);
		return LADDER_FOUND;
	}
	if (source_memory(s, pid, p.list, p.n) == 0) {
		s->inode = p.inode;
		return LADDER_FOUND;
	}
	source_close(s);
	*why = closed;
	return LADDER_DENIED;
}

enum ladder ladder_open(int pid, struct source *s, const char **why)
{
	enum ladder rc;
	int fd;

	*why = NULL;
	rc = by_descriptor(pid, &fd, why);
	if (rc == LADDER_FOUND && source_file(s, fd) == 0)
		return LADDER_FOUND;
	return rc == LADDER_NONE ? by_mapping(pid, s, why) : rc;
}
