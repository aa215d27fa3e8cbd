/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memhook run: what only a living process shows.  Its resident size, its
 * cgroup, and which program it is: an exec that nobody hooks leaves no trace
 * in the segment.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"
#include "tool.h"

/* A file's name is anybody's text: nothing in it that a terminal obeys. */
static void tame(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
}

int run_exe(int pid, char *name, size_t size)
{
	static const char deleted[] = " (deleted)";
	char link[64], path[4096], *slash;
	size_t length;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return -1;
	path[n] = '\0';
	length = strlen(path);
	if (length > strlen(deleted) &&
	    strcmp(path + length - strlen(deleted), deleted) == 0)
		path[length - strlen(deleted)] = '\0';
	slash = strrchr(path, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : path);
	tame(name);
	return 0;
}

static void read_comm(int pid, char comm[16])
{
	char path[64], text[16];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text));
	if (fd >= 0)
		close(fd);
	if (n <= 1)
		return;
	memcpy(comm, text, (size_t)n);
	comm[n - 1] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	tame(comm);
}

uint64_t run_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

static int make_room(struct run *run, uint32_t count)
{
	struct run_image *more;

	if (count <= run->other_count)
		return 0;
	more = realloc(run->others, count * sizeof(*more));
	if (!more)
		return -1;
	memset(more + run->other_count, 0, (count - run->other_count) * sizeof(*more));
	run->others = more;
	run->other_count = count;
	return 0;
}

static void watch_others(struct run *run)
{
	uint64_t namespace = run_namespace();
	struct mh_slot slot;
	struct reader r;
	uint32_t i;

	if (run->segment < 0 || reader_open(&r, run->segment) ||
	    make_room(run, reader_slots(&r)))
		return;
	for (i = 0; i < reader_slots(&r) && reader_slot(&r, i, &slot) == 0; i++) {
		struct run_image *image = &run->others[i];

		if (slot.state != MH_SLOT_LIVE || slot.pid == run->pid ||
		    slot.pid_namespace != namespace)
			continue;
		if (image->pid != slot.pid || image->start_unix_ms != slot.start_unix_ms)
			*image = (struct run_image){
				.pid = slot.pid,
				.start_unix_ms = slot.start_unix_ms,
				.started = proc_start(slot.pid),
			};
		if (image->started && proc_start(slot.pid) == image->started)
			run_exe(slot.pid, image->exe, sizeof(image->exe));
	}
}

void run_watch(struct run *run)
{
	uint64_t rss = proc_rss(run->pid);
	char comm[16] = "";

	if (rss)
		run->rss = rss;
	run_sample(run->segment, run->pid, &run->sample);
	/*
	 * In this order: a name that belongs to the next program already is
	 * never kept beside the file of the one before.  A corpse has no file.
	 */
	read_comm(run->pid, comm);
	if (run_exe(run->pid, run->exe, sizeof(run->exe)) == 0)
		memcpy(run->comm, comm, sizeof(comm));
	oom_follow(&run->oom, run->pid);
	watch_others(run);
}

/* The name outlives the program, and exec changes it. */
void run_watch_last(struct run *run)
{
	read_comm(run->pid, run->last_comm);
}
