/* SPDX-License-Identifier: BSD-2-Clause */
/* The report for people: a table within 80 columns, and the bridge to RSS. */
#include "report.h"

#include <string.h>

#include "bridge.h"

#define NAMES_SHOWN 5

/* A cell under construction. */
struct cell {
	char text[48];
	size_t used;
};

static void add(struct cell *c, char ch)
{
	if (c->used < sizeof(c->text) - 1)
		c->text[c->used++] = ch;
	c->text[c->used] = '\0';
}

static void add_str(struct cell *c, const char *s)
{
	while (*s)
		add(c, *s++);
}

static void add_number(struct cell *c, uint64_t n, int grouped)
{
	char digits[24];
	unsigned i, count = 0;

	do {
		digits[count++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	for (i = count; i-- > 0;) {
		add(c, digits[i]);
		if (grouped && i && i % 3 == 0)
			add(c, ',');
	}
}

static void add_bytes(struct cell *c, uint64_t n)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB",
					     " PiB", " EiB" };
	uint64_t tenths;
	unsigned u = 0, shift = 0;

	while (n >> shift >= 1024 && u < 6) {
		u++;
		shift += 10;
	}
	add_number(c, n >> shift, 0);
	if (u) {
		tenths = (n >> (shift - 10) & 1023) * 10 / 1024;
		add(c, '.');
		add(c, (char)('0' + tenths));
	}
	add_str(c, units[u]);
}

static void spaces(struct mh_out *o, size_t n)
{
	while (n--)
		mh_out_str(o, " ");
}

static void right(struct mh_out *o, const char *text, size_t width)
{
	size_t n = strlen(text);

	spaces(o, n < width ? width - n : 1);
	mh_out_str(o, text);
}

static void bytes(struct mh_out *o, uint64_t n, size_t width)
{
	struct cell c = { .used = 0 };

	add_bytes(&c, n);
	right(o, c.text, width);
}

static void count(struct mh_out *o, uint64_t n, size_t width)
{
	struct cell c = { .used = 0 };

	add_number(&c, n, 1);
	right(o, c.text, width);
}

/* Cut in the middle; what a terminal might obey is shown as '?'. */
static size_t name(struct mh_out *o, const char *s, size_t room)
{
	size_t n = strlen(s), tail = room / 2, i, shown = 0;
	char c[2] = "";

	for (i = 0; i < n; i++, shown++) {
		if (n > room && shown == room - tail - 2) {
			mh_out_str(o, "..");
			shown += 2;
			i = n - tail;
		}
		c[0] = (unsigned char)s[i] < ' ' || s[i] == 127 ? '?' : s[i];
		mh_out_str(o, c);
	}
	return shown;
}

