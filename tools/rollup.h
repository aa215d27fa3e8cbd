/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owners with "/" in their names, added up by what stands before it.
 *
 * The group of an owner is its name up to its first "/", that one included:
 * "db/cache" and "db/log/old" are both of "db/".  Slashes that a name begins
 * with do not count: "/a/b" is of "/a/", and "/a" of none.  An owner "db"
 * belongs to "db/" when there is another one in that group, and stays as it
 * is when there is none.  Only owners named by the program and threads have
 * groups, each kind its own: in other names "/" is part of a path.
 */
#ifndef ROLLUP_H
#define ROLLUP_H

#include <stddef.h>

#include "memhook.h"

/* Length of the group's name in owner->name, its "/" included; 0: no group. */
size_t rollup_group(const struct memhook_stats *owner);

/*
 * Add a member's numbers to a group's.  The peaks are added as well: the
 * group's peak is no more than the sum, for its members may have had theirs at
 * different times.  The group is active while one member is.
 */
void rollup_add(struct memhook_stats *group, const struct memhook_stats *member);

/*
 * Put one row for each group in place of its members, named as the group
 * ("db/") and with MEMHOOK_AUTO for a handle: it is no owner of its own.
 * Returns how many rows are left; their order is by kind and name.
 */
size_t rollup_fold(struct memhook_stats *owners, size_t n);

#endif /* ROLLUP_H */
