/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host whose plug-ins do not know of owners: it charges what they allocate
 * to one each.
 *
 *     cc -shared -fPIC -o plugin-c.so plugin-c.c
 *     c++ -shared -fPIC -o plugin-cxx.so plugin-cxx.cc
 *     cc host.c $(pkg-config --cflags --libs memhook) -ldl
 *     ./a.out ./plugin-c.so ./plugin-cxx.so
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <memhook.h>

static uint64_t live(memhook_owner owner)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_stats(owner, &s) ? 0 : s.live_bytes;
}

static int run_plugin(const char *path)
{
	const char *slash = strrchr(path, '/');
	memhook_owner owner = memhook_owner_create(slash ? slash + 1 : path);
	void *library = dlopen(path, RTLD_NOW), *state;
	void *(*start)(void);
	void (*stop)(void *);
	uint64_t held;

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	start = (void *(*)(void))dlsym(library, "plugin_start");
	stop = (void (*)(void *))dlsym(library, "plugin_stop");
	{
		MEMHOOK_SCOPE(owner);
		state = start();
	}
	held = live(owner);
	stop(state);
	dlclose(library);
	printf("%s held %llu bytes, and %llu after it was unloaded\n", path,
	       (unsigned long long)held, (unsigned long long)live(owner));
	return memhook_active() && (held < 1000 || live(owner));
}

int main(int argc, char **argv)
{
	int i, failed = 0;

	if (!memhook_active())
		puts("the hook is not at work: nothing is counted");
	for (i = 1; i < argc; i++)
		failed |= run_plugin(argv[i]);
	return failed;
}
