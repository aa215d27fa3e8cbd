/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What 100,000 threads leave behind: what 1,000 do.  Each allocates, frees
 * what another one left, and ends with something in its cache; no more than
 * eight live at once.  Counted, not timed; linked with the archive, to look
 * at the shards.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../abilities.h"
#include "../common.h"
#include "process.h"
#include "thread.h"

#define AT_ONCE 8
#define ROOM_KIB 512 /* stacks that libc keeps, pages that the backend does */

static _Atomic(void *) left[AT_ONCE];

/* All of the first thousand's are there at once: as many shards as ever. */
static pthread_barrier_t together;
static _Atomic int wait_for_all;

static void *short_life(void *arg)
{
	_Atomic(void *) *mine = arg;
	void *block[20];
	int i;

	for (i = 0; i < 20; i++)
		block[i] = memset(malloc(opaque((size_t)i * 50 + 1)), 1, 1);
	if (atomic_load(&wait_for_all))
		pthread_barrier_wait(&together);
	free(atomic_exchange(mine, block[0]));
	for (i = 1; i < 20; i++)
		free(block[i]);
	return NULL;
}

/* What is mapped and resident is ours alone, and not an emulator's, too. */
static int memory_is_ours;

static void lives(int threads)
{
	pthread_t t[AT_ONCE];
	int i;

	for (; threads > 0; threads -= AT_ONCE) {
		for (i = 0; i < AT_ONCE; i++)
			ck_assert_int_eq(pthread_create(&t[i], NULL, short_life,
							&left[i]), 0);
		for (i = 0; i < AT_ONCE; i++)
			pthread_join(t[i], NULL);
	}
}

struct traces {
	long rss_kib, mappings, segment_kib;
	uint32_t shards, owners;
	unsigned attached;
	uint64_t own_bytes, cached_bytes, live_blocks;
};

static char text[1 << 20];

static void read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
}

/* The memfd, by its number among our descriptors. */
static long segment_kib(void)
{
	char name[64], to[64];
	struct stat st;
	ssize_t n;
	int fd;

	for (fd = 3; fd < 1024; fd++) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n = readlink(name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		if (strncmp(to, "/memfd:memhook", 14) == 0 && fstat(fd, &st) == 0)
			return (long)st.st_blocks / 2;
	}
	return -1;
}

static struct traces look(void)
{
	struct memhook_stats totals = { .size = sizeof(totals) };
	struct traces t = { .segment_kib = segment_kib() };
	long size;
	char *at;

	memhook_totals(&totals);
	t.live_blocks = totals.live_blocks;
	t.shards = atomic_load(&mh_area->shards_used);
	t.owners = atomic_load(&mh_area->owners_used);
	t.attached = mh_threads_attached();
	t.own_bytes = mh_lines_bytes();
	t.cached_bytes = mh_caches_bytes();
	read_file("/proc/self/maps");
	for (at = text; (at = strchr(at, '\n')); at++)
		t.mappings++;
	read_file("/proc/self/statm");
	ck_assert_int_eq(sscanf(text, "%ld %ld", &size, &t.rss_kib), 2);
	t.rss_kib *= sysconf(_SC_PAGESIZE) / 1024;
	return t;
}

/* Owners of threads: each thread is one, and ended ones' rows are used again. */
static void leave_nothing(enum mh_by by, int many)
{
	struct traces few, all;

	mh_settings.by = by;
	pthread_barrier_init(&together, NULL, AT_ONCE);
	atomic_store(&wait_for_all, 1);
	lives(1000);
	atomic_store(&wait_for_all, 0);
	few = look();
	lives(many);
	all = look();
	ck_assert_int_gt(few.segment_kib, 0);
	ck_assert_uint_eq(all.attached, few.attached);
	ck_assert_uint_le(few.shards, AT_ONCE + 3);
	ck_assert_uint_le(all.shards, AT_ONCE + 3);
	ck_assert_uint_eq(all.owners, few.owners);
	ck_assert_uint_eq(all.own_bytes, few.own_bytes);
	ck_assert_uint_le(all.cached_bytes, 65536); /* the main thread's */
	ck_assert_uint_eq(all.live_blocks, few.live_blocks);
	ck_assert_int_le(all.segment_kib, few.segment_kib + 4);
	if (!memory_is_ours)
		return;
	ck_assert_int_le(all.mappings, few.mappings + 8);
	ck_assert_int_le(all.rss_kib, few.rss_kib + ROOM_KIB);
}

START_TEST(a_hundred_thousand_threads)
{
	/* An emulator takes a hundred times as long for each. */
	leave_nothing(MH_BY_NONE, memory_is_ours ? 99000 : 9000);
}
END_TEST

START_TEST(ten_thousand_owners_that_end)
{
	leave_nothing(MH_BY_THREAD, 9000);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("short-lived");

	memory_is_ours = maps_are_true();
	tcase_add_test(c, a_hundred_thousand_threads);
	tcase_add_test(c, ten_thousand_owners_that_end);
	return run_case_within(c, 600);
}
