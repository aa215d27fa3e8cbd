/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memhook list: the hooked processes that this user may read.
 *
 * A service is a process and the workers that it forked: they share one
 * segment.  A worker whose parent has ended goes on beside the others.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "family.h"
#include "growth-report.h"
#include "text.h"
#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook list [--format=text|json]\n"
	      "The hooked processes that this user may read; a service's forked workers\n"
	      "stand below it, with their sum.\n\n"
	      "  -f, --format=text|json  the list's format (default: text)\n"
	      "      --help              print this\n", to);
}

#define NAME_COLUMNS 23

static void print_numbers(FILE *to, const struct family_sum *s)
{
	fprintf(to, " %10s %9s %10s", text_bytes(s->live_bytes).s,
		text_count(s->live_blocks, 9).s, text_bytes(s->rss_bytes).s);
}

static void print_member(FILE *to, const struct family_member *m)
{
	unsigned indent = m->depth < 6 ? 2 * m->depth : 12;
	char name[4 * NAME_COLUMNS + 1];

	text_name(name, m->command, NAME_COLUMNS - indent);
	fprintf(to, "%7d %*s%s %-7.7s", m->pid, (int)indent, "", name, m->by);
	print_numbers(to, &m->sum);
	fprintf(to, " %8s\n", text_seconds(m->uptime_ms).s);
}

/* From this column on, in lines of 79. */
static void print_words(FILE *to, const char *text, size_t column)
{
	while (*text) {
		size_t length = strcspn(text, " ");

		if (column + 1 + length > 79) {
			fprintf(to, "\n%7s", "");
			column = 7;
		}
		fprintf(to, " %.*s", (int)length, text);
		column += 1 + length;
		text += length + strspn(text + length, " ");
	}
	fputc('\n', to);
}

static void print_text(FILE *to, const struct families *f)
{
	size_t i;

	if (f->count)
		fprintf(to, "%7s %-*s %-7s %10s %9s %10s %8s\n", "PID", NAME_COLUMNS,
			"COMMAND", "OWNERS", "LIVE", "BLOCKS", "RSS", "UPTIME");
	else
		fputs("No hooked process that may be read.\n", to);
	for (i = 0; i < f->count; i++) {
		const struct family_member *m = &f->members[i];

		print_member(to, m);
		/* The last one of a service with workers: their sum. */
		if (m->size > 1 && (i + 1 == f->count || m[1].service != m->service)) {
			fprintf(to, "%7s %-*s", "", NAME_COLUMNS + 8, "= the service");
			print_numbers(to, &f->members[m->service].total);
			fprintf(to, " %8zu\n", m->size);
		}
	}
	for (i = 0; i < f->broken_count; i++) {
		fprintf(to, "%7d cannot be read:", f->broken[i].pid);
		print_words(to, f->broken[i].why, 23);
	}
	if (f->hidden)
		fprintf(to, "%u process%s could not be looked at, for lack of rights.\n",
			f->hidden, f->hidden == 1 ? "" : "es");
}

static void add_count(json_object *to, const char *key, uint64_t n)
{
	json_object_object_add(to, key, json_object_new_uint64(n));
}

static void add_sum(json_object *to, const struct family_sum *s)
{
	add_count(to, "live_bytes", s->live_bytes);
	add_count(to, "live_blocks", s->live_blocks);
	add_count(to, "rss_bytes", s->rss_bytes);
}

static void add_name(json_object *to, const char *key, const char *name)
{
	char valid[3 * 160 + 1];

	text_utf8(valid, name);
	json_object_object_add(to, key, json_object_new_string(valid));
}

static json_object *member_json(const struct families *f, const struct family_member *m)
{
	json_object *o = json_object_new_object();

	add_count(o, "pid", (uint64_t)m->pid);
	add_count(o, "ppid", (uint64_t)m->ppid);
	add_count(o, "service", (uint64_t)f->members[m->service].pid);
	add_count(o, "depth", m->depth);
	add_name(o, "command", m->command);
	json_object_object_add(o, "by", json_object_new_string(m->by));
	add_sum(o, &m->sum);
	add_count(o, "uptime_ms", m->uptime_ms);
	return o;
}

static json_object *service_json(const struct family_member *m)
{
	json_object *o = json_object_new_object();

	add_count(o, "pid", (uint64_t)m->pid);
	add_name(o, "command", m->command);
	add_count(o, "processes", m->size);
	add_sum(o, &m->total);
	return o;
}

static void print_json(FILE *to, const struct families *f)
{
	json_object *o = json_object_new_object(), *all = json_object_new_array();
	json_object *services = json_object_new_array(), *broken = json_object_new_array();
	size_t i;

	for (i = 0; i < f->count; i++) {
		json_object_array_add(all, member_json(f, &f->members[i]));
		if (f->members[i].service == i)
			json_object_array_add(services, service_json(&f->members[i]));
	}
	for (i = 0; i < f->broken_count; i++) {
		json_object *b = json_object_new_object();

		add_count(b, "pid", (uint64_t)f->broken[i].pid);
		add_name(b, "error", f->broken[i].why);
		json_object_array_add(broken, b);
	}
	json_object_object_add(o, "schema", json_object_new_string("memhook-list/1"));
	json_object_object_add(o, "processes", all);
	json_object_object_add(o, "services", services);
	json_object_object_add(o, "unreadable", broken);
	add_count(o, "hidden", f->hidden);
	growth_print_json(to, o);
	json_object_put(o);
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, int *format)
{
	static const struct option longs[] = { { "format", 1, NULL, 'f' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "f:", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		if (c == '?')
			usage(stderr);
		if (c == '?' || (*format = parse_format(optarg)) < 0)
			return EXIT_USAGE + 1;
	}
	if (optind == argc)
		return 0;
	complain("it takes no process; one alone is shown by `memhook stat %s`",
		 argv[optind]);
	return EXIT_USAGE + 1;
}

int list_main(int argc, char **argv)
{
	int format = MEMHOOK_TEXT, rc = parse(argc, argv, &format);
	struct families f;

	if (rc)
		return rc - 1;
	if (counts_nothing())
		return 1;
	families_read(&f);
	if (format == MEMHOOK_JSON)
		print_json(stdout, &f);
	else
		print_text(stdout, &f);
	families_free(&f);
	return close_stdout();
}
