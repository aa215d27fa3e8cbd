/* SPDX-License-Identifier: BSD-2-Clause */
/* Commit one misuse in a child: how it ends, and what it says. */
#ifndef TESTS_ABORT_CHILD_H
#define TESTS_ABORT_CHILD_H

#include <regex.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"

#define HEX "0x[0-9a-f]+"
#define PLACE "[^ ,]+\\+" HEX
#define CALLED ", called from " PLACE
#define OWNER " bytes, owner \"victim\""
#define FOREIGN " \\(MEMHOOK_FOREIGN=ignore passes over such pointers\\)"

/* Its status; `text` has its standard error. */
static inline int run_child(void (*commit)(void), char *text, size_t size)
{
	struct rlimit none = { 0, 0 };
	int fd[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		dup2(fd[1], 2);
		commit();
		_exit(0);
	}
	close(fd[1]);
	while ((n = read(fd[0], text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status;
}

/* Nothing but this line, and then the signal. */
static inline void ck_says(const char *name, int signal, const char *message, int status,
			   const char *text)
{
	char pattern[768];
	regex_t regex;

	snprintf(pattern, sizeof(pattern), "^memhook: %s\n$", message);
	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signal,
		      "%s: status %x, said '%s'", name, status, text);
	ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "%s: said '%s'", name, text);
	regfree(&regex);
}

#endif /* TESTS_ABORT_CHILD_H */
