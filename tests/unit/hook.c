/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Units of src/ that live in a hooked process: linked with the archive, so
 * that their hidden functions can be called.  One test or more for each of
 * account, owner, caller, thread, segment, fork, process, inspect, diag,
 * heapinfo, snapshot, block.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"
#include "account.h"
#include "block.h"
#include "diag.h"
#include "heapinfo.h"
#include "inspect.h"
#include "object.h"
#include "owner.h"
#include "process.h"
#include "snapshot.h"

static uint32_t row_of(const char *name)
{
	return mh_owner_row(memhook_owner_create(name));
}

/* account */
START_TEST(sums_less_their_baseline)
{
	uint32_t row = row_of("account/base");
	struct mh_row *mine, *base = &mh_base(mh_area)[row];
	struct mh_sum sum;

	mine = &mh_attach()->rows[row];
	atomic_store(&mine->alloc_bytes, 1000);
	atomic_store(&mine->alloc_calls, 10);
	atomic_store(&mine->free_bytes, 600);
	atomic_store(&mine->free_calls, 6);
	atomic_store(&base->alloc_bytes, 500);
	atomic_store(&base->alloc_calls, 5);
	atomic_store(&base->free_bytes, 500);
	atomic_store(&base->free_calls, 5);
	mh_sum(mh_area, row, &sum);
	ck_assert_uint_eq(sum.alloc_bytes, 500);
	ck_assert_uint_eq(sum.alloc_calls, 5);
	ck_assert_uint_eq(sum.free_bytes, 100);
	ck_assert_uint_eq(sum.free_calls, 1);
}
END_TEST

START_TEST(coarse_sums_stay_near)
{
	memhook_owner o = fresh_owner("account/coarse");
	struct mh_coarse *c = &mh_coarse(mh_area)[mh_owner_row(o)];
	void *block[400];
	int64_t off;
	int i;

	for (i = 0; i < 400; i++) {
		memhook_owner was = memhook_enter(o);

		block[i] = malloc(1000);
		memhook_leave(was);
		off = (i + 1) * 1000 - atomic_load(&c->live_bytes);
		ck_assert(off < 65536 && off > -65536);
	}
	ck_assert_int_ge(atomic_load(&c->peak_bytes), 400000 - 65536);
	while (i--) {
		free(block[i]);
		off = i * 1000 - atomic_load(&c->live_bytes);
		ck_assert(off < 65536 && off > -65536);
	}
}
END_TEST

static void *end_late(void *arg)
{
	mh_shared_alloc(*(uint32_t *)arg, 70000);
	mh_shared_free(*(uint32_t *)arg, 30000);
	return NULL;
}

START_TEST(shard_zero_takes_what_has_no_line)
{
	uint32_t row = row_of("account/shared");
	pthread_t t[4];
	struct mh_sum sum;
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, end_late, &row);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	mh_sum(mh_area, row, &sum);
	ck_assert_uint_eq(sum.alloc_bytes, 280000);
	ck_assert_uint_eq(sum.free_bytes, 120000);
	ck_assert_int_eq(atomic_load(&mh_coarse(mh_area)[row].live_bytes), 160000);
}
END_TEST

/* owner */
START_TEST(owners_are_found_by_name_and_kind)
{
	uint32_t a = mh_owner_find("same", MEMHOOK_KIND_NAMED, 0, 0);
	uint32_t b = mh_owner_find("same", MEMHOOK_KIND_LIBRARY, 7, 0);
	uint32_t c = mh_owner_find("same", MEMHOOK_KIND_LIBRARY, 8, 0);

	ck_assert(a != b && b != c && a != c);
	ck_assert_uint_eq(mh_owner_find("same", MEMHOOK_KIND_NAMED, 0, 0), a);
	ck_assert_uint_eq(mh_owner_find("same", MEMHOOK_KIND_LIBRARY, 8, 0), c);
	ck_assert(mh_owner_current(mh_owner_handle(a)));
	ck_assert(!mh_owner_current(mh_owner_handle(a) + (UINT64_C(1) << 32)));
	ck_assert(!mh_owner_known(MEMHOOK_AUTO));
	ck_assert(!mh_owner_known(mh_area->owners_max));
	mh_owners_index(); /* made anew, it finds the same */
	ck_assert_uint_eq(mh_owner_find("same", MEMHOOK_KIND_NAMED, 0, 0), a);
	/* FNV-1a's published value for "foobar" */
	ck_assert_uint_eq(mh_hash("foobar", MH_HASH_START), UINT64_C(0x85944171f73967e8));
}
END_TEST

/* caller */
static uint64_t caller_owner(struct mh_hot *h, const void *caller)
{
	return mh_caller_owner(h, (struct mh_from){ .caller = caller }, 0, 1);
}

