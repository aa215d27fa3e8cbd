/* SPDX-License-Identifier: BSD-2-Clause */
/* More services than there are slots for, and than rows for owners. */
#include <pthread.h>

#include "malloc_hook.h"
#include "services.h"

#define SLOTS 16384 /* as malloc_hook.c has them */
#define SHARED 16   /* the slots that are used all the time */
#if SIZE_MAX > UINT32_MAX
#define CROWD 40000 /* more than there are slots */
#define SWEEP 16384 /* exits, before rows for owners run out */
#else
#define CROWD 7000 /* there are fewer rows for owners than slots */
#define SWEEP 4096
#endif

static uint32_t sharing[CROWD]; /* handles of these slots */
static unsigned sharers;
static _Atomic int wrong;

/* Handles that share slots, at random, on all threads at once. */
static void *work(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed, i;
	struct memhook_stats s = { .size = sizeof(s) };
	struct memhook_block b = { .size = sizeof(b) };
	char name[16];
	void *p;

	for (i = 0; i < 20000; i++) {
		random = random * 1103515245 + 12345;
		service_dispatch(sharing[(random >> 8) % sharers]);
		p = malloc(opaque(32));
		snprintf(name, sizeof(name), ":%08x", skynet_current_handle());
		memhook_inspect(p, &b);
		if (memhook_stats(b.owner, &s) || strcmp(s.name, name) != 0)
			wrong++;
		free(p);
	}
	return NULL;
}

START_TEST(many_services_on_many_threads)
{
	pthread_t threads[4];
	uint32_t handle;
	uintptr_t i;

	service_count_from(1);
	for (i = 0; i < CROWD; i++) {
		handle = launch();
		if (handle % SLOTS < SHARED)
			sharing[sharers++] = handle;
	}
	ck_assert_uint_gt(sharers, CROWD > SLOTS ? SHARED : 1);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, (void *)(i + 1)),
				 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(services_that_come_and_go)
{
	uint32_t handle = 0;
	void *p;
	int i;

	/* Ten times as many as there are rows for owners, or more. */
	for (i = 0; i < 655360; i++) {
		handle = launch();
		p = allocate_in(handle, 8);
		free(p);
		skynet_handle_retire(handle);
#ifndef WRAPPED
		if (i % SWEEP == 0) {
			dump_c_mem();
			what_was_logged();
		}
#endif
	}
	handle = launch();
	p = allocate_in(handle, 77);
	ck_assert_uint_ne(owner_of(p), MEMHOOK_OVERFLOW);
	ck_holds(owner_of(p), 77, 1);
	free(p);
}
END_TEST

void add_crowds(TCase *c)
{
	tcase_add_test(c, many_services_on_many_threads);
	tcase_add_test(c, services_that_come_and_go);
}
