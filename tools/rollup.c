/* SPDX-License-Identifier: BSD-2-Clause */
#include "rollup.h"

#include <stdlib.h>
#include <string.h>

size_t rollup_group(const struct memhook_stats *owner)
{
	const char *name = owner->name, *slash;

	if (owner->kind != MEMHOOK_KIND_NAMED && owner->kind != MEMHOOK_KIND_THREAD)
		return 0;
	slash = strchr(name + strspn(name, "/"), '/');
	return slash ? (size_t)(slash - name) + 1 : 0;
}

void rollup_add(struct memhook_stats *group, const struct memhook_stats *member)
{
	group->live_bytes += member->live_bytes;
	group->live_blocks += member->live_blocks;
	group->peak_bytes += member->peak_bytes;
	group->alloc_bytes += member->alloc_bytes;
	group->alloc_calls += member->alloc_calls;
	group->free_bytes += member->free_bytes;
	group->free_calls += member->free_calls;
	if (member->state == MEMHOOK_STATE_ACTIVE)
		group->state = MEMHOOK_STATE_ACTIVE;
}

/* "/" before all other bytes, so that "db" comes directly before "db/...". */
static int by_name(const void *a, const void *b)
{
	const struct memhook_stats *x = a, *y = b;
	const unsigned char *p = (const unsigned char *)x->name;
	const unsigned char *q = (const unsigned char *)y->name;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	while (*p && *p == *q)
		p++, q++;
	if (*p != *q)
		return (*p == '/' ? 1 : 2 * *p) - (*q == '/' ? 1 : 2 * *q);
	return (x->owner > y->owner) - (x->owner < y->owner);
}

/* Is it of the group that the first `length` bytes of `name` are? */
static int belongs(const struct memhook_stats *owner, uint32_t kind, const char *name,
		   size_t length)
{
	return owner->kind == kind && strncmp(owner->name, name, length) == 0;
}

/* The group that starts with this row: its name's length, 0 for none. */
static size_t group_at(const struct memhook_stats *o, size_t left)
{
	size_t length = strlen(o->name), next, i;

	if (rollup_group(o))
		return rollup_group(o);
	/* Several may be called "db": retired ones, and the one of today. */
	for (i = 1; i < left && strcmp(o[i].name, o->name) == 0; i++)
		;
	next = i < left ? rollup_group(&o[i]) : 0;
	return next == length + 1 && belongs(&o[i], o->kind, o->name, length) ? next : 0;
}

size_t rollup_fold(struct memhook_stats *owners, size_t n)
{
	size_t from = 0, to = 0;

	if (n)
		qsort(owners, n, sizeof(*owners), by_name);
	while (from < n) {
		size_t length = group_at(&owners[from], n - from);
		struct memhook_stats *group = &owners[to++];

		*group = owners[from++];
		if (!length)
			continue;
		group->owner = MEMHOOK_AUTO;
		if (!group->name[length - 1])
			group->name[length - 1] = '/';
		group->name[length] = '\0';
		/* "db" has no slash to compare. */
		while (from < n && belongs(&owners[from], group->kind, group->name,
					   length - !owners[from].name[length - 1]))
			rollup_add(group, &owners[from++]);
	}
	return to;
}
