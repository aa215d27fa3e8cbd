/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of memhook top: which columns fit, and writing into them. */
#ifndef TOP_TABLE_H
#define TOP_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#define TABLE_COLUMNS 16
#define TABLE_WIDEST 256 /* no wider line is written */

struct top_column {
	const char *title;
	unsigned char width; /* at least */
	unsigned char most;  /* it grows up to this where there is room */
	unsigned char rank;  /* the highest goes first when room is short; 0: stays */
	unsigned char left;  /* aligned */
};

/* Widths for a line of so many columns; 0: it is left out. */
void table_layout(const struct top_column *c, size_t n, size_t line,
		  size_t widths[TABLE_COLUMNS]);

/* Write a line from its left end: cells one by one, then the rest. */
void table_begin(int y, int attributes);
/* Text that is not ASCII takes table_wide(). */
void table_text(const char *text, size_t width, int left, int attributes);
void table_wide(const wchar_t *text, int attributes);
void table_gap(size_t columns);
void table_to(size_t column); /* blanks up to there */
void table_end(void);

/* Titles; the column that is sorted by stands out. */
void table_header(int y, const struct top_column *c, size_t n, const size_t *widths,
		  size_t sorted);

/*
 * A line of parts, as many of them as fit, the first one in any case: none is
 * cut where it would become another number.  The text at the right end is
 * left out when there is no room for it.
 */
void table_parts(int y, int attributes, const char *const *parts, const char *right);

/* A line of one part. */
void table_line(int y, int attributes, const char *left, const char *right);

/* Some keys in the last line, when there is room for that; how many lines are left. */
int table_hints(const char *const *hints);

#endif /* TOP_TABLE_H */
