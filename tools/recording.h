/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of snapshots: lines of JSON.  Most say only what changed since the
 * line before; doc/RECORDING.md has the format.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

struct recording {
	int fd;
	json_object *last; /* the report of the line before, NULL: write a whole one */
	unsigned lines;    /* since a whole one */
};

/* At the end of what is there already.  0, or -1 after a complaint. */
int recording_open(struct recording *rec, const char *path);

/* Will the next line be a whole report?  Then it may tell more. */
int recording_is_due(const struct recording *rec);

/* A report as line_of() made it.  0 or an errno. */
int recording_write(struct recording *rec, const char *line);

void recording_close(struct recording *rec);

/* What a file held. */
struct recording_found {
	size_t reports;
	size_t spoiled; /* places that could not be read, passed over */
	char why[160];  /* the first of them, or why there is nothing */
};

/*
 * Calls `visit` for each report, also those that one line or several make
 * without memhook record.  `whole`: it is as it was written.  What `visit`
 * refuses (-1 with why) is spoiled.  0, or -1 with why: not one was found.
 */
typedef int recording_visit(void *arg, json_object *report, int whole, char why[128]);
int recording_read(int fd, recording_visit *visit, void *arg,
		   struct recording_found *found);

#endif /* RECORDING_H */
