/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen that lists the hooked processes. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "top-table.h"
#include "top-text.h"
#include "top.h"

static const struct top_column columns[LIST_COLUMNS] = {
	[LIST_PID] = { "PID", 7, 7, 0, 0 },
	[LIST_COMMAND] = { "COMMAND", 10, 40, 0, 1 },
	[LIST_BY] = { "BY", 7, 7, 6, 1 },
	[LIST_UPTIME] = { "UPTIME", 8, 9, 3, 0 },
	[LIST_OWNERS] = { "OWNERS", 6, 6, 5, 0 },
	[LIST_LIVE] = { "LIVE", 6, 6, 0, 0 },
	[LIST_BLOCKS] = { "BLOCKS", 6, 6, 4, 0 },
	[LIST_RATE] = { "ALLOC/s", 7, 7, 2, 0 },
	[LIST_RSS] = { "RSS", 6, 6, 1, 0 },
};

static void cell(const struct top_process *p, enum list_column column, size_t width)
{
	wchar_t name[TABLE_WIDEST + 1];
	char text[CELL];

	switch (column) {
	case LIST_COMMAND:
		cell_name(name, width, p->command,
			  strnlen(p->command, sizeof(p->command)));
		table_wide(name, 0);
		return;
	case LIST_PID: snprintf(text, sizeof(text), "%d", p->pid); break;
	case LIST_BY: snprintf(text, sizeof(text), "%s", p->by); break;
	case LIST_UPTIME: cell_time(text, p->uptime_ms); break;
	case LIST_OWNERS: cell_count(text, p->owners); break;
	case LIST_LIVE: cell_bytes(text, p->live_bytes); break;
	case LIST_BLOCKS: cell_count(text, p->live_blocks); break;
	case LIST_RSS: cell_bytes(text, p->rss_bytes); break;
	default:
		if (p->call_rate < 0)
			strcpy(text, "-");
		else
			cell_rate(text, p->call_rate);
	}
	table_text(text, width, columns[column].left, 0);
}

static void table(struct top *t, int y, int lines)
{
	struct top_list *l = &t->list;
	size_t widths[TABLE_COLUMNS], c;
	int i;

	table_layout(columns, LIST_COLUMNS, (size_t)COLS, widths);
	table_header(y, columns, LIST_COLUMNS, widths, l->column);
	l->cursor.page = lines > 1 ? (size_t)lines - 1 : 0;
	cursor_settle(&l->cursor, l->row_count);
	for (i = 1; i < lines; i++) {
		size_t row = l->cursor.first + (size_t)i - 1;

		if (row >= l->row_count)
			break;
		table_begin(y + i, row == l->cursor.at ? A_REVERSE : 0);
		for (c = 0; c < LIST_COLUMNS; c++) {
			if (!widths[c])
				continue;
			if (c)
				table_gap(1);
			cell(&l->all[l->rows[row]], (enum list_column)c, widths[c]);
		}
		table_end();
	}
	if (!l->row_count && lines > 1)
		table_line(y + 1, 0, *l->filter ? "None matches the filter (Esc clears it)."
						: "None. Start one: memhook run -- PROGRAM",
			   "");
}

static void status_line(const struct top *t, int y)
{
	const struct top_list *l = &t->list;
	char left[100], filter[120] = "", right[100] = "";
	const char *const parts[] = { left, l->reverse ? "reversed" : "", filter, NULL };

	if (t->typing) {
		snprintf(left, sizeof(left), "Filter: %s_", t->typed);
		table_line(y, A_BOLD, left, "Enter keeps it, Esc clears it");
		return;
	}
	if (*l->remark) {
		table_line(y, A_BOLD | terminal_colour(&t->terminal, COLOUR_ALARM),
			   l->remark, "");
		return;
	}
	snprintf(left, sizeof(left), "sorted by %s", columns[l->column].title);
	if (*l->filter)
		snprintf(filter, sizeof(filter), "\"%s\": %zu of %zu", l->filter,
			 l->row_count, l->count);
	if (l->hidden)
		snprintf(right, sizeof(right), "%u others may not be looked at",
			 l->hidden);
	table_parts(y, terminal_colour(&t->terminal, COLOUR_QUIET), parts, right);
}

void list_draw(struct top *t)
{
	static const char *const hints[] = { "h help", "q quit", "Enter show",
					     "/ filter", "< > sort", "r reverse",
					     "Space pause", NULL };
	int y = 0, lines;
	char right[40];

	erase();
	snprintf(right, sizeof(right), "%severy %g s", t->paused ? "PAUSED  " : "",
		 (double)t->interval_ms / 1000);
	table_line(y++, A_BOLD, "Hooked processes", right);
	if (LINES >= 4 || t->typing)
		status_line(t, y++);
	lines = table_hints(hints);
	if (lines > y)
		table(t, y, lines - y);
	refresh();
}
