/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of memhook top share. */
#ifndef TOP_H
#define TOP_H

#include "live.h"
#include "top-model.h"
#include "top-terminal.h"

/* A list to move in: the chosen line stays with what it shows. */
struct top_cursor {
	uint64_t key;  /* of the chosen one; 0: whatever comes first */
	size_t at;     /* its line */
	size_t first;  /* line at the top of the screen */
	size_t page;   /* lines on the screen */
};

/* One process of the list. */
struct top_process {
	int pid;
	uint64_t started;
	char command[64];
	const char *by;
	uint64_t uptime_ms, live_bytes, live_blocks, rss_bytes, calls;
	size_t owners;
	double call_rate;
};

enum list_column {
	LIST_PID,
	LIST_COMMAND,
	LIST_BY,
	LIST_UPTIME,
	LIST_OWNERS,
	LIST_LIVE,
	LIST_BLOCKS,
	LIST_RATE,
	LIST_RSS,
	LIST_COLUMNS
};

struct top_list {
	struct top_process *all; /* by pid */
	size_t count;
	uint64_t time_ms;        /* of the last look, 0: none yet */
	unsigned hidden;         /* processes that we may not look at */
	size_t *rows, row_count; /* those that are shown */
	enum list_column column;
	int reverse;
	char filter[64];
	char remark[360];        /* why the chosen one cannot be shown */
	struct top_cursor cursor;
};

/* The process that is shown. */
struct top_process_view {
	struct live live;
	int is_open;
	int no_symbols; /* call sites stay library+offset */
	int ended;
	uint64_t ended_ms;       /* when we saw it */
	char trouble[320];       /* why the last sample failed; "" when it did not */
	struct top_model model;
	struct tree_order order;
	struct tree_folds folds;
	uint32_t *rows;
	size_t row_count;
	struct top_cursor cursor;
};

struct top {
	struct terminal terminal;
	uint64_t interval_ms, next_ms; /* when to look again */
	int paused, help, quit;
	size_t help_first;
	int typing;                    /* a filter is being typed: so far it is ... */
	char typed[64];
	const char *filter;            /* of the command line, for each process */
	int from_list;                 /* the process was chosen from the list */
	struct top_list list;
	struct top_process_view view;
};

uint64_t top_now(void); /* ms that only grow */

/* top-keys.c */
void top_key(struct top *t, int is_function, unsigned key);

/* top-list.c */
void list_look(struct top_list *l, uint64_t now_ms);
void list_arrange(struct top_list *l);
void list_free(struct top_list *l);

/* top-view.c */
int view_open(struct top_process_view *v, int pid, uint64_t now_ms);
void view_look(struct top_process_view *v, uint64_t now_ms);
void view_arrange(struct top_process_view *v); /* after whatever changes the rows */
void view_filter(struct top_process_view *v, const char *text);
void view_close(struct top_process_view *v);
/* "live" to TREE_LIVE; -1 when it is none. */
int view_column(const char *name);
const char *view_column_name(enum tree_column column);

/* Keep the chosen line on the screen; lines is how many there are. */
void cursor_settle(struct top_cursor *c, size_t lines);

/* top-screen.c, top-list-screen.c, top-help.c */
void screen_draw(struct top *t);
void list_draw(struct top *t);
void help_draw(struct top *t);

#endif /* TOP_H */
