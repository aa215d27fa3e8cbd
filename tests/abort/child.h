/* SPDX-License-Identifier: BSD-2-Clause */
/* Commit one misuse in a child: how it ends, and what it says. */
#ifndef TESTS_ABORT_CHILD_H
#define TESTS_ABORT_CHILD_H

#include <regex.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"

#define HEX "0x[0-9a-f]+"
#define PLACE "[^ ,]+\\+" HEX
#define CALLED ", called from " PLACE
#define OWNER " bytes, owner \"victim\""
#define FOREIGN " \\(MEMHOOK_FOREIGN=ignore passes over such pointers\\)"

/* Its status; `text` has its standard error. */
static inline int watch_child(void (*commit)(void), char *text, size_t size)
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

static int signal_to_die_of;

static inline void just_die(void)
{
	signal(signal_to_die_of, SIG_DFL);
	raise(signal_to_die_of);
}

/*
 * The same without what the system has to say of any process that dies of
 * this signal: a kernel says nothing, an emulator a line.
 */
static inline int run_child(void (*commit)(void), char *text, size_t size)
{
	int status = watch_child(commit, text, size);
	size_t n = strlen(text), last;
	char of_anybody[256];

	if (!WIFSIGNALED(status))
		return status;
	signal_to_die_of = WTERMSIG(status);
	watch_child(just_die, of_anybody, sizeof(of_anybody));
	last = strlen(of_anybody);
	if (last <= n && strcmp(text + n - last, of_anybody) == 0)
		text[n - last] = '\0';
	return status;
}

/* ", byte 7 behind its end" out of a pattern. */
static inline void drop_byte(char *pattern)
{
	static const char behind[] = " behind its end";
	char *from = strstr(pattern, ", byte "), *to;

	if (!from)
		return;
	to = from + strlen(", byte ");
	to += strspn(to, "0123456789");
	if (strncmp(to, behind, strlen(behind)) == 0)
		to += strlen(behind);
	memmove(from, to, strlen(to) + 1);
}

/* Nothing but this line, and then the signal. */
static inline void ck_says(const char *name, int signal, const char *message, int status,
			   const char *text)
{
	char pattern[768];
	regex_t regex;

	snprintf(pattern, sizeof(pattern), "^memhook: %s\n$", message);
	if (signal == SIGSEGV && !faults_name_the_byte())
		drop_byte(pattern);
	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signal,
		      "%s: status %x, said '%s'", name, status, text);
	ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "%s: said '%s'", name, text);
	regfree(&regex);
}

#endif /* TESTS_ABORT_CHILD_H */
