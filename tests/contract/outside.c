/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seen from another process while 16 threads allocate, free and hand blocks to
 * each other: no owner is ever below zero, nothing counted goes back.  When they
 * rest, and when they are stopped, the sums are exact, to the byte those of a
 * model that the reader shares with them.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../common.h"
#include "live.h"

#define THREADS 16
#define OWNERS 24
#define SLOTS 512
#define ROUNDS 6
#define READS 15 /* of each round */

enum phase { REST, RUN, END };

/* Shared by the two processes; malloc knows nothing of it. */
static struct model {
	_Atomic int phase;
	_Atomic int round;
	_Atomic int resting; /* threads that saw the end of this round */
	_Atomic unsigned long done;
	struct {
		_Atomic int64_t bytes, blocks;
	} owners[OWNERS];
} *m;

/* Of the observed process. */
static struct slot {
	pthread_mutex_t lock;
	void *block;
	size_t size;
	int owner;
} slots[SLOTS];
static memhook_owner handles[OWNERS];

static void count(int owner, int64_t bytes, int64_t blocks)
{
	m->owners[owner].bytes += bytes;
	m->owners[owner].blocks += blocks;
}

static void step(unsigned *r)
{
	struct slot *s;

	*r = *r * 1103515245 + 12345;
	s = &slots[*r >> 8 & (SLOTS - 1)];
	pthread_mutex_lock(&s->lock);
	if (s->block && *r >> 30) {
		free(s->block);
		count(s->owner, -(int64_t)s->size, -1);
		s->block = NULL;
	} else if (s->block) {
		s->block = realloc(s->block, 1 + (*r >> 20));
		count(s->owner, 1 + (int64_t)(*r >> 20) - (int64_t)s->size, 0);
		s->size = 1 + (*r >> 20);
	} else {
		memhook_owner previous;

		s->owner = (int)(*r >> 18) % OWNERS;
		s->size = *r >> 19;
		previous = memhook_enter(handles[s->owner]);
		s->block = malloc(s->size);
		memhook_leave(previous);
		count(s->owner, (int64_t)s->size, 1);
	}
	pthread_mutex_unlock(&s->lock);
	m->done++;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
}

static void *work(void *arg)
{
	unsigned r = (unsigned)(uintptr_t)arg * 7919;
	int round = 0;

	for (;;) {
		while (m->phase == RUN && m->round == round)
			step(&r);
		m->resting++;
		round++;
		/* not RUN: whoever slept all of it through is missed at its end */
		while (m->phase != END && m->round != round)
			nap();
		if (m->phase == END)
			return NULL;
	}
}

static void run_threads(void)
{
	pthread_t t[THREADS];
	char name[32];
	uintptr_t i;

	for (i = 0; i < OWNERS; i++) {
		snprintf(name, sizeof(name), "watched/%d", (int)i);
		handles[i] = memhook_owner_create(name);
	}
	for (i = 0; i < SLOTS; i++)
		pthread_mutex_init(&slots[i].lock, NULL);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, work, (void *)(i + 1)))
			_exit(1);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	_exit(0);
}

static struct live live;
static pid_t observed;

/* Waiting for one that has died would never end. */
static void still_there(void)
{
	siginfo_t info = { .si_pid = 0 };

	ck_assert_int_eq(waitid(P_PID, (id_t)observed, &info,
				WEXITED | WNOHANG | WNOWAIT), 0);
	ck_assert_msg(info.si_pid == 0, "it has ended: %d, %d", info.si_code,
		      info.si_status);
}

static void sums(struct mh_snapshot *s, struct memhook_stats seen[OWNERS])
{
	struct memhook_stats total = { 0 };
	size_t i;
	int n;

	ck_assert_msg(live_read(&live, s) == 0, "%s", live.error);
	for (i = 0; i < s->owner_count; i++) {
		const struct memhook_stats *o = &s->owners[i];

		ck_assert_uint_ge(o->alloc_bytes, o->free_bytes);
		ck_assert_uint_ge(o->alloc_calls, o->free_calls);
		ck_assert_uint_eq(o->live_bytes, o->alloc_bytes - o->free_bytes);
		ck_assert_uint_eq(o->live_blocks, o->alloc_calls - o->free_calls);
		total.live_bytes += o->live_bytes;
		if (sscanf(o->name, "watched/%d", &n) != 1)
			continue;
		ck_assert_uint_ge(o->alloc_bytes, seen[n].alloc_bytes);
		ck_assert_uint_ge(o->free_bytes, seen[n].free_bytes);
		seen[n] = *o;
	}
	ck_assert_uint_eq(total.live_bytes, s->totals.live_bytes);
}

static void at_rest(struct memhook_stats seen[OWNERS])
{
	struct mh_snapshot s;
	int i;

	sums(&s, seen);
	ck_assert_int_eq(s.consistent, 1);
	for (i = 0; i < OWNERS; i++) {
		ck_assert_int_eq(seen[i].live_bytes, m->owners[i].bytes);
		ck_assert_int_eq(seen[i].live_blocks, m->owners[i].blocks);
	}
	reader_free(&s);
}

/* In the middle of whatever they do: nothing moves, twice the same. */
static void stopped(pid_t pid, struct memhook_stats seen[OWNERS])
{
	struct mh_snapshot s;
	uint64_t live_bytes;
	int status;

	kill(pid, SIGSTOP);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	sums(&s, seen);
	ck_assert_int_eq(s.consistent, 1);
	live_bytes = s.totals.live_bytes;
	reader_free(&s);
	sums(&s, seen);
	ck_assert_uint_eq(s.totals.live_bytes, live_bytes);
	reader_free(&s);
	kill(pid, SIGCONT);
}

static void while_they_run(struct memhook_stats seen[OWNERS])
{
	struct mh_snapshot s;
	int i;

	for (i = 0; i < READS; i++) {
		unsigned long before = m->done;

		sums(&s, seen);
		reader_free(&s);
		while (m->done == before) { /* else nothing was tried */
			still_there();
			sched_yield();
		}
	}
}

START_TEST(from_another_process)
{
	struct memhook_stats seen[OWNERS] = { { .size = 0 } };
	int round, status;
	pid_t pid;

	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		 0);
	ck_assert_ptr_ne(m, MAP_FAILED);
	m->phase = RUN;
	pid = fork();
	if (pid == 0)
		run_threads();
	observed = pid;
	while (!m->done) {
		still_there();
		nap();
	}
	ck_assert_msg(live_open(&live, pid) == 0, "%s", live.error);
	for (round = 0; round < ROUNDS; round++) {
		while_they_run(seen);
		stopped(pid, seen);
		m->phase = REST;
		while (m->resting < THREADS) {
			still_there();
			nap();
		}
		at_rest(seen);
		m->resting = 0;
		m->phase = RUN;
		m->round = round + 1;
	}
	m->phase = END;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	live_close(&live);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("outside");

	tcase_add_test(c, from_another_process);
	return run_case(c);
}
