/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The owner "library": by caller, under MEMHOOK_BY=library, with libraries
 * that come, go, and come back at the same address.
 */
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common.h"
#include "copies.h"

static char one[4096], two[4096], same[4096];

struct wanted {
	const char *name;
	struct memhook_stats found;
};

static int match(const struct memhook_stats *s, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(s->name, w->name))
		return 0;
	w->found = *s;
	return 1;
}

static uint64_t live_of(const char *name)
{
	struct wanted w = { .name = name };

	return memhook_each(match, &w) ? w.found.live_bytes : 0;
}

static void *make(const char *path, size_t size, void **block)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *(*plugin_make)(size_t);

	ck_assert_msg(handle != NULL, "%s", dlerror());
	plugin_make = (void *(*)(size_t))dlsym(handle, "plugin_make");
	*block = plugin_make(size);
	return handle;
}

START_TEST(each_library_has_its_row)
{
	void *a, *b, *c, *x, *y, *z;

	x = make(one, 1000, &a);
	ck_assert_uint_eq(live_of("plugin-one.so"), 1000);
	dlclose(x);
	/* the next one may lie where the last one lay */
	y = make(two, 2000, &b);
	ck_assert_uint_eq(live_of("plugin-one.so"), 1000);
	ck_assert_uint_eq(live_of("plugin-two.so"), 2000);
	/* the same file name in another directory: a row by its path */
	z = make(same, 4000, &c);
	ck_assert_uint_eq(live_of("plugin-two.so"), 2000);
	ck_assert_uint_eq(live_of(same), 4000);
	free(a);
	free(b);
	free(c);
	ck_assert_uint_eq(live_of("plugin-one.so"), 0);
	ck_assert_uint_eq(live_of("plugin-two.so"), 0);
	ck_assert_uint_eq(live_of(same), 0);
	dlclose(y);
	dlclose(z);
}
END_TEST

START_TEST(coming_and_going)
{
	int i;

	for (i = 0; i < 200; i++) {
		void *block, *handle = make(i % 2 ? one : two, 100, &block);

		ck_assert_uint_eq(live_of(i % 2 ? "plugin-one.so" : "plugin-two.so"), 100);
		dlclose(handle);
		free(block);
		ck_assert_uint_eq(live_of(i % 2 ? "plugin-one.so" : "plugin-two.so"), 0);
	}
}
END_TEST

/* mov edi, 100; jmp rax is what a JIT would make: code in no library. */
#ifdef __x86_64__
START_TEST(code_in_no_library)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static const unsigned char call_rsi[] = { 0x48, 0x83, 0xec, 0x08, 0xff, 0xd6,
						  0x48, 0x83, 0xc4, 0x08, 0xc3 };
	uint64_t before = live_of("[no library]");
	void *p;

	memcpy(code, call_rsi, sizeof(call_rsi));
	p = ((void *(*)(size_t, void *(*)(size_t)))(void *)code)(100, malloc);
	ck_assert_uint_eq(live_of("[no library]") - before, 100);
	free(p);
	munmap(code, 4096);
}
END_TEST
#endif

static void place_plugins(const char *plugin)
{
	const char *dir = scratch();

	snprintf(one, sizeof(one), "%s/plugin-one.so", dir);
	snprintf(two, sizeof(two), "%s/plugin-two.so", dir);
	snprintf(same, sizeof(same), "%s/d", dir);
	mkdir(same, 0700);
	snprintf(same, sizeof(same), "%s/d/plugin-two.so", dir);
	copy_file(plugin, one);
	copy_file(plugin, two);
	copy_file(plugin, same);
}

int main(int argc, char **argv)
{
	const char *plugin = argc > 1 ? argv[1] : getenv("MEMHOOK_PLUGIN");
	TCase *c = tcase_create("library");
	int rc;

	if (!getenv("MEMHOOK_BY")) { /* it is read at the very first malloc */
		setenv("MEMHOOK_BY", "library", 1);
		execv("/proc/self/exe", argv);
	}
	if (!plugin) {
		fprintf(stderr, "MEMHOOK_PLUGIN names no library\n");
		return 77;
	}
	place_plugins(plugin);
	tcase_add_test(c, each_library_has_its_row);
	tcase_add_test(c, coming_and_going);
#ifdef __x86_64__
	tcase_add_test(c, code_in_no_library);
#endif
	rc = run_case(c);
	unlink(one);
	unlink(two);
	unlink(same);
	*strrchr(same, '/') = '\0';
	rmdir(same);
	rmdir(scratch());
	return rc;
}
