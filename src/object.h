/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared objects that allocations came from.  They are kept in the segment
 * for ever: what was unloaded keeps its name, and another file that is loaded
 * from the same path is another object.
 */
#ifndef MH_OBJECT_H
#define MH_OBJECT_H

#include <dlfcn.h>
#include <stdint.h>

#define MH_NO_OBJECT UINT32_MAX

/* Its number, MH_NO_OBJECT when the table is full.  Takes the owners' lock for a new one. */
uint32_t mh_object_of(const struct dl_find_object *found);

/* The owner "library" that it is. */
uint32_t mh_object_owner(uint32_t object);

/* Is it on the list of libraries whose callers are charged? */
int mh_object_is_through(uint32_t object);

/* The file's name, without its folder. */
const char *mh_object_name(uint32_t object);

void mh_objects_index(void); /* made anew from the table */

/* through.c: comma-separated names, each of them "NAME.*" or "NAME-*". */
void mh_through_set(const char *list);
int mh_through_has(const char *name);
int mh_through_is_empty(void);

#endif /* MH_OBJECT_H */
