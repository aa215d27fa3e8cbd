/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owners as a tree: "db/cache/rows" lies in "db/cache/", and that in "db/".
 *
 * As in rollup.h, slashes that a name begins with do not count, each kind of
 * owner has groups of its own, only owners named by the program and threads
 * have any, and an owner "db" belongs to "db/" when that group exists.  A
 * name has at most TREE_DEPTH groups; what follows the last one is one label.
 */
#ifndef TREE_H
#define TREE_H

#include <stddef.h>
#include <stdint.h>

#define TREE_DEPTH 8
#define TREE_NONE UINT32_MAX

struct tree_numbers {
	uint64_t live_bytes, live_blocks;
	uint64_t peak_bytes; /* of a group: the sum of its owners' */
	uint64_t alloc_calls;
	int64_t change;      /* of live_bytes, since some moment */
	double call_rate, byte_rate; /* allocated in a second */
};

struct tree_owner {
	uint64_t key;     /* tells owners apart from one tree to the next */
	const char *name; /* stays valid while the tree is used */
	uint32_t kind;
	uint32_t thread;  /* its number while it lives; threads may share a name */
	unsigned retired : 1;
	unsigned gone : 1; /* it is no more; only its change is left */
	struct tree_numbers n;
};

struct tree_node {
	uint64_t key;
	const char *name;      /* of the first owner in it */
	uint16_t start, size;  /* its label is name + start .. name + size */
	uint8_t depth;         /* 0: directly in the root */
	unsigned matches : 1;  /* it, or an owner in it, passes the filter */
	unsigned itself : 1;   /* what the owner "db" is in the group "db/" */
	uint32_t kind;
	uint32_t owner;        /* index of the owner, TREE_NONE for a group */
	uint32_t parent, child, next;
	uint32_t owners;       /* in it, itself included */
	struct tree_numbers n;
};

/* nodes[0] is the root: all owners. */
struct tree {
	struct tree_node *nodes;
	uint32_t count, room;
	uint32_t *index; /* groups by hash */
	uint32_t index_size;
	uint32_t groups;
	const struct tree_owner *owners;
};

enum tree_column {
	TREE_OWNER,
	TREE_LIVE,
	TREE_BLOCKS,
	TREE_PEAK,
	TREE_ALLOCS,
	TREE_RATE,
	TREE_BYTES,
	TREE_CHANGE,
	TREE_COLUMNS
};

/* Which groups are folded: none or all, but for those toggled since. */
struct tree_folds {
	int all;
	uint64_t *toggled; /* sorted */
	size_t count, room;
};

struct tree_order {
	enum tree_column column;
	int reverse; /* names begin with A, numbers with the greatest; or not */
	int flat;    /* no groups: each owner with its whole name */
};

/* Build it anew.  `owners` must stay. */
void tree_build(struct tree *t, const struct tree_owner *owners, size_t n);
void tree_free(struct tree *t);

/* Mark what contains `text` (ASCII letters in either case); all when empty. */
void tree_filter(struct tree *t, const char *text);

/*
 * The nodes to be shown, from top to bottom, into rows[t->count].  Only what
 * is shown is sorted.  Returns how many there are.
 */
size_t tree_rows(struct tree *t, const struct tree_order *order,
		 const struct tree_folds *folds, uint32_t *rows);

int tree_folded(const struct tree_folds *f, uint64_t key);
void tree_toggle(struct tree_folds *f, uint64_t key);
void tree_fold_all(struct tree_folds *f, int all);

#endif /* TREE_H */
