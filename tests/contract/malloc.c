/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc, calloc, realloc, reallocarray, free, sizes and the rest of section 13. */
#include <dlfcn.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wchar.h>

#include "../common.h"

void free_sized(void *, size_t) __attribute__((weak));
void free_aligned_sized(void *, size_t, size_t) __attribute__((weak));
void cfree(void *) __attribute__((weak));

/* Check allocates: inside the scope it is only counted what was refused. */
#define REFUSED(call) (errno = 0, refused += !(call) && errno == ENOMEM)

static int all_zero(const unsigned char *p, size_t n)
{
	while (n--)
		if (*p++)
			return 0;
	return 1;
}

/* 1, 2, 3 ...: one assert for a block, Check's take a microsecond each. */
static int counts_up(const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != (unsigned char)(i + 1))
			return 0;
	return 1;
}

START_TEST(every_size_is_aligned_and_usable)
{
	size_t n;

	for (n = 0; n <= 5000; n++) {
		unsigned char *p = malloc(n), *q = calloc(1, n);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		ck_assert_uint_eq((uintptr_t)q % 16, 0);
		ck_assert_uint_eq(malloc_usable_size(p), n);
		ck_assert(all_zero(q, n));
		memset(p, 0xa5, n);
		memset(q, 0x5a, n);
		free(p);
		free(q);
	}
}
END_TEST

START_TEST(calloc_odd_shapes)
{
	static const size_t shapes[][2] = { { 1, 100 }, { 10, 17 }, { 3, 5 }, { 0, 7 },
					    { 7, 0 },	{ 0, 0 },   { 1, 1 << 20 },
					    { 1 << 20, 1 }, { 4097, 3 } };
	size_t i, n;

	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		/* dirty memory first, so that zeros are calloc's doing */
		n = shapes[i][0] * shapes[i][1];
		void *dirty = malloc(n);
		unsigned char *p;

		memset(dirty, 0xff, n);
		free(dirty);
		p = calloc(opaque(shapes[i][0]), shapes[i][1]);
		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		ck_assert_uint_eq(malloc_usable_size(p), n);
		ck_assert(all_zero(p, n));
		free(p);
	}
}
END_TEST

/* More than a cookie can tell, or, with 4-byte pointers, than there is. */
#define BEYOND (SIZE_MAX > 0xffffffff ? (size_t)(UINT64_C(1) << 46) : (size_t)PTRDIFF_MAX)

