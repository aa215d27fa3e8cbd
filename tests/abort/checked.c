/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Misuse that only checks see (MEMHOOK_CHECK=on): the exact message, which
 * tells where the block was allocated and freed, then SIGABRT.
 */
#include <malloc.h>
#include <signal.h>

#include "child.h"
#include "operator.h"

#define ALLOCATED ", allocated at " PLACE
#define FREED ", freed at " PLACE

static char *volatile p, *volatile q;

static void make(size_t size)
{
	memhook_owner was = memhook_enter(memhook_owner_create("victim"));

	p = malloc(size);
	memhook_leave(was);
}

/* More than the quarantine has room for, of this size. */
static void push_out(size_t size)
{
	int i;

	for (i = 0; i < 40000; i++)
		free(malloc(opaque(size)));
	for (i = 0; i < 400; i++)
		free(malloc(opaque(100000)));
}

static void overflow(void)
{
	make(48);
	p[48] ^= 1;
	free(p);
}

static void overflow_of_odd_size(void)
{
	make(43);
	p[43] = '\0'; /* the end of a string */
	free(p);
}

static void overflow_far(void)
{
	make(41);
	p[41 + 7] ^= 1;
	free(p);
}

static void overflow_large(void)
{
	make(300000);
	p[300001] ^= 1;
	free(p);
}

static void overflow_found_by_realloc(void)
{
	make(48);
	p[50] ^= 1;
	q = realloc(p, 10);
}

static void overflow_aligned(void)
{
	memhook_owner was = memhook_enter(memhook_owner_create("victim"));

	p = memalign(256, 100);
	memhook_leave(was);
	p[103] ^= 1;
	free(p);
}

static void write_after_free(void)
{
	make(48);
	free(p);
	p[5] ^= 1;
	push_out(48);
}

static void write_after_free_large(void)
{
	make(300000);
	free(p);
	p[299999] ^= 1;
	push_out(1000);
}

static void write_after_free_until_exit(void)
{
	make(48);
	free(p);
	p[47] ^= 1;
	exit(0);
}

static void write_through_stale_pointer(void)
{
	make(48);
	q = realloc(p, 49);
	p[0] ^= 1;
	exit(0);
}

static void overflow_after_free(void)
{
	make(48);
	free(p);
	p[49] ^= 1;
	push_out(48);
}

static void underflow_after_free(void)
{
	make(48);
	free(p);
	p[-1] ^= 1;
	push_out(48);
}

static void double_free(void)
{
	make(48);
	free(p);
	free(p);
}

static void double_free_much_later(void)
{
	make(700000);
	q = malloc(700000);
	free(p);
	free(q);
	free(p);
}

static void mismatch(void)
{
	void (*operator_delete)(void *) = (void (*)(void *))operator("_ZdlPv", "");

	make(48);
	operator_delete(p);
}

static void wrong_size(void)
{
	void (*sized)(void *, size_t) = (void (*)(void *, size_t))operator("_ZdlPv", Z);
	void *(*operator_new)(size_t) = (void *(*)(size_t))operator("_Znw", Z);
	memhook_owner was = memhook_enter(memhook_owner_create("victim"));

	p = operator_new(10);
	memhook_leave(was);
	sized(p, 11);
}

static const struct misuse {
	const char *name;
	void (*commit)(void);
	const char *message;
} cases[] = {
	{ "overflow", overflow, "overflow found in free\\(\\): pointer " HEX ", 48" OWNER
	  ", byte 0 behind its end was written" ALLOCATED CALLED },
	{ "overflow of an odd size", overflow_of_odd_size,
	  "overflow found in free\\(\\): pointer " HEX ", 43" OWNER
	  ", byte 0 behind its end was written" ALLOCATED CALLED },
	{ "overflow, far", overflow_far,
	  "overflow found in free\\(\\): pointer " HEX ", 41" OWNER
	  ", byte 7 behind its end was written" ALLOCATED CALLED },
	{ "overflow, large", overflow_large,
	  "overflow found in free\\(\\): pointer " HEX ", 300000" OWNER
	  ", byte 1 behind its end was written" ALLOCATED CALLED },
	{ "overflow found by realloc", overflow_found_by_realloc,
	  "overflow found in realloc\\(\\): pointer " HEX ", 48" OWNER
	  ", byte 2 behind its end was written" ALLOCATED CALLED },
	{ "overflow, aligned", overflow_aligned,
	  "overflow found in free\\(\\): pointer " HEX ", 100" OWNER
	  ", byte 3 behind its end was written" ALLOCATED CALLED },
	{ "write after free", write_after_free,
	  "write after free: pointer " HEX ", 48" OWNER ", byte 5 was written"
	  ALLOCATED FREED },
	{ "write after free, large", write_after_free_large,
	  "write after free: pointer " HEX ", 300000" OWNER ", byte 299999 was written"
	  ALLOCATED FREED },
	{ "write after free, until exit", write_after_free_until_exit,
	  "write after free: pointer " HEX ", 48" OWNER ", byte 47 was written"
	  ALLOCATED FREED },
	{ "write through a stale pointer", write_through_stale_pointer,
	  "write after free: pointer " HEX ", 48" OWNER ", byte 0 was written"
	  ALLOCATED FREED },
	{ "overflow after free", overflow_after_free,
	  "write after free: pointer " HEX ", 48" OWNER
	  ", byte 1 behind its end was written" ALLOCATED FREED },
	{ "underflow after free", underflow_after_free,
	  "write before a freed block: pointer " HEX ALLOCATED FREED },
	{ "double free", double_free, "double free in free\\(\\): pointer " HEX ", 48" OWNER
	  ALLOCATED FREED CALLED },
	{ "double free, much later", double_free_much_later,
	  "double free in free\\(\\): pointer " HEX ", 700000" OWNER ALLOCATED FREED CALLED },
	{ "mismatch", mismatch, "mismatched free in operator delete: pointer " HEX ", 48"
	  OWNER ", allocated by malloc" ALLOCATED CALLED },
	{ "wrong size", wrong_size, "wrong size in operator delete: pointer " HEX ", 10"
	  OWNER ", freed as 11 bytes" ALLOCATED CALLED },
};

