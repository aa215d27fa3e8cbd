/* SPDX-License-Identifier: BSD-2-Clause */
/* Children: by fork, _Fork, clone, vfork and posix_spawn. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"

extern char **environ;

static memhook_owner owner;
static void *blocks[100];

static void fill(void)
{
	int i;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 100; i++)
		blocks[i] = malloc(100);
}

static void empty(void)
{
	int i;

	for (i = 0; i < 100; i++)
		free(blocks[i]);
}

/* In a child Check's asserts would only confuse: exit status 0 is good. */
static int holds(uint64_t bytes, uint64_t count)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_stats(owner, &s) == 0 && s.live_bytes == bytes &&
	       s.live_blocks == count;
}

static int not_negative(void)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_totals(&s) == 0 && s.live_bytes < UINT64_C(1) << 40 &&
	       s.live_blocks < UINT64_C(1) << 40;
}

static int child_work(int exactly)
{
	memhook_owner was;
	void *p;

	if (exactly && !holds(10000, 100))
		return 1;
	was = memhook_enter(owner);
	p = malloc(5000);
	memhook_leave(was);
	if (exactly && !holds(15000, 101))
		return 2;
	empty();
	if (exactly && !holds(5000, 1))
		return 3;
	free(p);
	if (exactly && !holds(0, 0))
		return 4;
	return not_negative() ? 0 : 5;
}

static void reap(pid_t pid)
{
	int status;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(a_forked_child_is_exact)
{
	pid_t pid;
	int i;

	owner = fresh_owner("fork");
	fill();
	for (i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0)
			_exit(child_work(1));
		reap(pid);
		ck_holds(owner, 10000, 100);
	}
	empty();
	ck_holds(owner, 0, 0);
}
END_TEST

START_TEST(a_child_of_a_child)
{
	pid_t pid, inner;
	int status;

	owner = fresh_owner("grandchild");
	fill();
	pid = fork();
	if (pid == 0) {
		inner = fork();
		if (inner == 0)
			_exit(child_work(1));
		if (waitpid(inner, &status, 0) != inner || status)
			_exit(9);
		_exit(child_work(1));
	}
	reap(pid);
	ck_holds(owner, 10000, 100);
	empty();
}
END_TEST

START_TEST(a_child_stays_in_its_parents_scope)
{
	memhook_owner was;
	pid_t pid;

	owner = fresh_owner("inherited");
	was = memhook_enter(owner);
	pid = fork();
	if (pid == 0) {
		void *p = malloc(33);

		_exit(p && memhook_current() == owner && holds(33, 1) ? 0 : 1);
	}
	memhook_leave(was);
	reap(pid);
}
END_TEST

/* Who is inside when it retires is charged until he leaves: a child, too. */
START_TEST(a_child_stays_in_a_retired_scope)
{
	memhook_owner was;
	pid_t pid;

	owner = fresh_owner("inherited/retired");
	was = memhook_enter(owner);
	memhook_owner_retire(owner);
	pid = fork();
	if (pid == 0) {
		void *p = malloc(33);

		memhook_leave(memhook_enter(owner));
		_exit(p && memhook_current() == owner && holds(33, 1) ? 0 : 1);
	}
	memhook_leave(was);
	reap(pid);
}
END_TEST

static _Atomic int stop;

static void *churn(void *arg)
{
	void *set[50] = { NULL };
	unsigned r = (unsigned)(uintptr_t)arg;
	int i;

	while (!atomic_load(&stop)) {
		r = r * 1103515245 + 12345;
		free(set[(r >> 8) % 50]);
		set[(r >> 8) % 50] = malloc((r >> 12) % 20000);
	}
	for (i = 0; i < 50; i++)
		free(set[i]);
	return NULL;
}

START_TEST(fork_while_threads_allocate)
{
	pthread_t t[8];
	pid_t pid;
	int i;

	owner = fresh_owner("fork-threads");
	fill();
	for (i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, churn, (void *)(uintptr_t)(i + 1));
	for (i = 0; i < 50; i++) {
		pid = fork();
		if (pid == 0) {
			pthread_t inner;

			/* `owner` is nobody else's: exact even so */
			alarm(60);
			if (pthread_create(&inner, NULL, churn, (void *)1))
				_exit(8);
			usleep(2000);
			atomic_store(&stop, 1);
			pthread_join(inner, NULL);
			_exit(child_work(1));
		}
		reap(pid);
	}
	atomic_store(&stop, 1);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	ck_holds(owner, 10000, 100);
	empty();
	ck_holds(owner, 0, 0);
}
END_TEST

static void *hand_over(void *arg)
{
	memhook_owner other = memhook_owner_create("fork-transfer");
	void *large = malloc(1 << 21);

	while (!atomic_load(&stop)) {
		memhook_transfer(large, other);
		memhook_transfer(large, owner);
	}
	free(large);
	return arg;
}

/*
 * Fork takes the backend's locks before ours: nobody may want the backend's
 * who has ours, be it for the numbers that it publishes now and then.
 */
