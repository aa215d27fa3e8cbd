/* SPDX-License-Identifier: BSD-2-Clause */
/* Which columns fit a line, and how wide they are. */
#include "top-table.h"

#define NAME_LEAST 4

static size_t sum(const size_t *widths, size_t n)
{
	size_t used = 0, i;

	for (i = 0; i < n; i++)
		used += widths[i] ? widths[i] + (used > 0) : 0;
	return used;
}

/* 0 when nothing more can go. */
static int leave_one_out(const struct top_column *c, size_t n, size_t *widths)
{
	size_t out = n, i;

	for (i = 0; i < n; i++)
		if (widths[i] && c[i].rank && (out == n || c[i].rank > c[out].rank))
			out = i;
	if (out == n)
		return 0;
	widths[out] = 0;
	return 1;
}

/* A line for less than the columns that stay: shorter names, then names alone. */
static void squeeze(const struct top_column *c, size_t n, size_t line, size_t *widths)
{
	size_t i;

	for (i = 0; i < n; i++)
		while (sum(widths, n) > line && c[i].left && widths[i] > NAME_LEAST)
			widths[i]--;
	for (i = n; i-- > 0;)
		if (sum(widths, n) > line && !c[i].left)
			widths[i] = 0;
}

void table_layout(const struct top_column *c, size_t n, size_t line,
		  size_t widths[TABLE_COLUMNS])
{
	size_t i, used;
	int grown = 1;

	for (i = 0; i < n; i++)
		widths[i] = c[i].width;
	while (sum(widths, n) > line && leave_one_out(c, n, widths))
		;
	squeeze(c, n, line, widths);
	used = sum(widths, n);
	/* A column each in turn, so that all get their share. */
	while (used < line && grown) {
		grown = 0;
		for (i = 0; i < n && used < line; i++) {
			if (!widths[i] || widths[i] >= c[i].most)
				continue;
			widths[i]++;
			used++;
			grown = 1;
		}
	}
}
