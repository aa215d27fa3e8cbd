/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By site, each call of malloc has a row: exact, called by object and offset,
 * the same one when its library comes back at another address.
 */
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common.h"
#include "copies.h"

static char plugin[4096], moved[4096];

static struct memhook_stats site_of(const void *block)
{
	struct memhook_stats s = { .size = sizeof(s) };
	struct memhook_block b = { .size = sizeof(b) };

	ck_assert_int_eq(memhook_inspect(block, &b), 0);
	ck_assert_uint_eq(b.state, MEMHOOK_BLOCK_LIVE);
	ck_assert_int_eq(memhook_stats(b.owner, &s), 0);
	return s;
}

START_TEST(each_call_has_its_row)
{
	void *a[10], *b, *c;
	int i;

	for (i = 0; i < 10; i++)
		a[i] = malloc(opaque(100));
	b = malloc(opaque(70));
	c = calloc(1, opaque(30));
	ck_assert_uint_eq(site_of(a[0]).live_bytes, 1000);
	ck_assert_uint_eq(site_of(a[9]).live_blocks, 10);
	ck_assert_uint_eq(site_of(a[9]).kind, MEMHOOK_KIND_SITE);
	ck_assert_uint_eq(site_of(b).live_bytes, 70);
	ck_assert_uint_eq(site_of(c).live_bytes, 30);
	ck_assert(site_of(b).owner != site_of(c).owner);
	ck_assert_int_eq(strncmp(site_of(b).name, "by-site+0x", 10), 0);
	for (i = 0; i < 9; i++)
		free(a[i]);
	ck_assert_uint_eq(site_of(a[9]).live_bytes, 100);
	free(a[9]);
	free(b);
	free(c);
}
END_TEST

/* realloc keeps the site that made the block. */
START_TEST(realloc_keeps_the_site)
{
	void *a = malloc(opaque(10));
	memhook_owner was = site_of(a).owner;

	a = realloc(a, opaque(100000));
	ck_assert(site_of(a).owner == was);
	free(a);
	a = realloc(NULL, opaque(10));
	ck_assert(site_of(a).owner != was);
	free(a);
}
END_TEST

static void *make(void **handle, size_t size)
{
	void *(*plugin_make)(size_t);

	*handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(*handle != NULL, "%s", dlerror());
	plugin_make = (void *(*)(size_t))dlsym(*handle, "plugin_make");
	return plugin_make(size);
}

static uintptr_t place_of(void *handle)
{
	return (uintptr_t)dlsym(handle, "plugin_make");
}

START_TEST(a_library_that_comes_back_elsewhere)
{
	void *handle, *a = make(&handle, 1000), *b, *hole;
	uintptr_t first = place_of(handle);
	char name[MEMHOOK_NAME_MAX];

	strcpy(name, site_of(a).name);
	dlclose(handle);
	ck_assert_str_eq(site_of(a).name, name); /* unloaded, and still known */
	/* something else lies there now */
	hole = mmap((void *)(first & ~(uintptr_t)4095), 4096, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ck_assert(hole != MAP_FAILED);
	b = make(&handle, 500);
	ck_assert(place_of(handle) != first);
	ck_assert(site_of(b).owner == site_of(a).owner);
	ck_assert_uint_eq(site_of(b).live_bytes, 1500);
	free(a);
	free(b);
	dlclose(handle);
	munmap(hole, 4096);
}
END_TEST

/* Another file under the same name, at the same address, is another library. */
START_TEST(another_file_of_the_same_name)
{
	void *handle, *a = make(&handle, 1000), *b;

	dlclose(handle);
	ck_assert_int_eq(rename(moved, plugin), 0);
	b = make(&handle, 500);
	ck_assert(site_of(b).owner != site_of(a).owner);
	ck_assert_uint_eq(site_of(a).live_bytes, 1000);
	ck_assert_uint_eq(site_of(b).live_bytes, 500);
	free(a);
	free(b);
	dlclose(handle);
}
END_TEST

/* 65,536 rows; what comes later is counted, in "overflow". */
START_TEST(more_sites_than_rows)
{
	struct memhook_stats over = { .size = sizeof(over) };
	char name[32];
	void *p, *q;
	int i;

	for (i = 0; i < 65536; i++) {
		snprintf(name, sizeof(name), "filler/%d", i);
		if (memhook_owner_create(name) == MEMHOOK_OVERFLOW)
			break;
	}
	ck_assert_int_gt(i, 8000);
	over = stats_of(MEMHOOK_OVERFLOW);
	p = malloc(opaque(100));
	q = calloc(3, opaque(100));
	ck_assert(site_of(p).owner == MEMHOOK_OVERFLOW);
	ck_assert_uint_eq(stats_of(MEMHOOK_OVERFLOW).live_bytes, over.live_bytes + 400);
	free(p);
	free(q);
	ck_assert_uint_eq(stats_of(MEMHOOK_OVERFLOW).live_bytes, over.live_bytes);
}
END_TEST

/* The same code with another build-id, which ends differently. */
static void place_plugins(const char *from)
{
	snprintf(plugin, sizeof(plugin), "%s/plugin.so", scratch());
	snprintf(moved, sizeof(moved), "%s/plugin-new.so", scratch());
	copy_file(from, plugin);
	copy_file(getenv("MEMHOOK_PLUGIN_2"), moved);
}

int main(int argc, char **argv)
{
	TCase *c = tcase_create("by-site");
	int rc;

	(void)argc;
	if (!getenv("MEMHOOK_PLUGIN") || !getenv("MEMHOOK_PLUGIN_2")) {
		fputs("MEMHOOK_PLUGIN and MEMHOOK_PLUGIN_2 name no libraries\n", stderr);
		return 77;
	}
	if (!getenv("MEMHOOK_BY")) { /* it is read at the very first malloc */
		setenv("MEMHOOK_BY", "site", 1);
		execv("/proc/self/exe", argv);
	}
	place_plugins(getenv("MEMHOOK_PLUGIN"));
	tcase_add_test(c, each_call_has_its_row);
	tcase_add_test(c, realloc_keeps_the_site);
	tcase_add_test(c, a_library_that_comes_back_elsewhere);
	tcase_add_test(c, another_file_of_the_same_name);
	tcase_add_test(c, more_sites_than_rows);
	rc = run_case(c);
	unlink(plugin);
	unlink(moved);
	rmdir(scratch());
	return rc;
}
