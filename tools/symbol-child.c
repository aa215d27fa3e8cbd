/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The child that reads object files, and how it is asked.  What a hostile
 * file can do to libdw happens there: as the user whose process it is, with
 * nothing open but what it needs, and with an end.
 */
#include "symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 60000          /* for one file, on a slow disk */
#define CPU_SECONDS 120
#define MEMORY (UINT64_C(8) << 30) /* debug information is mapped */
#define FAILURES 3                 /* files that may kill it, before we give up */
#define PROGRESS_MS 1000

/* One answer on the pipe; two strings follow it. */
struct reply {
	uint32_t function_size, file_size, line, pad;
	uint64_t function_offset;
};

struct child {
	pid_t pid;
	int pipe;
};

/* --- in the child --- */

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Only these stay open, and the standard three lead nowhere. */
static void close_others(const struct symbol_place *p, int out)
{
	int keep[] = { p->root, p->cwd, p->exe, out }, from = 3, null, i;

	qsort(keep, 4, sizeof(*keep), by_value);
	for (i = 0; i < 4; i++) {
		if (keep[i] > from)
			close_range((unsigned)from, (unsigned)keep[i] - 1, 0);
		if (keep[i] >= from)
			from = keep[i] + 1;
	}
	close_range((unsigned)from, ~0U, 0);
	null = open("/dev/null", O_RDWR);
	for (i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
}

/* Files are read as the user that the process is, so that root may look. */
static int become(uid_t uid, gid_t gid)
{
	if (geteuid() != 0 || uid == 0)
		return 0;
	return setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)
		       ? -1 : 0;
}

static void set_limit(int resource, uint64_t value)
{
	struct rlimit l;

	if (getrlimit(resource, &l))
		return;
	if ((uint64_t)l.rlim_max > value)
		l.rlim_max = (rlim_t)value;
	l.rlim_cur = l.rlim_max;
	setrlimit(resource, &l);
}

static void confine(void)
{
	static const int defaults[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	size_t i;

	for (i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		signal(defaults[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user would undo it */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	set_limit(RLIMIT_CORE, 0);
	set_limit(RLIMIT_FSIZE, 0);
	set_limit(RLIMIT_CPU, CPU_SECONDS);
#ifndef __SANITIZE_ADDRESS__
	if (sizeof(size_t) > 4)
		set_limit(RLIMIT_DATA, MEMORY);
#endif
	/* libdw looks at it too; our callback never asks. */
	unsetenv("DEBUGINFOD_URLS");
}

static void write_all(int fd, const void *from, size_t size)
{
	const char *p = from;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		p += n;
		size -= (size_t)n;
	}
}

static void send_answer(int fd, const struct symbol_answer *a)
{
	char buf[sizeof(struct reply) + sizeof(*a)];
	struct reply r = { .function_size = (uint32_t)strlen(a->function),
			   .file_size = (uint32_t)strlen(a->file),
			   .line = a->line,
			   .function_offset = a->function_offset };

	memcpy(buf, &r, sizeof(r));
	memcpy(buf + sizeof(r), a->function, r.function_size);
	memcpy(buf + sizeof(r) + r.function_size, a->file, r.file_size);
	write_all(fd, buf, sizeof(r) + r.function_size + r.file_size);
}

static void answer_all(const struct symbol_place *place, const struct symbol_job *jobs,
		       size_t n, int out)
{
	static const struct symbol_answer unknown;
	static struct symbol_answer a;
	struct symbol_file *f = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i == 0 || jobs[i].object != jobs[i - 1].object) {
			symbol_file_close(f);
			f = symbol_file_open(place, jobs[i].object);
		}
		if (f)
			symbol_lookup(f, jobs[i].address, &a);
		send_answer(out, f ? &a : &unknown);
	}
}

/* --- in the tool --- */

/* The user that a process acts as; ours if that is not to be learned. */
static void owner_of(int pid, uid_t *uid, gid_t *gid)
{
	char line[256];
	FILE *f;

	*uid = geteuid();
	*gid = getegid();
	snprintf(line, sizeof(line), "/proc/%d/status", pid);
	f = pid ? fopen(line, "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Uid: %*u %u", uid);
		sscanf(line, "Gid: %*u %u", gid);
	}
	if (f)
		fclose(f);
}