START_TEST(too_much_is_refused_and_not_counted)
{
	memhook_owner o = fresh_owner("too-much"), previous;
	int refused = 0;
	char *p;

	previous = memhook_enter(o);
	p = malloc(100);
	REFUSED(malloc(opaque(SIZE_MAX)));
	REFUSED(malloc(opaque(SIZE_MAX - 8)));
	REFUSED(malloc(opaque(SIZE_MAX - 16)));
	REFUSED(malloc(opaque((size_t)PTRDIFF_MAX)));
	REFUSED(malloc(opaque((size_t)PTRDIFF_MAX + 1)));
	REFUSED(calloc(opaque(SIZE_MAX / 2 + 2), 2));
	REFUSED(calloc(opaque(SIZE_MAX), 1));
	REFUSED(calloc(1, opaque(SIZE_MAX)));
	REFUSED(calloc(opaque(SIZE_MAX), opaque(SIZE_MAX)));
	REFUSED(reallocarray(NULL, opaque(SIZE_MAX / 2 + 2), 2));
	REFUSED(realloc(NULL, opaque(SIZE_MAX - 8)));
	strcpy(p, "kept");
	REFUSED(realloc(p, opaque(SIZE_MAX - 8)));
	REFUSED(realloc(p, opaque(BEYOND)));
	REFUSED(reallocarray(p, opaque(SIZE_MAX / 2 + 2), 2));
	memhook_leave(previous);
	ck_assert_int_eq(refused, 14);
	ck_assert_str_eq(p, "kept");
	ck_holds(o, 100, 1);
	ck_assert_uint_eq(stats_of(o).alloc_calls, 1);
	free(p);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(zero_sizes)
{
	void *p = malloc(opaque(0)), *q = malloc(opaque(0));

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_ne(p, q);
	ck_assert_uint_eq(malloc_usable_size(p), 0);
	free(q);
	p = realloc(p, 10);
	ck_assert_ptr_nonnull(p);
	errno = 7;
	ck_assert_ptr_null(realloc(p, opaque(0))); /* freed, as in glibc */
	ck_assert_int_eq(errno, 7);
	p = realloc(NULL, opaque(0));
	ck_assert_ptr_nonnull(p);
	free(p);
	free(NULL);
	ck_assert_uint_eq(malloc_usable_size(NULL), 0);
}
END_TEST

START_TEST(realloc_keeps_contents_and_owner)
{
	memhook_owner o = fresh_owner("realloc"), other = fresh_owner("realloc/other");
	memhook_owner previous = memhook_enter(o);
	unsigned char *p = malloc(1);
	size_t had = 1, n, i;

	p[0] = 1;
	memhook_enter(other);
	for (n = 2; n < 3000000; n = n * 3 / 2 + 1) {
		p = realloc(p, n);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		ck_assert(counts_up(p, had));
		for (i = 0; i < n; i++)
			p[i] = (unsigned char)(i + 1);
		had = n;
		ck_holds(o, n, 1);
	}
	for (n = had; n > 0; n /= 2) {
		p = realloc(p, n);
		ck_assert(counts_up(p, n));
		ck_holds(o, n, 1);
	}
	ck_holds(other, 0, 0);
	memhook_leave(previous);
	free(p);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(free_preserves_errno)
{
	static const size_t sizes[] = { 1, 100, 5000, 70000, 5000000, 100000000 };
	size_t i;
	int turn;

	for (turn = 0; turn < 200; turn++)
		for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			void *p = malloc(sizes[i]);

			errno = 1234;
			free(p);
			ck_assert_int_eq(errno, 1234);
		}
	free(NULL);
	ck_assert_int_eq(errno, 1234);
}
END_TEST

START_TEST(other_ways_to_free)
{
	memhook_owner o = fresh_owner("ways"), previous = memhook_enter(o);
	void *a = malloc(40), *b = aligned_alloc(64, 128), *c = malloc(9);

	memhook_leave(previous);
	ck_holds(o, 177, 3);
	ck_assert(free_sized && free_aligned_sized && cfree);
	free_sized(a, 40);
	free_aligned_sized(b, 64, 128);
	cfree(c);
	free_sized(NULL, 0);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(copies_are_the_callers)
{
	memhook_owner o = fresh_owner("copies"), previous = memhook_enter(o);
	char *a = strdup("0123456789"), *b = strndup("0123456789", 4);
	wchar_t *w = wcsdup(L"abc");
	char *line = NULL, *text;
	size_t room = 0;
	FILE *f;

	ck_assert_str_eq(a, "0123456789");
	ck_assert_str_eq(b, "0123");
	ck_assert_int_eq(wcscmp(w, L"abc"), 0);
	ck_holds(o, 11 + 5 + 4 * sizeof(wchar_t), 3);
	ck_assert_int_gt(asprintf(&text, "%d", 12345), 0);
	f = fopen("/proc/self/stat", "r");
	ck_assert_int_gt(getline(&line, &room, f), 0);
	fclose(f);
	ck_assert_str_eq(text, "12345");
	free(line);
	free(text);
	free(a);
	free(b);
	free(w);
	memhook_leave(previous);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(the_heap_answers)
{
	void *p = malloc(1000000), *volatile keep = p;
	struct mallinfo2 wide = mallinfo2();
	struct mallinfo old = mallinfo();
	char text[4096] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	ck_assert_uint_ge(wide.uordblks, 1000000);
	ck_assert_uint_ge(wide.arena, wide.uordblks);
	ck_assert_int_ge(old.uordblks, 1000000);
	ck_assert_int_eq(malloc_info(0, f), 0);
	ck_assert_int_eq(malloc_info(1, f), EINVAL);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "<malloc version="));
	ck_assert_ptr_nonnull(strstr(text, "</malloc>"));
	free(keep);
	ck_assert_int_eq(malloc_trim(0), 1);
	ck_assert_int_eq(mallopt(M_MMAP_THRESHOLD, 1 << 20), 0);
	ck_assert_uint_lt(mallinfo2().uordblks, wide.uordblks);
}
END_TEST

/*
 * How often the library looks at what may not be readable.  volatile: a compiler
 * knows that free writes no variable of ours.
 */
static volatile unsigned looks;

__attribute__((visibility("default")))
ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long locals,
			 const struct iovec *remote, unsigned long remotes,
			 unsigned long flags)
{
	looks++;
	return syscall(SYS_process_vm_readv, pid, local, locals, remote, remotes, flags);
}

/* Blocks at the start of a page take another way through free: a cheap one. */
START_TEST(blocks_at_page_starts)
{
	memhook_owner o = fresh_owner("pages"), previous = memhook_enter(o);
	enum { COUNT = 200000 };
	static _Alignas(16) void *block[COUNT]; /* odder pointers are no blocks at all */
	struct memhook_block b = { .size = sizeof(b) };
	int at_start = 0, i;

	for (i = 0; i < COUNT; i++) {
		block[i] = malloc(32); /* classes of 48 bytes */
		at_start += ((uintptr_t)block[i] & 4095) == 0;
	}
	ck_assert_int_gt(at_start, 0);
	memhook_leave(previous);
	looks = 0;
	for (i = 0; i < COUNT; i++)
		free(block[i]);
	ck_assert_uint_eq(looks, 0);
	ck_holds(o, 0, 0);
	memhook_inspect(block, &b);
	ck_assert_uint_gt(looks, 0); /* they would have been seen */
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("malloc");

	tcase_add_test(c, every_size_is_aligned_and_usable);
	tcase_add_test(c, calloc_odd_shapes);
	tcase_add_test(c, too_much_is_refused_and_not_counted);
	tcase_add_test(c, zero_sizes);
	tcase_add_test(c, realloc_keeps_contents_and_owner);
	tcase_add_test(c, free_preserves_errno);
	tcase_add_test(c, other_ways_to_free);
	tcase_add_test(c, copies_are_the_callers);
	tcase_add_test(c, the_heap_answers);
	tcase_add_test(c, blocks_at_page_starts);
	return run_case(c);
}
