/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every way to get a block of the malloc family, given back in every way
 * there is; and what libc itself allocates for its callers.  One name that
 * were missing here would lead to another heap.  Built with
 * _FORTIFY_SOURCE=3, which asks malloc_usable_size's relatives.
 */
#undef _FORTIFY_SOURCE
#define _FORTIFY_SOURCE 3

#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <unistd.h>
#include <wchar.h>

#include "../common.h"

/*
 * In no header of this libc.  Weak, so that the program links without the
 * hook and is preloaded; main() says when they are missing.
 */
void cfree(void *block) __attribute__((weak));
void free_sized(void *block, size_t size) __attribute__((weak));
void free_aligned_sized(void *block, size_t align, size_t size) __attribute__((weak));
#pragma weak memhook_lalloc
#pragma weak memhook_strdup

#define SIZE 120 /* what every maker asks for */
#define ALIGN 64

static char text[SIZE];

static void *by_malloc(void)
{
	return malloc(SIZE);
}

static void *by_calloc(void)
{
	return calloc(3, SIZE / 3);
}

static void *by_realloc_of_null(void)
{
	return realloc(NULL, SIZE);
}

static void *by_realloc_that_moved(void)
{
	return realloc(malloc(3), SIZE);
}

static void *by_realloc_that_shrank(void)
{
	return realloc(malloc(100000), SIZE);
}

static void *by_reallocarray(void)
{
	return reallocarray(NULL, 2, SIZE / 2);
}

static void *by_aligned_alloc(void)
{
	return aligned_alloc(ALIGN, SIZE);
}

static void *by_memalign(void)
{
	return memalign(ALIGN, SIZE);
}

static void *by_posix_memalign(void)
{
	void *p = NULL;

	return posix_memalign(&p, ALIGN, SIZE) ? NULL : p;
}

static void *by_valloc(void)
{
	return valloc(SIZE);
}

static void *by_strdup(void)
{
	return strdup(text);
}

static void *by_strndup(void)
{
	return strndup(text, SIZE - 1);
}

static void *by_wcsdup(void)
{
	static wchar_t wide[SIZE / sizeof(wchar_t)];

	wmemset(wide, L'w', SIZE / sizeof(wchar_t) - 1);
	return wcsdup(wide);
}

static void *by_lalloc(void)
{
	return memhook_lalloc(NULL, NULL, 4, SIZE);
}

static void *by_memhook_strdup(void)
{
	return memhook_strdup(text);
}

static void *(*const makers[])(void) = {
	by_malloc, by_calloc, by_realloc_of_null, by_realloc_that_moved,
	by_realloc_that_shrank, by_reallocarray, by_aligned_alloc, by_memalign,
	by_posix_memalign, by_valloc, by_strdup, by_strndup, by_wcsdup, by_lalloc,
	by_memhook_strdup,
};

static void to_free(void *p)
{
	free(p);
}

static void to_cfree(void *p)
{
	cfree(p);
}

static void to_free_sized(void *p)
{
	free_sized(p, SIZE);
}

static void to_free_aligned_sized(void *p)
{
	free_aligned_sized(p, ALIGN, SIZE);
}

static void to_realloc_zero(void *p)
{
	ck_assert_ptr_null(realloc(p, opaque(0)));
}

static void to_reallocarray_zero(void *p)
{
	ck_assert_ptr_null(reallocarray(p, opaque(0), 7));
}

static void to_lalloc_zero(void *p)
{
	ck_assert_ptr_null(memhook_lalloc(NULL, p, SIZE, 0));
}

static void to_realloc_then_free(void *p)
{
	free(realloc(p, 9000));
}

static void to_reallocarray_then_free(void *p)
{
	free(reallocarray(p, 10, 1));
}

static void (*const takers[])(void *) = {
	to_free, to_cfree, to_free_sized, to_free_aligned_sized, to_realloc_zero,
	to_reallocarray_zero, to_lalloc_zero, to_realloc_then_free,
	to_reallocarray_then_free,
};