static const char *last_part(const char *path)
{
	const char *slash = *path == '/' ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

static void name_cell(struct mh_out *o, const char *s, const char *suffix)
{
	size_t shown = name(o, s, MH_NAME_WIDTH - strlen(suffix));

	mh_out_str(o, suffix);
	shown += strlen(suffix);
	spaces(o, shown < MH_NAME_WIDTH ? MH_NAME_WIDTH - shown : 0);
}

void mh_report_cells(struct mh_out *o, const char *name, const char *suffix,
		     const struct memhook_stats *s)
{
	name_cell(o, name, suffix);
	bytes(o, s->live_bytes, 11);
	count(o, s->live_blocks, 10);
	bytes(o, s->peak_bytes, 11);
}

/* Threads may share a name; those that live have a number. */
static const char *suffix(const struct mh_snapshot *snap, const struct memhook_stats *s,
			  struct cell *c)
{
	uint32_t row = (uint32_t)s->owner;

	if (s->state == MEMHOOK_STATE_RETIRED)
		return " (retired)";
	if (s->kind != MEMHOOK_KIND_THREAD || row >= snap->table_rows ||
	    !snap->table[row].where)
		return "";
	add_str(c, " (");
	add_number(c, snap->table[row].where, 0);
	add_str(c, ")");
	return c->text;
}

static void row(struct mh_out *o, const struct mh_snapshot *snap,
		const struct memhook_stats *s)
{
	const struct mh_symbol *symbol = mh_owner_symbol(snap, s);
	struct cell c = { .used = 0 };

	mh_report_cells(o, symbol ? symbol->label : s->name, suffix(snap, s, &c), s);
	count(o, s->alloc_calls, 14);
	mh_out_str(o, "\n");
}

/* "9, SIGKILL", or only the number, for a real-time signal. */
static void signal_cell(struct mh_out *o, int n)
{
	const char *abbreviation = sigabbrev_np(n);

	mh_out_u64(o, (uint64_t)n);
	if (abbreviation) {
		mh_out_str(o, ", SIG");
		mh_out_str(o, abbreviation);
	}
}

static void end_cell(struct mh_out *o, const struct mh_snapshot *s)
{
	if (s->exit_kind == MH_EXIT_NONE) {
		mh_out_str(o, ") is running for ");
	} else if (s->exit_kind == MH_EXIT_CODE) {
		mh_out_str(o, ") exited with status ");
		mh_out_u64(o, (uint64_t)s->exit_value);
		mh_out_str(o, " after ");
	} else {
		mh_out_str(o, s->oom_killed ? ") was killed by the OOM killer (signal "
					    : ") was killed by signal ");
		signal_cell(o, s->exit_value);
		mh_out_str(o, s->oom_killed ? ") after " : ", after ");
	}
}

static void headline(struct mh_out *o, const struct mh_snapshot *s)
{
	mh_out_str(o, "memhook: ");
	name(o, s->command, MH_NAME_WIDTH);
	mh_out_str(o, " (pid ");
	mh_out_u64(o, (uint64_t)s->pid);
	end_cell(o, s);
	mh_out_u64(o, s->uptime_ms / 1000);
	mh_out_str(o, ".");
	mh_out_u64(o, s->uptime_ms / 100 % 10);
	mh_out_str(o, " s\n");
}

static void leak_remark(struct mh_out *o, const struct mh_snapshot *s)
{
	struct cell blocks = { .used = 0 }, size = { .used = 0 };
	uint64_t n = s->totals.live_blocks;

	add_number(&blocks, n, 1);
	add_number(&size, s->totals.live_bytes, 1);
	mh_out_str(o, blocks.text);
	mh_out_str(o, n == 1 ? " block, " : " blocks, ");
	mh_out_str(o, size.text);
	mh_out_str(o, n == 1 ? " bytes, was" : " bytes were");
	mh_out_str(o, " never freed:\nwhat lived at its end, which is not always"
		      " a leak.\n");
}

static void remarks(struct mh_out *o, const struct mh_snapshot *s)
{
	if (s->remark)
		mh_out_str(o, s->remark);
	if (s->leaks)
		leak_remark(o, s);
	if (!s->consistent)
		mh_out_str(o, "Taken while it ran: numbers of about one moment, not"
			      " at rest.\n");
	if (!s->exact && s->inexact_bytes) {
		mh_out_str(o, "Not exact: forked while other threads ran; off by at"
			      " most");
		bytes(o, s->inexact_bytes, 0);
		mh_out_str(o, ".\n");
	} else if (!s->exact) {
		mh_out_str(o, "Not exact: forked without fork handlers or beside"
			      " other threads.\n");
	}
	if (s->mismatched) {
		mh_out_u64(o, s->mismatched);
		mh_out_str(o, " blocks were freed by the wrong function or with a"
			      " wrong size.\n");
	}
	if (s->unseen_calls) {
		mh_out_str(o, "Not seen through, charged to the direct caller:");
		bytes(o, s->unseen_bytes, 0);
		mh_out_str(o, " in");
		count(o, s->unseen_calls, 0);
		mh_out_str(o, s->unseen_calls == 1 ? " allocation.\n" : " allocations.\n");
	}
	if (s->foreign_ignored) {
		mh_out_u64(o, s->foreign_ignored);
		mh_out_str(o, " foreign pointers were passed over.\n");
	}
}

static void bridge_line(struct mh_out *o, const char *label, int64_t n)
{
	struct cell c = { .used = 0 };
	size_t width = strlen(label);

	mh_out_str(o, label);
	spaces(o, width < MH_NAME_WIDTH ? MH_NAME_WIDTH - width : 0);
	if (n < 0)
		add(&c, '-');
	add_bytes(&c, (uint64_t)(n < 0 ? -n : n));
	right(o, c.text, 11);
	mh_out_str(o, "\n");
}

/* A line, and the greatest few of it below, which add up to it. */
static void bridge_list(struct mh_out *o, const char *label, int64_t n,
			const struct mh_maps_list *l)
{
	uint64_t rest = l->rest_bytes;
	uint32_t i;

	bridge_line(o, label, n);
	if (l->used < 2)
		return;
	for (i = NAMES_SHOWN; i < l->used; i++)
		rest += l->entry[i].rss_bytes;
	for (i = 0; i < l->used && i < NAMES_SHOWN; i++) {
		mh_out_str(o, "    ");
		spaces(o, MH_NAME_WIDTH - 6 - name(o, last_part(l->entry[i].name),
						MH_NAME_WIDTH - 6));
		bytes(o, l->entry[i].rss_bytes, 13);
		mh_out_str(o, "\n");
	}
	if (rest)
		bridge_line(o, "    the rest", (int64_t)rest);
}

static void bridge_heap(struct mh_out *o, const struct mh_snapshot *s,
			const struct mh_bridge *b)
{
	bridge_line(o, "  live", (int64_t)s->totals.live_bytes);
	bridge_line(o, "  cookies, 16 bytes a block", (int64_t)s->process.cookie_bytes);
	if (s->process.allocator_time_ms) {
		bridge_line(o, "  rounding to size classes", b->rounding);
		bridge_line(o, "  freed blocks kept ready", b->cached);
		if (b->quarantine)
			bridge_line(o, "  freed blocks in quarantine", b->quarantine);
		bridge_line(o, "  free space beside blocks", b->slack);
		bridge_line(o, "  free pages kept (dirty)", b->dirty);
		bridge_line(o, "  the allocator's tables", b->tables);
	}
	if (b->unsplit)
		bridge_line(o, "  allocator's, not told apart", b->unsplit);
	if (b->not_resident)
		bridge_line(o, "  of these not resident", b->not_resident);
	bridge_line(o, "  memhook itself", b->memhook);
}

static void bridge_rest(struct mh_out *o, const struct mh_maps *m,
			const struct mh_bridge *b)
{
	bridge_line(o, "  stacks", b->stack);
	bridge_list(o, "  files: code and data", b->file, &m->files);
	if (b->shared)
		bridge_list(o, "  shared memory", b->shared, &m->shared);
	bridge_list(o, "  other anonymous memory", b->anonymous, &m->anonymous);
}

static void age(struct mh_out *o, const char *what, uint64_t now, uint64_t then)
{
	if (now <= then + 1000)
		return;
	mh_out_str(o, "  (");
	mh_out_str(o, what);
	mh_out_u64(o, (now - then) / 1000);
	mh_out_str(o, " s old)\n");
}

/* The parts add up to the RSS by construction: "other" is the rest. */
static void bridge(struct mh_out *o, const struct mh_snapshot *s)
{
	const struct mh_process *p = &s->process;
	uint64_t now = s->time_unix_ms;
	struct mh_bridge b;

	mh_bridge(s, &b);
	mh_out_str(o, "\nFrom live bytes to resident memory\n");
	bridge_heap(o, s, &b);
	if (s->maps)
		bridge_rest(o, s->maps, &b);
	else
		mh_out_str(o, "  stacks, files, other memory     not known\n");
	if (p->rss_bytes) {
		bridge_line(o, "  other", b.other);
		bridge_line(o, "  = resident (RSS)", (int64_t)p->rss_bytes);
	} else {
		mh_out_str(o, "  resident memory                 not known\n");
	}
	if (p->max_rss_bytes)
		bridge_line(o, "  highest RSS", (int64_t)p->max_rss_bytes);
	if (!p->allocator_time_ms)
		mh_out_str(o, "  (the allocator's own numbers were not published"
			      " yet)\n");
	else
		age(o, "the allocator's numbers are ", now, p->allocator_time_ms);
	if (s->maps)
		age(o, "the resident ones are ", now, s->maps->time_unix_ms);
	if (s->maps && s->maps->ranges_lost)
		mh_out_str(o, "  (some of the allocator's memory is counted as"
			      " anonymous)\n");
}

static const char *title(const char *by)
{
	if (strcmp(by, "library") == 0)
		return "OWNER (shared library)";
	if (strcmp(by, "thread") == 0)
		return "OWNER (thread)";
	return strcmp(by, "site") == 0 ? "OWNER (call site)" : "OWNER";
}

void mh_report_text(struct mh_out *o, struct mh_snapshot *s)
{
	struct memhook_stats total = s->totals;
	size_t i;

	mh_report_sort(s);
	headline(o, s);
	remarks(o, s);
	mh_out_str(o, "\n");
	name_cell(o, title(s->by), "");
	mh_out_str(o, "       LIVE    BLOCKS       PEAK   ALLOCATIONS\n");
	for (i = 0; i < s->owner_count; i++)
		if (!s->leaks || s->owners[i].live_blocks)
			row(o, s, &s->owners[i]);
	strcpy(total.name, "total");
	total.state = MEMHOOK_STATE_ACTIVE;
	row(o, s, &total);
	if (!s->leaks)
		bridge(o, s);
}
