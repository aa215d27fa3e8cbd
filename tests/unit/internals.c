/* SPDX-License-Identifier: BSD-2-Clause */
/* Units of src/, linked from the archive: cookie, cache, layout, report, watch, peek. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"
#include "cache.h"
#include "cookie.h"
#include "inspect.h"
#include "owner.h"
#include "process.h"
#include "report.h"
#include "segment-file.h"
#include "stats.h"
#include "thread.h"
#include "zero.h"

START_TEST(cookie_round_trip)
{
	static _Alignas(16) char memory[64];
	static const size_t sizes[] = { 0, 1, 4096, (size_t)(UINT64_C(1) << 32), MH_SIZE_MAX };
	char *block = memory + 16;
	unsigned kind, align, i;

	for (kind = 0; kind < 3; kind++)
		for (align = 0; align < 48; align++)
			for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
				uint64_t meta = MH_META(kind, MH_LIVE, align);
				uint64_t w0 = mh_cookie_w0(sizes[i], 65535 - i);

				uint64_t key = mh_cookie_key(meta, 0x1234567890abcdef);

				mh_cookie_write(block, w0, key);
				ck_assert(mh_cookie_is(mh_cookie(block), block, key));
				ck_assert_uint_eq(mh_cookie_meta(mh_cookie(block), block,
								 0x1234567890abcdef), meta);
				ck_assert_uint_eq(mh_cookie_size(w0), sizes[i]);
				ck_assert_uint_eq(mh_cookie_owner(w0), 65535 - i);
				mh_cookie_flip(block);
				ck_assert(!mh_cookie_is(mh_cookie(block), block, key));
				ck_assert_uint_eq(MH_META_STATE(mh_cookie_meta(
							  mh_cookie(block), block,
							  0x1234567890abcdef)), MH_FREED);
			}
}
END_TEST

/* Each of the 128 bits, another address, another secret: all are noticed. */
START_TEST(cookie_notices_every_bit)
{
	static const size_t sizes[] = { 0, 100, MH_CACHED_MAX, MH_CACHED_MAX + 1, 1 << 30 };
	static _Alignas(16) char memory[64];
	char *block = memory + 16;
	struct mh_cookie good, bad;
	uint64_t key = mh_cookie_key(MH_LIVE_MALLOC, 99);
	size_t size = sizes[_i];
	int bit;

	mh_cookie_write(block, mh_cookie_w0(size, 7), key);
	ck_assert_int_eq(mh_cookie_is_small(mh_cookie(block), block, key),
			 size <= MH_CACHED_MAX);
	good = *mh_cookie(block);
	for (bit = 0; bit < 128; bit++) {
		bad = good;
		*(bit < 64 ? &bad.w0 : &bad.w1) ^= UINT64_C(1) << bit % 64;
		ck_assert_uint_eq(mh_cookie_meta(&bad, block, 99), 0);
		ck_assert(!mh_cookie_is_small(&bad, block, key));
	}
	ck_assert_uint_eq(mh_cookie_meta(&good, block + 16, 99), 0);
	ck_assert_uint_eq(mh_cookie_meta(&good, block, 98), 0);
	for (bit = 0; bit < 256; bit++) { /* both words alike: an overflow's pattern */
		memset(&bad, bit, sizeof(bad));
		ck_assert_uint_eq(mh_cookie_meta(&bad, block, 99), 0);
	}
}
END_TEST

/* A cached block is as large as any request that its bin may serve. */
START_TEST(cache_bins_follow_the_backend)
{
	static const size_t held[] = { 16,   32,   48,	 64,   80,   96,   112,	 128,
				       160,  192,  224,	 256,  320,  384,  448,	 512,
				       640,  768,  896,	 1024, 1280, 1536, 1792, 2048,
				       2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192,
				       10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768 };
	static struct mh_cache cache;
	size_t size;
	int bin = 0;

	mh_cache_init(&cache, 1, MH_CACHE_ROOM);
	for (size = 0; size <= MH_CACHED_MAX; size++) {
		if (size + 16 > held[bin])
			bin++;
		ck_assert_ptr_eq(mh_bin(&cache, size), cache.bins + MH_BIN_AT(bin));
		ck_assert_uint_eq(mh_bin(&cache, size)->weight >> 32, held[bin]);
	}
	ck_assert_int_eq(bin, MH_BINS - 1);
}
END_TEST

