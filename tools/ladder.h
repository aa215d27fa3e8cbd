/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways to a process's segment, from the one that always works down. */
#ifndef LADDER_H
#define LADDER_H

#include "source.h"

enum ladder {
	LADDER_FOUND,
	LADDER_NONE,   /* it has none: not hooked, or its counters are private */
	LADDER_DENIED, /* it may not be looked at */
	LADDER_GONE,   /* no such process */
};

/*
 * Its descriptor; when the program closed it, the mapping by way of map_files
 * (root); its memory (who may trace it).  The process is not touched by any.
 * LADDER_FOUND with *s to be closed; else *why says what to do.
 */
enum ladder ladder_open(int pid, struct source *s, const char **why);

#endif /* LADDER_H */
