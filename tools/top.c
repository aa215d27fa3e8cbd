/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook top [PID]: options, and the loop. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "top.h"

#include <curses.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "tool.h"

#define INTERVAL_MS 1000
#define INTERVAL_LEAST 0.1
#define INTERVAL_MOST 3600

static void usage(FILE *to)
{
	fputs("Usage: memhook top [OPTION...] [PID]\n"
	      "Watch the owners of a running process, or choose one from the list of\n"
	      "hooked processes.  It is not stopped, signalled or slowed.  Press h for\n"
	      "the keys.\n\n"
	      "  -i, --interval=S     look every S seconds, 0.1 to 3600 (default: 1)\n"
	      "  -s, --sort=live|blocks|peak|allocs|rate|bytes|growth|name\n"
	      "                       the order of the owners (default: live)\n"
	      "      --reverse        the other way round\n"
	      "      --filter=TEXT    only owners with TEXT in their names\n"
	      "      --no-symbols     leave call sites as library+offset\n"
	      "      --help           print this\n", to);
}

uint64_t top_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- options --- */

static int parse_interval(const char *text, uint64_t *ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= INTERVAL_LEAST && s <= INTERVAL_MOST)) {
		complain("--interval=%s: it is a number of seconds from 0.1 to 3600",
			 text);
		return -1;
	}
	*ms = (uint64_t)(s * 1000 + 0.5);
	return 0;
}

static int parse_sort(const char *text, struct tree_order *order)
{
	int column = view_column(text);

	if (column < 0) {
		complain("--sort=%s: it is name, live, blocks, peak, allocs, rate, bytes"
			 " or growth", text);
		return -1;
	}
	order->column = (enum tree_column)column;
	return 0;
}

static int parse_filter(const char *text, struct top *t)
{
	if (strlen(text) >= sizeof(t->typed)) {
		complain("--filter: up to %zu bytes", sizeof(t->typed) - 1);
		return -1;
	}
	t->filter = text;
	return 0;
}

static int parse_option(int c, struct top *t)
{
	switch (c) {
	case 'i': return parse_interval(optarg, &t->interval_ms);
	case 's': return parse_sort(optarg, &t->view.order);
	case 'r': t->view.order.reverse = 1; return 0;
	case 'F': return parse_filter(optarg, t);
	case 'S': t->view.no_symbols = 1; return 0;
	default: usage(stderr); return -1;
	}
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct top *t, int *pid)
{
	static const struct option longs[] = { { "interval", 1, NULL, 'i' },
					       { "sort", 1, NULL, 's' },
					       { "reverse", 0, NULL, 'r' },
					       { "filter", 1, NULL, 'F' },
					       { "no-symbols", 0, NULL, 'S' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "i:s:", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		if (parse_option(c, t))
			return EXIT_USAGE + 1;
	}
	if (argc - optind > 1) {
		complain("one process at a time, or none for the list");
		return EXIT_USAGE + 1;
	}
	if (optind < argc && !(*pid = args_pid(argv[optind])))
		return EXIT_USAGE + 1;
	return 0;
}

/* --- the loop --- */

static void look(struct top *t)
{
	uint64_t now = top_now();

	if (t->view.is_open) {
		view_look(&t->view, now);
		view_arrange(&t->view);
	} else {
		list_look(&t->list, now);
	}
	t->next_ms = top_now() + t->interval_ms;
}

static void draw(struct top *t)
{
	if (t->help)
		help_draw(t);
	else if (t->view.is_open)
		screen_draw(t);
	else
		list_draw(t);
}

static void take_keys(struct top *t)
{
	wint_t key;
	int rc;

	while (!t->quit && (rc = get_wch(&key)) != ERR)
		top_key(t, rc == KEY_CODE_YES, (unsigned)key);
}

static void loop(struct top *t)
{
	while (!t->quit) {
		uint64_t now = top_now();

		/* A list that is shown (again) is looked at, even while paused. */
		if (now >= t->next_ms && (!t->paused || !t->next_ms)) {
			look(t);
			now = top_now();
		}
		draw(t);
		if (terminal_wait(t->paused ? INTERVAL_MS
				  : t->next_ms > now ? t->next_ms - now : 0))
			break;
		take_keys(t);
	}
}

static int check_terminals(void)
{
	if (!isatty(STDOUT_FILENO)) {
		complain("standard output is not a terminal: use memhook stat");
		return -1;
	}
	if (!isatty(STDIN_FILENO)) {
		complain("standard input is not a terminal, where keys would come from:"
			 " use memhook stat");
		return -1;
	}
	return 0;
}

static int show(struct top *t, int pid)
{
	if (pid && view_open(&t->view, pid, top_now())) {
		complain("process %d: %s", pid, t->view.live.error);
		return 1;
	}
	if (pid) {
		view_filter(&t->view, t->filter);
		t->next_ms = top_now() + t->interval_ms;
	}
	if (terminal_start(&t->terminal))
		return 1;
	loop(t);
	terminal_stop();
	view_close(&t->view);
	list_free(&t->list);
	terminal_die();
	return 0;
}

int top_main(int argc, char **argv)
{
	struct top t = { .interval_ms = INTERVAL_MS, .filter = "",
			 .view.order.column = TREE_LIVE, .list.column = LIST_LIVE };
	int pid = 0, rc = parse(argc, argv, &t, &pid);

	if (rc)
		return rc - 1;
	if (check_terminals())
		return EXIT_USAGE;
	if (counts_nothing())
		return 1;
	setlocale(LC_CTYPE, "");
	return show(&t, pid);
}