START_TEST(bin_is_a_bounded_stack)
{
	static struct mh_cache cache;
	static const size_t sizes[] = { 10, 1000, 2000, MH_CACHED_MAX };
	static const unsigned slots[] = { MH_SLOTS_256 - 1, MH_SLOTS_1K - 1, MH_SLOTS_4K - 1,
				     MH_KEPT_32K };
	char blocks[400];
	unsigned i;

	mh_cache_init(&cache, 1, MH_CACHE_ROOM);
	ck_assert(!mh_bin_push(mh_bin(&cache, 0), blocks)); /* zero.h */
	ck_assert_ptr_null(mh_bin_pop(mh_bin(&cache, 0)));
	for (i = 0; i < 4; i++) {
		struct mh_bin *bin = mh_bin(&cache, sizes[i]);
		unsigned pushed = 0;

		ck_assert_ptr_null(mh_bin_pop(bin));
		while (pushed < 400 && mh_bin_push(bin, blocks + pushed))
			pushed++;
		ck_assert_uint_eq(pushed, slots[i]);
		while (pushed--)
			ck_assert_ptr_eq(mh_bin_pop(bin), blocks + pushed);
		ck_assert_ptr_null(mh_bin_pop(bin));
		ck_assert_ptr_null(mh_bin_pop(bin));
	}
}
END_TEST

/* The older half goes, and of a single block the whole. */
START_TEST(cache_is_halved)
{
	static struct mh_cache cache;
	struct mh_bin *small, *one;
	void *blocks[5];
	int i;

	mh_cache_init(&cache, 1, MH_CACHE_ROOM);
	small = mh_bin(&cache, 100);
	one = mh_bin(&cache, 20000);
	for (i = 0; i < 5; i++) {
		blocks[i] = (char *)mh_backend_malloc(112 + 16) + 16;
		ck_assert(mh_bin_push(small, blocks[i]));
	}
	ck_assert(mh_bin_push(one, (char *)mh_backend_malloc(20480) + 16));
	ck_assert_uint_eq(mh_cache_halve(&cache, MH_CACHE_ROOM) >> 32, 3 * 128 + 20480);
	ck_assert_ptr_null(mh_bin_pop(one));
	ck_assert(mh_bin_push(one, (char *)mh_backend_malloc(20480) + 16));
	ck_assert_uint_eq(mh_cache_halve(&cache, 32768) >> 32, 20480); /* that is enough */
	ck_assert_ptr_eq(mh_bin_pop(small), blocks[4]);
	ck_assert(mh_bin_push(small, blocks[4]));
	ck_assert_uint_eq(mh_cache_flush(&cache) >> 32, 2 * 128);
	ck_assert_ptr_null(mh_bin_pop(small));
}
END_TEST

/* Two sums in one word: neither disturbs the other. */
START_TEST(tally_keeps_two_sums)
{
	uint64_t tally = mh_tally_start(MH_CACHE_ROOM);
	int64_t net = 0;
	unsigned i;

	ck_assert_uint_eq(tally & MH_TALLY_LOOK, 0);
	for (i = 0; i < 100; i++) { /* frees of 100 bytes that the cache takes */
		tally += (UINT64_C(128) << 32) - 100;
		net -= 100;
		ck_assert_int_eq(mh_tally_net(tally), net);
		ck_assert_uint_eq(mh_tally_cached(tally, MH_CACHE_ROOM), 128 * (i + 1));
		ck_assert_uint_eq(tally & MH_TALLY_LOOK, 0);
	}
	ck_assert_uint_ne((tally - (1 << 14)) & MH_TALLY_LOOK, 0);
	ck_assert_uint_ne((tally + 10000 + (1 << 14)) & MH_TALLY_LOOK, 0);
	ck_assert_uint_eq((tally + 9999 + (1 << 14)) & MH_TALLY_LOOK, 0);
	tally += (uint64_t)(MH_CACHE_ROOM - 12800) << 32;
	ck_assert_uint_eq(mh_tally_cached(tally, MH_CACHE_ROOM), MH_CACHE_ROOM);
	ck_assert_uint_eq((tally + 10000) & MH_TALLY_FULL, 0);
	ck_assert_uint_ne((tally + 10000 + (UINT64_C(16) << 32)) & MH_TALLY_FULL, 0);
}
END_TEST

