/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a page shows: for each run of a program, moments, and what each owner
 * held at them.
 */
#ifndef REPORT_SERIES_H
#define REPORT_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "memhook.h"

/* More would be finer than a screen; then every second one is left out. */
#define MOMENTS_MOST 720 /* even */

/* What is told of an owner at each moment. */
enum series_key { SERIES_LIVE, SERIES_BLOCKS, SERIES_BYTES, SERIES_CALLS, SERIES_KEYS };

/* A number from this moment on. */
struct step {
	uint32_t moment;
	uint64_t value;
};

struct steps {
	struct step *list;
	uint32_t count, room;
};

struct series_owner {
	char name[MEMHOOK_NAME_MAX];
	char *label;  /* a call site by name, or NULL */
	char *object; /* of libraries and call sites: the file, or NULL */
	uint32_t kind;
	int retired;
	uint32_t seen; /* number of the last report, from 1, that has it */
	uint64_t sums[SERIES_KEYS]; /* in that report */
	uint64_t peak_now;          /* ... and its peak */
	uint64_t peak, most;        /* the highest in any; live at any moment */
	struct steps steps[SERIES_KEYS];
};

struct series_moment {
	uint64_t time_unix_ms;
	int consistent;
	json_object *process, *totals;
};

struct series_run {
	int32_t pid;
	char command[64];
	const char *by;
	uint64_t start_unix_ms;
	uint64_t reports;  /* ... that it had; of these every `stride`th is shown, */
	uint32_t stride;   /* and the last one */
	int last_is_extra; /* the last moment is none of the stride */
	struct series_moment *moments;
	uint32_t moment_count;
	struct series_owner *owners;
	size_t owner_count, owner_room;
	json_object *index; /* from what tells an owner to its number */
	json_object *exit;
	size_t workers;
};

struct series {
	struct series_run *runs;
	size_t run_count;
};

/* recording_read()'s visitor: `arg` is a struct series. */
int series_add(void *arg, json_object *report, int whole, char why[128]);

void series_free(struct series *s);

#endif /* REPORT_SERIES_H */
