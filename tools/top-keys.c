/* SPDX-License-Identifier: BSD-2-Clause */
/* What the keys of memhook top do. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <curses.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "top.h"

#define ESCAPE 27

static int is_back(int is_function, unsigned key)
{
	return is_function ? key == KEY_BACKSPACE : key == 'q' || key == 127 || key == 8;
}

static int is_enter(int is_function, unsigned key)
{
	return is_function ? key == KEY_ENTER : key == '\r' || key == '\n';
}

/* --- moving --- */

/* The new line, or `lines` when the key is for something else. */
static size_t moved(const struct top_cursor *c, size_t lines, int is_function,
		    unsigned key)
{
	size_t last = lines ? lines - 1 : 0, page = c->page ? c->page : 1;

	if (is_function)
		switch (key) {
		case KEY_UP: return c->at ? c->at - 1 : 0;
		case KEY_DOWN: return c->at < last ? c->at + 1 : last;
		case KEY_PPAGE: return c->at > page ? c->at - page : 0;
		case KEY_NPAGE: return c->at + page < last ? c->at + page : last;
		case KEY_HOME: return 0;
		case KEY_END: return last;
		default: return lines;
		}
	switch (key) {
	case 'k': return c->at ? c->at - 1 : 0;
	case 'j': return c->at < last ? c->at + 1 : last;
	case 'g': return 0;
	case 'G': return last;
	default: return lines;
	}
}

/* --- a filter being typed --- */

static void use_typed(struct top *t)
{
	if (t->view.is_open) {
		view_filter(&t->view, t->typed);
	} else {
		strcpy(t->list.filter, t->typed);
		list_arrange(&t->list);
	}
}

static void erase_last(char *text)
{
	size_t n = strlen(text);

	/* Of a character of several bytes, all. */
	while (n && ((unsigned char)text[--n] & 0xc0) == 0x80)
		;
	text[n] = '\0';
}

static void add_typed(char *text, size_t size, wchar_t c)
{
	char bytes[MB_LEN_MAX];
	mbstate_t state = { 0 };
	size_t n = wcrtomb(bytes, c, &state), used = strlen(text);

	if (n == (size_t)-1 || used + n >= size)
		return;
	memcpy(text + used, bytes, n);
	text[used + n] = '\0';
}

static void type(struct top *t, int is_function, unsigned key)
{
	if (is_enter(is_function, key)) {
		t->typing = 0;
	} else if (!is_function && key == ESCAPE) {
		t->typing = 0;
		*t->typed = '\0';
	} else if (is_function ? key == KEY_BACKSPACE : key == 127 || key == 8) {
		erase_last(t->typed);
	} else if (!is_function && key == ('u' & 31)) {
		*t->typed = '\0';
	} else if (!is_function && key >= ' ') {
		add_typed(t->typed, sizeof(t->typed), (wchar_t)key);
	}
	use_typed(t); /* rows follow while it is typed */
}

/* --- the process --- */

static struct tree_node *chosen_node(struct top_process_view *v)
{
	return v->row_count ? &v->model.tree.nodes[v->rows[v->cursor.at]] : NULL;
}

static void choose(struct top_process_view *v, size_t at)
{
	v->cursor.at = at;
	v->cursor.key = at ? chosen_node(v)->key : 0;
}

/* The line of a node, if it is shown. */
static void choose_node(struct top_process_view *v, uint32_t node)
{
	size_t i;

	for (i = 0; i < v->row_count; i++)
		if (v->rows[i] == node)
			choose(v, i);
}

static void toggle(struct top_process_view *v)
{
	struct tree_node *node = chosen_node(v);

	if (!node || v->order.flat || node->owner != TREE_NONE)
		return;
	tree_toggle(&v->folds, node->key);
	view_arrange(v);
}

/* Left: fold the group, or go to the one that it lies in. */
static void fold_or_leave(struct top_process_view *v)
{
	struct tree_node *node = chosen_node(v);

	if (!node || v->order.flat)
		return;
	if (node->owner == TREE_NONE && !tree_folded(&v->folds, node->key))
		toggle(v);
	else if (node->parent)
		choose_node(v, node->parent);
}

static void unfold(struct top_process_view *v)
{
	struct tree_node *node = chosen_node(v);

	if (node && node->owner == TREE_NONE && tree_folded(&v->folds, node->key))
		toggle(v);
}

static int sort_key(unsigned key)
{
	static const char keys[] = { [TREE_OWNER] = 'n', [TREE_LIVE] = 'l',
				     [TREE_BLOCKS] = 'b', [TREE_PEAK] = 'p',
				     [TREE_ALLOCS] = 'a', [TREE_RATE] = 's',
				     [TREE_BYTES] = 'y', [TREE_CHANGE] = 'c' };
	const char *at = key && key < 128 ? memchr(keys, (int)key, sizeof(keys)) : NULL;

	return at ? (int)(at - keys) : -1;
}

static void reset_change(struct top_process_view *v)
{
	model_reset(&v->model);
	view_arrange(v);
}

static void leave_process(struct top *t)
{
	if (!t->from_list) {
		t->quit = 1;
		return;
	}
	view_close(&t->view);
	t->next_ms = 0;
}

static void escape(struct top *t)
{
	if (*t->view.model.filter)
		view_filter(&t->view, "");
	else if (t->from_list)
		leave_process(t);
}

