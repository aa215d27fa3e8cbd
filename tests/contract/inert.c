/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library in a process whose malloc is another one's: loaded late, by
 * dlopen, while threads run.  It says that it is not active, and whatever is
 * called, nothing crashes.  Not linked with the hook, of course.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common.h"

#define LOAD(name) __typeof__(memhook_##name) *name = dlsym(hook, "memhook_" #name)

static _Atomic int stop;

static void *churn(void *arg)
{
	while (!atomic_load(&stop))
		free(malloc(100));
	return arg;
}

static int one_more(const struct memhook_stats *s, void *arg)
{
	(void)s;
	++*(int *)arg;
	return 0;
}

static memhook_owner resolve(void *arg)
{
	(void)arg;
	return MEMHOOK_NOBODY;
}

static const int flags[] = { RTLD_NOW | RTLD_LOCAL, RTLD_NOW | RTLD_GLOBAL,
			     RTLD_LAZY | RTLD_LOCAL };

static void *load(int i)
{
	void *hook = dlopen(getenv("MEMHOOK_LIBRARY"), flags[i]);

	ck_assert_msg(hook != NULL, "%s", dlerror());
	return hook;
}

/*
 * The loader keeps little room for thread-locals of latecomers, and jemalloc
 * wants more than that: an error in words is as good as being inert.
 */
START_TEST(refused_or_inert)
{
	void *hook = dlopen(getenv("MEMHOOK_LIBRARY"), flags[_i]);

	if (!hook) {
		const char *why = dlerror();

		ck_assert_msg(strstr(why, "static TLS") != NULL, "%s", why);
	} else {
		LOAD(active);
		ck_assert_int_eq(active(), 0);
	}
	free(malloc(100));
}
END_TEST

START_TEST(says_that_it_is_not_active)
{
	void *before = malloc(100), *hook = load(_i), *after;
	LOAD(active);
	LOAD(version);

	ck_assert_int_eq(active(), 0);
	ck_assert_str_eq(version(), MEMHOOK_VERSION);
	after = malloc(100);
	free(before);
	free(after);
	ck_assert_int_eq(dlclose(hook), 0);
	free(malloc(100));
}
END_TEST

START_TEST(calls_do_no_harm)
{
	struct memhook_stats s = { .size = sizeof(s) };
	struct memhook_block b = { .size = sizeof(b) };
	void *hook = load(_i), *p;
	int null = memfd_create("null", 0), saved = dup(1), n = 0;
	memhook_owner o, was;
	pthread_t t[4];
	int i;
	LOAD(owner_create);
	LOAD(owner_retire);
	LOAD(enter);
	LOAD(leave);
	LOAD(stats);
	LOAD(totals);
	LOAD(each);
	LOAD(transfer);
	LOAD(inspect);
	LOAD(dump);
	LOAD(report);
	LOAD(set_resolver);

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, churn, NULL);
	o = owner_create("inert");
	was = enter(o);
	p = malloc(1000);
	leave(was);
	/* whatever they answer: nothing of ours was charged */
	if (stats(o, &s) == 0)
		ck_assert_uint_eq(s.live_bytes, 0);
	if (totals(&s) == 0)
		ck_assert_uint_eq(s.live_bytes, 0);
	each(one_more, &n);
	ck_assert_int_ne(transfer(p, o), 0);
	if (inspect(p, &b) == 0)
		ck_assert_uint_eq(b.state, MEMHOOK_BLOCK_FOREIGN);
	fflush(stdout);
	dup2(null, 1);
	dump(p);
	dup2(saved, 1);
	report(null, MEMHOOK_JSON);
	report(null, MEMHOOK_TEXT);
	set_resolver(resolve, NULL);
	set_resolver(NULL, NULL);
	owner_retire(o);
	free(p);
	atomic_store(&stop, 1);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}
END_TEST

/* What these two return is given to free(), which is not ours. */
START_TEST(blocks_fit_the_malloc_that_won)
{
	void *hook = load(_i), *p;
	LOAD(strdup);
	LOAD(lalloc);

	p = strdup("for free()");
	ck_assert_str_eq(p, "for free()");
	free(p);
	p = lalloc(NULL, NULL, 0, 100);
	ck_assert_ptr_nonnull(p);
	free(p);
	p = lalloc(NULL, malloc(50), 50, 100);
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_null(lalloc(NULL, p, 100, 0));
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c = tcase_create("inert");

	(void)argc;
	if (!getenv("MEMHOOK_LIBRARY")) {
		fprintf(stderr, "MEMHOOK_LIBRARY is not set\n");
		return 77;
	}
	if (!getenv("GLIBC_TUNABLES")) {
		TCase *refused = tcase_create("refused");

		tcase_add_loop_test(refused, refused_or_inert, 0, 3);
		if (run_case(refused))
			return 1;
		setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=8192", 1);
		execv("/proc/self/exe", argv);
		return 99;
	}
	tcase_add_loop_test(c, says_that_it_is_not_active, 0, 3);
	tcase_add_loop_test(c, calls_do_no_harm, 0, 3);
	tcase_add_loop_test(c, blocks_fit_the_malloc_that_won, 0, 3);
	return run_case(c);
}
