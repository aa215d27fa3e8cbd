/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>

#include "growth-report.h"
#include "text.h"

#define NAME_COLUMNS 24

/* The name, what has become of the owner, and the number of a thread. */
static void print_name(FILE *to, const struct growth_row *row)
{
	char name[4 * NAME_COLUMNS + 1], suffix[24] = "";
	size_t room, columns;

	if (row->gone)
		strcpy(suffix, " (ended)");
	else if (row->now.state == MEMHOOK_STATE_RETIRED)
		strcpy(suffix, " (retired)");
	else if (row->thread)
		snprintf(suffix, sizeof(suffix), " (%" PRIu64 ")", row->thread % 1000000000);
	room = NAME_COLUMNS - strlen(suffix);
	columns = text_cut(name, row->label ? row->label : row->now.name, room);
	fprintf(to, "%s%s%*s", name, suffix, (int)(room - columns), "");
}

static const char *title(const char *by)
{
	if (strcmp(by, "library") == 0)
		return "OWNER (shared library)";
	if (strcmp(by, "thread") == 0)
		return "OWNER (thread)";
	return strcmp(by, "site") == 0 ? "OWNER (call site)" : "OWNER";
}

static uint64_t per_second(uint64_t now, uint64_t then, uint64_t ms)
{
	return now > then ? (uint64_t)((double)(now - then) * 1000 / (double)ms + 0.5) : 0;
}

static void rates_row(FILE *to, const struct growth_row *r, uint64_t ms)
{
	int64_t change = growth_change(r->now.live_bytes, r->then.live_bytes);

	print_name(to, r);
	fprintf(to, " %10s %11s %9s %10s %10s\n", text_bytes(r->now.live_bytes).s,
		text_bytes_change(change).s, text_count(r->now.live_blocks, 9).s,
		text_count(per_second(r->now.alloc_calls, r->then.alloc_calls, ms), 10).s,
		text_bytes(per_second(r->now.alloc_bytes, r->then.alloc_bytes, ms)).s);
}

void growth_rates_text(FILE *to, const struct growth *g, const char *by, uint64_t ms)
{
	size_t i;

	fprintf(to, "%-*s %10s %11s %9s %10s %10s\n", NAME_COLUMNS, title(by), "LIVE",
		"CHANGE", "BLOCKS", "ALLOCS/S", "BYTES/S");
	for (i = 0; i < g->count; i++)
		rates_row(to, &g->rows[i], ms);
	rates_row(to, &g->total, ms);
}

static void change_row(FILE *to, const struct growth_row *r)
{
	int64_t change = growth_change(r->now.live_bytes, r->then.live_bytes);
	int64_t blocks = growth_change(r->now.live_blocks, r->then.live_blocks);
	int64_t allocs = growth_change(r->now.alloc_calls, r->then.alloc_calls);

	print_name(to, r);
	fprintf(to, " %10s %10s %11s %9s %10s\n", text_bytes(r->then.live_bytes).s,
		text_bytes(r->now.live_bytes).s, text_bytes_change(change).s,
		text_count_change(blocks, 9).s, text_count_change(allocs, 10).s);
}

void growth_text(FILE *to, const struct growth *g, const char *by)
{
	size_t i;

	fprintf(to, "%-*s %10s %10s %11s %9s %10s\n", NAME_COLUMNS, title(by), "THEN",
		"NOW", "CHANGE", "BLOCKS", "ALLOCS");
	for (i = 0; i < g->count; i++)
		change_row(to, &g->rows[i]);
	change_row(to, &g->total);
}
