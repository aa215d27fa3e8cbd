/* SPDX-License-Identifier: BSD-2-Clause */
/* A report that was written to a file, as a snapshot again. */
#ifndef LOAD_H
#define LOAD_H

#include <json-c/json.h>

#include "report.h"

/* What a snapshot has no place for. */
struct load_extra {
	size_t workers;   /* other processes of the run, passed over */
	size_t snapshots; /* in the file; the last one counts */
	size_t spoiled;   /* places in a recording that could not be read */
	char why[128];    /* it was refused: what is wrong with it */
};

/*
 * The last report of a file, which may be a recording and a pipe; NULL with why.
 * Spoiled places of a recording are passed over.
 */
json_object *load_json(int fd, struct load_extra *extra);

/*
 * 0, or -1 with why; reader_free() in the first case.  Functions and files of
 * its symbols are the report's: only their labels outlive it.
 */
int load_snapshot(json_object *report, struct mh_snapshot *s, struct load_extra *extra);

/* The steps of load_json(): the text, NULL with why, ... */
char *load_text(int fd, size_t *size, struct load_extra *extra);
size_t load_skip_blanks(const char *text, size_t at, size_t size);
size_t load_next_line(const char *text, size_t at, size_t size);
/* ... a strict parser, and its next value; json_tokener_get_error() tells success. */
json_tokener *load_tokener(void);
json_object *load_value(json_tokener *t, const char *text, size_t size, size_t *at);

#endif /* LOAD_H */
