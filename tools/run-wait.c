/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook run: while CMD runs. */
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"
#include "tool.h"

#define SAMPLE_MS 500

static volatile sig_atomic_t to_forward;

static void remember(int signal)
{
	to_forward = signal;
}

/*
 * The terminal sends SIGINT and SIGQUIT to CMD as well: it decides, we go on
 * to report.  SIGTERM and SIGHUP come to us alone and are passed on.
 */
void run_arrange_signals(struct run_options *o)
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
void run_wait(pid_t pid, struct run_end *end)
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
