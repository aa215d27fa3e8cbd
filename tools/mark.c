/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memhook mark PID: remember its numbers for `stat --since-mark`.
 *
 * A mark is a report with two keys more, "started" and "boot_id", in a folder
 * that only this user can write.  Others may have put anything where it should
 * be: no link is followed, and what another user owns is not believed.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "live.h"
#include "load.h"
#include "text.h"
#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook mark PID\n"
	      "Remember what a running process holds now; `memhook stat --since-mark\n"
	      "PID` shows who grew since.  A later mark takes the place of this one.\n\n"
	      "      --help              print this\n", to);
}

/* A folder of this user's, writable by nobody else; -1 with errno. */
static int own_folder(int fd)
{
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	close(fd);
	errno = EACCES;
	return -1;
}

/* `name` in `base`, made when `make` says so. */
static int open_folder(const char *base, const char *name, int make, char *path,
		       size_t room)
{
	int base_fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	snprintf(path, room, "%s/%s", base, name);
	if (base_fd < 0)
		return -1;
	if (make && mkdirat(base_fd, name, 0700) && errno != EEXIST) {
		close(base_fd);
		return -1;
	}
	fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(base_fd);
	return own_folder(fd);
}

/*
 * Where marks are: in the user's runtime folder, which ends with his session;
 * without one (or with another user's, as after su) among the temporary files.
 */
static int marks_folder(int make, char *path, size_t room)
{
	const char *base = secure_getenv("XDG_RUNTIME_DIR");
	char name[32];
	int fd;

	fd = base && *base == '/' ? own_folder(open(base, O_RDONLY | O_DIRECTORY |
								 O_CLOEXEC)) : -1;
	if (fd >= 0) {
		close(fd);
		return open_folder(base, "memhook", make, path, room);
	}
	base = secure_getenv("TMPDIR");
	snprintf(name, sizeof(name), "memhook-%u", (unsigned)geteuid());
	return open_folder(base && *base == '/' ? base : "/tmp", name, make, path, room);
}

static void mark_name(char *to, size_t room, int pid, uint64_t started)
{
	snprintf(to, room, "mark-%d-%" PRIu64 ".json", pid, started);
}

/* Start times count from the boot, and some temporary folders outlive it. */
static void boot_id(char *to, size_t room)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || !fgets(to, (int)room, f))
		*to = '\0';
	to[strcspn(to, "\n")] = '\0';
	if (f)
		fclose(f);
}

static void complain_of_folder(const char *path)
{
	if (errno == EACCES || errno == ELOOP || errno == ENOTDIR)
		complain("%s is not a folder of this user's alone: marks are not kept"
			 " there", path);
	else
		complain("cannot keep marks in %s: %s", path, strerror(errno));
}

/* Marks of processes that have ended, and what a failed writer left. */
static void sweep(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		unsigned long long started;
		int pid;

		if (sscanf(entry->d_name, "mark-%d-%llu.json", &pid, &started) == 2 &&
		    proc_start(pid) != started)
			unlinkat(folder, entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

static int write_report(int fd, struct mh_snapshot *s, uint64_t started)
{
	struct mh_out out;
	char boot[64];

	boot_id(boot, sizeof(boot));
	mh_out_init(&out, fd);
	mh_report_json_open(&out, s);
	mh_out_str(&out, ",\"started\":");
	mh_out_u64(&out, started);
	mh_out_str(&out, ",\"boot_id\":\"");
	mh_out_str(&out, boot);
	mh_out_str(&out, "\"}\n");
	mh_out_flush(&out);
	errno = out.error;
	return out.error ? -1 : 0;
}

/* Beside its place and then into it: a reader sees the old one or the new. */
static int save(int folder, struct mh_snapshot *s, uint64_t started)
{
	char name[80], fresh[112];
	int fd, rc, error;

	mark_name(name, sizeof(name), s->pid, started);
	snprintf(fresh, sizeof(fresh), "%s.%d", name, getpid());
	unlinkat(folder, fresh, 0);
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -1;
	rc = write_report(fd, s, started);
	error = errno;
	if (close(fd) && rc == 0) {
		error = errno;
		rc = -1;
	}
	if (rc == 0 && renameat(folder, fresh, folder, name) == 0)
		return 0;
	errno = rc ? error : errno;
	error = errno;
	unlinkat(folder, fresh, 0);
	errno = error;
	return -1;
}

static int is_of(json_object *mark, uint64_t started)
{
	char boot[64];

	boot_id(boot, sizeof(boot));
	return json_object_get_uint64(json_object_object_get(mark, "started")) == started &&
	       json_object_is_type(json_object_object_get(mark, "boot_id"),
				   json_type_string) &&
	       strcmp(json_object_get_string(json_object_object_get(mark, "boot_id")),
		      boot) == 0;
}

/* Opened, and a plain file of this user's; -1: there is none. */
static int open_mark(int pid, uint64_t started)
{
	char path[300], name[80];
	int folder = marks_folder(0, path, sizeof(path)), fd;
	struct stat st;

	if (folder < 0)
		return -1;
	mark_name(name, sizeof(name), pid, started);
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	close(folder);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid())
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int mark_load(int pid, uint64_t started, struct mh_snapshot *s)
{
	struct load_extra extra;
	int fd = open_mark(pid, started), rc = -1;
	json_object *mark;

	if (fd < 0) {
		complain("process %d has no mark: set one with `memhook mark %d`", pid,
			 pid);
		return -1;
	}
	mark = load_json(fd, &extra);
	close(fd);
	if (mark && !is_of(mark, started))
		complain("process %d has no mark, only an older process of that number:"
			 " set one with `memhook mark %d`", pid, pid);
	else if (!mark || load_snapshot(mark, s, &extra))
		complain("the mark of process %d is spoiled (%s): set it anew with"
			 " `memhook mark %d`", pid, extra.why, pid);
	else
		rc = 0;
	json_object_put(mark);
	return rc;
}

static int set_mark(struct mh_snapshot *s, uint64_t started)
{
	char path[300], command[4 * 28 + 1];
	int folder = marks_folder(1, path, sizeof(path)), rc;

	if (folder < 0) {
		complain_of_folder(path);
		return 1;
	}
	sweep(folder);
	rc = save(folder, s, started);
	close(folder);
	if (rc)
		complain("the mark could not be written in %s: %s", path, strerror(errno));
	text_cut(command, s->command, 28);
	if (!rc)
		printf("marked %s (pid %d): %s live in %s blocks\n", command, s->pid,
		       text_bytes(s->totals.live_bytes).s,
		       text_count(s->totals.live_blocks, 20).s);
	return rc ? 1 : close_stdout();
}

static int parse(int argc, char **argv, int *pid)
{
	static const struct option longs[] = { { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c = getopt_long(argc, argv, "", longs, NULL);

	if (c == 'h') {
		usage(stdout);
		return close_stdout() + 1;
	}
	if (c == '?') {
		usage(stderr);
		return EXIT_USAGE + 1;
	}
	*pid = args_only_pid(argc, argv, optind);
	return *pid ? 0 : EXIT_USAGE + 1;
}

int mark_main(int argc, char **argv)
{
	struct mh_snapshot s;
	struct live l;
	int pid = 0, rc = parse(argc, argv, &pid);

	if (rc)
		return rc - 1;
	if (counts_nothing())
		return 1;
	rc = live_open(&l, pid);
	if (rc == 0)
		rc = live_read(&l, &s);
	live_close(&l);
	if (rc) {
		complain("process %d: %s", pid, l.error);
		return 1;
	}
	rc = set_mark(&s, l.started);
	reader_free(&s);
	return rc;
}
