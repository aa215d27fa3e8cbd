/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers and names for people, as the report of the library writes them. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char s[32];
};

struct text text_bytes(uint64_t n);          /* "1.5 KiB" */
struct text text_bytes_change(int64_t n);    /* "+1.5 KiB", "-3 B", "0 B" */
/* "12,345", or "67.1 M" where that does not fit. */
struct text text_count(uint64_t n, size_t width);
struct text text_count_change(int64_t n, size_t width); /* "+12,345" */
struct text text_seconds(uint64_t ms);       /* "0.5 s", "75 s", "3 h", "12 d" */

/*
 * A name cut in its middle to at most `width` columns; how many it has.  What
 * a terminal might obey, and what is no UTF-8, comes out as '?'.  `to` takes
 * 4 * width + 1 bytes.
 */
size_t text_cut(char *to, const char *name, size_t width);

/* The same, filled up with blanks to the full width. */
void text_name(char *to, const char *name, size_t width);

/* The name with U+FFFD for what is no UTF-8; `to` takes 3 * its length + 1. */
void text_utf8(char *to, const char *name);

#endif /* TEXT_H */
