/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library for loading.c: it allocates while programs are being started,
 * makes dlerror() allocate, and has thread-local memory that libc gets by
 * malloc when a thread first touches it.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

extern void *guest_blocks[4];
void *guest_touch(void);

EXPORT void *guest_blocks[4];
static __thread char room[5000];

__attribute__((constructor)) static void begin(void)
{
	guest_blocks[0] = malloc(101);
	guest_blocks[1] = calloc(7, 29);
	/* fails: the text of dlerror() is allocated, and its old one freed */
	if (dlsym(RTLD_DEFAULT, "no such symbol") || !dlerror())
		abort();
	if (dlopen("/nonexistent/library.so", RTLD_NOW) || !dlerror())
		abort();
	guest_blocks[2] = realloc(malloc(10), 5000);
	guest_blocks[3] = strdup("from a constructor");
}

EXPORT void *guest_touch(void)
{
	memset(room, 1, sizeof(room));
	return room;
}
