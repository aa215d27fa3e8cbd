/* SPDX-License-Identifier: BSD-2-Clause */
/* What C programs are made of: trees of small nodes, tables of strings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct node {
	struct node *left, *right;
	long value;
};

static struct node *grow(long depth)
{
	struct node *n = get(sizeof(*n));

	n->value = depth;
	n->left = depth ? grow(depth - 1) : NULL;
	n->right = depth ? grow(depth - 1) : NULL;
	return n;
}

static void cut(struct node *n)
{
	if (!n)
		return;
	cut(n->left);
	cut(n->right);
	free(n);
}

static void trees(struct job *job)
{
	long n = job->n;

	while (n--)
		cut(grow(job->arg[0]));
}

struct word {
	struct word *next;
	char *text;
	unsigned count;
};

#define BUCKETS 1024

/* Words are looked up, copied when they are new, and dropped all at once. */
static void words(struct job *job)
{
	static const char *const stems[] = { "", "block", "of memory that ", "an owner holds " };
	long n = job->n, i;

	while (n--) {
		struct word **table = calloc(BUCKETS, sizeof(*table)), *w, *next;
		char text[64];

		if (!table)
			no_memory();
		for (i = 0; i < job->arg[0]; i++) {
			unsigned r = draw(&job->seed) % 8192;

			snprintf(text, sizeof(text), "%s%u", stems[r % 4], r);
			for (w = table[r % BUCKETS]; w; w = w->next)
				if (!strcmp(w->text, text))
					break;
			if (!w) {
				w = get(sizeof(*w));
				w->text = strdup(text);
				w->count = 0;
				w->next = table[r % BUCKETS];
				table[r % BUCKETS] = w;
			}
			w->count++;
		}
		for (i = 0; i < BUCKETS; i++) {
			for (w = table[i]; w; w = next) {
				next = w->next;
				free(w->text);
				free(w);
			}
		}
		free(table);
	}
}

const struct workload churn_workloads[] = {
	{ "trees", "depth", trees, NULL },
	{ "words", "words", words, NULL },
	{ 0 },
};
