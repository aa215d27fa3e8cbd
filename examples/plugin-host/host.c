/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host whose plug-ins do not know of owners: it charges what they allocate
 * to one each, and what outlives a plug-in is still credited to it.
 *
 *     cc -shared -fPIC -o plugin-c.so plugin-c.c
 *     c++ -shared -fPIC -o plugin-cxx.so plugin-cxx.cc
 *     cc host.c $(pkg-config --cflags --libs memhook) -ldl
 *     ./a.out ./plugin-c.so ./plugin-cxx.so
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memhook.h>

struct plugin {
	void *library;
	void *(*start)(void);
	char *(*greeting)(void); /* the host frees it */
	void (*stop)(void *);
};

static uint64_t live(memhook_owner owner)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_stats(owner, &s) ? 0 : s.live_bytes;
}

static int load(struct plugin *p, const char *path)
{
	p->library = dlopen(path, RTLD_NOW);
	if (p->library) {
		p->start = (void *(*)(void))dlsym(p->library, "plugin_start");
		p->greeting = (char *(*)(void))dlsym(p->library, "plugin_greeting");
		p->stop = (void (*)(void *))dlsym(p->library, "plugin_stop");
		if (p->start && p->greeting && p->stop)
			return 0;
	}
	fprintf(stderr, "%s\n", dlerror());
	return -1;
}

static int run_plugin(const char *path)
{
	const char *slash = strrchr(path, '/');
	memhook_owner owner = memhook_owner_create(slash ? slash + 1 : path);
	struct plugin p;
	uint64_t running, unloaded;
	char *greeting;
	void *state;

	if (load(&p, path))
		return 1;
	{
		MEMHOOK_SCOPE(owner);
		state = p.start();
		greeting = p.greeting();
	}
	running = live(owner);
	p.stop(state);
	dlclose(p.library);
	unloaded = live(owner); /* the greeting is still here */
	free(greeting);
	printf("%s held %llu bytes, %llu when unloaded, %llu in the end\n", path,
	       (unsigned long long)running, (unsigned long long)unloaded,
	       (unsigned long long)live(owner));
	return memhook_active() && (running < 1000 || unloaded != 100 || live(owner));
}

int main(int argc, char **argv)
{
	int i, failed = argc < 2;

	if (!memhook_active())
		puts("the hook is not at work: nothing is counted");
	for (i = 1; i < argc; i++)
		failed |= run_plugin(argv[i]);
	return failed;
}
