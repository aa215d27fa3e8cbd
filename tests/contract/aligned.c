/* SPDX-License-Identifier: BSD-2-Clause */
/* aligned_alloc, memalign, posix_memalign, valloc, pvalloc. */
#include <malloc.h>
#include <unistd.h>

#include "../common.h"

START_TEST(all_alignments)
{
	memhook_owner o = fresh_owner("aligned"), previous = memhook_enter(o);
	size_t align, size;

	for (align = 8; align <= (size_t)1 << 20; align *= 2)
		for (size = 0; size <= 70000; size = size * 3 + 1) {
			void *p = NULL, *a, *m;

			ck_assert_int_eq(posix_memalign(&p, align, size), 0);
			a = aligned_alloc(align, size);
			m = memalign(align, size);
			ck_assert_uint_eq((uintptr_t)p % align, 0);
			ck_assert_uint_eq((uintptr_t)a % align, 0);
			ck_assert_uint_eq((uintptr_t)m % align, 0);
			ck_assert_uint_eq(malloc_usable_size(p), size);
			memset(p, 1, size);
			memset(a, 2, size);
			memset(m, 3, size);
			ck_holds(o, 3 * size, 3);
			free(a);
			free(p);
			free(m);
			ck_holds(o, 0, 0);
		}
	memhook_leave(previous);
}
END_TEST

START_TEST(a_gigabyte)
{
	char *p = aligned_alloc((size_t)1 << 30, 100);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % ((size_t)1 << 30), 0);
	memset(p, 1, 100);
	free(p);
}
END_TEST

START_TEST(bad_alignments)
{
	static const size_t bad[] = { 0, 1, 2, 3, 4, 7, 12, 24, 48, 100, SIZE_MAX };
	void *untouched = &untouched, *p = untouched;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (bad[i] == sizeof(void *))
			continue; /* good enough where pointers have 4 bytes */
		errno = 77;
		ck_assert_int_eq(posix_memalign(&p, bad[i], 100), EINVAL);
		ck_assert_ptr_eq(p, untouched);
		ck_assert_int_eq(errno, 77);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (bad[i] && (bad[i] & (bad[i] - 1)) == 0)
			continue; /* 1, 2 and 4 are powers of two */
		errno = 0;
		ck_assert_ptr_null(aligned_alloc(opaque(bad[i]), 100));
		ck_assert_int_eq(errno, EINVAL);
	}
	errno = 0;
	ck_assert_ptr_null(memalign(opaque(SIZE_MAX), 100));
	ck_assert_int_eq(errno, EINVAL);
	p = memalign(opaque(24), 100); /* glibc takes the next power of two */
	ck_assert_uint_eq((uintptr_t)p % 32, 0);
	free(p);
	p = memalign(opaque(0), 100);
	ck_assert_ptr_nonnull(p);
	free(p);
}
END_TEST

START_TEST(too_much)
{
	memhook_owner o = fresh_owner("aligned-too-much"), previous = memhook_enter(o);
	void *untouched = &untouched, *p = untouched;
	int rc[2], error, refused = 0;

	errno = 77;
	rc[0] = posix_memalign(&p, 4096, opaque(SIZE_MAX - 4096));
	rc[1] = posix_memalign(&p, SIZE_MAX / 2 + 1, opaque(64));
	error = errno;
#define REFUSED(call) (errno = 0, refused += !(call) && errno == ENOMEM)
	REFUSED(aligned_alloc(64, opaque(SIZE_MAX - 63)));
	REFUSED(aligned_alloc(SIZE_MAX / 2 + 1, opaque(SIZE_MAX / 2 + 1)));
	REFUSED(memalign(64, opaque(SIZE_MAX - 8)));
	REFUSED(pvalloc(opaque(SIZE_MAX)));
	REFUSED(valloc(opaque(SIZE_MAX - 100)));
	memhook_leave(previous);
	ck_assert_int_eq(rc[0], ENOMEM);
	ck_assert_int_eq(rc[1], ENOMEM);
	ck_assert_int_eq(error, 77);
	ck_assert_ptr_eq(p, untouched);
	ck_assert_int_eq(refused, 5);
	ck_holds(o, 0, 0);
	ck_assert_uint_eq(stats_of(o).alloc_calls, 0);
}
END_TEST

START_TEST(pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *v = valloc(100), *w = pvalloc(100);

	ck_assert_uint_eq((uintptr_t)v % page, 0);
	ck_assert_uint_eq((uintptr_t)w % page, 0);
	ck_assert_uint_eq(malloc_usable_size(v), 100);
	ck_assert_uint_eq(malloc_usable_size(w), page);
	free(v);
	free(w);
}
END_TEST

START_TEST(realloc_of_an_aligned_block)
{
	memhook_owner o = fresh_owner("realloc-aligned"), previous = memhook_enter(o);
	char *p = aligned_alloc(4096, 8192), *q;

	memset(p, 'x', 8192);
	memhook_leave(previous);
	q = realloc(p, 100);
	ck_holds(o, 100, 1);
	ck_assert(q[0] == 'x' && q[99] == 'x');
	q = realloc(q, 100000);
	ck_assert(q[0] == 'x' && q[99] == 'x');
	ck_holds(o, 100000, 1);
	free(q);
	ck_holds(o, 0, 0);
}
END_TEST

#define TURNS 64
#define SIZES 40

struct turn {
	unsigned char *p;
	size_t size;
};

static void put(struct turn *t, unsigned char *p, size_t size)
{
	t->p = p;
	t->size = size;
	memset(p, (int)(size % 251), size);
}

static void take_back(struct turn *t)
{
	size_t i = 0;

	while (i < t->size && t->p[i] == t->size % 251)
		i++;
	ck_assert_uint_eq(i, t->size);
	free(t->p);
	t->p = NULL;
}

/* Both come out of the same ready blocks, where the class allows it. */
START_TEST(blocks_with_and_without_alignment_take_turns)
{
	memhook_owner o = fresh_owner("aligned-turns"), previous = memhook_enter(o);
	struct turn turns[TURNS] = { { NULL, 0 } };
	size_t align, n, round;

	for (round = 0; round < 20; round++)
		for (align = 32; align <= 4096; align *= 2)
			for (n = 0; n < SIZES; n++) {
				struct turn *t = &turns[(n * 7 + round * 13) % TURNS];
				size_t size = 1 + (n * n * 11 + round * 17) % 14000;
				int plain = (n + round) % 2;
				void *p = plain ? malloc(size + align) : memalign(align, size);

				ck_assert(plain || (uintptr_t)p % align == 0);
				if (t->p)
					take_back(t);
				put(t, p, plain ? size + align : size);
			}
	for (n = 0; n < TURNS; n++)
		if (turns[n].p)
			take_back(&turns[n]);
	ck_holds(o, 0, 0);
	memhook_leave(previous);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("aligned");

	tcase_add_test(c, all_alignments);
	tcase_add_test(c, a_gigabyte);
	tcase_add_test(c, bad_alignments);
	tcase_add_test(c, too_much);
	tcase_add_test(c, pages);
	tcase_add_test(c, realloc_of_an_aligned_block);
	tcase_add_test(c, blocks_with_and_without_alignment_take_turns);
	return run_case(c);
}
