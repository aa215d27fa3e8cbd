/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run -- CMD: options, start and end of the program. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "segment-file.h"
#include "target.h"
#include "tool.h"

#ifndef MH_LIBRARY
#define MH_LIBRARY "libmemhook.so.1"
#endif

#define SAMPLE_MS 500

static void usage(FILE *to)
{
	fputs("Usage: memhook run [OPTION...] [--] CMD [ARG...]\n"
	      "Run CMD under the hook; when it ends, by whatever cause, show who owned\n"
	      "its memory.  The exit status is CMD's (128+signal when it was killed).\n\n"
	      "  -b, --by=library|thread|site|none\n"
	      "                          whom to charge outside of scopes: the calling\n"
	      "                          shared library (default), the thread, the call\n"
	      "                          itself, or nobody\n"
	      "      --through=LIST      charge the callers of these libraries, as in\n"
	      "                          default,libfoo (default: libc, ld.so, libstdc++,\n"
	      "                          libglib-2.0; none: see through no library)\n"
	      "  -f, --format=text|json  the report's format (default: text)\n"
	      "  -o, --output=FILE       write it there, not to standard error\n"
	      "      --follow            hook the programs that CMD starts, too\n"
	      "      --no-symbols        leave call sites as library+offset\n"
	      "      --help              print this\n", to);
}

static int parse_by(const char *text)
{
	static const char *const known[] = { "library", "thread", "site", "none" };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(text, known[i]) == 0)
			return 0;
	complain("--by=%s: it is library, thread, site or none", text);
	return -1;
}

static int parse_through(const char *text)
{
	if (*text && !strchr(text, '/'))
		return 0;
	complain("--through=%s: name libraries without their folders (default,libfoo),"
		 " or none", text);
	return -1;
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct run_options *o)
{
	static const struct option longs[] = { { "by", 1, NULL, 'b' },
					       { "format", 1, NULL, 'f' },
					       { "output", 1, NULL, 'o' },
					       { "follow", 0, NULL, 'F' },
					       { "no-symbols", 0, NULL, 'S' },
					       { "through", 1, NULL, 'T' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c, bad = 0;

	while ((c = getopt_long(argc, argv, "+b:f:o:", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			o->by = optarg;
			bad |= parse_by(optarg);
			break;
		case 'T':
			o->through = optarg;
			bad |= parse_through(optarg);
			break;
		case 'f':
			o->format = parse_format(optarg);
			bad |= o->format < 0;
			break;
		case 'o':
			o->output = optarg;
			break;
		case 'F':
			o->follow = 1;
			break;
		case 'S':
			o->no_symbols = 1;
			break;
		case 'h':
			usage(stdout);
			return close_stdout() + 1;
		default:
			usage(stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (bad)
		return EXIT_USAGE + 1;
	o->command = argv + optind;
	if (*o->command)
		return 0;
	complain("which program? (memhook run -- CMD [ARG...])");
	return EXIT_USAGE + 1;
}

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

static void set_environment(const struct run_options *o, int segment)
{
	char text[64];
	struct stat st;

	set_preload();
	setenv("MEMHOOK_BY", o->by, 1);
	if (o->through)
		setenv("MEMHOOK_THROUGH", o->through, 1);
	unsetenv("MEMHOOK_SEGMENT");
	unsetenv("MEMHOOK_FOLLOW");
	if (o->follow)
		setenv("MEMHOOK_FOLLOW", "1", 1);
	if (segment >= 0 && fstat(segment, &st) == 0) {
		snprintf(text, sizeof(text), "%d:%llu", segment,
			 (unsigned long long)st.st_ino);
		setenv("MEMHOOK_SEGMENT", text, 1);
		fcntl(segment, F_SETFD, 0);
	}
}

static void exec_child(const struct run_options *o, const char *path, int segment,
		       int tell)
{
	int error;

	signal(SIGINT, o->sigint_ignored ? SIG_IGN : SIG_DFL);
	signal(SIGQUIT, o->sigquit_ignored ? SIG_IGN : SIG_DFL);
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

static volatile sig_atomic_t to_forward;

static void remember(int signal)
{
	to_forward = signal;
}

/*
 * The terminal sends SIGINT and SIGQUIT to CMD as well: it decides, we go on
 * to report.  SIGTERM and SIGHUP come to us alone and are passed on.
 */
static void arrange_signals(struct run_options *o)
{
	struct sigaction forward = { .sa_handler = remember }, had;

	sigprocmask(SIG_SETMASK, NULL, &o->mask);
	o->sigint_ignored = signal(SIGINT, SIG_IGN) == SIG_IGN;
	o->sigquit_ignored = signal(SIGQUIT, SIG_IGN) == SIG_IGN;
	sigaction(SIGTERM, &forward, NULL);
	sigaction(SIGHUP, NULL, &had);
	if (had.sa_handler != SIG_IGN) /* nohup */
		sigaction(SIGHUP, &forward, NULL);
	signal(SIGCHLD, SIG_DFL);
}

static uint64_t unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until it ends; its RSS is looked at now and then, since death wipes it. */
static void wait_for(pid_t pid, struct run_end *end)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	struct rusage usage;
	uint64_t rss;

	for (;;) {
		pid_t got;

		poll(&p, pidfd >= 0, pidfd >= 0 ? SAMPLE_MS : 20);
		if (to_forward) {
			kill(pid, to_forward);
			to_forward = 0;
		}
		got = wait4(pid, &end->status, WNOHANG, &usage);
		if (got == pid)
			break;
		rss = proc_rss(pid);
		if (rss)
			end->sampled_rss = rss;
	}
	end->time_unix_ms = unix_ms();
	end->max_rss = (uint64_t)usage.ru_maxrss * 1024;
	if (pidfd >= 0)
		close(pidfd);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#ifdef MEMHOOK_PASSTHROUGH
#define COUNTS 0
#else
#define COUNTS 1
#endif

static int run_uncounted(const struct run_options *o, const char *path)
{
	complain("this memhook was built --without-jemalloc and counts nothing");
	execv(path, o->command);
	complain("%s: %s", path, strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

static int run(struct run_options *o, const char *path)
{
	struct run_end end = { 0 };
	int segment, output, rc;
	pid_t pid;

	if (!COUNTS)
		return run_uncounted(o, path);
	rc = target_check(path, o->follow);
	if (rc)
		return rc;
	output = open_output(o->output, STDERR_FILENO);
	if (output < 0)
		return 1;
	segment = mh_segment_file(1);
	if (segment < 0)
		complain("no shared memory for the counters (%s): there will be no"
			 " report", strerror(errno));
	arrange_signals(o);
	pid = start(o, path, segment, &rc);
	if (pid < 0)
		return rc;
	wait_for(pid, &end);
	rc = exit_status(end.status);
	if (segment >= 0 && run_report(o, segment, output, pid, &end) && rc == 0)
		rc = 1;
	return rc;
}

int run_main(int argc, char **argv)
{
	struct run_options o = { .by = "library", .format = MEMHOOK_TEXT };
	char path[PATH_MAX];
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc - 1;
	rc = target_find(o.command[0], path, sizeof(path));
	return rc ? rc : run(&o, path);
}
