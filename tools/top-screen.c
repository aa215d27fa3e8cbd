/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen that shows one process. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "top-table.h"
#include "top-text.h"
#include "top.h"

#define HISTORY TREE_COLUMNS /* behind those that sort */
#define COLUMNS_SHOWN (TREE_COLUMNS + 1)
#define NAME_LEAST 12 /* below, a name has its column to itself */

static const struct top_column columns[COLUMNS_SHOWN] = {
	[TREE_OWNER] = { "OWNER", NAME_LEAST + 6, 60, 0, 1 },
	[TREE_LIVE] = { "LIVE", 6, 6, 0, 0 },
	[TREE_BLOCKS] = { "BLOCKS", 6, 6, 5, 0 },
	[TREE_PEAK] = { "PEAK", 6, 6, 6, 0 },
	[TREE_ALLOCS] = { "ALLOCS", 6, 6, 7, 0 },
	[TREE_RATE] = { "ALLOC/s", 7, 7, 2, 0 },
	[TREE_BYTES] = { "BYTES/s", 7, 7, 4, 0 },
	[TREE_CHANGE] = { "CHANGE", 7, 7, 1, 0 },
	[HISTORY] = { "HISTORY", 8, TOP_SAMPLES, 3, 0 },
};

/* --- what is above the table --- */

static void title_line(const struct top *t)
{
	const struct mh_snapshot *s = &t->view.model.last;
	char name[100], by[40], up[40], since[CELL], right[60];
	const char *const parts[] = { name, by, up, NULL };

	cell_time(since, s->uptime_ms);
	snprintf(name, sizeof(name), "%s (pid %d)", s->command, t->view.live.pid);
	snprintf(by, sizeof(by), "by %s", s->by);
	snprintf(up, sizeof(up), "up %s", since);
	snprintf(right, sizeof(right), "%severy %g s", t->paused ? "PAUSED  " : "",
		 (double)t->interval_ms / 1000);
	table_parts(0, A_BOLD, parts, right);
}

static void exactness(char *to, size_t size, const struct mh_snapshot *s)
{
	char bound[CELL];

	cell_bytes(bound, s->inexact_bytes);
	snprintf(to, size, "%s, %s%s", s->consistent ? "consistent" : "moving",
		 s->exact ? "exact" : s->inexact_bytes ? "exact to " : "not exact",
		 !s->exact && s->inexact_bytes ? bound : "");
}

static void total_line(const struct top *t, int y)
{
	const struct mh_snapshot *s = &t->view.model.last;
	const struct tree_numbers *n = &t->view.model.total;
	char live[80], rss[40], blocks[40], peak[40], right[60];
	const char *const parts[] = { live, rss, blocks, peak, NULL };
	char number[CELL], change[CELL];

	cell_bytes(number, n->live_bytes);
	cell_change(change, n->change);
	snprintf(live, sizeof(live), "live %s (%s)", number, change);
	cell_bytes(number, s->process.rss_bytes);
	snprintf(rss, sizeof(rss), "RSS %s", s->process.rss_bytes ? number : "-");
	cell_count(number, n->live_blocks);
	snprintf(blocks, sizeof(blocks), "blocks %s", number);
	cell_bytes(number, n->peak_bytes);
	snprintf(peak, sizeof(peak), "peak %s", number);
	exactness(right, sizeof(right), s);
	table_parts(y, 0, parts, right);
}

static void filter_status(const struct top *t, char *to, size_t size)
{
	const struct top_model *m = &t->view.model;
	size_t owners, all = m->tree.nodes[0].owners;
	char live[CELL];
	uint64_t bytes;

	if (!*m->filter) {
		snprintf(to, size, "%zu owners", all);
		return;
	}
	model_filtered(m, &owners, &bytes);
	cell_bytes(live, bytes);
	snprintf(to, size, "\"%s\": %zu of %zu owners, %s", m->filter, owners, all, live);
}

static void order_status(const struct top *t, int y)
{
	const struct top_process_view *v = &t->view;
	char sorted[60], change[60], filter[160], since[CELL];
	const char *const parts[] = { sorted, v->order.reverse ? "reversed" : "",
				      v->order.flat ? "no tree" : "", change, NULL };

	cell_time(since, v->model.time_ms - v->model.base_time_ms);
	snprintf(sorted, sizeof(sorted), "sorted by %s",
		 view_column_name(v->order.column));
	snprintf(change, sizeof(change), "change since %s", since);
	filter_status(t, filter, sizeof(filter));
	table_parts(y, terminal_colour(&t->terminal, COLOUR_QUIET), parts, filter);
}

/* What goes on: a filter being typed, an end, a trouble, or how it is sorted. */
static void status_line(const struct top *t, int y)
{
	const struct top_process_view *v = &t->view;
	int alarm = A_BOLD | terminal_colour(&t->terminal, COLOUR_ALARM);
	char text[360], since[CELL];

	if (t->typing) {
		snprintf(text, sizeof(text), "Filter: %s_", t->typed);
		table_line(y, A_BOLD, text, "Enter keeps it, Esc clears it");
	} else if (v->ended) {
		cell_time(since, top_now() - v->ended_ms);
		snprintf(text, sizeof(text), "It has ended %s ago", since);
		table_line(y, alarm, text, "these are its last numbers");
	} else if (*v->trouble) {
		snprintf(text, sizeof(text), "No new numbers: %s", v->trouble);
		table_line(y, alarm, text, "");
	} else {
		order_status(t, y);
	}
}