START_TEST(fork_while_owners_change)
{
	pthread_t t[2];
	int i, before;

	owner = fresh_owner("fork-owners");
	atomic_store(&stop, 0);
	alarm(100); /* who waits for ever */
	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, hand_over, NULL);
	before = (int)stats_of(owner).alloc_calls;
	for (i = 0; i < 200; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		reap(pid);
	}
	atomic_store(&stop, 1);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	alarm(0);
	ck_assert_int_gt((int)stats_of(owner).alloc_calls, before);
	ck_holds(owner, 0, 0);
}
END_TEST

START_TEST(children_without_handlers)
{
	pid_t pid;
	int i;

	owner = fresh_owner("_Fork");
	fill();
	for (i = 0; i < 10; i++) {
		pid = i % 2 ? _Fork()
			    : raw_fork();
		if (pid == 0)
			_exit(child_work(0));
		reap(pid);
		ck_holds(owner, 10000, 100);
	}
	empty();
	ck_holds(owner, 0, 0);
}
END_TEST

START_TEST(children_that_become_something_else)
{
	char *argv[] = { (char *)"true", NULL };
	struct memhook_stats before, after;
	pid_t pid;
	int i;

	owner = fresh_owner("exec");
	fill();
	before = stats_of(owner);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(posix_spawn(&pid, "/bin/true", NULL, NULL, argv,
					     environ), 0);
		reap(pid);
		pid = vfork();
		if (pid == 0) {
			execv("/bin/true", argv);
			_exit(1);
		}
		reap(pid);
	}
	after = stats_of(owner);
	ck_assert_int_eq(memcmp(&before, &after, sizeof(before)), 0);
	empty();
}
END_TEST

/* Daemons do: the mapping leads on without the descriptor. */
START_TEST(a_child_after_all_descriptors_were_closed)
{
	pid_t pid, inner;
	int status;

	owner = fresh_owner("closed");
	fill();
	pid = fork();
	if (pid == 0) {
		closefrom(3);
		inner = fork();
		if (inner == 0)
			_exit(child_work(1));
		if (waitpid(inner, &status, 0) != inner || status)
			_exit(WIFEXITED(status) ? 10 + WEXITSTATUS(status) : 9);
		_exit(child_work(1));
	}
	reap(pid);
	empty();
}
END_TEST

#define SLEEPERS 40 /* shards of three chunks */
static pthread_barrier_t asleep, awake;

static void *hold_one(void *arg)
{
	void *block;
	MEMHOOK_SCOPE(owner);

	block = malloc(100);
	pthread_barrier_wait(&asleep);
	pthread_barrier_wait(&awake);
	free(block);
	return arg;
}

/* Mappings of the segment; nothing here allocates. */
static int segment_mappings(void)
{
	static char text[1 << 20];
	int fd = open("/proc/self/maps", O_RDONLY), n = 0;
	size_t used = 0;
	ssize_t got;
	char *at;

	while ((got = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)got;
	close(fd);
	text[used] = '\0';
	for (at = text; (at = strstr(at, "/memfd:memhook")); at++)
		n++;
	return n;
}

/* As a child without handlers finds them, with and without a descriptor. */
static int reads_its_parents_shards(int closed)
{
	struct memhook_stats s = { .size = sizeof(s) };

	if (segment_mappings() > 12)
		return 1;
	if (closed)
		closefrom(3);
	if (memhook_stats(owner, &s) || s.live_bytes != 100 * SLEEPERS)
		return 2;
	return segment_mappings() > 14 ? 3 : 0;
}

START_TEST(threads_shards_are_not_inherited)
{
	pthread_t t[SLEEPERS];
	int i, mappings;
	pid_t pid;

	owner = fresh_owner("fork-shards");
	pthread_barrier_init(&asleep, NULL, SLEEPERS + 1);
	pthread_barrier_init(&awake, NULL, SLEEPERS + 1);
	for (i = 0; i < SLEEPERS; i++)
		pthread_create(&t[i], NULL, hold_one, NULL);
	pthread_barrier_wait(&asleep);
	mappings = segment_mappings(); /* none without memfd: outside.sh */
	ck_assert(mappings == 0 || mappings > SLEEPERS);
	for (i = 0; i < 2; i++) {
		pid = _Fork();
		if (pid == 0)
			_exit(reads_its_parents_shards(i));
		reap(pid);
		pid = fork();
		if (pid == 0)
			_exit(reads_its_parents_shards(i));
		reap(pid);
	}
	pthread_barrier_wait(&awake);
	for (i = 0; i < SLEEPERS; i++)
		pthread_join(t[i], NULL);
	ck_holds(owner, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("fork");

	tcase_add_test(c, a_forked_child_is_exact);
	tcase_add_test(c, a_child_of_a_child);
	tcase_add_test(c, a_child_stays_in_its_parents_scope);
	tcase_add_test(c, a_child_stays_in_a_retired_scope);
	tcase_add_test(c, fork_while_threads_allocate);
	tcase_add_test(c, fork_while_owners_change);
	tcase_add_test(c, children_that_become_something_else);
	tcase_add_test(c, a_child_after_all_descriptors_were_closed);
	if (fork_wipes()) {
		tcase_add_test(c, children_without_handlers);
		tcase_add_test(c, threads_shards_are_not_inherited);
	}
	return run_case(c);
}
