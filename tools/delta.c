/* SPDX-License-Identifier: BSD-2-Clause */
#include "delta.h"

#include <string.h>

#include "tool.h"

/* The arrays that become objects, and the number that tells their members. */
static const char *number_of(const char *key)
{
	if (strcmp(key, "owners") == 0)
		return "id";
	return strcmp(key, "workers") == 0 ? "pid" : NULL;
}

static json_object *must(json_object *o)
{
	if (!o)
		out_of_memory();
	return o;
}

static json_object *array_keyed(json_object *array, const char *number)
{
	json_object *to = must(json_object_new_object());
	size_t i;

	for (i = 0; i < json_object_array_length(array); i++) {
		json_object *one = json_object_array_get_idx(array, i), *n, *keyed = NULL;

		if (json_object_is_type(one, json_type_object) &&
		    json_object_object_get_ex(one, number, &n) &&
		    json_object_is_type(n, json_type_int) &&
		    !json_object_object_get_ex(to, json_object_get_string(n), NULL))
			keyed = delta_keyed(one);
		if (!keyed) {
			json_object_put(to);
			return NULL;
		}
		json_object_object_add(to, json_object_get_string(n), keyed);
	}
	return to;
}

json_object *delta_keyed(json_object *report)
{
	json_object *to = must(json_object_new_object());

	json_object_object_foreach(report, key, value) {
		const char *number = number_of(key);
		json_object *member;

		if (number && json_object_is_type(value, json_type_array))
			member = array_keyed(value, number);
		else
			member = json_object_get(value);
		if (!member && value) {
			json_object_put(to);
			return NULL;
		}
		json_object_object_add(to, key, member);
	}
	return to;
}

json_object *delta_plain(json_object *keyed)
{
	json_object *to = must(json_object_new_object());

	json_object_object_foreach(keyed, key, value) {
		json_object *array;

		if (!number_of(key) || !json_object_is_type(value, json_type_object)) {
			json_object_object_add(to, key, json_object_get(value));
			continue;
		}
		array = must(json_object_new_array());
		json_object_object_foreach(value, number, member) {
			(void)number;
			json_object_array_add(array, json_object_is_type(member, json_type_object)
						     ? delta_plain(member)
						     : json_object_get(member));
		}
		json_object_object_add(to, key, array);
	}
	return to;
}

static int both_objects(json_object *a, json_object *b)
{
	return json_object_is_type(a, json_type_object) &&
	       json_object_is_type(b, json_type_object);
}

json_object *delta_between(json_object *then, json_object *now)
{
	json_object *patch = must(json_object_new_object()), *had;

	json_object_object_foreach(now, key, value) {
		if (!json_object_object_get_ex(then, key, &had))
			json_object_object_add(patch, key, json_object_get(value));
		else if (json_object_equal(had, value))
			continue;
		else if (both_objects(had, value))
			json_object_object_add(patch, key, delta_between(had, value));
		else
			json_object_object_add(patch, key, json_object_get(value));
	}
	json_object_object_foreach(then, gone, was) {
		(void)was;
		if (!json_object_object_get_ex(now, gone, NULL))
			json_object_object_add(patch, gone, NULL);
	}
	return patch;
}

void delta_apply(json_object *o, json_object *patch)
{
	json_object_object_foreach(patch, key, value) {
		json_object *had = NULL;

		json_object_object_get_ex(o, key, &had);
		if (!value) {
			json_object_object_del(o, key);
			continue;
		}
		if (!json_object_is_type(value, json_type_object)) {
			json_object_object_add(o, key, json_object_get(value));
			continue;
		}
		if (!json_object_is_type(had, json_type_object)) {
			had = must(json_object_new_object());
			json_object_object_add(o, key, had);
		}
		delta_apply(had, value);
	}
}

int delta_is_one(json_object *line)
{
	json_object *schema = json_object_object_get(line, "schema");

	return json_object_is_type(schema, json_type_string) &&
	       strcmp(json_object_get_string(schema), "memhook-delta/1") == 0;
}

void delta_start(struct delta_base *base, json_object *report)
{
	delta_forget(base);
	base->report = json_object_get(report);
}

void delta_forget(struct delta_base *base)
{
	json_object_put(base->report);
	*base = (struct delta_base){ .report = NULL };
}

json_object *delta_plain_base(const struct delta_base *base)
{
	return base->keyed ? delta_plain(base->report) : json_object_get(base->report);
}

/* Is it about the report that came before it? */
static int follows(json_object *report, json_object *line)
{
	json_object *since = json_object_object_get(line, "since_unix_ms");
	json_object *pid = json_object_object_get(line, "pid");

	return since && pid &&
	       json_object_equal(since, json_object_object_get(report, "time_unix_ms")) &&
	       json_object_equal(pid, json_object_object_get(report, "pid"));
}

const char *delta_step(struct delta_base *base, json_object *line)
{
	json_object *keyed;

	if (!base->report || !follows(base->report, line))
		return "a line that this one builds on is missing";
	if (!base->keyed) {
		keyed = delta_keyed(base->report);
		if (!keyed)
			return "owners without numbers";
		json_object_put(base->report);
		*base = (struct delta_base){ .report = keyed, .keyed = 1 };
	}
	json_object_object_del(line, "schema");
	json_object_object_del(line, "since_unix_ms");
	delta_apply(base->report, line);
	return NULL;
}
