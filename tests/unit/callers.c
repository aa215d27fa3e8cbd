/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owners by call site, from inside: the list of see-through libraries, the
 * objects, and that nothing which was seen before takes a lock.
 */
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include "../common.h"
#include "account.h"
#include "object.h"
#include "owner.h"
#include "process.h"

START_TEST(the_list)
{
	mh_through_set("libfoo,libbar-2.0");
	ck_assert(mh_through_has("libfoo.so.1"));
	ck_assert(mh_through_has("libfoo"));
	ck_assert(mh_through_has("libfoo-1.2.so"));
	ck_assert(mh_through_has("libbar-2.0.so.0"));
	ck_assert(!mh_through_has("libfoobar.so"));
	ck_assert(!mh_through_has("libfo.so"));
	ck_assert(!mh_through_has("libbar-3.0.so.0"));
	ck_assert(!mh_through_has("libc.so.6"));
	mh_through_set("default,libfoo");
	ck_assert(mh_through_has("libc.so.6"));
	ck_assert(mh_through_has("ld-linux-x86-64.so.2"));
	ck_assert(mh_through_has("libstdc++.so.6.0.30"));
	ck_assert(mh_through_has("libglib-2.0.so.0"));
	ck_assert(mh_through_has("libfoo.so"));
	ck_assert(!mh_through_has("libcrypto.so.3"));
	mh_through_set(NULL);
	ck_assert(mh_through_has("libc.so.6"));
	ck_assert(!mh_through_has("libfoo.so"));
	mh_through_set("none");
	ck_assert(!mh_through_has("libc.so.6"));
	mh_through_set(",,libx,");
	ck_assert(mh_through_has("libx.so"));
	ck_assert(!mh_through_has(""));
}
END_TEST

/* What does not fit is left out, and what fits is kept whole. */
START_TEST(a_list_that_is_too_long)
{
	char text[2000];
	int i;

	text[0] = '\0';
	for (i = 0; i < 100; i++)
		sprintf(text + strlen(text), "library-%03d,", i);
	mh_through_set(text);
	ck_assert(mh_through_has("library-000.so"));
	ck_assert(mh_through_has("library-039.so"));
	ck_assert(!mh_through_has("library-099.so"));
}
END_TEST

/* Two objects: this program, or its copy of libc, and libcheck's. */
START_TEST(objects_are_found_again)
{
	struct dl_find_object own, other;
	const struct mh_object *o;
	uint32_t a, b;

	ck_assert_int_eq(_dl_find_object((void *)(uintptr_t)mh_hash, &own), 0);
	ck_assert_int_eq(_dl_find_object(dlsym(RTLD_DEFAULT, "puts"), &other), 0);
	a = mh_object_of(&own);
	b = mh_object_of(&other);
	ck_assert_uint_ne(a, b);
	ck_assert_uint_eq(mh_object_of(&own), a);
	ck_assert_str_eq(mh_object_name(a), mh_program);
	o = &mh_objects(mh_area)[a];
	ck_assert_str_eq(o->path, mh_program_path);
	ck_assert_uint_eq(o->bias, own.dlfo_link_map->l_addr);
	ck_assert_str_eq(mh_object_name(b), "libc.so.6");
	ck_assert(mh_object_is_through(b));
	ck_assert(!mh_object_is_through(a));
	ck_assert_uint_eq(mh_object_owner(a), mh_object_owner(a));
	mh_objects_index(); /* as a child does that was forked in between */
	ck_assert_uint_eq(mh_object_of(&own), a);
	ck_assert_uint_eq(mh_object_of(&other), b);
}
END_TEST

static void pairs(void)
{
	int i;

	for (i = 0; i < 1000; i++) {
		void *volatile p = malloc(opaque(100));
		char *text = NULL;

		free(p);
		free(realloc(NULL, opaque(64)));
		if (asprintf(&text, "%d", i) > 0) /* through libc */
			free(text);
	}
}

/* The lock is ours already: whoever wants it, waits for ever. */
START_TEST(what_was_seen_takes_no_lock)
{
	pairs();
	alarm(20);
	mh_owners_lock();
	pairs();
	mh_owners_unlock();
	alarm(0);
	ck_assert_int_eq(mh_settings.by, MH_BY_LIBRARY);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *c = tcase_create("callers");

	(void)argc;
	if (!getenv("MEMHOOK_BY")) { /* it is read at the very first malloc */
		setenv("MEMHOOK_BY", "library", 1);
		execv("/proc/self/exe", argv);
	}
	tcase_add_test(c, the_list);
	tcase_add_test(c, a_list_that_is_too_long);
	tcase_add_test(c, objects_are_found_again);
	tcase_add_test(c, what_was_seen_takes_no_lock);
	return run_case(c);
}
