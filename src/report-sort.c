/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of a report's owners. */
#include "report.h"

static int before(const struct memhook_stats *a, const struct memhook_stats *b)
{
	if (a->live_bytes != b->live_bytes)
		return a->live_bytes > b->live_bytes;
	return (uint32_t)a->owner < (uint32_t)b->owner;
}

static void swap(struct memhook_stats *a, struct memhook_stats *b)
{
	struct memhook_stats t = *a;

	*a = *b;
	*b = t;
}

/* Heapsort: in place, without malloc, and no bad case for 65,536 owners. */
static void sift(struct memhook_stats *v, size_t root, size_t n)
{
	size_t child;

	while ((child = 2 * root + 1) < n) {
		if (child + 1 < n && before(&v[child], &v[child + 1]))
			child++;
		if (!before(&v[root], &v[child]))
			return;
		swap(&v[root], &v[child]);
		root = child;
	}
}

void mh_report_sort(struct mh_snapshot *s)
{
	size_t i;

	if (s->sorted)
		return;
	for (i = s->owner_count / 2; i-- > 0;)
		sift(s->owners, i, s->owner_count);
	for (i = s->owner_count; i-- > 1;) {
		swap(&s->owners[0], &s->owners[i]);
		sift(s->owners, 0, i);
	}
}
