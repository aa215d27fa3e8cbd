/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports come from anywhere: each key is looked at before it is used, and what
 * is wrong is said in one line.
 */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "growth-report.h"
#include "tool.h"

#define OWNERS_MOST 65536
#define LABEL_ROOM 96

static int fail(struct load_extra *x, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(struct load_extra *x, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(x->why, sizeof(x->why), format, args);
	va_end(args);
	return -1;
}

/* NULL with why unless `key` is of that type. */
static json_object *get(json_object *o, const char *key, json_type type,
			struct load_extra *x)
{
	json_object *value;

	if (!json_object_object_get_ex(o, key, &value)) {
		fail(x, "'%s' is missing", key);
		return NULL;
	}
	if (json_object_is_type(value, type))
		return value;
	fail(x, "'%s' is no %s", key, type == json_type_int ? "whole number"
					 : json_type_to_name(type));
	return NULL;
}

static int get_number(json_object *o, const char *key, uint64_t *n, struct load_extra *x)
{
	json_object *value = get(o, key, json_type_int, x);

	if (!value)
		return -1;
	if (json_object_get_int64(value) < 0)
		return fail(x, "'%s' is negative", key);
	*n = json_object_get_uint64(value);
	/* What is larger than json-c's integers comes out as the largest. */
	return *n > INT64_MAX ? fail(x, "'%s' is too large", key) : 0;
}

/* At most `room` - 1 bytes, none of them NUL. */
static int get_text(json_object *o, const char *key, char *to, size_t room,
		    struct load_extra *x)
{
	json_object *value = get(o, key, json_type_string, x);
	size_t n = value ? (size_t)json_object_get_string_len(value) : 0;

	if (!value)
		return -1;
	if (n >= room || strlen(json_object_get_string(value)) != n)
		return fail(x, "'%s' is longer than memhook writes it", key);
	memcpy(to, json_object_get_string(value), n + 1);
	return 0;
}

static int get_seven(json_object *o, struct memhook_stats *s, struct load_extra *x)
{
	return get_number(o, "live_bytes", &s->live_bytes, x) ||
	       get_number(o, "live_blocks", &s->live_blocks, x) ||
	       get_number(o, "peak_bytes", &s->peak_bytes, x) ||
	       get_number(o, "alloc_bytes", &s->alloc_bytes, x) ||
	       get_number(o, "alloc_calls", &s->alloc_calls, x) ||
	       get_number(o, "free_bytes", &s->free_bytes, x) ||
	       get_number(o, "free_calls", &s->free_calls, x) ? -1 : 0;
}

static int get_kind(json_object *o, uint32_t *kind, struct load_extra *x)
{
	char name[16];

	if (get_text(o, "kind", name, sizeof(name), x))
		return -1;
	for (*kind = MEMHOOK_KIND_NONE; *kind <= MEMHOOK_KIND_SITE; ++*kind)
		if (strcmp(growth_kind_name(*kind), name) == 0)
			return 0;
	return fail(x, "'kind' is none that memhook knows");
}

/* Hexadecimal; reports of older tools have none. */
static int get_build_id(json_object *o, struct mh_object *object, struct load_extra *x)
{
	char text[2 * sizeof(object->build_id) + 1];
	uint32_t n;

	if (!json_object_object_get_ex(o, "build_id", NULL))
		return 0;
	if (get_text(o, "build_id", text, sizeof(text), x))
		return -1;
	n = (uint32_t)strlen(text);
	if (n % 2 || strspn(text, "0123456789abcdef") != n)
		return fail(x, "'build_id' is not hexadecimal");
	object->build_id_size = n / 2;
	while (n--)
		object->build_id[n / 2] |= (uint8_t)((text[n] & 15) + (text[n] > '9' ? 9 : 0))
					   << (n % 2 ? 0 : 4);
	return 0;
}

/* The object and the place in it, where there is one: by the owner's row. */
static int get_place(json_object *o, struct mh_snapshot *s, uint32_t row,
		     struct load_extra *x)
{
	struct mh_object *object = &s->objects[s->object_count];
	uint64_t offset = 0;

	if (!json_object_object_get_ex(o, "object", NULL))
		return 0;
	if (get_text(o, "object", object->path, sizeof(object->path), x) ||
	    (json_object_object_get_ex(o, "offset", NULL) &&
	     get_number(o, "offset", &offset, x)))
		return -1;
	if (get_build_id(o, object, x))
		return -1;
	if (offset >> 48 || s->object_count >= UINT16_MAX - 1)
		return fail(x, offset >> 48 ? "'offset' is too large" : "too many objects");
	s->table[row].where = MH_WHERE(s->object_count, offset);
	s->object_count++;
	return 0;
}

/* By name, where the report says so; the labels follow the table in memory. */
static void get_symbol(json_object *o, struct mh_snapshot *s, uint32_t row)
{
	char *label = (char *)&s->symbols[s->table_rows + 1] + row * LABEL_ROOM;
	json_object *function = json_object_object_get(o, "function");
	json_object *file = json_object_object_get(o, "file");
	json_object *line = json_object_object_get(o, "line");
	const char *path, *base;

	if (!json_object_is_type(function, json_type_string))
		return;
	s->symbols[row].label = label;
	s->symbols[row].function = json_object_get_string(function);
	path = json_object_is_type(file, json_type_string) ? json_object_get_string(file)
							   : NULL;
	if (path && json_object_get_int(line) > 0) {
		s->symbols[row].file = path;
		s->symbols[row].line = (uint32_t)json_object_get_int(line);
	}
	base = path && strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (base)
		snprintf(label, LABEL_ROOM, "%s (%s:%d)", json_object_get_string(function),
			 base, json_object_get_int(line));
	else
		snprintf(label, LABEL_ROOM, "%s", json_object_get_string(function));
}

static int get_owner(json_object *o, struct mh_snapshot *s, uint32_t row,
		     struct load_extra *x)
{
	struct memhook_stats *stats = &s->owners[row];
	char state[16] = "";

	if (!json_object_is_type(o, json_type_object))
		return fail(x, "an owner is no object");
	stats->size = sizeof(*stats);
	stats->owner = row;
	if (get_text(o, "name", stats->name, sizeof(stats->name), x) ||
	    get_kind(o, &stats->kind, x) || get_seven(o, stats, x) ||
	    get_text(o, "state", state, sizeof(state), x))
		return -1;
	stats->state = strcmp(state, "retired") ? MEMHOOK_STATE_ACTIVE
						: MEMHOOK_STATE_RETIRED;
	get_symbol(o, s, row);
	return get_place(o, s, row, x);
}

static int get_owners(json_object *report, struct mh_snapshot *s, struct load_extra *x)
{
	json_object *owners = get(report, "owners", json_type_array, x);
	size_t n = owners ? json_object_array_length(owners) : 0;
	uint32_t row;

	if (!owners)
		return -1;
	if (n > OWNERS_MOST)
		return fail(x, "more owners than memhook has");
	s->owners = calloc(n + 1, sizeof(*s->owners));
	s->table = calloc(n + 1, sizeof(*s->table));
	s->objects = calloc(n + 1, sizeof(*s->objects));
	s->symbols = calloc(n + 1, sizeof(*s->symbols) + LABEL_ROOM);
	if (!s->owners || !s->table || !s->objects || !s->symbols)
		out_of_memory();
	s->owner_count = n;
	s->table_rows = (uint32_t)n;
	for (row = 0; row < n; row++)
		if (get_owner(json_object_array_get_idx(owners, row), s, row, x))
			return -1;
	return 0;
}

static int get_head(json_object *report, struct mh_snapshot *s, struct load_extra *x)
{
	json_object *totals;
	char by[16];
	uint64_t pid;
	uint32_t i;

	if (get_number(report, "pid", &pid, x) ||
	    get_text(report, "command", s->command, sizeof(s->command), x) ||
	    get_text(report, "by", by, sizeof(by), x) ||
	    get_number(report, "time_unix_ms", &s->time_unix_ms, x) ||
	    get_number(report, "uptime_ms", &s->uptime_ms, x))
		return -1;
	if (pid > INT32_MAX)
		return fail(x, "'pid' is too large");
	s->pid = (int32_t)pid;
	for (i = MH_BY_NONE, s->by = "unknown"; i <= MH_BY_SITE; i++)
		if (strcmp(mh_by_name(i), by) == 0)
			s->by = mh_by_name(i);
	totals = get(report, "totals", json_type_object, x);
	return totals ? get_seven(totals, &s->totals, x) : -1;
}

int load_snapshot(json_object *report, struct mh_snapshot *s, struct load_extra *x)
{
	char schema[32];
	json_object *workers;

	memset(s, 0, sizeof(*s));
	s->consistent = s->exact = 1;
	if (get_text(report, "schema", schema, sizeof(schema), x))
		return -1;
	if (strcmp(schema, "memhook/1"))
		return fail(x, "schema '%s', not memhook/1", schema);
	if (json_object_object_get_ex(report, "workers", &workers) &&
	    json_object_is_type(workers, json_type_array))
		x->workers = json_object_array_length(workers);
	if (get_head(report, s, x) || get_owners(report, s, x)) {
		reader_free(s);
		return -1;
	}
	return 0;
}
