/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a child says of its own numbers: "exact" when its parent had no other
 * thread, flagged and bounded otherwise; and children whose parents never
 * ran our handlers.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../abilities.h"
#include "../common.h"

/* Weak: the same source is linked with the hook, and without it to be preloaded. */
#pragma weak memhook_report

static memhook_owner owner;

static int holds(uint64_t bytes, uint64_t blocks)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_stats(owner, &s) == 0 && s.live_bytes == bytes &&
	       s.live_blocks == blocks;
}

static void reap(pid_t pid)
{
	int status;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* Fork; the child writes its report, the parent parses it. */
static json_object *report_of_a_child(void)
{
	static char text[1 << 20];
	size_t used = 0;
	ssize_t n;
	json_object *report;
	int fd[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0)
		_exit(memhook_report(fd[1], MEMHOOK_JSON) ? 1 : 0);
	close(fd[1]);
	while ((n = read(fd[0], text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	close(fd[0]);
	reap(pid);
	text[used] = '\0';
	report = json_tokener_parse(text);
	ck_assert_msg(report != NULL, "no JSON: '%.100s'", text);
	return report;
}

static int64_t number(json_object *o, const char *key)
{
	json_object *n = json_object_object_get(o, key);

	ck_assert_msg(json_object_is_type(n, json_type_int), "no number '%s'", key);
	return json_object_get_int64(n);
}

static int is_true(json_object *o, const char *key)
{
	json_object *b = json_object_object_get(o, key);

	ck_assert_msg(json_object_is_type(b, json_type_boolean), "no boolean '%s'", key);
	return json_object_get_boolean(b);
}

/* The child's owners, added up; none of them below zero. */
static void check_owners(json_object *report)
{
	json_object *list = json_object_object_get(report, "owners");
	json_object *totals = json_object_object_get(report, "totals");
	int64_t bytes = 0, blocks = 0;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		json_object *o = json_object_array_get_idx(list, i);

		ck_assert_int_ge(number(o, "live_bytes"), 0);
		ck_assert_int_ge(number(o, "live_blocks"), 0);
		ck_assert_int_lt(number(o, "live_bytes"), INT64_C(1) << 40);
		bytes += number(o, "live_bytes");
		blocks += number(o, "live_blocks");
	}
	ck_assert_int_eq(bytes, number(totals, "live_bytes"));
	ck_assert_int_eq(blocks, number(totals, "live_blocks"));
}

START_TEST(exact_when_alone)
{
	json_object *report = report_of_a_child();

	ck_assert_int_eq(is_true(report, "exact"), 1);
	check_owners(report);
	json_object_put(report);
}
END_TEST

static _Atomic int stop, running;

static void *churn(void *arg)
{
	unsigned r = (unsigned)(uintptr_t)arg;

	free(malloc(100)); /* attached before the first fork */
	atomic_fetch_add(&running, 1);
	while (!atomic_load(&stop)) {
		r = r * 1103515245 + 12345;
		free(malloc((r >> 12) % 20000));
	}
	return NULL;
}

START_TEST(flagged_when_threads_ran)
{
	pthread_t t[4];
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, churn, (void *)(uintptr_t)(i + 1));
	while (atomic_load(&running) < 4)
		usleep(1000);
	for (i = 0; i < 10; i++) {
		json_object *report = report_of_a_child();

		ck_assert_int_eq(is_true(report, "exact"), 0);
		check_owners(report);
		json_object_put(report);
	}
	atomic_store(&stop, 1);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}
END_TEST

/* The threads are gone: the next child is exact again. */
START_TEST(exact_after_threads_ended)
{
	json_object *report;
	pthread_t t;

	atomic_store(&stop, 0);
	atomic_store(&running, 0);
	pthread_create(&t, NULL, churn, NULL);
	while (!atomic_load(&running))
		usleep(1000);
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	report = report_of_a_child();
	ck_assert_int_eq(is_true(report, "exact"), 1);
	json_object_put(report);
}
END_TEST

enum { FORK, FORK_RAW, FORK_UNDERSCORE };

static pid_t start(int how)
{
	if (how == FORK)
		return fork();
	if (how == FORK_RAW)
		return raw_fork();
	return _Fork();
}

/*
 * A child without handlers that forks before it allocates: the copy that its
 * grandparent took at some earlier fork must not be taken for this one's.
 */
static int fork_at_once(void *p, int how)
{
	int status;
	pid_t pid = start(how);

	if (pid == 0) {
		if (!holds(700, 7))
			_exit(20);
		free(p);
		_exit(holds(600, 6) ? 0 : 21);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 30;
	return WEXITSTATUS(status);
}

START_TEST(grandchildren_of_any_kind)
{
	memhook_owner previous;
	void *blocks[7];
	int i, first = _i % 3, second = _i / 3;
	pid_t pid;

	owner = fresh_owner("grandchildren");
	/* an earlier fork, when there was less */
	pid = fork();
	if (pid == 0)
		_exit(holds(0, 0) ? 0 : 10);
	reap(pid);
	previous = memhook_enter(owner);
	for (i = 0; i < 7; i++)
		blocks[i] = malloc(100);
	memhook_leave(previous);
	pid = start(first);
	if (pid == 0)
		_exit(fork_at_once(blocks[0], second));
	reap(pid);
	ck_holds(owner, 700, 7);
	for (i = 0; i < 7; i++)
		free(blocks[i]);
	ck_holds(owner, 0, 0);
}
END_TEST

/* A worker's worker ... each with counters of its own, all at once. */
START_TEST(a_hundred_generations)
{
	memhook_owner previous;
	pid_t top = getpid(), pid = 0;
	int depth, status;

	owner = fresh_owner("generations");
	for (depth = 0; depth < 100; depth++) {
		previous = memhook_enter(owner);
		if (!malloc(10))
			_exit(40);
		memhook_leave(previous);
		pid = fork();
		if (pid)
			break;
		if (!holds(10 * ((uint64_t)depth + 1), (uint64_t)depth + 1))
			_exit(41);
	}
	if (pid)
		waitpid(pid, &status, 0);
	if (getpid() != top)
		_exit(!pid ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) : 42);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	ck_holds(owner, 10, 1);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("children");

	tcase_add_test(c, exact_when_alone);
	tcase_add_test(c, flagged_when_threads_ran);
	tcase_add_test(c, exact_after_threads_ended);
	/* the first of them are all by fork() */
	tcase_add_loop_test(c, grandchildren_of_any_kind, 0, fork_wipes() ? 9 : 1);
	tcase_add_test(c, a_hundred_generations);
	return run_case(c);
}
