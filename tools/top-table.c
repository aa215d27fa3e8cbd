/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "top-table.h"

#include <curses.h>
#include <string.h>

#include "top-text.h"

/*
 * The line being written.  We keep count ourselves: curses goes on to the
 * next line where this one is full.
 */
static struct {
	int y, attributes;
	size_t x;
} line;

void table_begin(int y, int attributes)
{
	line.y = y;
	line.x = 0;
	line.attributes = attributes;
}

static size_t room(void)
{
	return COLS > 0 && line.x < (size_t)COLS ? (size_t)COLS - line.x : 0;
}

void table_wide(const wchar_t *text, int attributes)
{
	size_t n = 0, columns = 0;

	while (text[n] && columns + (size_t)wcwidth(text[n]) <= room())
		columns += (size_t)wcwidth(text[n++]);
	attrset(line.attributes | attributes);
	mvaddnwstr(line.y, (int)line.x, text, (int)n);
	attrset(0);
	line.x += columns;
}

void table_gap(size_t columns)
{
	static const char blanks[] = "                ";
	size_t n;

	for (; columns && room(); columns -= n, line.x += n) {
		n = columns < room() ? columns : room();
		if (n > sizeof(blanks) - 1)
			n = sizeof(blanks) - 1;
		attrset(line.attributes);
		mvaddnstr(line.y, (int)line.x, blanks, (int)n);
		attrset(0);
	}
}

void table_text(const char *text, size_t width, int left, int attributes)
{
	wchar_t wide[TABLE_WIDEST + 1];
	size_t n = strlen(text), pad = n < width ? width - n : 0;

	if (!left)
		table_gap(pad);
	cell_name(wide, n < TABLE_WIDEST ? n : TABLE_WIDEST, text, n);
	table_wide(wide, attributes);
	if (left)
		table_gap(pad);
}

void table_to(size_t column)
{
	if (column > line.x)
		table_gap(column - line.x);
}

void table_end(void)
{
	table_gap(room());
}

void table_header(int y, const struct top_column *c, size_t n, const size_t *widths,
		  size_t sorted)
{
	size_t i;

	table_begin(y, A_UNDERLINE);
	for (i = 0; i < n; i++) {
		if (!widths[i])
			continue;
		if (line.x)
			table_gap(1);
		table_text(c[i].title, widths[i], c[i].left,
			   i == sorted ? A_BOLD | A_STANDOUT : 0);
	}
	table_end();
}

void table_parts(int y, int attributes, const char *const *parts, const char *right)
{
	size_t n = strlen(right);

	table_begin(y, attributes);
	for (; *parts; parts++) {
		if (!**parts)
			continue;
		if (line.x && 2 + strlen(*parts) > room())
			break;
		table_gap(line.x ? 2 : 0);
		table_text(*parts, 0, 1, 0);
	}
	if (n && !*parts && n + 2 <= room()) {
		table_to((size_t)COLS - n);
		table_text(right, 0, 1, 0);
	}
	table_end();
}

void table_line(int y, int attributes, const char *left, const char *right)
{
	const char *const parts[] = { left, NULL };

	table_parts(y, attributes, parts, right);
}

int table_hints(const char *const *hints)
{
	if (LINES < 9)
		return LINES;
	table_parts(LINES - 1, A_DIM, hints, "");
	return LINES - 1;
}
