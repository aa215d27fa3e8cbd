/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook diff OLD NEW: who grew between two reports. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "growth-report.h"
#include "load.h"
#include "rollup.h"
#include "text.h"
#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook diff [OPTION...] OLD.json NEW.json\n"
	      "Show who grew between two reports of `memhook stat` or `memhook run` with\n"
	      "--format=json; of a recording the last one counts.  - is standard input.\n\n"
	      VIEW_USAGE
	      "      --help              print this\n", to);
}

/* One of the two reports. */
struct side {
	const char *file;
	struct mh_snapshot s;
	struct load_extra extra;
};

/* 0, or -1 after a complaint. */
static int load(struct side *side)
{
	int standard = strcmp(side->file, "-") == 0, rc;
	int fd = standard ? STDIN_FILENO : open(side->file, O_RDONLY | O_CLOEXEC);
	json_object *report;

	if (fd < 0) {
		complain("cannot read %s: %s", side->file, strerror(errno));
		return -1;
	}
	report = load_json(fd, &side->extra);
	if (!standard)
		close(fd);
	rc = report ? load_snapshot(report, &side->s, &side->extra) : -1;
	json_object_put(report);
	if (rc)
		complain("%s: %s (it takes the JSON of `memhook stat`, `run` or `record`)",
			 side->file, side->extra.why);
	return rc;
}

static void side_text(FILE *to, const char *label, const struct side *side)
{
	char file[4 * 34 + 1], command[4 * 20 + 1];

	text_cut(file, side->file, 34);
	text_cut(command, side->s.command, 20);
	fprintf(to, "%s %s: %s (pid %d)\n", label, file, command, side->s.pid);
	if (side->extra.snapshots > 1)
		fprintf(to, "    the last of its %zu reports\n", side->extra.snapshots);
	if (side->extra.spoiled)
		fprintf(to, "    %zu place%s of it could not be read\n", side->extra.spoiled,
			side->extra.spoiled == 1 ? "" : "s");
	if (side->extra.workers)
		fprintf(to, "    without its %zu workers\n", side->extra.workers);
}

static void diff_text(FILE *to, const struct growth *g, const struct side *old,
		      const struct side *new)
{
	uint64_t then = old->s.time_unix_ms, now = new->s.time_unix_ms;

	side_text(to, "old", old);
	side_text(to, "new", new);
	if (now >= then)
		fprintf(to, "%s later\n", text_seconds(now - then).s);
	else
		fprintf(to, "%s EARLIER: is the order right?\n",
			text_seconds(then - now).s);
	if (strcmp(old->s.by, new->s.by))
		fprintf(to, "Owners by %s and by %s: few are in both.\n", old->s.by,
			new->s.by);
	fputc('\n', to);
	growth_text(to, g, new->s.by);
}

static json_object *side_json(const struct side *side)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "pid", json_object_new_int(side->s.pid));
	json_object_object_add(o, "command", json_object_new_string(side->s.command));
	json_object_object_add(o, "by", json_object_new_string(side->s.by));
	json_object_object_add(o, "time_unix_ms",
			       json_object_new_uint64(side->s.time_unix_ms));
	json_object_object_add(o, "workers_passed_over",
			       json_object_new_uint64(side->extra.workers));
	return o;
}

static json_object *row_json(const struct growth_row *r)
{
	json_object *o = json_object_new_object(), *then, *now;
	char name[3 * MEMHOOK_NAME_MAX];

	then = json_object_new_object();
	now = json_object_new_object();
	text_utf8(name, r->now.name);
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "kind",
			       json_object_new_string(growth_kind_name(r->now.kind)));
	if (r->object)
		json_object_object_add(o, "object",
				       json_object_new_string(r->object->path));
	if (r->object && r->now.kind == MEMHOOK_KIND_SITE)
		json_object_object_add(o, "offset", json_object_new_uint64(r->offset));
	if (r->others)
		json_object_object_add(o, "others", json_object_new_uint64(r->others));
	growth_seven_json(then, &r->then);
	growth_seven_json(now, &r->now);
	json_object_object_add(o, "old", then);
	json_object_object_add(o, "new", now);
	json_object_object_add(o, "change", growth_change_json(r));
	return o;
}

static void diff_json(FILE *to, const struct growth *g, const struct side *old,
		      const struct side *new)
{
	json_object *o = json_object_new_object(), *owners = json_object_new_array();
	json_object *totals = row_json(&g->total);
	size_t i;

	json_object_object_del(totals, "name");
	json_object_object_del(totals, "kind");
	for (i = 0; i < g->count; i++)
		json_object_array_add(owners, row_json(&g->rows[i]));
	json_object_object_add(o, "schema", json_object_new_string("memhook-diff/1"));
	json_object_object_add(o, "old", side_json(old));
	json_object_object_add(o, "new", side_json(new));
	json_object_object_add(o, "totals", totals);
	json_object_object_add(o, "owners", owners);
	growth_print_json(to, o);
	json_object_put(o);
}

static int print(const struct view *view, const struct side *old, const struct side *new)
{
	FILE *to = args_output(view);
	struct growth g;
	int rc;

	if (!to)
		return 1;
	growth_compare(&g, &old->s, &new->s, GROWTH_BY_NAME);
	growth_sort(&g, view->key ? view->key : GROWTH_GROWTH);
	growth_limit(&g, view->limit);
	if (view->format == MEMHOOK_JSON)
		diff_json(to, &g, old, new);
	else
		diff_text(to, &g, old, new);
	growth_free(&g);
	rc = fflush(to) || ferror(to);
	if (rc)
		complain("the difference could not be written: %s", strerror(errno));
	fclose(to);
	return rc;
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct view *view)
{
	static const struct option longs[] = { VIEW_OPTIONS,
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c, known;

	while ((c = getopt_long(argc, argv, VIEW_LETTERS, longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		known = args_view(c, optarg, view);
		if (!known)
			usage(stderr);
		if (known != 1)
			return EXIT_USAGE + 1;
	}
	if (argc - optind == 2)
		return 0;
	complain("two reports are compared (memhook diff OLD.json NEW.json)");
	return EXIT_USAGE + 1;
}

int diff_main(int argc, char **argv)
{
	struct view view = { .format = MEMHOOK_TEXT };
	struct side old = { 0 }, new = { 0 };
	int rc = parse(argc, argv, &view);

	if (rc)
		return rc - 1;
	old.file = argv[optind];
	new.file = argv[optind + 1];
	if (load(&old) || load(&new)) {
		reader_free(&old.s);
		return 1;
	}
	if (view.rollup) {
		old.s.owner_count = rollup_fold(old.s.owners, old.s.owner_count);
		new.s.owner_count = rollup_fold(new.s.owners, new.s.owner_count);
	}
	rc = print(&view, &old, &new);
	reader_free(&old.s);
	reader_free(&new.s);
	return rc;
}
