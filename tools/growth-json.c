/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report of the library, taken apart and put together again: whatever it
 * says of an owner stays, in the order and with the additions of the rows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "growth-report.h"
#include "text.h"
#include "tool.h"

const char *growth_kind_name(uint32_t kind)
{
	static const char *const names[] = { "none", "named", "library", "thread",
					     "site" };

	return kind < sizeof(names) / sizeof(*names) ? names[kind] : "unknown";
}

static void add_count(json_object *to, const char *key, uint64_t n)
{
	json_object_object_add(to, key, json_object_new_uint64(n));
}

static void add_change(json_object *to, const char *key, uint64_t now, uint64_t then)
{
	json_object_object_add(to, key,
			       json_object_new_int64(growth_change(now, then)));
}

void growth_seven_json(json_object *to, const struct memhook_stats *s)
{
	add_count(to, "live_bytes", s->live_bytes);
	add_count(to, "live_blocks", s->live_blocks);
	add_count(to, "peak_bytes", s->peak_bytes);
	add_count(to, "alloc_bytes", s->alloc_bytes);
	add_count(to, "alloc_calls", s->alloc_calls);
	add_count(to, "free_bytes", s->free_bytes);
	add_count(to, "free_calls", s->free_calls);
}

json_object *growth_change_json(const struct growth_row *r)
{
	json_object *change = json_object_new_object();

	add_change(change, "live_bytes", r->now.live_bytes, r->then.live_bytes);
	add_change(change, "live_blocks", r->now.live_blocks, r->then.live_blocks);
	add_change(change, "alloc_bytes", r->now.alloc_bytes, r->then.alloc_bytes);
	add_change(change, "alloc_calls", r->now.alloc_calls, r->then.alloc_calls);
	add_change(change, "free_bytes", r->now.free_bytes, r->then.free_bytes);
	add_change(change, "free_calls", r->now.free_calls, r->then.free_calls);
	return change;
}

static void add_rate(json_object *to, const char *key, uint64_t now, uint64_t then,
		     uint64_t ms)
{
	double change = now > then ? (double)(now - then) : 0;

	add_count(to, key, (uint64_t)(change * 1000 / (double)ms + 0.5));
}

static json_object *rates_json(const struct growth_row *r, uint64_t ms)
{
	json_object *rates = json_object_new_object();

	add_rate(rates, "alloc_bytes", r->now.alloc_bytes, r->then.alloc_bytes, ms);
	add_rate(rates, "alloc_calls", r->now.alloc_calls, r->then.alloc_calls, ms);
	add_rate(rates, "free_bytes", r->now.free_bytes, r->then.free_bytes, ms);
	add_rate(rates, "free_calls", r->now.free_calls, r->then.free_calls, ms);
	return rates;
}

/* Several owners in one, or one that the snapshot does not have any more. */
static json_object *owner_json(const struct growth_row *r)
{
	json_object *o = json_object_new_object();
	char name[3 * MEMHOOK_NAME_MAX];

	json_object_object_add(o, "id",
			       r->now.owner == MEMHOOK_AUTO
				       ? NULL
				       : json_object_new_int64((uint32_t)r->now.owner));
	text_utf8(name, r->now.name);
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "kind",
			       json_object_new_string(growth_kind_name(r->now.kind)));
	json_object_object_add(
		o, "state",
		json_object_new_string(r->gone ? "ended"
				       : r->now.state == MEMHOOK_STATE_RETIRED
					       ? "retired" : "active"));
	if (r->others)
		add_count(o, "others", r->others);
	return o;
}

/* What the library's report is, parsed; NULL after a complaint. */
static json_object *snapshot_json(struct mh_snapshot *s)
{
	int fd = memfd_create("report", MFD_CLOEXEC);
	json_object *o = NULL;
	struct mh_out out;

	if (fd < 0) {
		complain("no room for a report: %s", strerror(errno));
		return NULL;
	}
	mh_out_init(&out, fd);
	mh_report_json(&out, s);
	mh_out_flush(&out);
	if (!out.error && lseek(fd, 0, SEEK_SET) == 0)
		o = json_object_from_fd(fd);
	close(fd);
	if (!o)
		complain("no room for a report: %s",
			 strerror(out.error ? out.error : ENOMEM));
	return o;
}

/* The snapshot's owners by row. */
static json_object **by_row(json_object *owners, uint32_t rows)
{
	json_object **table = calloc((size_t)rows + 1, sizeof(*table));
	size_t i, n = json_object_array_length(owners);

	if (!table)
		out_of_memory();
	for (i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(owners, i), *id;

		if (json_object_object_get_ex(o, "id", &id) && id &&
		    json_object_get_int64(id) < rows)
			table[json_object_get_int64(id)] = o;
	}
	return table;
}

json_object *growth_json(const struct growth *g, struct mh_snapshot *s, uint64_t ms)
{
	json_object *report = snapshot_json(s), *old, *owners, **rows;
	size_t i;

	if (!report)
		return NULL;
	old = json_object_object_get(report, "owners");
	rows = by_row(old, s->table_rows);
	owners = json_object_new_array();
	for (i = 0; i < g->count; i++) {
		const struct growth_row *r = &g->rows[i];
		uint32_t row = (uint32_t)r->now.owner;
		json_object *o = !r->gone && r->now.owner != MEMHOOK_AUTO &&
						 row < s->table_rows
					 ? json_object_get(rows[row]) : NULL;

		if (!o)
			o = owner_json(r);
		growth_seven_json(o, &r->now); /* may be of several of one name */
		if (g->compared)
			json_object_object_add(o, "change", growth_change_json(r));
		if (ms)
			json_object_object_add(o, "rates", rates_json(r, ms));
		json_object_array_add(owners, o);
	}
	free(rows);
	json_object_object_add(report, "owners", owners);
	if (g->compared)
		json_object_object_add(report, "change", growth_change_json(&g->total));
	if (ms)
		json_object_object_add(report, "rates", rates_json(&g->total, ms));
	return report;
}

void growth_print_json(FILE *to, json_object *o)
{
	fputs(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE),
	      to);
	fputc('\n', to);
}
