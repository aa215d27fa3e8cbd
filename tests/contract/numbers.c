/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers where it is hard: the report in a crash handler, peaks and transfers
 * of eight threads, owners that were retired while they hold blocks.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../common.h"

enum { THREADS = 8 };

static memhook_owner owner, other;

static void in_threads(void *(*work)(void *))
{
	pthread_t t[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, work,
						(void *)(uintptr_t)i), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static int out;

/* Reports twice, and allocates nothing between: the numbers are the same. */
static void on_crash(int signal)
{
	(void)signal;
	if (memhook_report(out, MEMHOOK_JSON) || write(out, "\n", 1) != 1 ||
	    memhook_report(out, MEMHOOK_JSON))
		_exit(2);
	_exit(42);
}

/* Crashes inside free(), on a block that is no block, with the scope open. */
static void crash(int how)
{
	struct sigaction act = { .sa_handler = on_crash };
	char *block, *volatile nowhere = NULL;

	alarm(60);
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGABRT, &act, NULL);
	memhook_enter(owner);
	block = malloc(4321);
	if (how == 0)
		*nowhere = 1;
	if (how == 1)
		abort();
	free(block + 16); /* the hook's own abort */
}

static int64_t field(json_object *o, const char *name)
{
	json_object *value = NULL;

	ck_assert_msg(json_object_object_get_ex(o, name, &value), "no %s", name);
	return json_object_get_int64(value);
}

static json_object *find_owner(json_object *report, const char *name)
{
	json_object *owners = json_object_object_get(report, "owners"), *o;
	size_t i;

	for (i = 0; i < json_object_array_length(owners); i++) {
		o = json_object_array_get_idx(owners, i);
		if (strcmp(json_object_get_string(json_object_object_get(o, "name")),
			   name) == 0)
			return o;
	}
	return NULL;
}

static size_t read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	return used;
}

START_TEST(report_from_a_crash_handler)
{
	static char text[1 << 20];
	json_object *first, *second;
	int fd[2], status;
	char *end;
	pid_t pid;

	owner = fresh_owner("crash");
	ck_assert_int_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		out = fd[1];
		close(2); /* the hook's own line */
		crash(_i);
		_exit(1);
	}
	close(fd[1]);
	read_all(fd[0], text, sizeof(text));
	close(fd[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %x",
		      status);
	end = strstr(text, "}\n\n");
	ck_assert_msg(end || strchr(text, '\n'), "one report only: %s", text);
	end = end ? end + 1 : strchr(text, '\n');
	*end++ = '\0';
	first = json_tokener_parse(text);
	second = json_tokener_parse(end + strspn(end, "\n"));
	ck_assert_msg(first && second, "not JSON: %s", text);
	ck_assert_int_eq(field(find_owner(first, "crash"), "live_bytes"), 4321);
	ck_assert_int_eq(field(json_object_object_get(first, "totals"), "alloc_calls"),
			 field(json_object_object_get(second, "totals"), "alloc_calls"));
	json_object_put(first);
	json_object_put(second);
}
END_TEST

static pthread_barrier_t barrier;

/* All hold a megabyte at once, in small blocks, then nothing. */
static void *rise_and_fall(void *arg)
{
	void *block[1000];
	int i;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 1000; i++)
		block[i] = malloc(1000);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 1000; i++)
		free(block[i]);
	return arg;
}

START_TEST(peaks_of_eight_threads_within_their_bound)
{
	owner = fresh_owner("peak/threads");
	pthread_barrier_init(&barrier, NULL, THREADS);
	in_threads(rise_and_fall);
	ck_assert_uint_eq(stats_of(owner).live_bytes, 0);
	ck_peaks(owner, THREADS, 8000000, 8000000);
}
END_TEST

static _Atomic int failed_transfers;

static void *transfer_to_and_fro(void *arg)
{
	void *block[100];
	int i, k;

	MEMHOOK_SCOPE(owner);
	for (i = 0; i < 100; i++)
		block[i] = malloc(100 + (size_t)i);
	for (k = 0; k < 51; k++)
		for (i = 0; i < 100; i++)
			if (memhook_transfer(block[i], k % 2 ? owner : other))
				failed_transfers++;
	for (i = 0; i < 100; i++) {
		block[i] = realloc(block[i], 10);
		if (i % 2)
			free(block[i]);
	}
	return arg;
}

START_TEST(transfers_of_eight_threads)
{
	owner = fresh_owner("transfer/from");
	other = fresh_owner("transfer/to");
	in_threads(transfer_to_and_fro);
	ck_assert_int_eq(failed_transfers, 0);
	ck_holds(owner, 0, 0);
	ck_holds(other, THREADS * 50 * 10, THREADS * 50);
	/* one allocation for each transfer and realloc, beside the first */
	ck_assert_uint_eq(stats_of(owner).alloc_calls, THREADS * 100 * (1 + 25));
	ck_assert_uint_eq(stats_of(other).alloc_calls, THREADS * 100 * (26 + 1));
}
END_TEST

static int look_for(const struct memhook_stats *s, void *state)
{
	if (strcmp(s->name, "retired/holds") == 0)
		*(uint32_t *)state = s->state;
	return 0;
}

static json_object *report(void)
{
	static char text[1 << 20];
	FILE *f = tmpfile();

	ck_assert_int_eq(memhook_report(fileno(f), MEMHOOK_JSON), 0);
	rewind(f);
	read_all(fileno(f), text, sizeof(text));
	fclose(f);
	return json_tokener_parse(text);
}

START_TEST(retired_while_it_holds_blocks)
{
	memhook_owner o = fresh_owner("retired/holds"), was = memhook_enter(o);
	void *p = malloc(100);
	uint32_t state = 99;
	json_object *j;

	memhook_leave(was);
	ck_assert_int_eq(memhook_owner_retire(o), 0);
	memhook_each(look_for, &state);
	ck_assert_uint_eq(state, MEMHOOK_STATE_RETIRED);
	j = report();
	ck_assert_ptr_nonnull(find_owner(j, "retired/holds"));
	ck_assert_str_eq(json_object_get_string(json_object_object_get(
				 find_owner(j, "retired/holds"), "state")), "retired");
	json_object_put(j);
	free(p);
	state = 99;
	memhook_each(look_for, &state); /* and no longer */
	ck_assert_uint_eq(state, 99);
	j = report();
	ck_assert_ptr_null(find_owner(j, "retired/holds"));
	json_object_put(j);
}
END_TEST

/* Whatever makes threads look again whom they charge: a resolver that goes. */
START_TEST(retired_inside_its_scope)
{
	memhook_owner o = fresh_owner("retired/inside"), was = memhook_enter(o);
	void *p, *q;

	ck_assert_int_eq(memhook_owner_retire(o), 0);
	memhook_set_resolver(NULL, NULL);
	p = malloc(100);
	memhook_leave(was);
	ck_holds(o, 100, 1);
	was = memhook_enter(o); /* too late */
	q = malloc(100);
	memhook_leave(was);
	ck_holds(o, 100, 1);
	free(p);
	free(q);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("numbers");

	tcase_add_loop_test(c, report_from_a_crash_handler, 0, 3);
	tcase_add_test(c, peaks_of_eight_threads_within_their_bound);
	tcase_add_test(c, transfers_of_eight_threads);
	tcase_add_test(c, retired_while_it_holds_blocks);
	tcase_add_test(c, retired_inside_its_scope);
	return run_case(c);
}
