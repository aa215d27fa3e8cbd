/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that gets into the state that MODE names, holding ten blocks of
 * 100,000 bytes for owner "victim".  Prints its pid when it is there, and
 * waits.  With a mode that has an "after", a thread then takes another block for
 * owner "late": counting goes on in that state.
 *
 *     patient MODE [FOLDER]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memhook.h"
#include "owner.h"

#define NOBODY 65534

static void take(const char *owner, int blocks)
{
	memhook_owner previous = memhook_enter(memhook_owner_create(owner));
	int i;

	for (i = 0; i < blocks; i++) {
		char *volatile p = malloc(100000);

		memset(p, 1, 100000);
	}
	memhook_leave(previous);
}

static void say(pid_t pid)
{
	char line[16];
	int n = snprintf(line, sizeof(line), "%d\n", pid);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(99);
}

static void must(int rc)
{
	if (rc == 0)
		return;
	perror("patient");
	exit(99);
}

static void *late(void *arg)
{
	take("late", 1);
	return arg;
}

static void count_on(void)
{
	pthread_t t;

	must(pthread_create(&t, NULL, late, NULL));
	must(pthread_join(t, NULL));
}

static void hide(void)
{
	must(prctl(PR_SET_DUMPABLE, 0));
	closefrom(3);
}

static void drop(void)
{
	must(setgid(NOBODY));
	must(setuid(NOBODY));
	count_on();
}

static void jail(const char *folder)
{
	must(chroot(folder));
	must(chdir("/"));
	count_on();
}

static void stop(void)
{
	say(getpid());
	raise(SIGSTOP);
}

/* A child that died of SIGSEGV and is not let go: a core dump takes as long. */
static void crash(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		take("victim", 10);
		must((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		raise(SIGSEGV);
		_exit(99);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGSEGV)
		_exit(99);
	say(child);
}

/* A worker that was killed, and that nobody waits for. */
static void zombie(void)
{
	siginfo_t info;
	pid_t child = fork();

	if (child == 0) {
		take("victim", 10);
		kill(getpid(), SIGKILL);
	}
	must(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	say(child);
}

static void on_alarm(int signal)
{
	(void)signal;
	memhook_owner_create("never");
}

/* The classic: a handler that wants the lock of what it interrupted. */
static void *wait_for_the_lock(void *arg)
{
	take("never either", 1);
	return arg;
}

static void deadlock(void)
{
	pthread_t t;

	mh_owners_lock();
	must(pthread_create(&t, NULL, wait_for_the_lock, NULL));
	signal(SIGALRM, on_alarm);
	say(getpid());
	raise(SIGALRM);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*go)(void);
		int speaks; /* for itself, or for a child of its own */
	} modes[] = {
		{ "plain", count_on, 0 }, { "drop", drop, 0 },	 { "hide", hide, 0 },
		{ "stop", stop, 1 },	  { "crash", crash, 1 }, { "zombie", zombie, 1 },
		{ "deadlock", deadlock, 1 },
	};
	const char *mode = argc > 1 ? argv[1] : "";
	size_t i;

	alarm(600); /* whatever becomes of the test */
	if (strcmp(mode, "crash") && strcmp(mode, "zombie"))
		take("victim", 10);
	if (strcmp(mode, "close") == 0) {
		closefrom(3);
		count_on();
	} else if (strcmp(mode, "chroot") == 0 && argc > 2) {
		jail(argv[2]);
	}
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(mode, modes[i].name))
			continue;
		modes[i].go();
		if (modes[i].speaks)
			goto wait;
	}
	say(getpid());
wait:
	for (;;)
		pause();
}
