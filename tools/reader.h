/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a segment from outside.  The process at the other end is an
 * enemy: nothing it wrote is believed before it was checked, and nothing is
 * mapped, so it can neither crash us nor make us fill its holes.
 */
#ifndef READER_H
#define READER_H

#include <stdint.h>

#include "report.h"
#include "segment.h"
#include "source.h"

struct reader {
	struct source source; /* the caller closes it */
	struct mh_run run;
	const char *error; /* why the last call failed */
};

/* 0, or -1 with r->error.  The descriptor stays the caller's. */
int reader_open(struct reader *r, int fd);
int reader_open_source(struct reader *r, const struct source *from);

/* Bytes of the segment, at an offset that need not be one.  0 or -1. */
int reader_read(struct reader *r, uint64_t at, void *to, size_t size);

/* The header of area i, checked, and where in the segment it starts. */
int reader_area(struct reader *r, uint32_t i, struct mh_area *a, uint64_t *start);

/* Slots worth looking at are 0 .. reader_slots() - 1. */
uint32_t reader_slots(const struct reader *r);
int reader_slot(struct reader *r, uint32_t i, struct mh_slot *slot);

/*
 * Fill `s` from area i.  0, or -1 with r->error.  Owners are allocated:
 * reader_free().  What only /proc knows (RSS) is left 0,
 * unless the process told at its exit.
 */
int reader_snapshot(struct reader *r, uint32_t i, struct mh_snapshot *s);
void reader_free(struct mh_snapshot *s);

/* What the process says of itself: its RSS, and when it was so (0: never). */
struct reader_published {
	uint64_t time_unix_ms, rss_bytes;
	char command[64], file[64];
};
int reader_published(struct reader *r, uint32_t i, struct reader_published *p);

#endif /* READER_H */