/* --- the table --- */

/* What follows a name: text of its own, or `room`. */
static const char *suffix_of(const struct top_process_view *v,
			     const struct tree_node *node, char room[24])
{
	const struct tree_owner *o;

	if (node->owner == TREE_NONE)
		return "";
	o = &v->model.owners[node->owner];
	if (o->gone)
		return " (gone)";
	if (o->retired)
		return " (retired)";
	if (o->thread) {
		snprintf(room, 24, " (%u)", (unsigned)o->thread);
		return room;
	}
	return node->itself && !v->order.flat ? " (itself)" : "";
}

/* The first cell of its line. */
static void owner_cell(const struct top *t, const struct tree_node *node, size_t width)
{
	const struct top_process_view *v = &t->view;
	int is_group = node->owner == TREE_NONE;
	int in_tree = !v->order.flat && v->model.tree.groups && width >= NAME_LEAST;
	size_t indent = in_tree ? 2 * (size_t)node->depth : 0;
	size_t start = v->order.flat ? 0 : node->start, left, n;
	char room[24];
	const char *suffix = suffix_of(v, node, room);
	wchar_t name[TABLE_WIDEST + 1];

	/* Deep down the indentation gives way. */
	if (indent + NAME_LEAST > width)
		indent = width - NAME_LEAST;
	table_gap(indent);
	if (in_tree)
		table_text(!is_group ? "" : tree_folded(&v->folds, node->key) ? "+" : "-",
			   2, 1, 0);
	left = width - indent - (in_tree ? 2 : 0);
	if (strlen(suffix) + 4 > left)
		suffix = "";
	cell_name(name, left - strlen(suffix), node->name + start, node->size - start);
	for (n = wcslen(name); n && name[n - 1] == L' '; n--)
		name[n - 1] = L'\0';
	table_wide(name, is_group ? A_BOLD : 0);
	table_text(suffix, 0, 1, terminal_colour(&t->terminal, COLOUR_QUIET));
	table_to(width);
}

static void number_cell(const struct top *t, const struct tree_numbers *n, size_t column,
			size_t width)
{
	int first = t->view.model.samples < 2, colour = 0;
	char text[CELL];

	switch (column) {
	case TREE_LIVE: cell_bytes(text, n->live_bytes); break;
	case TREE_BLOCKS: cell_count(text, n->live_blocks); break;
	case TREE_PEAK: cell_bytes(text, n->peak_bytes); break;
	case TREE_ALLOCS: cell_count(text, n->alloc_calls); break;
	case TREE_RATE: cell_rate(text, n->call_rate); break;
	case TREE_BYTES: cell_byte_rate(text, n->byte_rate); break;
	default: cell_change(text, n->change); break;
	}
	if (first && (column == TREE_RATE || column == TREE_BYTES))
		strcpy(text, "-");
	if (column == TREE_CHANGE && n->change)
		colour = terminal_colour(&t->terminal, n->change > 0 ? COLOUR_GROWN
								     : COLOUR_SHRUNK);
	table_text(text, width, 0, colour);
}

static void draw_row(struct top *t, int y, const struct tree_node *node, int chosen,
		     const size_t *widths)
{
	const struct top_history *h = history_show(&t->view.model.histories, node->key,
						   node->n.live_bytes);
	wchar_t spark[TOP_SAMPLES + 1];
	size_t i;

	table_begin(y, chosen ? A_REVERSE : 0);
	for (i = 0; i < COLUMNS_SHOWN; i++) {
		if (!widths[i])
			continue;
		if (i > TREE_OWNER)
			table_gap(1);
		if (i == TREE_OWNER) {
			owner_cell(t, node, widths[i]);
		} else if (i == HISTORY) {
			cell_spark(spark, widths[i], h, t->terminal.unicode);
			table_wide(spark, terminal_colour(&t->terminal, COLOUR_QUIET));
		} else {
			number_cell(t, &node->n, i, widths[i]);
		}
	}
	table_end();
}

static void table(struct top *t, int y, int lines)
{
	struct top_process_view *v = &t->view;
	size_t widths[TABLE_COLUMNS];
	int i;

	table_layout(columns, COLUMNS_SHOWN, (size_t)COLS, widths);
	table_header(y, columns, COLUMNS_SHOWN, widths, v->order.column);
	v->cursor.page = lines > 1 ? (size_t)lines - 1 : 0;
	cursor_settle(&v->cursor, v->row_count);
	for (i = 1; i < lines; i++) {
		size_t row = v->cursor.first + (size_t)i - 1;

		if (row >= v->row_count)
			break;
		draw_row(t, y + i, &v->model.tree.nodes[v->rows[row]],
			 row == v->cursor.at, widths);
	}
	if (!v->row_count && lines > 1)
		table_line(y + 1, 0, "No owner matches the filter (Esc clears it).", "");
}

void screen_draw(struct top *t)
{
	const char *const hints[] = { "h help", t->from_list ? "q back" : "q quit",
				      "/ filter", "< > sort", "r reverse", "Enter fold",
				      "Space pause", "z reset", NULL };
	int y = 0, lines;

	erase();
	title_line(t);
	y++;
	if (LINES >= 5)
		total_line(t, y++);
	if (LINES >= 4 || t->typing || t->view.ended)
		status_line(t, y++);
	lines = table_hints(hints);
	if (lines > y)
		table(t, y, lines - y);
	refresh();
}