START_TEST(layout_does_not_overlap)
{
	struct mh_area a = { 0 };

	mh_area_layout(&a, 1024, 8);
	ck_assert_uint_ge(a.owners_offset, sizeof(a));
	ck_assert_uint_ge(a.coarse_offset, a.owners_offset + 1024 * sizeof(struct mh_owner));
	ck_assert_uint_ge(a.base_offset, a.coarse_offset + 1024 * sizeof(struct mh_coarse));
	ck_assert_uint_ge(a.shards_offset, a.base_offset + 1024 * sizeof(struct mh_row));
	ck_assert_uint_ge(a.shard_stride, 1024 * (sizeof(struct mh_row) + 8));
	ck_assert_uint_eq(a.area_size, a.shards_offset + 8 * a.shard_stride);
	ck_assert_uint_le(a.area_size, mh_area_stride());
}
END_TEST

START_TEST(derived_numbers)
{
	struct mh_owner o = { .state = MEMHOOK_STATE_ACTIVE, .name = "x" };
	struct mh_sum less = { .alloc_bytes = 5, .free_bytes = 9, .alloc_calls = 1,
			       .free_calls = 2 };
	struct mh_sum more = { .alloc_bytes = 9, .free_bytes = 5, .alloc_calls = 2,
			       .free_calls = 1 };
	struct memhook_stats s;

	mh_derive(&s, &less, &o, 3, -100);
	ck_assert_uint_eq(s.live_bytes, 0); /* never negative */
	ck_assert_uint_eq(s.live_blocks, 0);
	ck_assert_uint_eq(s.peak_bytes, 0);
	mh_derive(&s, &more, &o, 3, 2);
	ck_assert_uint_eq(s.live_bytes, 4);
	ck_assert_uint_eq(s.peak_bytes, 4); /* never below live */
	ck_assert(mh_worth_showing(&s));
	memset(&s, 0, sizeof(s));
	s.owner = 3;
	s.state = MEMHOOK_STATE_RETIRED;
	ck_assert(!mh_worth_showing(&s));
}
END_TEST

START_TEST(report_sorts_any_number)
{
	static struct memhook_stats owners[1000];
	struct mh_snapshot s = { .owners = owners };
	unsigned r = 1, i;
	size_t n;

	for (n = 0; n <= 1000; n = n * 2 + 1) {
		for (i = 0; i < n; i++) {
			r = r * 1103515245 + 12345;
			owners[i].live_bytes = (r >> 8) % 50;
			owners[i].owner = i;
		}
		s.owner_count = n;
		mh_report_sort(&s);
		for (i = 1; i < n; i++)
			ck_assert(owners[i - 1].live_bytes > owners[i].live_bytes ||
				  (owners[i - 1].live_bytes == owners[i].live_bytes &&
				   owners[i - 1].owner < owners[i].owner));
	}
}
END_TEST

START_TEST(segment_file_is_sparse_and_limited)
{
	struct mh_run run;
	int fd = mh_segment_file(1);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &run, sizeof(run), 0), sizeof(run));
	ck_assert_uint_eq(run.magic, MH_RUN_MAGIC);
	ck_assert_uint_eq(run.by_run, 1);
	ck_assert_uint_ge((uint64_t)lseek(fd, 0, SEEK_END),
			  run.areas_offset + run.areas_max * run.areas_stride);
	close(fd);
}
END_TEST

static void unmoved(void *block, size_t n, memhook_owner o, const void *caller, void *arg)
{
	(void)block, (void)n, (void)o, (void)caller, (void)arg;
}

static void no_limit_yet(memhook_owner o, uint64_t live, void *arg)
{
	(void)o, (void)live, (void)arg;
}

