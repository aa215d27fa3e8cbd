/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mallinfo, malloc_info, malloc_stats and malloc_trim answer for the real
 * heap: they move with what is allocated, freed and given back.
 */
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"

#define BLOCKS 20000
static void *block[BLOCKS];

static void allocate(size_t size)
{
	size_t i;

	for (i = 0; i < BLOCKS; i++)
		block[i] = memset(malloc(opaque(size)), 1, size);
}

static void *free_all(void *arg)
{
	size_t i;

	for (i = 0; i < BLOCKS; i++)
		free(block[i]);
	return arg;
}

static size_t rss(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	size_t size, resident = 0;

	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	ck_assert_int_eq(sscanf(text, "%zu %zu", &size, &resident), 2);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void sums(const struct mallinfo2 *m)
{
	ck_assert_uint_eq(m->arena, m->uordblks + m->fordblks);
	ck_assert_uint_le(m->fsmblks, m->fordblks);
	ck_assert_uint_le(m->keepcost, m->fordblks);
}

/*
 * What a freed block leaves can be trimmed, until the allocator gives it back by
 * itself: each thousand calls or so it does, with all that is more than it had
 * when it last looked at the clock.  After many frees that may be everything.
 */
static void what_is_freed_can_be_trimmed(void)
{
	size_t size = opaque(1 << 20), left = 0;
	int i;

	for (i = 0; i < 100 && left < size; i++) {
		malloc_trim(0);
		free(memset(malloc(size), 1, size));
		left = mallinfo2().keepcost;
	}
	ck_assert_uint_ge(left, size);
}

/* Of every size that has a path of its own: cached, small, large. */
START_TEST(what_is_in_use_moves)
{
	static const size_t sizes[] = { 24, 1000, 4080, 20000 };
	struct mallinfo2 before, with, after;
	size_t i;

	for (i = 0; i < 4; i++) {
		size_t bytes = BLOCKS * sizes[i];

		before = mallinfo2();
		allocate(sizes[i]);
		with = mallinfo2();
		free_all(NULL);
		after = mallinfo2();
		sums(&before);
		sums(&with);
		sums(&after);
		ck_assert_uint_ge(with.uordblks, before.uordblks + bytes);
		ck_assert_uint_le(with.uordblks, before.uordblks + bytes * 2);
		/* What lies ready in caches is not in use. */
		ck_assert_uint_le(after.uordblks, before.uordblks + 2000);
		ck_assert_uint_ge(after.uordblks + 2000, before.uordblks);
	}
	ck_assert_uint_gt(after.fsmblks, 0);
	what_is_freed_can_be_trimmed();
}
END_TEST

START_TEST(the_old_one_does_not_wrap_around)
{
	size_t size = opaque((size_t)INT_MAX + 4097);
	void *p = malloc(size), *volatile keep = p;
	struct mallinfo old;

	if (!p)
		return; /* an address space too small for the question */
	old = mallinfo();
	free(keep);
	ck_assert_int_eq(old.uordblks, INT_MAX);
	ck_assert_int_eq(old.arena, INT_MAX);
	old = mallinfo();
	ck_assert_int_gt(old.uordblks, 0);
	ck_assert_int_lt(old.uordblks, INT_MAX);
}
END_TEST

/* Freed by this thread or by another one that is gone. */
static void trims(int elsewhere)
{
	size_t full, before, after;
	pthread_t t;
	int first, second;

	malloc_trim(0);
	allocate(4000);
	full = rss();
	if (elsewhere) {
		pthread_create(&t, NULL, free_all, NULL);
		pthread_join(t, NULL);
	} else {
		free_all(NULL);
	}
	before = rss();
	first = malloc_trim(0);
	second = malloc_trim(0); /* at once: asserts allocate */
	after = rss();
	ck_assert_uint_gt(full, BLOCKS * 4000);
	ck_assert_uint_le(after + BLOCKS * 3500, full);
	ck_assert_int_eq(first, before > after + 100000);
	ck_assert_int_eq(second, 0);
	ck_assert_uint_lt(mallinfo2().keepcost, 1000000);
}

START_TEST(trim_gives_memory_back)
{
	trims(0);
	trims(1);
}
END_TEST

static size_t element(const char *xml, const char *name)
{
	char start[64];
	const char *at;
	size_t n = 0;

	snprintf(start, sizeof(start), "<%s size=\"", name);
	at = strstr(xml, start);
	ck_assert_msg(at != NULL, "no %s in %s", name, xml);
	ck_assert_int_eq(sscanf(at + strlen(start), "%zu", &n), 1);
	return n;
}

START_TEST(info_has_the_numbers)
{
	static char xml[4096];
	struct mallinfo2 m;
	FILE *f = fmemopen(xml, sizeof(xml), "w"), *full;

	allocate(3000);
	m = mallinfo2();
	ck_assert_int_eq(malloc_info(0, f), 0);
	fclose(f);
	free_all(NULL);
	ck_assert_uint_ge(element(xml, "allocated"), BLOCKS * 3000);
	ck_assert_uint_eq(element(xml, "allocated") - element(xml, "cached"), m.uordblks);
	ck_assert_uint_eq(element(xml, "active") + element(xml, "dirty"), m.arena);
	ck_assert_uint_ge(element(xml, "resident"), element(xml, "active"));
	ck_assert_uint_ge(element(xml, "mapped"), element(xml, "active"));
	ck_assert_uint_gt(element(xml, "metadata"), 0);
	ck_assert_uint_ge(element(xml, "retained") + 1, 1);

	full = fopen("/dev/full", "w");
	ck_assert_int_eq(malloc_info(1, full), EINVAL);
	setvbuf(full, NULL, _IONBF, 0);
	ck_assert_int_eq(malloc_info(0, full), ENOSPC);
	fclose(full);
}
END_TEST

/* By a parser that we did not write. */
START_TEST(info_is_xml)
{
	char path[] = "/tmp/memhook-heap-XXXXXX", command[512];
	int fd = mkstemp(path), status;
	FILE *f = fdopen(fd, "w");

	ck_assert_int_eq(malloc_info(0, f), 0);
	fclose(f);
	snprintf(command, sizeof(command),
		 "unset LD_PRELOAD; command -v python3 > /dev/null || exit 0; python3 -c '"
		 "import sys, xml.etree.ElementTree as e; r = e.parse(sys.argv[1]).getroot();"
		 "sys.exit(r.tag != \"malloc\" or len(r) < 6 or"
		 " any(int(c.get(\"size\")) < 0 for c in r))' %s", path);
	status = system(command);
	unlink(path);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(stats_go_to_standard_error)
{
	char text[65536] = "", *line;
	int fd[2], saved = dup(STDERR_FILENO);
	size_t used = 0;
	ssize_t n;

	ck_assert_int_eq(pipe(fd), 0);
	fcntl(fd[1], F_SETPIPE_SZ, 1 << 20);
	dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	malloc_stats();
	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((n = read(fd[0], text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	close(fd[0]);
	ck_assert_ptr_nonnull(strstr(text, "ALLOCATIONS\n"));
	line = strstr(text, "\n  = resident (RSS) ");
	ck_assert_msg(line != NULL, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "\n  files: code and data "));
}
END_TEST

static atomic_int stop;

static void *churn(void *arg)
{
	void *p[64] = { NULL };
	unsigned r = (unsigned)(uintptr_t)arg, i;

	while (!stop)
		for (i = 0; i < 1000; i++) {
			r = r * 1103515245 + 12345;
			free(p[r >> 8 & 63]);
			p[r >> 8 & 63] = malloc(r >> 16 & 0x3fff);
		}
	for (i = 0; i < 64; i++)
		free(p[i]);
	return NULL;
}

/* Asked while threads run: the answers hold together, nobody waits for ever. */
START_TEST(asked_while_threads_run)
{
	struct mallinfo2 m;
	pthread_t t[4];
	uintptr_t i;
	FILE *f;

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, churn, (void *)(i + 1));
	for (i = 0; i < 300; i++) {
		m = mallinfo2();
		ck_assert_uint_ge(m.arena, m.uordblks);
		ck_assert_uint_lt(m.arena, (size_t)1 << (sizeof(size_t) > 4 ? 32 : 31));
		if (i % 10 == 0) {
			f = fopen("/dev/null", "w");
			ck_assert_int_eq(malloc_info(0, f), 0);
			fclose(f);
			malloc_trim(0);
		}
	}
	stop = 1;
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("heap");

	tcase_add_test(c, what_is_in_use_moves);
	tcase_add_test(c, the_old_one_does_not_wrap_around);
	tcase_add_test(c, trim_gives_memory_back);
	tcase_add_test(c, info_has_the_numbers);
	tcase_add_test(c, info_is_xml);
	tcase_add_test(c, stats_go_to_standard_error);
	tcase_add_test(c, asked_while_threads_run);
	return run_case(c);
}
