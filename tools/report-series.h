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
#include "report.h"

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

enum series_role {
	SERIES_MAIN,
	SERIES_ALL,   /* all processes of a run; they are its owners */
	SERIES_WORKER /* one of its other processes */
};

struct series_run {
	enum series_role role;
	size_t main; /* the number of its run */
	uint64_t most; /* live at any moment */
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
	size_t workers; /* of a main one: its other processes so far */
};

struct series {
	struct series_run *runs;
	size_t run_count;
	size_t last_main; /* the run that the next report may belong to */
	json_object *workers; /* from a run and a pid to the latest run of that */
};

/* recording_read()'s visitor: `arg` is a struct series. */
int series_add(void *arg, json_object *report, int whole, char why[128]);

void series_free(struct series *s);

/* --- for report-workers.c --- */

/* Is it of this process, and later than what is there? */
int series_same_run(const struct series_run *run, const struct mh_snapshot *s);
/* A number that stays, while the runs move when one is added. */
size_t series_new_run(struct series *all, const struct mh_snapshot *s,
		      enum series_role role, size_t main);
/* `process`, `totals`: the moment's, taken over; NULL: not told. */
void series_add_moment(struct series_run *run, const struct mh_snapshot *s, int whole,
		       json_object *process, json_object *totals);
/* What a later report knows of its owners' names. */
void series_add_names(struct series_run *run, const struct mh_snapshot *s);

/* report-workers.c: the other processes of a report, and all of them together. */
void series_add_workers(struct series *all, size_t main, const struct mh_snapshot *s,
			json_object *report, int whole);

#endif /* REPORT_SERIES_H */
