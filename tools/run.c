/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run -- CMD: start and end of the program. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recording.h"
#include "segment-file.h"
#include "target.h"
#include "tool.h"

#ifndef MH_LIBRARY
#define MH_LIBRARY "libmemhook.so.1"
#endif

/* The user's own LD_PRELOAD stays, ours comes last. */
static void set_preload(void)
{
	const char *library = secure_getenv("MEMHOOK_LIBRARY");
	const char *had = getenv("LD_PRELOAD");
	char *list;

	if (!library || !*library)
		library = MH_LIBRARY;
	if (had && *had && asprintf(&list, "%s:%s", had, library) > 0)
		setenv("LD_PRELOAD", list, 1);
	else
		setenv("LD_PRELOAD", library, 1);
}

/* CMD may be in another folder when it writes the file. */
static void set_oom_report(const char *file)
{
	char here[PATH_MAX], *path;

	if (!*file)
		setenv("MEMHOOK_OOM_REPORT", "1", 1);
	else if (*file != '/' && getcwd(here, sizeof(here)) &&
		 asprintf(&path, "%s/%s", here, file) > 0)
		setenv("MEMHOOK_OOM_REPORT", path, 1);
	else
		setenv("MEMHOOK_OOM_REPORT", file, 1);
}

static void set_environment(const struct run_options *o, int segment)
{
	char text[64];
	struct stat st;

	set_preload();
	setenv("MEMHOOK_BY", o->by, 1);
	if (o->through)
		setenv("MEMHOOK_THROUGH", o->through, 1);
	if (o->check)
		setenv("MEMHOOK_CHECK", o->check, 1);
	if (o->guard_rate)
		setenv("MEMHOOK_GUARD_RATE", o->guard_rate, 1);
	if (o->oom_report)
		set_oom_report(o->oom_report);
	unsetenv("MEMHOOK_SEGMENT");
	unsetenv("MEMHOOK_FOLLOW");
	if (o->follow)
		setenv("MEMHOOK_FOLLOW", "1", 1);
	if (segment >= 0 && fstat(segment, &st) == 0) {
		snprintf(text, sizeof(text), "%d:%llu:%d", segment,
			 (unsigned long long)st.st_ino, getppid());
		setenv("MEMHOOK_SEGMENT", text, 1);
		fcntl(segment, F_SETFD, 0);
	}
}

static void exec_child(const struct run_options *o, const char *path, int segment,
		       int tell)
{
	int error, i;

	for (i = 0; i < RUN_SIGNALS; i++)
		signal(run_signals[i], o->ignored[i] ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, &o->mask, NULL);
	set_environment(o, segment);
	execv(path, o->command);
	error = errno;
	if (write(tell, &error, sizeof(error)) < 0)
		_exit(127);
	_exit(127);
}

/* The process, or -1 with *status after a complaint. */
static pid_t start(const struct run_options *o, const char *path, int segment,
		   int *status)
{
	int tell[2], error = 0;
	pid_t pid;

	if (pipe2(tell, O_CLOEXEC) || (pid = fork()) < 0) {
		complain("cannot start a process: %s", strerror(errno));
		*status = 1;
		return -1;
	}
	if (pid == 0)
		exec_child(o, path, segment, tell[1]);
	close(tell[1]);
	if (read(tell[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(tell[0]);
	if (!error)
		return pid;
	waitpid(pid, NULL, 0);
	complain("%s: %s", path, strerror(error));
	*status = error == ENOENT ? 127 : 126;
	return -1;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_uncounted(const struct run_options *o, const char *path)
{
	execv(path, o->command);
	complain("%s: %s", path, strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

/* What is true of CMD before anybody has looked at it. */
static void expect(struct run *r, const char *path)
{
	const char *slash = strrchr(path, '/');

	/* The kernel keeps so much of a name. */
	snprintf(r->comm, sizeof(r->comm), "%.15s", slash ? slash + 1 : path);
	oom_init(&r->oom);
	oom_follow(&r->oom, getpid());
}

static int open_reports(struct run *r)
{
	const struct run_options *o = r->options;

	if (o->recording) {
		r->output = -1;
		return recording_open(o->recording, o->output);
	}
	r->output = open_output(o->output, STDERR_FILENO);
	return r->output < 0 ? -1 : 0;
}

static int run(struct run_options *o, const char *path)
{
	struct run r = { .options = o };
	int rc;

	if (counts_nothing())
		return run_uncounted(o, path);
	rc = target_check(path, o->follow);
	if (rc)
		return rc;
	if (open_reports(&r))
		return 1;
	r.segment = mh_segment_file(1);
	if (r.segment < 0)
		complain("no shared memory for the counters (%s): there will be no"
			 " report", strerror(errno));
	run_arrange_signals(o);
	expect(&r, path);
	r.pid = start(o, path, r.segment, &rc);
	if (r.pid < 0)
		return rc;
	run_wait(&r);
	rc = exit_status(r.status);
	if (r.segment >= 0)
		r.report_failed |= run_report(&r) != 0;
	return rc == 0 && r.report_failed ? 1 : rc;
}

int run_command(struct run_options *o)
{
	char path[PATH_MAX];
	int rc = target_find(o->command[0], path, sizeof(path));

	return rc ? rc : run(o, path);
}

int run_main(int argc, char **argv)
{
	struct run_options o = { .by = "library" };
	int rc = run_parse(argc, argv, &o);

	return rc ? rc - 1 : run_command(&o);
}
