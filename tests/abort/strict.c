/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MEMHOOK_CHECK=strict: what goes beyond a block, or to a freed one, faults
 * where it happens.  The message, then the very signal.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>

#include "child.h"

#define ALLOCATED ", allocated at " PLACE
#define FREED ", freed at " PLACE
#define BY ", by " PLACE

static volatile char *volatile p, *volatile q;
static volatile char sink;

static void make(size_t size)
{
	memhook_owner was = memhook_enter(memhook_owner_create("victim"));

	p = malloc(size);
	memhook_leave(was);
}

static void read_behind(void)
{
	make(48);
	sink = p[48];
}

static void write_behind_large(void)
{
	make(1 << 20);
	p[(1 << 20) + 3] = 1;
}

static void write_behind_aligned(void)
{
	memhook_owner was = memhook_enter(memhook_owner_create("victim"));

	p = memalign(64, 256);
	memhook_leave(was);
	p[256] = 1;
}

static void write_into_slack(void)
{
	make(43);
	p[45] ^= 1;
	free((void *)p);
}

static void slack_found_by_realloc(void)
{
	make(43);
	p[43] ^= 1;
	p = realloc((void *)p, 100);
}

static void read_of_nothing(void)
{
	make(0);
	sink = *p;
}

static void write_before(void)
{
	make(48);
	p[-8000] = 1;
}

static void underflow(void)
{
	make(48);
	p[-1] ^= 1;
	free((void *)p);
}

static void read_freed(void)
{
	make(48);
	free((void *)p);
	sink = p[7];
}

static void write_freed_large(void)
{
	make(300000);
	free((void *)p);
	p[299999] = 1;
}

static void read_through_stale_pointer(void)
{
	make(48);
	q = realloc((void *)p, 49);
	sink = p[1];
}

static void double_free(void)
{
	make(48);
	free((void *)p);
	free((void *)p);
}

static void execute(void)
{
	make(48);
	((void (*)(void))(uintptr_t)p)();
}

/* Thousands of blocks later the place is still nobody's. */
static void read_freed_long_ago(void)
{
	int i;

	make(48);
	free((void *)p);
	for (i = 0; i < 10000; i++)
		free(malloc(opaque(48)));
	sink = *p;
}

static const struct misuse {
	const char *name;
	void (*commit)(void);
	int signal;
	const char *message;
} cases[] = {
	{ "read behind", read_behind, SIGSEGV, "(read )?overflow: pointer " HEX ", 48" OWNER
	  ", byte 0 behind its end" ALLOCATED BY },
	{ "write behind, large", write_behind_large, SIGSEGV, "(write )?overflow: pointer "
	  HEX ", 1048576" OWNER ", byte 3 behind its end" ALLOCATED BY },
	{ "write behind, aligned", write_behind_aligned, SIGSEGV,
	  "(write )?overflow: pointer " HEX ", 256" OWNER ", byte 0 behind its end"
	  ALLOCATED BY },
	{ "write into the slack", write_into_slack, SIGABRT,
	  "overflow found in free\\(\\): pointer " HEX ", 43" OWNER
	  ", byte 2 behind its end was written" ALLOCATED CALLED },
	{ "slack, by realloc", slack_found_by_realloc, SIGABRT,
	  "overflow found in realloc\\(\\): pointer " HEX ", 43" OWNER
	  ", byte 0 behind its end was written" ALLOCATED CALLED },
	{ "read of nothing", read_of_nothing, SIGSEGV, "(read )?overflow: pointer " HEX
	  ", 0" OWNER ", byte 0 behind its end" ALLOCATED BY },
	{ "underflow", underflow, SIGABRT, "underflow found in free\\(\\): pointer " HEX
	  ", 48 bytes" ALLOCATED CALLED },
	{ "read freed", read_freed, SIGSEGV, "(read|use) after free: pointer " HEX ", 48"
	  OWNER ", byte 7" ALLOCATED FREED BY },
	{ "write freed, large", write_freed_large, SIGSEGV,
	  "(write|use) after free: pointer " HEX ", 300000" OWNER ", byte 299999"
	  ALLOCATED FREED BY },
	{ "stale pointer", read_through_stale_pointer, SIGSEGV,
	  "(read|use) after free: pointer " HEX ", 48" OWNER ", byte 1" ALLOCATED FREED BY },
	{ "executed", execute, SIGSEGV, "execution of a block: pointer " HEX ", 48" OWNER
	  ", byte 0" ALLOCATED ", by " HEX },
	{ "double free", double_free, SIGABRT, "double free in free\\(\\): pointer " HEX
	  ", 48" OWNER ALLOCATED FREED CALLED },
	{ "read freed long ago", read_freed_long_ago, SIGSEGV,
	  "(read|use) after free: pointer " HEX ", 48" OWNER ", byte 0" ALLOCATED FREED BY },
};

