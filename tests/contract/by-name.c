/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the API that the preloaded programs use, looked up when they
 * run: they are not linked with the library.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <memhook.h>

static void *by_name(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f) {
		fprintf(stderr, "%s: the library is not preloaded\n", name);
		exit(99);
	}
	return f;
}

int memhook_active(void)
{
	return ((int (*)(void))by_name("memhook_active"))();
}

memhook_owner memhook_owner_create(const char *name)
{
	return ((memhook_owner(*)(const char *))by_name("memhook_owner_create"))(name);
}

memhook_owner memhook_enter(memhook_owner owner)
{
	return ((memhook_owner(*)(memhook_owner))by_name("memhook_enter"))(owner);
}

void memhook_leave(memhook_owner previous)
{
	((void (*)(memhook_owner))by_name("memhook_leave"))(previous);
}

int memhook_stats(memhook_owner owner, struct memhook_stats *s)
{
	return ((int (*)(memhook_owner, struct memhook_stats *))by_name("memhook_stats"))(
		owner, s);
}

int memhook_inspect(const void *p, struct memhook_block *b)
{
	return ((int (*)(const void *, struct memhook_block *))by_name("memhook_inspect"))(
		p, b);
}
