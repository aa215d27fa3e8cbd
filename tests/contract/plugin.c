/* SPDX-License-Identifier: BSD-2-Clause */
/* A library to load and unload. */
#include <stdlib.h>

void *plugin_make(size_t size);

#ifdef SECOND /* the same code, another build-id */
const char plugin_is[] = "the second";
#endif

__attribute__((visibility("default"))) void *plugin_make(size_t size)
{
	void *volatile p = malloc(size);

	return p;
}