START_TEST(callers_and_their_generation)
{
	struct mh_hot *h = mh_attach();
	const char *libc = (const char *)dlsym(RTLD_DEFAULT, "puts");
	uint64_t first, self, cached;

	mh_through_set("none"); /* nobody called: there is no frame to look at */
	first = caller_owner(h, libc + 1);
	ck_assert_str_eq(mh_owners(mh_area)[first].name, "libc.so.6");
	ck_assert_uint_eq(mh_owners(mh_area)[first].kind, MEMHOOK_KIND_LIBRARY);
	cached = caller_owner(h, libc + 1);
	ck_assert_uint_eq(cached, first);
	self = caller_owner(h, (const char *)(uintptr_t)row_of + 1);
	ck_assert_str_eq(mh_owners(mh_area)[self].name, mh_program);
	mh_caller_unload_begin(); /* nothing is cached now, answers stay right */
	ck_assert_uint_eq(caller_owner(h, libc + 1), first);
	mh_caller_unload_end();
	ck_assert_uint_eq(caller_owner(h, libc + 1), first);
	ck_assert_uint_eq(caller_owner(NULL, libc + 1), first);
	ck_assert_str_eq(mh_owners(mh_area)[caller_owner(h, (void *)64)].name,
			 "[no library]");
}
END_TEST

/* thread */
static pthread_barrier_t barrier;