/* 1 when the key was for the process. */
static int view_key(struct top *t, int is_function, unsigned key)
{
	struct top_process_view *v = &t->view;
	size_t at = moved(&v->cursor, v->row_count, is_function, key);
	int column = is_function ? -1 : sort_key(key);

	if (at < v->row_count) {
		choose(v, at);
	} else if (is_enter(is_function, key)) {
		toggle(v);
	} else if (is_back(is_function, key)) {
		leave_process(t);
	} else if (is_function && key == KEY_LEFT) {
		fold_or_leave(v);
	} else if (is_function && key == KEY_RIGHT) {
		unfold(v);
	} else if (is_function) {
		return 0;
	} else if (key == ESCAPE) {
		escape(t);
	} else if (key == 'z') {
		reset_change(v);
	} else {
		if (column >= 0)
			v->order.column = (enum tree_column)column;
		else if (key == '<' || key == '>')
			v->order.column = (v->order.column + TREE_COLUMNS +
					   (key == '>' ? 1 : -1)) % TREE_COLUMNS;
		else if (key == 'r')
			v->order.reverse = !v->order.reverse;
		else if (key == 't')
			v->order.flat = !v->order.flat;
		else if (key == 'f')
			tree_fold_all(&v->folds, !v->folds.all);
		else
			return 0;
		view_arrange(v);
	}
	return 1;
}

/* --- the list --- */

static void show_chosen(struct top *t)
{
	struct top_list *l = &t->list;
	int pid;

	if (!l->row_count)
		return;
	pid = l->all[l->rows[l->cursor.at]].pid;
	t->from_list = 1;
	if (view_open(&t->view, pid, top_now())) {
		snprintf(l->remark, sizeof(l->remark), "process %d: %s", pid,
			 t->view.live.error);
		return;
	}
	view_filter(&t->view, t->filter);
	t->next_ms = top_now() + t->interval_ms;
}

static int list_sort_key(unsigned key)
{
	static const char keys[] = { [LIST_PID] = 'p',	  [LIST_COMMAND] = 'c',
				     [LIST_BY] = 'y',	  [LIST_UPTIME] = 'u',
				     [LIST_OWNERS] = 'o', [LIST_LIVE] = 'l',
				     [LIST_BLOCKS] = 'b', [LIST_RATE] = 'a',
				     [LIST_RSS] = 's' };
	const char *at = key && key < 128 ? memchr(keys, (int)key, sizeof(keys)) : NULL;

	return at ? (int)(at - keys) : -1;
}

static void list_escape(struct top *t)
{
	*t->list.filter = '\0';
	list_arrange(&t->list);
}

static int list_key(struct top *t, int is_function, unsigned key)
{
	struct top_list *l = &t->list;
	size_t at = moved(&l->cursor, l->row_count, is_function, key);
	int column = is_function ? -1 : list_sort_key(key);

	*l->remark = '\0';
	if (at < l->row_count) {
		l->cursor.at = at;
		l->cursor.key = at ? (uint64_t)l->all[l->rows[at]].pid : 0;
	} else if (is_enter(is_function, key)) {
		show_chosen(t);
	} else if (is_function) {
		return 0;
	} else if (key == ESCAPE) {
		list_escape(t);
	} else if (key == 'q') {
		t->quit = 1;
	} else {
		if (column >= 0)
			l->column = (enum list_column)column;
		else if (key == '<' || key == '>')
			l->column = (l->column + LIST_COLUMNS + (key == '>' ? 1 : -1)) %
				    LIST_COLUMNS;
		else if (key == 'r')
			l->reverse = !l->reverse;
		else
			return 0;
		list_arrange(l);
	}
	return 1;
}

/* --- everywhere --- */

static void help_key(struct top *t, int is_function, unsigned key)
{
	if ((is_function && key == KEY_DOWN) || (!is_function && key == 'j'))
		t->help_first++;
	else if ((is_function && key == KEY_UP) || (!is_function && key == 'k'))
		t->help_first -= t->help_first > 0;
	else if (is_function && key == KEY_NPAGE)
		t->help_first += LINES > 4 ? (size_t)LINES - 4 : 1;
	else if (is_function && key == KEY_PPAGE)
		t->help_first -= t->help_first < (size_t)LINES ? t->help_first
							       : (size_t)LINES - 4;
	else
		t->help = 0;
}

/* The next interval of a row that people count in. */
static void change_pace(struct top *t, int faster)
{
	static const uint64_t paces[] = { 100,	 200,	500,   1000,   2000,   5000,
					  10000, 30000, 60000, 300000, 3600000 };
	size_t n = sizeof(paces) / sizeof(*paces), i;

	for (i = 0; faster && i < n && paces[n - 1 - i] >= t->interval_ms; i++)
		;
	for (; !faster && i < n && paces[i] <= t->interval_ms; i++)
		;
	if (i == n)
		return;
	t->interval_ms = faster ? paces[n - 1 - i] : paces[i];
	t->next_ms = top_now() + t->interval_ms;
}

static void start_typing(struct top *t)
{
	t->typing = 1;
	strcpy(t->typed, t->view.is_open ? t->view.model.filter : t->list.filter);
}

static void common_key(struct top *t, unsigned key)
{
	switch (key) {
	case 'h':
	case '?':
		t->help = 1;
		t->help_first = 0;
		break;
	case 'Q':
		t->quit = 1;
		break;
	case '/':
		start_typing(t);
		break;
	case ' ':
		t->paused = !t->paused;
		t->next_ms = top_now();
		break;
	case '+':
	case '=':
	case '-':
		change_pace(t, key != '-');
		break;
	case 'L' & 31: /* as everywhere: draw it all again */
		clearok(stdscr, TRUE);
		break;
	default:
		break;
	}
}

void top_key(struct top *t, int is_function, unsigned key)
{
	if (is_function && key == KEY_RESIZE)
		return; /* curses knows the new size; all is drawn again */
	if (t->help)
		help_key(t, is_function, key);
	else if (t->typing)
		type(t, is_function, key);
	else if (!(t->view.is_open ? view_key : list_key)(t, is_function, key) &&
		 !is_function)
		common_key(t, key);
}
