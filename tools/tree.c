/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "memhook.h"

#define GROUP_KEY (UINT64_C(1) << 63)

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static uint32_t new_node(struct tree *t)
{
	struct tree_node *node;

	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 256;
		t->nodes = must(realloc(t->nodes, t->room * sizeof(*t->nodes)));
	}
	node = &t->nodes[t->count];
	memset(node, 0, sizeof(*node));
	node->owner = node->parent = node->child = node->next = TREE_NONE;
	return t->count++;
}

/* At the front of its parent's list: the order comes later. */
static void link_node(struct tree *t, uint32_t parent, uint32_t i)
{
	struct tree_node *node = &t->nodes[i], *above = &t->nodes[parent];

	node->parent = parent;
	node->depth = parent ? above->depth + 1 : 0;
	node->start = parent ? above->size : 0;
	node->next = above->child;
	above->child = i;
}

/* Of this run: names made to collide would keep us busy for ever. */
static uint64_t secret(void)
{
	static uint64_t bytes;

	if (!bytes)
		memcpy(&bytes, (const void *)getauxval(AT_RANDOM), sizeof(bytes));
	return bytes;
}

static uint64_t group_key(uint32_t kind, const char *name, size_t size)
{
	uint64_t hash = secret() ^ kind;

	while (size--)
		hash = (hash ^ (unsigned char)*name++) * UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 32;
	return hash | GROUP_KEY;
}

static void index_put(struct tree *t, uint32_t i)
{
	uint32_t mask = t->index_size - 1;
	uint32_t at = (uint32_t)(t->nodes[i].key >> 20) & mask;

	while (t->index[at] != TREE_NONE)
		at = (at + 1) & mask;
	t->index[at] = i;
}

/* At most half full, so that looking for what is not there ends. */
static void grow_index(struct tree *t)
{
	uint32_t i;

	t->index_size = t->index_size ? 2 * t->index_size : 256;
	t->index = must(realloc(t->index, t->index_size * sizeof(*t->index)));
	memset(t->index, 0xff, t->index_size * sizeof(*t->index));
	for (i = 1; i < t->count; i++)
		if (t->nodes[i].owner == TREE_NONE)
			index_put(t, i);
}

static uint32_t find_group(const struct tree *t, uint32_t kind, const char *name,
			   size_t size, uint64_t key)
{
	uint32_t mask = t->index_size - 1, at = (uint32_t)(key >> 20) & mask;

	for (; t->index[at] != TREE_NONE; at = (at + 1) & mask) {
		const struct tree_node *node = &t->nodes[t->index[at]];

		if (node->key == key && node->kind == kind && node->size == size &&
		    memcmp(node->name, name, size) == 0)
			return t->index[at];
	}
	return TREE_NONE;
}

static uint32_t get_group(struct tree *t, uint32_t parent, const struct tree_owner *o,
			  size_t size)
{
	uint64_t key = group_key(o->kind, o->name, size);
	uint32_t i = find_group(t, o->kind, o->name, size, key);

	if (i != TREE_NONE)
		return i;
	if (2 * (t->groups + 1) > t->index_size)
		grow_index(t);
	i = new_node(t);
	t->nodes[i].key = key;
	t->nodes[i].name = o->name;
	t->nodes[i].size = (uint16_t)size;
	t->nodes[i].kind = o->kind;
	link_node(t, parent, i);
	index_put(t, i);
	t->groups++;
	return i;
}

static int has_groups(const struct tree_owner *o)
{
	return o->kind == MEMHOOK_KIND_NAMED || o->kind == MEMHOOK_KIND_THREAD;
}

/* The innermost group of an owner; 0, the root, when it has none. */
static uint32_t groups_of(struct tree *t, const struct tree_owner *o)
{
	const char *p = o->name + strspn(o->name, "/");
	uint32_t group = 0;
	int depth;

	for (depth = 0; depth < TREE_DEPTH && (p = strchr(p, '/')); depth++) {
		group = get_group(t, group, o, (size_t)(++p - o->name));
		p += strspn(p, "/");
	}
	return group;
}

/* "db" is in "db/", if that exists. */
static uint32_t own_group(const struct tree *t, const struct tree_owner *o)
{
	size_t n = strnlen(o->name, MEMHOOK_NAME_MAX);
	char name[MEMHOOK_NAME_MAX + 1];

	if (!t->groups || !n || n >= MEMHOOK_NAME_MAX)
		return TREE_NONE;
	memcpy(name, o->name, n);
	name[n++] = '/';
	return find_group(t, o->kind, name, n, group_key(o->kind, name, n));
}

static void add_numbers(struct tree_numbers *to, const struct tree_numbers *n)
{
	to->live_bytes += n->live_bytes;
	to->live_blocks += n->live_blocks;
	to->peak_bytes += n->peak_bytes;
	to->alloc_calls += n->alloc_calls;
	to->change += n->change;
	to->call_rate += n->call_rate;
	to->byte_rate += n->byte_rate;
}

static void add_owner(struct tree *t, uint32_t group, uint32_t own, uint32_t owner)
{
	const struct tree_owner *o = &t->owners[owner];
	uint32_t i = new_node(t), up;
	struct tree_node *node = &t->nodes[i];

	node->key = o->key;
	node->name = o->name;
	node->size = (uint16_t)strnlen(o->name, MEMHOOK_NAME_MAX);
	node->kind = o->kind;
	node->owner = owner;
	node->owners = 1;
	node->n = o->n;
	link_node(t, own != TREE_NONE ? own : group, i);
	node->itself = own != TREE_NONE || (group && node->start >= node->size);
	if (node->itself)
		node->start = t->nodes[node->parent].start;
	for (up = node->parent; up != TREE_NONE; up = t->nodes[up].parent) {
		add_numbers(&t->nodes[up].n, &o->n);
		t->nodes[up].owners++;
	}
}

void tree_build(struct tree *t, const struct tree_owner *owners, size_t n)
{
	uint32_t *group = must(malloc((n + 1) * sizeof(*group)));
	size_t i;

	t->count = 0;
	t->groups = 0;
	t->owners = owners;
	if (t->index)
		memset(t->index, 0xff, t->index_size * sizeof(*t->index));
	else
		grow_index(t);
	new_node(t);
	/* All groups first: "db" may come before "db/cache". */
	for (i = 0; i < n; i++)
		group[i] = has_groups(&owners[i]) ? groups_of(t, &owners[i]) : 0;
	for (i = 0; i < n; i++)
		add_owner(t, group[i], has_groups(&owners[i]) ? own_group(t, &owners[i])
							      : TREE_NONE, (uint32_t)i);
	free(group);
	tree_filter(t, "");
}

void tree_free(struct tree *t)
{
	free(t->nodes);
	free(t->index);
	memset(t, 0, sizeof(*t));
}

void tree_filter(struct tree *t, const char *text)
{
	uint32_t i, up;

	for (i = 0; i < t->count; i++)
		t->nodes[i].matches = !*text;
	for (i = 1; *text && i < t->count; i++) {
		if (t->nodes[i].owner == TREE_NONE || !strcasestr(t->nodes[i].name, text))
			continue;
		/* Whoever matches already has matching parents. */
		for (up = i; up != TREE_NONE && !t->nodes[up].matches;
		     up = t->nodes[up].parent)
			t->nodes[up].matches = 1;
	}
}
