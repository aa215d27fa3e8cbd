/* SPDX-License-Identifier: BSD-2-Clause */
/* What memhook top writes into a cell; no terminal in here. */
#ifndef TOP_TEXT_H
#define TOP_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#include "top-history.h"

/* Cells are up to 7 characters long, signs included. */
#define CELL 24

/* 512B, 41.2K, 1.5G: in units of 1024. */
void cell_bytes(char to[CELL], uint64_t n);
/* The same with its sign, + as well; 0 when nothing changed. */
void cell_change(char to[CELL], int64_t n);
/* 131783, 1.25M: in units of 1000. */
void cell_count(char to[CELL], uint64_t n);
/* In a second: 0.4, 12, 1.25M. */
void cell_rate(char to[CELL], double n);
void cell_byte_rate(char to[CELL], double n);
/* 41s, 12:31, 4:12:31, 3d 04:12 */
void cell_time(char to[CELL], uint64_t ms);

/*
 * `size` bytes of a name, in exactly `columns` columns (to[columns + 1]),
 * cut in the middle where it is longer.  What a terminal might obey, what is
 * no character of this locale, and what has no width is shown as '?'.
 */
void cell_name(wchar_t *to, size_t columns, const char *name, size_t size);

/*
 * The last samples as a line of bars, the latest one at its right end.  The
 * lowest bar is the least of them, the highest the greatest; less than a
 * sixteenth of change does not fill the height.
 */
void cell_spark(wchar_t *to, size_t columns, const struct top_history *h, int unicode);

#endif /* TOP_TEXT_H */
