/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots in the formats of other people's viewers. */
#ifndef PROFILE_H
#define PROFILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "report.h"

/* What a profile has of each owner, in this order. */
enum profile_value {
	PROFILE_ALLOC_OBJECTS,
	PROFILE_ALLOC_SPACE,
	PROFILE_INUSE_OBJECTS,
	PROFILE_INUSE_SPACE,
	PROFILE_VALUES
};

/* "alloc_objects" and so on, as Go's heap profiles call them. */
const char *profile_value_name(enum profile_value value);
uint64_t profile_value(const struct memhook_stats *s, enum profile_value value);

/*
 * The profile for pprof, not compressed.  Allocated; *size bytes.  Several
 * processes are told apart by labels.
 */
void *profile_pack(const struct mh_snapshot *list, size_t count, size_t *size);

/*
 * "library;function (file:line) N", a line for each owner that has any; where
 * there are several processes they come first: "name (pid 7);library;..."
 */
void profile_folded(FILE *to, const struct mh_snapshot *list, size_t count,
		    enum profile_value value);

/* The last part of a path. */
const char *profile_base(const char *path);

#endif /* PROFILE_H */
