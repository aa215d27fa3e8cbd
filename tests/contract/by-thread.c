/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By thread: a row for each that lives, called as the thread calls itself
 * now; those that ended leave theirs to the next of the same name.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"

static struct memhook_stats owner_of(const void *block)
{
	struct memhook_stats s = { .size = sizeof(s) };
	struct memhook_block b = { .size = sizeof(b) };

	ck_assert_int_eq(memhook_inspect(block, &b), 0);
	ck_assert_int_eq(memhook_stats(b.owner, &s), 0);
	return s;
}

struct count {
	const char *name;
	unsigned rows, highest;
};

static int add(const struct memhook_stats *s, void *arg)
{
	struct count *c = arg;

	if (s->kind == MEMHOOK_KIND_THREAD && strncmp(s->name, c->name,
						      strlen(c->name)) == 0)
		c->rows++;
	c->highest = (uint32_t)s->owner;
	return 0;
}

static struct count rows(const char *prefix)
{
	struct count c = { .name = prefix };

	memhook_each(add, &c);
	return c;
}

struct task {
	const char *name, *renamed;
	size_t size;
	void *block;
	pthread_barrier_t *barrier; /* NULL: end at once */
};

static void *work(void *arg)
{
	struct task *t = arg;

	if (t->name)
		pthread_setname_np(pthread_self(), t->name);
	t->block = t->size ? malloc(opaque(t->size)) : NULL;
	if (t->barrier) {
		pthread_barrier_wait(t->barrier);
		if (t->renamed)
			pthread_setname_np(pthread_self(), t->renamed);
		pthread_barrier_wait(t->barrier);
		pthread_barrier_wait(t->barrier);
	}
	return NULL;
}

static pthread_t start(struct task *t)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, work, t), 0);
	return thread;
}

/* The name is that of its first allocation until somebody reports. */
static void report(void)
{
	FILE *f = tmpfile();

	ck_assert_int_eq(memhook_report(fileno(f), MEMHOOK_JSON), 0);
	fclose(f);
}

START_TEST(each_thread_has_its_row)
{
	pthread_barrier_t barrier;
	struct task a = { "alpha", "beta", 1000, NULL, &barrier };
	struct task b = { "alpha", NULL, 500, NULL, &barrier };
	pthread_t one, two;

	pthread_barrier_init(&barrier, NULL, 3);
	one = start(&a);
	two = start(&b);
	pthread_barrier_wait(&barrier);
	ck_assert(owner_of(a.block).owner != owner_of(b.block).owner);
	ck_assert_uint_ge(owner_of(a.block).live_bytes, 1000);
	ck_assert_uint_lt(owner_of(b.block).live_bytes, 1000);
	pthread_barrier_wait(&barrier); /* one of them is called beta now */
	report();
	ck_assert_str_eq(owner_of(a.block).name, "beta");
	ck_assert_str_eq(owner_of(b.block).name, "alpha");
	pthread_barrier_wait(&barrier);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	ck_assert_uint_eq(owner_of(a.block).state, MEMHOOK_STATE_RETIRED);
	ck_assert_str_eq(owner_of(a.block).name, "beta");
	free(a.block);
	free(b.block);
}
END_TEST

/* Each leaves a block behind, and there is one row for all of them. */
START_TEST(short_lived_threads_of_one_name)
{
	enum { THREADS = 3000 };
	static struct task t[THREADS];
	unsigned highest;
	int i;

	for (i = 0; i < THREADS; i++) {
		t[i] = (struct task){ .name = "brief", .size = 10 };
		pthread_join(start(&t[i]), NULL);
		if (i == 10)
			highest = rows("brief").highest;
	}
	ck_assert_uint_eq(rows("brief").rows, 1);
	ck_assert_uint_eq(rows("brief").highest, highest);
	ck_assert_uint_eq(owner_of(t[0].block).live_bytes, THREADS * 10);
	ck_assert_uint_eq(owner_of(t[0].block).live_blocks, THREADS);
	for (i = 0; i < THREADS; i++)
		free(t[i].block);
}
END_TEST

/* No two of one name, and nothing left behind: the same few rows serve. */
START_TEST(short_lived_threads_of_many_names)
{
	char name[16];
	unsigned highest = 0;
	int i;

	for (i = 0; i < 3000; i++) {
		struct task t = { .name = name, .size = 0 };

		snprintf(name, sizeof(name), "request-%d", i);
		pthread_join(start(&t), NULL);
		if (i == 100)
			highest = rows("request").highest;
	}
	ck_assert_uint_le(rows("request").highest, highest + 100);
}
END_TEST

START_TEST(scopes_come_first)
{
	memhook_owner o = fresh_owner("by-thread/scope"), was;
	void *p, *q = malloc(opaque(10));

	was = memhook_enter(o);
	p = malloc(opaque(100));
	memhook_leave(was);
	ck_assert_str_eq(owner_of(p).name, "by-thread/scope");
	free(p);
	p = malloc(opaque(10));
	ck_assert(owner_of(p).owner == owner_of(q).owner);
	free(p);
	free(q);
}
END_TEST

static void in_child(void)
{
	void *p = malloc(opaque(100));
	struct memhook_stats s = owner_of(p);

	_exit(s.kind != MEMHOOK_KIND_THREAD || s.state != MEMHOOK_STATE_ACTIVE ||
			      rows("waiting").rows != 2
		      ? 1 : 0);
}

/* The parent's other threads are not in the child, their blocks are. */
START_TEST(a_forked_child)
{
	pthread_barrier_t barrier;
	struct task t[2] = { { "waiting", NULL, 100, NULL, &barrier },
			     { "waiting", NULL, 100, NULL, &barrier } };
	pthread_t threads[2];
	int i, status;
	pid_t pid;

	pthread_barrier_init(&barrier, NULL, 3);
	for (i = 0; i < 2; i++)
		threads[i] = start(&t[i]);
	pthread_barrier_wait(&barrier);
	pid = fork();
	if (pid == 0)
		in_child();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		free(t[i].block);
	}
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c = tcase_create("by-thread");

	(void)argc;
	if (!getenv("MEMHOOK_BY")) { /* it is read at the very first malloc */
		setenv("MEMHOOK_BY", "thread", 1);
		execv("/proc/self/exe", argv);
	}
	tcase_add_test(c, each_thread_has_its_row);
	tcase_add_test(c, short_lived_threads_of_one_name);
	tcase_add_test(c, short_lived_threads_of_many_names);
	tcase_add_test(c, scopes_come_first);
	tcase_add_test(c, a_forked_child);
	return run_case(c);
}
