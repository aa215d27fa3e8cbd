/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changed between two reports: a JSON Merge Patch (RFC 7396).  It knows
 * no members of arrays, so the owners and workers of a report become members
 * of objects, by their numbers.
 */
#ifndef DELTA_H
#define DELTA_H

#include <json-c/json.h>

/* A report in that form, or NULL: some of its owners have no number. */
json_object *delta_keyed(json_object *report);
/* ... and back; its parts belong to both. */
json_object *delta_plain(json_object *keyed);

/* What makes `then` into `now`. */
json_object *delta_between(json_object *then, json_object *now);
/* Does it; what of `o` is no part of the patch stays. */
void delta_apply(json_object *o, json_object *patch);

/* The report that lines build on, in either form.  NULL: there is none. */
struct delta_base {
	json_object *report;
	int keyed;
};

/* Is this a line that builds on the one before it? */
int delta_is_one(json_object *line);
void delta_start(struct delta_base *base, json_object *report);
/* Takes the line; NULL, or why it cannot be. */
const char *delta_step(struct delta_base *base, json_object *line);
/* The base as a report.  A reference of the caller's. */
json_object *delta_plain_base(const struct delta_base *base);
void delta_forget(struct delta_base *base);

#endif /* DELTA_H */
