/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Before and after the usual: blocks made by other libraries' constructors,
 * the loader's own allocations, and what threads free when their
 * thread-local memory, ours included, is going away.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../common.h"

/* Weak: linked with the hook, or preloaded; the rest comes through by-name.c. */
#pragma weak memhook_owner_retire

/* What the C++ compiler calls for a thread_local object's destructor. */
int __cxa_thread_atexit_impl(void (*f)(void *), void *arg, void *dso);
extern void *__dso_handle;

static memhook_owner owner;

START_TEST(blocks_from_constructors)
{
	static const size_t size[] = { 101, 203, 5000, 19 };
	void **blocks = dlsym(RTLD_DEFAULT, "guest_blocks");
	int i;

	ck_assert_msg(blocks != NULL, "MEMHOOK_GUEST is not preloaded");
	for (i = 0; i < 4; i++) {
		struct memhook_block b = { .size = sizeof(b) };

		ck_assert_int_eq(memhook_inspect(blocks[i], &b), 0);
		ck_assert_uint_eq(b.state, MEMHOOK_BLOCK_LIVE);
		ck_assert_uint_eq(malloc_usable_size(blocks[i]), size[i]);
	}
	ck_assert_str_eq(blocks[3], "from a constructor");
	blocks[0] = realloc(blocks[0], 4000);
	ck_assert_ptr_nonnull(blocks[0]);
	for (i = 0; i < 4; i++)
		free(blocks[i]);
}
END_TEST

static _Atomic int destructors;

static void destroy(void *p)
{
	memhook_owner was = memhook_enter(owner);
	void *volatile q = malloc(1000);

	free(p);
	free(q);
	memhook_leave(was);
	atomic_fetch_add(&destructors, 1);
}

static pthread_key_t key;

/* The last round of keys registers one more thread_local destructor. */
static void key_gone(void *p)
{
	free(p);
	__cxa_thread_atexit_impl(destroy, NULL, &__dso_handle);
}

static void *with_thread_locals(void *arg)
{
	int i;

	MEMHOOK_SCOPE(owner);
	pthread_setspecific(key, malloc(200));
	for (i = 1; i <= 10; i++)
		__cxa_thread_atexit_impl(destroy, malloc((size_t)i * 100), &__dso_handle);
	return arg;
}

START_TEST(thread_local_destructors)
{
	pthread_t t;
	int i;

	owner = fresh_owner("loading/thread-local");
	ck_assert_int_eq(pthread_key_create(&key, key_gone), 0);
	for (i = 0; i < 100; i++) {
		pthread_create(&t, NULL, with_thread_locals, NULL);
		pthread_join(t, NULL);
	}
	ck_assert_int_ge(atomic_load(&destructors), 1000);
	/* __cxa_thread_atexit_impl's own records are charged here, too */
	ck_assert_uint_ge(stats_of(owner).alloc_calls, 100 * (1 + 10 + 10));
	ck_holds(owner, 0, 0);
}
END_TEST

static void *(*touch)(void);

static void *touch_it(void *arg)
{
	MEMHOOK_SCOPE(owner);
	touch();
	return arg;
}

/* libc allocates it for the thread and frees it after all destructors. */
START_TEST(memory_of_dynamic_thread_locals)
{
	void *guest = dlopen(getenv("MEMHOOK_GUEST"), RTLD_NOW | RTLD_LOCAL);
	struct memhook_stats s;
	pthread_t t;
	int i;

	ck_assert_msg(guest != NULL, "%s", dlerror());
	touch = (void *(*)(void))dlsym(guest, "guest_touch");
	owner = fresh_owner("loading/dynamic");
	for (i = 0; i < 100; i++) {
		pthread_create(&t, NULL, touch_it, NULL);
		pthread_join(t, NULL);
	}
	s = stats_of(owner);
	/* one of at least 5,000 bytes for each thread, or nothing was proved */
	ck_assert_uint_ge(s.alloc_calls, 100);
	ck_assert_uint_ge(s.alloc_bytes, 100 * 5000);
	/* the last thread's stays with its stack, which libc keeps for the next */
	ck_assert_uint_le(s.live_blocks, 1);
	ck_assert_uint_eq(s.live_bytes, 5000 * s.live_blocks);
}
END_TEST

static void *die_inside(void *arg)
{
	MEMHOOK_SCOPE(owner);
	*(void **)arg = malloc(300);
	for (;;)
		pause();
	return NULL;
}

/* A cancelled thread unwinds out of its scope and keeps its numbers. */
START_TEST(cancelled_threads)
{
	void *volatile block = NULL;
	pthread_t t;

	owner = fresh_owner("loading/cancelled");
	pthread_create(&t, NULL, die_inside, (void *)&block);
	while (!block)
		usleep(1000);
	pthread_cancel(t);
	pthread_join(t, NULL);
	ck_assert_uint_ge(stats_of(owner).live_blocks, 1);
	free(block);
	ck_assert_uint_eq(stats_of(owner).live_bytes, 0);
	ck_assert_int_eq(memhook_owner_retire(owner), 0);
	/* nobody is inside any more: the row may serve again */
	ck_assert_uint_eq((uint32_t)memhook_owner_create("loading/next"),
			  (uint32_t)owner);
}
END_TEST

int main(int argc, char **argv)
{
	const char *hook = getenv("MEMHOOK_LIBRARY"), *guest = getenv("MEMHOOK_GUEST");
	TCase *c = tcase_create("loading");
	char list[8192];

	(void)argc;
	if (!hook || !guest) {
		fprintf(stderr, "MEMHOOK_LIBRARY or MEMHOOK_GUEST is not set\n");
		return 77;
	}
	if (getenv("LOADING_AGAIN")) {
		tcase_add_test(c, blocks_from_constructors);
		return run_case(c);
	}
	tcase_add_test(c, thread_local_destructors);
	tcase_add_test(c, memory_of_dynamic_thread_locals);
	tcase_add_test(c, cancelled_threads);
	if (run_case(c))
		return 1;
	/*
	 * Once more with the guest preloaded behind the hook: so it is
	 * initialised first.  (Not before: its thread-locals would be static.)
	 */
	snprintf(list, sizeof(list), "%s:%s", hook, guest);
	setenv("LD_PRELOAD", list, 1);
	setenv("LOADING_AGAIN", "1", 1);
	execv("/proc/self/exe", argv);
	return 99;
}
