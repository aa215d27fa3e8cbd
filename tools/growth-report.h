/* SPDX-License-Identifier: BSD-2-Clause */
/* What grew, for people and for programs. */
#ifndef GROWTH_REPORT_H
#define GROWTH_REPORT_H

#include <stdio.h>

#include <json-c/json.h>

#include "growth.h"

/* A table within 80 columns: per second since `ms` ago. */
void growth_rates_text(FILE *to, const struct growth *g, const char *by, uint64_t ms);

/* A table within 80 columns: then, now, and the difference. */
void growth_text(FILE *to, const struct growth *g, const char *by);

/*
 * The snapshot as JSON, its owners the rows of `g`, each with "change" when two
 * were compared.  With `ms` not 0 each has "rates" per second, too.  NULL after
 * a complaint.
 */
json_object *growth_json(const struct growth *g, struct mh_snapshot *s, uint64_t ms);

/* {"live_bytes": +1 ...}: now less then. */
json_object *growth_change_json(const struct growth_row *row);
/* The seven numbers, added to `to`. */
void growth_seven_json(json_object *to, const struct memhook_stats *s);

/* On one line, with a newline. */
void growth_print_json(FILE *to, json_object *o);

const char *growth_kind_name(uint32_t kind);

#endif /* GROWTH_REPORT_H */
