/* SPDX-License-Identifier: BSD-2-Clause */
/* A library to load and unload. */
#include <stdlib.h>

void *plugin_make(size_t size);

__attribute__((visibility("default"))) void *plugin_make(size_t size)
{
	void *volatile p = malloc(size);

	return p;
}
