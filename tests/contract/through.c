/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By library, the owner is the first frame outside of the see-through
 * libraries: for all kinds of frames and of calls; what cannot be seen
 * through is charged to the direct caller and counted.  Each step is compared
 * with the exception unwinder's (MEMHOOK_CHECK_FRAMES).
 */
#include <json-c/json.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common.h"
#include "layers.h"

#if defined(__x86_64__) || defined(__i386__)
#define SEES_THROUGH 1
#else
#define SEES_THROUGH 0
#endif

/* Whom `block` is charged to; frees it. */
static const char *owner_of(void *block)
{
	static struct memhook_stats s;
	struct memhook_block b = { .size = sizeof(b) };

	ck_assert_ptr_nonnull(block);
	ck_assert_int_eq(memhook_inspect(block, &b), 0);
	ck_assert_uint_eq(b.state, MEMHOOK_BLOCK_LIVE);
	s.size = sizeof(s);
	ck_assert_int_eq(memhook_stats(b.owner, &s), 0);
	free(block);
	return s.name;
}

#define ck_ours(block) ck_assert_str_eq(owner_of(block), "through")
#define ck_theirs(block) ck_assert_str_eq(owner_of(block), "layers.so")

static uint64_t unseen(const char *key)
{
	FILE *f = tmpfile();
	char buf[200000];
	struct json_object *report, *n;
	uint64_t value;
	ssize_t size;

	ck_assert_int_eq(memhook_report(fileno(f), MEMHOOK_JSON), 0);
	size = pread(fileno(f), buf, sizeof(buf) - 1, 0);
	ck_assert_int_gt(size, 0);
	buf[size] = '\0';
	report = json_tokener_parse(buf);
	ck_assert_ptr_nonnull(report);
	ck_assert(json_object_object_get_ex(report, key, &n));
	value = (uint64_t)json_object_get_int64(n);
	json_object_put(report);
	fclose(f);
	return value;
}

static void *from_program(size_t size)
{
	void *volatile p = malloc(size);

	return p;
}

START_TEST(kinds_of_frames)
{
	uint64_t before = unseen("unseen_calls");
	int i;

	for (i = 0; i < 3; i++) { /* the first time, and as it is remembered */
		ck_ours(layer_plain(100));
		ck_ours(layer_deep(100, 0));
		ck_ours(layer_deep(100, 30));
		ck_ours(layer_clobber(100));
		ck_ours(layer_back(100, layer_plain));
		ck_ours(layer_back(100, from_program));
#ifdef __x86_64__
		ck_ours(layer_alloca(100, NULL));
		ck_ours(layer_alloca(77, layer_plain));
		ck_ours(layer_alloca(77, layer_clobber));
#endif
	}
	ck_assert_uint_eq(unseen("unseen_calls"), before);
}
END_TEST

START_TEST(kinds_of_calls)
{
	ck_ours(layer_calloc(100));
	ck_ours(layer_realloc(100));
	ck_ours(layer_aligned(512));
	ck_ours(layer_strdup(100));
}
END_TEST

/* What libc allocates for its callers. */
START_TEST(through_libc)
{
	char *text = NULL, *line = NULL;
	size_t n = 0;
	FILE *f;

	ck_assert_int_gt(asprintf(&text, "%0500d", 7), 0);
	ck_ours(text);
	f = open_memstream(&text, &n);
	ck_assert_ptr_nonnull(f);
	fprintf(f, "%0600d\n", 8);
	fclose(f);
	ck_ours(text);
	f = fopen("/proc/self/status", "r");
	ck_assert_int_gt(getline(&line, &n, f), 0);
	fclose(f);
	ck_ours(line);
	ck_ours(realpath("/", NULL));
}
END_TEST

START_TEST(what_is_not_seen_through_is_counted)
{
	uint64_t calls = unseen("unseen_calls"), bytes = unseen("unseen_bytes");

	/* more frames than one walks */
	ck_theirs(layer_deep(100, 200));
	ck_assert_uint_eq(unseen("unseen_calls"), calls + 1);
	ck_assert_uint_eq(unseen("unseen_bytes"), bytes + 100);
#ifdef __x86_64__
	ck_theirs(layer_lost(50));
	ck_theirs(layer_lost(50));
	ck_theirs(layer_back(50, layer_lost));
	ck_assert_uint_eq(unseen("unseen_calls"), calls + 4);
	ck_assert_uint_eq(unseen("unseen_bytes"), bytes + 250);
#endif
}
END_TEST

/* A JIT's code is outside of the list, too. */
#ifdef __x86_64__
START_TEST(called_from_no_library)
{
	static const unsigned char call_rsi[] = { 0x48, 0x83, 0xec, 0x08, 0xff, 0xd6,
						  0x48, 0x83, 0xc4, 0x08, 0xc3 };
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(code != MAP_FAILED);
	memcpy(code, call_rsi, sizeof(call_rsi));
	ck_assert_str_eq(owner_of(((void *(*)(size_t, layer_fn *))(void *)code)(
				 100, layer_plain)), "[no library]");
	munmap(code, 4096);
}
END_TEST
#endif

/* In a scope nobody looks at callers. */
START_TEST(scopes_come_first)
{
	memhook_owner o = fresh_owner("through/scope"), was = memhook_enter(o);
	void *p = layer_plain(100);

	memhook_leave(was);
	ck_assert_str_eq(owner_of(p), "through/scope");
	ck_ours(layer_plain(100));
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c = tcase_create("through");

	(void)argc;
	if (!SEES_THROUGH) {
		puts("direct callers are charged on this processor");
		return 77;
	}
	if (!getenv("MEMHOOK_THROUGH")) { /* it is read at the very first malloc */
		setenv("MEMHOOK_BY", "library", 1);
		setenv("MEMHOOK_THROUGH", "default,layers", 1);
		setenv("MEMHOOK_CHECK_FRAMES", "abort", 1);
		execv("/proc/self/exe", argv);
	}
	tcase_add_test(c, kinds_of_frames);
	tcase_add_test(c, kinds_of_calls);
	tcase_add_test(c, through_libc);
	tcase_add_test(c, what_is_not_seen_through_is_counted);
#ifdef __x86_64__
	tcase_add_test(c, called_from_no_library);
#endif
	tcase_add_test(c, scopes_come_first);
	return run_case(c);
}