#define CASES (sizeof(cases) / sizeof(*cases))

START_TEST(aborts_with_its_message)
{
	const struct misuse *m = &cases[_i];
	char text[2048];
	int status = run_child(m->commit, text, sizeof(text));

	ck_says(m->name, SIGABRT, m->message, status, text);
}
END_TEST

static int all_are(const char *block, size_t size, char byte)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (block[i] != byte)
			return 0;
	return 1;
}

/* A free is counted when it happens, and what was freed waits, filled. */
START_TEST(blocks_are_filled)
{
	memhook_owner o = fresh_owner("filled");
	memhook_owner was = memhook_enter(o);
	char *a = malloc(opaque(100)), *b = calloc(1, opaque(100)), *c;
	int filled = all_are(a, 100, (char)0xa5) && all_are(b, 100, 0);

	memset(a, 'x', 100);
	c = realloc(a, opaque(75));
	memhook_leave(was);
	ck_assert(filled);
	ck_assert_ptr_ne(a, c);
	ck_assert(all_are(a, 100, (char)0xa5) && all_are(c, 75, 'x'));
	ck_holds(o, 175, 2);
	ck_assert_uint_eq(malloc_usable_size(c), 75);
	free(b);
	ck_assert(all_are(b, 100, (char)0xa5));
	free(c);
	ck_holds(o, 0, 0);
}
END_TEST

/* Nothing is wrong with them, whatever their size, kind and neighbours. */
START_TEST(blocks_in_order_pass)
{
	static char *block[3000];
	size_t i, size, align;

	for (size = 0; size < 3000; size++) {
		block[size] = malloc(size);
		memset(block[size], 1, size);
	}
	for (size = 0; size < 3000; size++)
		free(block[size]);
	for (align = 16; align <= 1 << 16; align *= 2)
		for (size = 0; size < 300000; size = size * 2 + 1) {
			p = memalign(align, size);
			ck_assert_uint_eq((uintptr_t)p % align, 0);
			memset(p, 1, size);
			p = realloc(p, size + 1);
			free(p);
		}
	for (i = 0, p = NULL; i < 200; i++) {
		p = realloc(p, i * i);
		memset(p, 1, i * i);
	}
	free(p);
	errno = 77;
	free(malloc(opaque(1000000)));
	ck_assert_int_eq(errno, 77);
	push_out(1000);
}
END_TEST

static void in_child(void)
{
	char *kept = p;

	p = malloc(100);
	free(p);
	memset(kept, 2, 100);
	free(kept);
	push_out(100);
	exit(0);
}

/* What the parent has in quarantine is not the child's; the rest is. */
START_TEST(a_child_is_in_order)
{
	char text[2048];

	q = malloc(opaque(60));
	free(q);
	q[3] ^= 1; /* the child does not see it: it lost that block */
	p = malloc(opaque(100));
	ck_assert_int_eq(run_child(in_child, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
	q[3] ^= 1;
	free(p);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c = tcase_create("checked");

	(void)argc;
	if (!getenv("MEMHOOK_CHECK")) {
		setenv("MEMHOOK_CHECK", "on", 1);
		execv("/proc/self/exe", argv);
		return 99;
	}
	tcase_add_loop_test(c, aborts_with_its_message, 0, CASES);
	tcase_add_test(c, blocks_are_filled);
	tcase_add_test(c, blocks_in_order_pass);
	tcase_add_test(c, a_child_is_in_order);
	return run_case(c);
}
