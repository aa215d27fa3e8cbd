/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader.h"

#define SIZE_LIMIT (UINT64_C(1) << 62)
#define GAP 24 /* fewer zeros than a piece's head do not end one */

struct piece {
	uint64_t at;
	uint16_t size;
} __attribute__((packed));

int image_expand(int fd, const uint8_t *image, size_t size)
{
	uint64_t file;
	struct piece p;
	size_t i = sizeof(file);

	if (size < sizeof(file))
		return -1;
	memcpy(&file, image, sizeof(file));
	if (file > SIZE_LIMIT || ftruncate(fd, 0) || ftruncate(fd, (off_t)file))
		return -1;
	while (size - i >= sizeof(p)) {
		size_t n;

		memcpy(&p, image + i, sizeof(p));
		i += sizeof(p);
		n = p.size < size - i ? p.size : size - i;
		/* not beyond the end: that would make another file of it */
		if (p.at <= file && n <= file - p.at &&
		    pwrite(fd, image + i, n, (off_t)p.at) < 0)
			return -1;
		i += n;
	}
	return 0;
}

static size_t zeros(const uint8_t *from, const uint8_t *end)
{
	const uint8_t *p = from;

	while (p < end && *p == 0)
		p++;
	return (size_t)(p - from);
}

/* The pieces of one page. */
static size_t add_page(uint8_t *image, size_t used, size_t room, const uint8_t *page,
		       size_t size, uint64_t at)
{
	const uint8_t *end = page + size, *p = page;

	for (;;) {
		const uint8_t *stop;
		struct piece piece;

		p += zeros(p, end);
		if (p == end)
			return used;
		for (stop = p; stop < end && zeros(stop, end) < GAP; stop++)
			;
		piece.at = at + (uint64_t)(p - page);
		piece.size = (uint16_t)(stop - p);
		if (room - used < sizeof(piece) + piece.size)
			return 0;
		memcpy(image + used, &piece, sizeof(piece));
		memcpy(image + used + sizeof(piece), p, piece.size);
		used += sizeof(piece) + piece.size;
		p = stop;
	}
}

size_t image_make(int fd, uint8_t *image, size_t room)
{
	uint8_t page[4096];
	struct stat st;
	uint64_t size;
	size_t used = sizeof(size);
	off_t at = 0;

	if (fstat(fd, &st) || room < used)
		return 0;
	size = (uint64_t)st.st_size;
	memcpy(image, &size, sizeof(size));
	while (used && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		ssize_t n = pread(fd, page, sizeof(page), at);

		if (n <= 0)
			break;
		used = add_page(image, used, room, page, (size_t)n, (uint64_t)at);
		at += n;
	}
	return used;
}

static void render(struct mh_snapshot *s, int null)
{
	struct mh_out out;

	mh_out_init(&out, null);
	mh_report_text(&out, s);
	mh_report_json(&out, s);
	mh_out_flush(&out);
}

unsigned read_everything(int fd, int null)
{
	struct reader_published published;
	struct mh_snapshot s;
	struct mh_slot slot;
	struct reader r;
	unsigned done = 0;
	uint32_t i;

	if (reader_open(&r, fd)) {
		if (!r.error || !*r.error)
			abort();
		return 0;
	}
	/* An area costs what it costs: a few of them tell as much as 4,096. */
	for (i = 0; i < reader_slots(&r) && i < 4; i++) {
		if (reader_slot(&r, i, &slot))
			break;
		reader_published(&r, i, &published);
		if (reader_snapshot(&r, i, &s)) {
			if (!r.error || s.owners || s.table || s.objects)
				abort();
			continue;
		}
		if (s.owner_count > 65536)
			abort();
		render(&s, null);
		reader_free(&s);
		done++;
	}
	return done;
}