static int open_link(int pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_PATH | O_CLOEXEC);
}

/* Where the process's paths begin; for one that has ended, where ours do. */
static void open_place(struct symbol_place *p, const struct symbol_target *t)
{
	p->started_ms = t->started_ms;
	p->root = t->pid ? open_link(t->pid, "root") : -1;
	p->cwd = t->pid ? open_link(t->pid, "cwd") : -1;
	p->exe = t->pid ? open_link(t->pid, "exe") : -1;
	if (p->root < 0)
		p->root = open("/", O_PATH | O_CLOEXEC);
	if (p->cwd < 0)
		p->cwd = open(".", O_PATH | O_CLOEXEC);
}

static void close_place(struct symbol_place *p)
{
	int fds[] = { p->root, p->cwd, p->exe }, i;

	for (i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int start(struct child *c, const struct symbol_target *t,
		 const struct symbol_place *place, const struct symbol_job *jobs, size_t n)
{
	int ends[2];
	uid_t uid;
	gid_t gid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	owner_of(t->pid, &uid, &gid);
	c->pipe = ends[0];
	c->pid = fork();
	if (c->pid == 0) {
		close_others(place, ends[1]);
		if (become(uid, gid) == 0) {
			confine();
			answer_all(place, jobs, n, ends[1]);
		}
		_exit(0);
	}
	close(ends[1]);
	if (c->pid < 0)
		close(ends[0]);
	return c->pid < 0 ? -1 : 0;
}

/* A child that waits for a hung disk may not even die: it is not waited for. */
static void stop(struct child *c, int hung)
{
	close(c->pipe);
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, hung ? WNOHANG : 0);
}

/* 0; -1 when the pipe ended, or nothing came for too long. */
static int receive(int fd, void *to, size_t size, int *hung)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *at = to;

	while (size) {
		int ready = poll(&p, 1, PATIENCE_MS);
		ssize_t n;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0) {
			*hung = 1;
			return -1;
		}
		n = read(fd, at, size);
		if (n <= 0)
			return -1;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

/* The child may be in an enemy's hands: no size is believed. */
static int receive_answer(int fd, struct symbol_answer *a, int *hung)
{
	struct reply r;

	if (receive(fd, &r, sizeof(r), hung) || r.function_size >= sizeof(a->function) ||
	    r.file_size >= sizeof(a->file) ||
	    receive(fd, a->function, r.function_size, hung) ||
	    receive(fd, a->file, r.file_size, hung))
		return -1;
	a->function[r.function_size] = '\0';
	a->file[r.file_size] = '\0';
	a->line = *a->file ? r.line : 0;
	a->function_offset = r.function_offset;
	return 0;
}

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void show_progress(size_t done, size_t n, uint64_t *next)
{
	uint64_t now = clock_ms();

	if (now < *next)
		return;
	*next = now + PROGRESS_MS;
	fprintf(stderr, "\rmemhook: looking for names: %zu of %zu call sites", done, n);
}

/* The first job of the next object. */
static size_t next_object(const struct symbol_job *jobs, size_t i, size_t n)
{
	const struct mh_object *o = jobs[i].object;

	while (i < n && jobs[i].object == o)
		i++;
	return i;
}

void symbol_ask(const struct symbol_target *t, const struct symbol_job *jobs, size_t n,
		void (*take)(const struct symbol_job *, const struct symbol_answer *))
{
	static struct symbol_answer a;
	uint64_t next = clock_ms() + PROGRESS_MS, first = next;
	unsigned failures = 0;
	struct symbol_place place;
	size_t done = 0;

	open_place(&place, t);
	while (done < n && failures < FAILURES) {
		struct child c;
		int hung = 0, lost = 0;

		if (start(&c, t, &place, jobs + done, n - done))
			break;
		while (done < n && !(lost = receive_answer(c.pipe, &a, &hung))) {
			take(&jobs[done++], &a);
			if (t->progress)
				show_progress(done, n, &next);
		}
		stop(&c, hung);
		if (lost) {
			failures++;
			done = next_object(jobs, done, n);
		}
	}
	if (next != first)
		fputs("\r\033[K", stderr); /* the line is gone again */
	close_place(&place);
}