/* watch: aside while there is something to see, and back on the hot path */
START_TEST(the_hot_path_is_left_and_found_again)
{
	const struct memhook_observer o = { sizeof(o), unmoved, unmoved, NULL };
	memhook_owner limited = fresh_owner("watch/limited"), was;
	struct mh_hot *h = mh_attach();

	free(malloc(1));
	ck_assert(h->current && mh_frees_are_open(h));
	ck_assert_int_eq(memhook_observe(&o), 0);
	free(malloc(1));
	ck_assert(!h->current && !mh_frees_are_open(h));
	ck_assert_int_eq(memhook_unobserve(&o), 0);
	free(malloc(1));
	ck_assert(h->current && mh_frees_are_open(h));
	ck_assert_int_eq(memhook_limit(limited, 1 << 20, 0, no_limit_yet, NULL), 0);
	free(malloc(1));
	ck_assert_ptr_nonnull(h->current);
	was = memhook_enter(limited);
	free(malloc(1));
	ck_assert(!h->current && mh_frees_are_open(h)); /* frees stay */
	ck_assert_int_eq(memhook_limit(limited, 0, 0, NULL, NULL), 0);
	free(malloc(1));
	ck_assert_ptr_eq(h->current, &h->rows[mh_owner_row(limited)]);
	memhook_leave(was);
}
END_TEST

/* As sandboxes do; where there are no filters, an emulator may refuse it anyway. */
static void refuse(unsigned call, unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* 0 when what can be read is, what cannot is not, and nothing stays behind. */
static int looks(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), seen[16] = "";
	int next = dup(0), left;

	close(next);
	memcpy(p + page - 16, "fifteen letters", 16);
	mprotect(p + page, page, PROT_NONE);
	munmap(p + 2 * page, page);
	errno = E2BIG;
	if (mh_peek(p + page - 16, seen, 16) || strcmp(seen, "fifteen letters"))
		return 1;
	if (!mh_peek(p + page, seen, 16) || !mh_peek(p + 2 * page, seen, 16) ||
	    !mh_peek(p + page - 8, seen, 16))
		return 2;
	if (errno != E2BIG)
		return 3;
	left = dup(0);
	close(left);
	return left != next ? 4 : 0;
}

/* process_vm_readv as it is; refused, without /proc and descriptors. */
START_TEST(any_pointer_can_be_looked_at)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (_i) {
			refuse(SYS_openat, ENOENT);
			refuse(SYS_pipe2, EMFILE);
			refuse(SYS_process_vm_readv, _i == 1 ? EPERM : ENOSYS);
		}
		_exit(looks());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "status %x", status);
}
END_TEST

/*
 * A block of no bytes may be made at the end of the backend's pages.  Were that
 * the first of the pages without access, it would be taken for theirs.
 */
START_TEST(a_page_lies_in_front_of_those_of_no_bytes)
{
	char *front, *p, byte[16];

	free(malloc(opaque(0)));
	ck_assert_uint_gt(atomic_load(&mh_zero_base), 1);
	front = (char *)atomic_load(&mh_zero_base) - MH_ZERO_SLOT;
	/* mapped, so that nobody else's can come to lie there, and out of reach */
	p = mmap(front, MH_ZERO_SLOT, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ck_assert(p != front);
	ck_assert_int_eq(mh_peek(front + MH_ZERO_SLOT - 16, byte, 16), -1);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("internals");

	tcase_add_test(c, cookie_round_trip);
	tcase_add_loop_test(c, cookie_notices_every_bit, 0, 5);
	tcase_add_test(c, cache_bins_follow_the_backend);
	tcase_add_test(c, bin_is_a_bounded_stack);
	tcase_add_test(c, cache_is_halved);
	tcase_add_test(c, tally_keeps_two_sums);
	tcase_add_test(c, layout_does_not_overlap);
	tcase_add_test(c, derived_numbers);
	tcase_add_test(c, report_sorts_any_number);
	tcase_add_test(c, segment_file_is_sparse_and_limited);
	tcase_add_test(c, the_hot_path_is_left_and_found_again);
	tcase_add_loop_test(c, any_pointer_can_be_looked_at, 0, 3);
	tcase_add_test(c, a_page_lies_in_front_of_those_of_no_bytes);
	return run_case(c);
}