static void *attached(void *arg)
{
	free(malloc(1));
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

START_TEST(shards_are_taken_and_given_back)
{
	unsigned before = mh_threads_attached();
	pthread_t t[3];
	int i, turn;
	uint32_t used = 0;

	for (turn = 0; turn < 10; turn++) {
		pthread_barrier_init(&barrier, NULL, 4);
		for (i = 0; i < 3; i++)
			pthread_create(&t[i], NULL, attached, NULL);
		pthread_barrier_wait(&barrier);
		ck_assert_uint_eq(mh_threads_attached(), before + 3);
		pthread_barrier_wait(&barrier);
		for (i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
		ck_assert_uint_eq(mh_threads_attached(), before);
		if (turn == 0)
			used = mh_area->shards_used;
	}
	ck_assert_uint_eq(mh_area->shards_used, used); /* recycled */
}
END_TEST

START_TEST(the_hot_line_follows_the_scope)
{
	memhook_owner o = fresh_owner("thread/line"), was = memhook_enter(o);
	struct mh_hot *h = mh_hot;
	int used = mh_threads_use(mh_owner_row(o));
	uint64_t owner = mh_pinned(h);
	int right = h->current == &h->rows[mh_owner_row(o)];

	mh_threads_ask_again();
	right += h->current == NULL;
	free(malloc(1)); /* asks, and finds the scope again */
	right += h->current == &h->rows[mh_owner_row(o)];
	memhook_leave(was);
	ck_assert_int_eq(used, 1);
	ck_assert_uint_eq(owner, mh_owner_row(o));
	ck_assert_int_eq(right, 3);
	ck_assert_int_eq(mh_threads_use(mh_owner_row(o)), 0);
}
END_TEST

/* segment, process */
START_TEST(the_area_of_this_process)
{
	ck_assert(mh_process_ready());
	ck_assert_uint_eq(mh_area->magic, MH_AREA_MAGIC);
	ck_assert_int_eq(mh_area->pid, getpid()); /* a forked test has its own */
	ck_assert_int_eq(mh_area->ppid, getppid());
	ck_assert_str_eq(mh_area->command, mh_program);
	ck_assert(mh_shard_is_open(0));
	ck_assert_int_eq(mh_shard_open(0), 0); /* again does no harm */
	ck_assert_int_eq(mh_shard_open(5), 0);
	ck_assert(mh_shard_is_open(5));
	ck_assert_uint_ge(mh_area->shards_used, 6);
	ck_assert_str_eq(mh_owners(mh_area)[MH_NOBODY].name, "nobody");
	ck_assert_str_eq(mh_owners(mh_area)[MH_OVERFLOW].name, "overflow");
	ck_assert_uint_ne(mh_secret, 0);
}
END_TEST

/* fork */
START_TEST(a_child_has_an_area_of_its_own)
{
	struct mh_area *parents = mh_area;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(mh_area != parents && mh_area->pid == getpid() &&
				      !mh_area->inexact && !mh_hot->rows &&
				      mh_shards_open[0] == 1
			      ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_eq(mh_area, parents);
}
END_TEST

/* inspect */
START_TEST(peeking)
{
	char from[16] = "0123456789abcde", to[16] = "";
	uint64_t w0;

	ck_assert_int_eq(mh_peek(from, to, 16), 0);
	ck_assert_str_eq(to, from);
	errno = 55;
	ck_assert_int_eq(mh_peek((void *)8, to, 16), -1);
	ck_assert_int_eq(errno, 55);
	ck_assert_uint_eq(mh_peek_meta(from, &w0), 0);
}
END_TEST

/* diag */
START_TEST(lines_are_cut_not_overrun)
{
	struct mh_line_out o = { .used = 0 };
	char text[1024] = "";
	int fd[2], i;

	ck_assert_int_eq(pipe(fd), 0);
	o.fd = fd[1];
	mh_put_hex(&o, 0);
	mh_put_hex(&o, UINT64_MAX);
	mh_put_dec(&o, UINT64_MAX);
	for (i = 0; i < 100; i++)
		mh_put(&o, "0123456789");
	mh_put_end(&o);
	ck_assert_int_eq(read(fd[0], text, sizeof(text)), sizeof(o.buf) - 1);
	ck_assert(strncmp(text, "0ffffffffffffffff18446744073709551615", 37) == 0);
	ck_assert_int_eq(text[sizeof(o.buf) - 2], '\n');
	ck_assert_str_eq(mh_call_name(MH_LIVE_MALLOC), "free()");
	ck_assert_str_eq(mh_call_name(MH_LIVE_NEW), "operator delete");
	ck_assert_str_eq(mh_call_name(MH_LIVE_NEW_ARRAY), "operator delete[]");
}
END_TEST

/* heapinfo, backend */
START_TEST(the_backends_numbers)
{
	struct mh_heap a, b;
	void *p = malloc(3000000);

	ck_assert_int_eq(mh_backend_numbers(&a), 0);
	ck_assert_uint_ge(a.allocated, 3000000);
	ck_assert_uint_ge(a.active, a.allocated);
	free(p);
	mh_backend_trim();
	ck_assert_int_eq(mh_backend_numbers(&b), 0);
	ck_assert_uint_le(b.allocated + 3000000, a.allocated);
	atomic_store(&mh_area->published.time_unix_ms, 0);
	mh_heap_publish();
	ck_assert_uint_gt(mh_area->published.time_unix_ms, 1600000000000);
	ck_assert_uint_gt(mh_area->published.rss_bytes, 1000000);
	ck_assert_uint_gt(mh_read_rss(), 1000000);
}
END_TEST

/* block */
START_TEST(sizes_at_every_edge)
{
	static const size_t edges[] = { 0,    1,    15,	  16,	111,  112,  113,
					1007, 1008, 1009, 4079, 4080, 4081, 14336,
					32751, 32752, 32753 };
	memhook_owner o = fresh_owner("block/edges");
	size_t i, total = 0;
	void *p[17], *q[17];

	for (i = 0; i < 17; i++) {
		memhook_owner was = memhook_enter(o);

		p[i] = mh_alloc(edges[i], MH_LIVE_MALLOC, NULL);
		q[i] = mh_calloc(edges[i], MH_LIVE_MALLOC, NULL);
		memhook_leave(was);
		total += 2 * edges[i];
		memset(p[i], 0xee, edges[i]);
		memset(q[i], 0xee, edges[i]);
		ck_holds(o, total, 2 * (i + 1));
	}
	for (i = 0; i < 17; i++) {
		ck_assert_uint_eq(mh_usable_size(p[i], NULL), edges[i]);
		mh_free(p[i], MH_LIVE_MALLOC, MH_ANY_SIZE, NULL);
		mh_free(q[i], MH_LIVE_MALLOC, edges[i], NULL);
	}
	ck_holds(o, 0, 0);
	ck_assert_ptr_null(mh_alloc(MH_SIZE_MAX + 1, MH_LIVE_MALLOC, NULL));
}
END_TEST

/* snapshot */
START_TEST(totals_are_the_owners)
{
	struct memhook_stats total, s;
	uint64_t bytes = 0;
	uint32_t row;

	for (row = 0; row < mh_area->owners_used; row++) {
		mh_owner_stats(mh_area, row, &s);
		bytes += s.live_bytes;
	}
	mh_total_stats(mh_area, &total);
	ck_assert_uint_eq(total.live_bytes, bytes);
	ck_assert_uint_eq(total.owner, MEMHOOK_AUTO);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("hook");

	tcase_add_test(c, sums_less_their_baseline);
	tcase_add_test(c, coarse_sums_stay_near);
	tcase_add_test(c, shard_zero_takes_what_has_no_line);
	tcase_add_test(c, owners_are_found_by_name_and_kind);
	tcase_add_test(c, callers_and_their_generation);
	tcase_add_test(c, shards_are_taken_and_given_back);
	tcase_add_test(c, the_hot_line_follows_the_scope);
	tcase_add_test(c, the_area_of_this_process);
	tcase_add_test(c, a_child_has_an_area_of_its_own);
	tcase_add_test(c, peeking);
	tcase_add_test(c, lines_are_cut_not_overrun);
	tcase_add_test(c, the_backends_numbers);
	tcase_add_test(c, sizes_at_every_edge);
	tcase_add_test(c, totals_are_the_owners);
	return run_case(c);
}
