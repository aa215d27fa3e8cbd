/* SPDX-License-Identifier: BSD-2-Clause */
/* Recordings come from anywhere, and may end or be spoiled anywhere. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta.h"
#include "load.h"
#include "recording.h"

struct reading {
	recording_visit *visit;
	void *arg;
	json_object *state; /* the last report, NULL: deltas mean nothing */
	int keyed;          /* ... in delta.h's form */
	struct recording_found *found;
};

static void spoiled(struct reading *r, size_t at, const char *why)
{
	if (!r->found->spoiled++)
		snprintf(r->found->why, sizeof(r->found->why), "%s at byte %zu", why, at);
	json_object_put(r->state);
	r->state = NULL;
}

static int is_schema(json_object *o, const char *name)
{
	json_object *schema = json_object_object_get(o, "schema");

	return json_object_is_type(schema, json_type_string) &&
	       strcmp(json_object_get_string(schema), name) == 0;
}

static int visit(struct reading *r, json_object *report, int whole, size_t at)
{
	char why[128] = "";

	if (r->visit(r->arg, report, whole, why)) {
		spoiled(r, at, why);
		return -1;
	}
	r->found->reports++;
	return 0;
}

/* Is it about the report that came before it? */
static int follows(json_object *state, json_object *delta)
{
	json_object *since = json_object_object_get(delta, "since_unix_ms");
	json_object *pid = json_object_object_get(delta, "pid");

	return since && pid &&
	       json_object_equal(since, json_object_object_get(state, "time_unix_ms")) &&
	       json_object_equal(pid, json_object_object_get(state, "pid"));
}

static void take_delta(struct reading *r, json_object *delta, size_t at)
{
	json_object *keyed, *plain;

	if (!r->state || !follows(r->state, delta)) {
		spoiled(r, at, "a line that this one builds on is missing");
		return;
	}
	if (!r->keyed) {
		keyed = delta_keyed(r->state);
		json_object_put(r->state);
		r->state = keyed;
		r->keyed = 1;
		if (!keyed) {
			spoiled(r, at, "owners without numbers");
			return;
		}
	}
	json_object_object_del(delta, "schema");
	json_object_object_del(delta, "since_unix_ms");
	delta_apply(r->state, delta);
	plain = delta_plain(r->state);
	visit(r, plain, 0, at);
	json_object_put(plain);
}

static void take(struct reading *r, json_object *o, size_t at)
{
	if (is_schema(o, "memhook-delta/1")) {
		take_delta(r, o, at);
		return;
	}
	if (visit(r, o, 1, at))
		return;
	json_object_put(r->state);
	r->state = json_object_get(o);
	r->keyed = 0;
}

/* After something that is no JSON: the line after its beginning may be. */
static size_t next_line(const char *text, size_t at, size_t size)
{
	const char *end = memchr(text + at, '\n', size - at);

	return end ? (size_t)(end - text) + 1 : size;
}

static void read_all(struct reading *r, const char *text, size_t size)
{
	json_tokener *t = load_tokener();
	size_t at = load_skip_blanks(text, 0, size);

	while (at < size) {
		size_t began = at;
		json_object *o = load_value(t, text, size, &at);
		enum json_tokener_error error = json_tokener_get_error(t);

		if (error == json_tokener_success && json_object_is_type(o, json_type_object)) {
			take(r, o, began);
		} else {
			spoiled(r, began, error == json_tokener_continue
						  ? "it ends in the middle of its JSON"
						  : "no report");
			at = next_line(text, began, size);
		}
		json_object_put(o);
		at = load_skip_blanks(text, at, size);
	}
	json_tokener_free(t);
}

int recording_read(int fd, recording_visit *visit_one, void *arg,
		   struct recording_found *found)
{
	struct reading r = { .visit = visit_one, .arg = arg, .found = found };
	struct load_extra extra = { .snapshots = 0 };
	size_t size;
	char *text = load_text(fd, &size, &extra);

	memset(found, 0, sizeof(*found));
	if (!text) {
		snprintf(found->why, sizeof(found->why), "%s", extra.why);
		return -1;
	}
	read_all(&r, text, size);
	json_object_put(r.state);
	free(text);
	if (!found->reports && !found->spoiled)
		snprintf(found->why, sizeof(found->why), "it is empty");
	return found->reports ? 0 : -1;
}
