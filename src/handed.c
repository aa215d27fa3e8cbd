/* SPDX-License-Identifier: BSD-2-Clause */
/* The segment that `memhook run` hands down: MEMHOOK_SEGMENT. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

/*
 * Whoever started us closed all descriptors, as many do before an exec: the
 * tool still has it.  To its old number, where the next program looks.
 */
static int fd_of_tool(const char *number, int fd, ino_t inode, const char *pid)
{
	size_t digits = strspn(number, "0123456789"), n = strlen(pid);
	char path[64] = "/proc/", *p = path + strlen(path);
	int opened, copy;
	uint64_t magic;
	struct stat st;

	if (!n || n > 10 || strspn(pid, "0123456789") != n || digits > 10)
		return -1;
	p = mempcpy(p, pid, n);
	p = mempcpy(p, "/fd/", 4);
	memcpy(p, number, digits);
	/* looked at first: opening a pipe or a device may do things */
	if (stat(path, &st) || !S_ISREG(st.st_mode) || st.st_ino != inode)
		return -1;
	opened = open(path, O_RDWR | O_CLOEXEC);
	if (opened < 0)
		return -1;
	if (pread(opened, &magic, sizeof(magic), 0) != sizeof(magic) ||
	    magic != MH_RUN_MAGIC) {
		close(opened);
		return -1;
	}
	copy = fcntl(opened, F_DUPFD, fd);
	if (copy < 0) /* RLIMIT_NOFILE; but never 0, 1 or 2 */
		copy = fcntl(opened, F_DUPFD, 3);
	close(opened);
	if (copy != fd && copy >= 0)
		fcntl(copy, F_SETFD, FD_CLOEXEC);
	return copy;
}

/* "FD:INODE:PID": a stale number must not hit another file. */
int mh_segment_handed(void)
{
	const char *text = secure_getenv("MEMHOOK_SEGMENT");
	struct stat st;
	ino_t inode;
	char *end;
	long fd;

	if (!text)
		return -1;
	fd = strtol(text, &end, 10);
	if (*end != ':' || fd < 0 || fd > 1 << 30)
		return -1;
	inode = strtoull(end + 1, &end, 10);
	if (*end && *end != ':')
		return -1;
	if (fstat((int)fd, &st) == 0 && st.st_ino == inode)
		return (int)fd;
	return *end ? fd_of_tool(text, (int)fd, inode, end + 1) : -1;
}
