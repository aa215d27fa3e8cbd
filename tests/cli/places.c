/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For places.cc: prints where it is called from, as the hook would see it: a
 * line "NAME PATH OFFSET".
 */
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "places.h"

static void print_place(const char *name, void *caller)
{
	char path[PATH_MAX] = "";
	struct link_map *map;
	Dl_info info;

	if (!dladdr1((char *)caller - 1, &info, (void **)&map, RTLD_DL_LINKMAP) ||
	    (!*map->l_name && readlink("/proc/self/exe", path, sizeof(path) - 1) < 0))
		exit(98);
	printf("%s %s %lx\n", name, *map->l_name ? map->l_name : path,
	       (unsigned long)((char *)caller - (char *)map->l_addr));
}

void place(const char *name)
{
	print_place(name, __builtin_return_address(0));
}

void last_place(const char *name)
{
	print_place(name, __builtin_return_address(0));
	fflush(stdout);
	_exit(0);
}