#define MAKERS (sizeof(makers) / sizeof(*makers))
#define TAKERS (sizeof(takers) / sizeof(*takers))

START_TEST(each_freed_by_each)
{
	memhook_owner o = fresh_owner("interchange"), previous;
	void *(*make)(void) = makers[_i];
	size_t t;

	memset(text, 't', SIZE - 1);
	for (t = 0; t < TAKERS; t++) {
		unsigned char *p;

		previous = memhook_enter(o);
		p = make();
		memhook_leave(previous);
		ck_assert_ptr_nonnull(p);
		ck_assert_msg(malloc_usable_size(p) == SIZE, "maker %d: %zu bytes", _i,
			      malloc_usable_size(p));
		ck_holds(o, SIZE, 1);
		memset(p, 0xa5, opaque(SIZE)); /* checked by the fortified memset */
		takers[t](p);
		ck_holds(o, 0, 0);
	}
}
END_TEST

START_TEST(realloc_of_each_keeps_bytes_and_owner)
{
	memhook_owner o = fresh_owner("interchange/realloc"), previous;
	static const size_t to[] = { 1, 16, 119, 121, 5000, 300000 };
	size_t i, k;

	memset(text, 't', SIZE - 1);
	for (i = 0; i < sizeof(to) / sizeof(*to); i++) {
		unsigned char *p;

		previous = memhook_enter(o);
		p = makers[_i]();
		memhook_leave(previous);
		for (k = 0; k < SIZE; k++)
			p[k] = (unsigned char)(k * 7);
		p = realloc(p, to[i]); /* outside of the scope: stays o's */
		ck_assert_ptr_nonnull(p);
		ck_holds(o, to[i], 1);
		for (k = 0; k < SIZE && k < to[i]; k++)
			ck_assert_uint_eq(p[k], (unsigned char)(k * 7));
		free(p);
		ck_holds(o, 0, 0);
	}
}
END_TEST

/* libc allocates and the caller frees: both must be ours, to the byte. */
START_TEST(what_libc_hands_out)
{
	memhook_owner o = fresh_owner("interchange/libc"), previous = memhook_enter(o);
	char *printed = NULL, *line = NULL, *part = NULL, *buf = NULL, *cwd, *real;
	struct dirent **names;
	size_t room = 0, part_room = 0, size = 0;
	wchar_t *wide;
	size_t wide_size;
	FILE *f;
	int n, i;

	ck_assert_int_eq(asprintf(&printed, "%0500d", 7), 500);
	f = fopen("/proc/self/status", "r");
	ck_assert_int_gt(getline(&line, &room, f), 0);
	ck_assert_int_gt(getdelim(&part, &part_room, ':', f), 0);
	fclose(f);
	f = open_memstream(&buf, &size);
	for (i = 0; i < 1000; i++)
		fputs("0123456789", f);
	fclose(f);
	ck_assert_uint_eq(size, 10000);
	f = open_wmemstream(&wide, &wide_size);
	fputws(L"wide", f);
	fclose(f);
	cwd = getcwd(NULL, 0);
	real = realpath("/proc/self/../", NULL);
	ck_assert_str_eq(real, "/proc");
	n = scandir("/proc/self", &names, NULL, alphasort);
	ck_assert_int_gt(n, 10);
	ck_assert_uint_ge(stats_of(o).live_blocks, (uint64_t)n + 8);
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(printed);
	free(line);
	free(part);
	free(buf);
	free(wide);
	free(cwd);
	free(real);
	memhook_leave(previous);
	ck_holds(o, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("interchange");

	if (!cfree || !free_sized || !free_aligned_sized || !memhook_lalloc ||
	    !memhook_strdup) {
		fprintf(stderr, "a name of the hook is missing\n");
		return 1;
	}
	tcase_add_loop_test(c, each_freed_by_each, 0, MAKERS);
	tcase_add_loop_test(c, realloc_of_each_keeps_bytes_and_owner, 0, MAKERS);
	tcase_add_test(c, what_libc_hands_out);
	return run_case(c);
}
