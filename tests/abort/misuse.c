/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Misuse, one fault each: the exact message, then SIGABRT.  Each case runs in
 * a child with its standard error in a pipe.
 */
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>

#include "child.h"
#include "operator.h"

/* Out of the compiler's sight. */
static void *volatile p, *volatile q;

static void make(size_t size)
{
	memhook_owner was = memhook_enter(memhook_owner_create("victim"));

	p = malloc(size);
	memhook_leave(was);
}

static void double_free(void)
{
	make(48);
	free(p);
	free(p);
}

static void double_free_large(void)
{
	make(100000);
	q = malloc(100000); /* so that the pages stay */
	free(p);
	free(p);
}

static void double_free_late(void)
{
	make(48);
	free(p);
	q = malloc(5000);
	free(q);
	free(p);
}

static void realloc_of_freed(void)
{
	make(48);
	free(p);
	q = realloc(p, 100);
}

static void stale_pointer_after_realloc(void)
{
	make(48);
	q = malloc(48);
	free(q);
	q = realloc(p, 100000);
	free(p);
}

static void usable_size_of_freed(void)
{
	make(48);
	free(p);
	if (malloc_usable_size(p))
		_exit(0);
}

static void inside_a_block(void)
{
	make(480);
	memset(p, 0, 480);
	free((char *)p + 160);
}

static void misaligned(void)
{
	make(480);
	free((char *)p + 8);
}

static void on_the_stack(void)
{
	_Alignas(64) char buf[256] = "";
	char *volatile inside = buf + 64;

	if (((uintptr_t)inside & 4095) < 16)
		inside += 64;
	free(inside);
}

static void underflow(void)
{
	make(48);
	((volatile char *)p)[-1] ^= 1;
	free(p);
}

static void underflow_of_the_size(void)
{
	make(48);
	((volatile char *)p)[-14] ^= 1;
	free(p);
}

static void copied_cookie(void)
{
	char *from, *to;

	make(480);
	from = p;
	to = from + 160;
	memcpy(to - 16, from - 16, 16);
	free(to);
}

static void page_without_a_neighbour(void)
{
	char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(pages, 4096);
	free(pages + 4096);
}

static void realloc_of_foreign(void)
{
	static _Alignas(64) char memory[256];

	q = realloc(memory + 64, 10);
}

static const struct misuse {
	const char *name;
	void (*commit)(void);
	const char *message;
} cases[] = {
	{ "double free", double_free,
	  "double free in free\\(\\): pointer " HEX ", 48" OWNER CALLED },
	{ "double free, large", double_free_large,
	  "double free in free\\(\\): pointer " HEX ", 100000" OWNER CALLED },
	{ "double free, late", double_free_late,
	  "double free in free\\(\\): pointer " HEX ", 48" OWNER CALLED },
	{ "realloc of a freed block", realloc_of_freed,
	  "double free in realloc\\(\\): pointer " HEX ", 48" OWNER CALLED },
	{ "stale pointer after realloc", stale_pointer_after_realloc,
	  "double free in free\\(\\): pointer " HEX ", 48" OWNER CALLED },
	{ "size of a freed block", usable_size_of_freed,
	  "double free in malloc_usable_size\\(\\): pointer " HEX ", 48" OWNER CALLED },
	{ "inside a block", inside_a_block,
	  "foreign pointer in free\\(\\): pointer " HEX CALLED FOREIGN },
	{ "misaligned", misaligned,
	  "misaligned pointer in free\\(\\): pointer " HEX CALLED FOREIGN },
	{ "on the stack", on_the_stack,
	  "foreign pointer in free\\(\\): pointer " HEX CALLED FOREIGN },
	{ "underflow", underflow,
	  "foreign pointer in free\\(\\): pointer " HEX CALLED FOREIGN },
	{ "underflow of the size", underflow_of_the_size,
	  "foreign pointer in free\\(\\): pointer " HEX CALLED FOREIGN },
	{ "copied cookie", copied_cookie,
	  "foreign pointer in free\\(\\): pointer " HEX CALLED FOREIGN },
	{ "page without a neighbour", page_without_a_neighbour,
	  "foreign pointer in free\\(\\): pointer " HEX CALLED FOREIGN },
	{ "realloc of a foreign pointer", realloc_of_foreign,
	  "foreign pointer in realloc\\(\\): pointer " HEX CALLED FOREIGN },
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

static void delete_of_malloc(void)
{
	void (*operator_delete)(void *) = (void (*)(void *))operator("_ZdlPv", "");
	void (*sized)(void *, size_t) =
		(void (*)(void *, size_t))operator("_ZdlPv", Z);
	void *(*operator_new)(size_t) = (void *(*)(size_t))operator("_Znw", Z);

	make(48);
	operator_delete(p);
	make(48);
	operator_delete(p);
	p = operator_new(10);
	sized(p, 11);
	p = operator_new(10);
	free(p);
	/* four mismatches, one line, nothing lost */
	if (stats_of(memhook_owner_create("victim")).live_blocks)
		_exit(3);
}

START_TEST(a_mismatch_is_warned_of_once)
{
	char text[2048];
	regex_t regex;
	int status = run_child(delete_of_malloc, text, sizeof(text));

	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(regcomp(&regex,
				 "^memhook: mismatched free in operator delete: pointer " HEX
				 ", 48" OWNER ", allocated by malloc" CALLED "\n$",
				 REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "said '%s'", text);
	regfree(&regex);
}
END_TEST

static void pass_over(void)
{
	static _Alignas(64) char memory[256];

	errno = 0;
	free(memory + 64);
	free(memory + 128);
	if (realloc(memory + 64, 10) || errno != ENOMEM)
		_exit(4);
	if (malloc_usable_size(memory + 64))
		_exit(5);
	make(10);
	free(p);
}

START_TEST(foreign_pointers_can_be_passed_over)
{
	char text[2048];
	int status = run_child(pass_over, text, sizeof(text));

	ck_assert_int_eq(status, 0);
	ck_assert_msg(strstr(text, "(passed over, and those that follow)\n") &&
		      strchr(text, '\n')[1] == '\0', "said '%s'", text);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c = tcase_create("abort");
	int rc;

	(void)argc;
	if (getenv("MEMHOOK_FOREIGN")) {
		tcase_add_test(c, foreign_pointers_can_be_passed_over);
		return run_case(c);
	}
	tcase_add_loop_test(c, aborts_with_its_message, 0, CASES);
	tcase_add_test(c, a_mismatch_is_warned_of_once);
	rc = run_case(c);
	if (rc)
		return rc;
	setenv("MEMHOOK_FOREIGN", "ignore", 1);
	execv("/proc/self/exe", argv);
	return 99;
}
