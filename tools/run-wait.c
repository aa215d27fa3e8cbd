/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run: while CMD runs. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"
#include "tool.h"

/* It is looked at often when it is young: most of what is short is seen. */
#define FIRST_LOOK_MS 2
#define LOOK_MS 500
#define WITHOUT_PIDFD_MS 20

static volatile sig_atomic_t to_forward;

static void remember(int signal)
{
	to_forward = signal;
}

/*
 * The terminal sends SIGINT and SIGQUIT to CMD as well: it decides, we go on
 * to report.  SIGTERM and SIGHUP come to us alone and are passed on.  That a
 * snapshot cannot be written is no reason to leave CMD alone.
 */
const int run_signals[RUN_SIGNALS] = { SIGINT, SIGQUIT, SIGPIPE, SIGXFSZ };

void run_arrange_signals(struct run_options *o)
{
	struct sigaction forward = { .sa_handler = remember }, had;
	int i;

	sigprocmask(SIG_SETMASK, NULL, &o->mask);
	for (i = 0; i < RUN_SIGNALS; i++)
		o->ignored[i] = signal(run_signals[i], SIG_IGN) == SIG_IGN;
	sigaction(SIGTERM, &forward, NULL);
	sigaction(SIGHUP, NULL, &had);
	if (had.sa_handler != SIG_IGN) /* nohup */
		sigaction(SIGHUP, &forward, NULL);
	signal(SIGCHLD, SIG_DFL);
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* When to look, and when to write a snapshot: milliseconds of one clock. */
struct schedule {
	uint64_t look, gap, snapshot;
};

static int sleep_ms(const struct schedule *s, uint64_t now, int pidfd)
{
	uint64_t until = s->snapshot && s->snapshot < s->look ? s->snapshot : s->look;
	int ms = until > now ? (int)(until - now) : 0;

	return pidfd < 0 && ms > WITHOUT_PIDFD_MS ? WITHOUT_PIDFD_MS : ms;
}

/* Snapshots keep to their grid, however long one takes. */
static void due(struct run *run, struct schedule *s, uint64_t now)
{
	uint64_t interval = (uint64_t)run->options->interval_ms;

	if (now >= s->look) {
		run_watch(run);
		s->gap = s->gap * 2 < LOOK_MS ? s->gap * 2 : LOOK_MS;
		s->look = now + s->gap;
	}
	if (s->snapshot && now >= s->snapshot) {
		run->report_failed = run_report(run) != 0;
		s->snapshot += ((now - s->snapshot) / interval + 1) * interval;
		if (run->report_failed) /* said once: no more of them */
			s->snapshot = 0;
	}
}

static int has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid == pid;
}

static void bury(struct run *run)
{
	struct rusage usage = { .ru_maxrss = 0 };

	run->time_unix_ms = clock_ms(CLOCK_REALTIME);
	run_watch_last(run);
	while (wait4(run->pid, &run->status, 0, &usage) < 0 && errno == EINTR)
		;
	run->max_rss = (uint64_t)usage.ru_maxrss * 1024;
	run->ended = 1;
}

void run_wait(struct run *run)
{
	int pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	uint64_t now = clock_ms(CLOCK_MONOTONIC);
	struct schedule s = { .look = now, .gap = FIRST_LOOK_MS };

	if (run->options->interval_ms && run->segment >= 0)
		s.snapshot = now + (uint64_t)run->options->interval_ms;
	while (!has_ended(run->pid)) {
		due(run, &s, now);
		poll(&p, pidfd >= 0, sleep_ms(&s, clock_ms(CLOCK_MONOTONIC), pidfd));
		if (to_forward) {
			kill(run->pid, to_forward);
			to_forward = 0;
		}
		now = clock_ms(CLOCK_MONOTONIC);
	}
	bury(run);
	if (pidfd >= 0)
		close(pidfd);
}