#define CASES (sizeof(cases) / sizeof(*cases))

START_TEST(ends_with_its_message)
{
	const struct misuse *m = &cases[_i];
	char text[2048];
	int status = run_child(m->commit, text, sizeof(text));

	ck_says(m->name, m->signal, m->message, status, text);
}
END_TEST

/* Whoever's the page before is: the signal, and a message that fits it. */
START_TEST(far_before_a_block)
{
	char text[2048];
	int status = run_child(write_before, text, sizeof(text));

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	ck_assert_msg(strncmp(text, "memhook: ", 9) == 0 || !*text, "said '%s'", text);
}
END_TEST

static void own_handler(int number)
{
	_exit(number == SIGSEGV ? 42 : 43);
}

static void with_a_handler(void)
{
	signal(SIGSEGV, own_handler);
	read_freed();
}

static void fault_elsewhere(void)
{
	p = (char *)16;
	*p = 1;
}

static void sent(void)
{
	raise(SIGSEGV);
}

/* A page of the program's own, which it wants to know the next access to. */
static void forbidden(void)
{
	p = memalign(4096, 8192);
	if (mprotect((void *)p, 4096, PROT_NONE))
		_exit(1);
	p[5] = 1;
}

START_TEST(signals_go_their_way)
{
	char text[2048];
	int status = run_child(with_a_handler, text, sizeof(text));

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	status = run_child(fault_elsewhere, text, sizeof(text));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	ck_assert_str_eq(text, "");
	status = run_child(sent, text, sizeof(text));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	ck_assert_str_eq(text, "");
	status = run_child(forbidden, text, sizeof(text));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	ck_assert_str_eq(text, "");
}
END_TEST

/* More than there can be guard pages for: said once, and all of them work. */
static void very_many(void)
{
	enum { MANY = 60000 };
	void **all = malloc(MANY * sizeof(*all));
	int i;

	for (i = 0; i < MANY; i++) {
		all[i] = malloc(opaque(20));
		if (!all[i])
			_exit(2);
		memset(all[i], i, 20);
	}
	for (i = 0; i < MANY; i++) {
		if (*(unsigned char *)all[i] != (unsigned char)i)
			_exit(3);
		free(all[i]);
	}
	_exit(0);
}

START_TEST(when_there_is_no_room_it_is_said)
{
	char text[2048];
	int status = run_child(very_many, text, sizeof(text));

	ck_assert_int_eq(status, 0);
	/* a machine may allow so many mappings that all are guarded */
	if (*text)
		ck_assert_msg(strncmp(text, "memhook: strict: too many blocks", 32) == 0 &&
			      strchr(text, '\n')[1] == '\0', "said '%s'", text);
}
END_TEST

static void *work(void *arg)
{
	unsigned r = (unsigned)(uintptr_t)arg, i;
	char *set[64] = { NULL };

	for (i = 0; i < 20000; i++) {
		unsigned k = (r = r * 1103515245 + 12345) >> 16 & 63;
		size_t size = r >> 8 & 0x1fff;

		if (r & 1) {
			set[k] = realloc(set[k], size + 1);
		} else {
			free(set[k]);
			set[k] = r & 2 ? calloc(1, size + 1) : memalign(128, size + 1);
		}
		set[k][0] = set[k][size] = (char)k;
	}
	for (i = 0; i < 64; i++)
		free(set[i]);
	return NULL;
}

START_TEST(threads_in_order_pass)
{
	memhook_owner o = fresh_owner("threads");
	memhook_owner was = memhook_enter(o);
	pthread_t thread[4];
	uintptr_t i;

	work(NULL);
	memhook_leave(was);
	ck_holds(o, 0, 0);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, work, (void *)i), 0);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}
END_TEST

static void in_child(void)
{
	free((void *)p);
	sink = *p;
}

/* A child has its parent's blocks, and the parent has them still. */
START_TEST(a_childs_blocks_are_its_own)
{
	char text[2048];
	int status;

	make(48);
	status = run_child(in_child, text, sizeof(text));
	ck_says("in a child", SIGSEGV, "(read|use) after free: pointer " HEX ", 48" OWNER
		", byte 0" ALLOCATED FREED BY, status, text);
	p[3] = 1;
	free((void *)p);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c = tcase_create("strict");

	(void)argc;
	if (!getenv("MEMHOOK_CHECK")) {
		setenv("MEMHOOK_CHECK", "strict", 1);
		execv("/proc/self/exe", argv);
		return 99;
	}
	tcase_add_loop_test(c, ends_with_its_message, 0, CASES);
	tcase_add_test(c, far_before_a_block);
	tcase_add_test(c, signals_go_their_way);
	tcase_add_test(c, when_there_is_no_room_it_is_said);
	tcase_add_test(c, threads_in_order_pass);
	tcase_add_test(c, a_childs_blocks_are_its_own);
	return run_case(c);
}
