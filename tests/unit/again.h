/* SPDX-License-Identifier: BSD-2-Clause */
/* This program once more: settings are read at the start of a process. */
#ifndef TESTS_UNIT_AGAIN_H
#define TESTS_UNIT_AGAIN_H

#include <check.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct again {
	unsigned long answer; /* what it wrote to its standard output */
	char said[512];       /* ... and to its standard error */
};

#define AGAIN "TEST_RUNS_AGAIN"

/* value: NULL for none.  It is to write an answer when it has arguments. */
static inline struct again run_again(const char *setting, const char *value)
{
	char *argv[] = { "again", "answer", NULL };
	struct again a = { 0 };
	int out[2], err[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_ptr_null(getenv(AGAIN)); /* without an end otherwise */
	ck_assert_int_eq(pipe(out) | pipe(err), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		if (value)
			setenv(setting, value, 1);
		else
			unsetenv(setting);
		setenv(AGAIN, "1", 1);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	ck_assert_int_eq(read(out[0], &a.answer, sizeof(a.answer)), sizeof(a.answer));
	n = read(err[0], a.said, sizeof(a.said) - 1);
	a.said[n > 0 ? n : 0] = '\0';
	close(out[0]);
	close(err[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	return a;
}

static inline int answer_with(unsigned long answer)
{
	return write(STDOUT_FILENO, &answer, sizeof(answer)) != sizeof(answer);
}

#endif /* TESTS_UNIT_AGAIN_H */
