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
	struct delta_base base; /* the last report */
	struct recording_found *found;
};

static void spoiled(struct reading *r, size_t at, const char *why)
{
	if (!r->found->spoiled++)
		snprintf(r->found->why, sizeof(r->found->why), "%s at byte %zu", why, at);
	delta_forget(&r->base);
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

static void take(struct reading *r, json_object *o, size_t at)
{
	const char *why;
	json_object *plain;

	if (!delta_is_one(o)) {
		if (visit(r, o, 1, at) == 0)
			delta_start(&r->base, o);
		return;
	}
	why = delta_step(&r->base, o);
	if (why) {
		spoiled(r, at, why);
		return;
	}
	plain = delta_plain_base(&r->base);
	visit(r, plain, 0, at);
	json_object_put(plain);
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
			at = load_next_line(text, began, size);
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
	delta_forget(&r.base);
	free(text);
	if (!found->reports && !found->spoiled)
		snprintf(found->why, sizeof(found->why), "it is empty");
	return found->reports ? 0 : -1;
}
