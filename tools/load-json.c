/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that ought to have reports in it, and which of them counts: the last
 * one.  In a recording that is what its last lines have made of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "delta.h"
#include "load.h"
#include "tool.h"

/* A report of 65,536 owners with long names is 40 MB. */
#define FILE_MOST ((size_t)1 << 30)

char *load_text(int fd, size_t *size, struct load_extra *x)
{
	size_t room = 65536, used = 0;
	char *text = NULL;
	ssize_t n;

	do {
		if (!text || used == room) {
			room *= 2;
			text = realloc(text, room);
			if (!text)
				out_of_memory();
		}
		n = read(fd, text + used, room - used);
		if (n > 0)
			used += (size_t)n;
	} while ((n > 0 && used <= FILE_MOST) || (n < 0 && errno == EINTR));
	*size = used;
	if (n == 0)
		return text;
	snprintf(x->why, sizeof(x->why), "%s",
		 n ? strerror(errno) : "larger than any report: 1 GiB and more");
	free(text);
	return NULL;
}

size_t load_skip_blanks(const char *text, size_t at, size_t size)
{
	while (at < size && strchr(" \t\r\n", text[at]) && text[at])
		at++;
	return at;
}

json_tokener *load_tokener(void)
{
	json_tokener *t = json_tokener_new();

	if (!t)
		out_of_memory();
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
					  JSON_TOKENER_ALLOW_TRAILING_CHARS);
	return t;
}

/* json-c takes an int; longer texts go in pieces. */
json_object *load_value(json_tokener *t, const char *text, size_t size, size_t *at)
{
	size_t piece = size - *at < 1 << 24 ? size - *at : 1 << 24;
	json_object *o;

	json_tokener_reset(t);
	do {
		o = json_tokener_parse_ex(t, text + *at, (int)piece);
		*at += json_tokener_get_parse_end(t);
		piece = size - *at < 1 << 24 ? size - *at : 1 << 24;
	} while (json_tokener_get_error(t) == json_tokener_continue && piece);
	return o;
}

size_t load_next_line(const char *text, size_t at, size_t size)
{
	const char *end = memchr(text + at, '\n', size - at);

	return end ? (size_t)(end - text) + 1 : size;
}

struct reading {
	struct delta_base base;
	json_object *last; /* plain; NULL: it is what `base` says */
	int recording;     /* there were lines that build on others */
	struct load_extra *x;
};

/* What can be made of the base is kept, before it is lost. */
static void lose_base(struct reading *r)
{
	if (r->base.report) {
		json_object_put(r->last);
		r->last = delta_plain_base(&r->base);
	}
	delta_forget(&r->base);
}

/* 0, or -1 with why. */
static int take(struct reading *r, json_object *o)
{
	const char *why;

	r->recording |= delta_is_one(o);
	if (!delta_is_one(o)) {
		json_object_put(r->last);
		r->last = NULL;
		delta_start(&r->base, o);
	} else if ((why = delta_step(&r->base, o))) {
		snprintf(r->x->why, sizeof(r->x->why), "%s", why);
		return -1;
	}
	r->x->snapshots++;
	return 0;
}

static void not_json(struct load_extra *x, enum json_tokener_error error, size_t at)
{
	if (error == json_tokener_continue)
		snprintf(x->why, sizeof(x->why), "it ends in the middle of its JSON");
	else if (error == json_tokener_success)
		snprintf(x->why, sizeof(x->why), "no report: its JSON is no object");
	else
		snprintf(x->why, sizeof(x->why), "no JSON: %s at byte %zu",
			 json_tokener_error_desc(error), at);
}

/* 0, or -1 with why; *at is behind it. */
static int read_one(struct reading *r, json_tokener *t, const char *text, size_t size,
		    size_t *at)
{
	json_object *o = load_value(t, text, size, at);
	enum json_tokener_error error = json_tokener_get_error(t);
	int rc = -1;

	if (error == json_tokener_success && json_object_is_type(o, json_type_object))
		rc = take(r, o);
	else
		not_json(r->x, error, *at);
	json_object_put(o);
	return rc;
}

/*
 * What a recorder that died has left is passed over, also when another one went
 * on after it; a file of whole reports has no such excuse.
 */
static json_object *read_all(const char *text, size_t size, struct load_extra *x)
{
	size_t at = load_skip_blanks(text, 0, size);
	struct reading r = { .x = x };
	json_tokener *t = load_tokener();
	json_object *last = NULL;

	if (at == size)
		snprintf(x->why, sizeof(x->why), "it is empty");
	while (at < size) {
		size_t began = at;

		if (read_one(&r, t, text, size, &at)) {
			x->spoiled++;
			lose_base(&r);
			if (!r.recording)
				break;
			at = load_next_line(text, began, size);
		}
		at = load_skip_blanks(text, at, size);
	}
	json_tokener_free(t);
	lose_base(&r);
	if (r.recording || !x->spoiled)
		last = r.last;
	else
		json_object_put(r.last);
	return last;
}

json_object *load_json(int fd, struct load_extra *x)
{
	json_object *o;
	size_t size;
	char *text;

	memset(x, 0, sizeof(*x));
	text = load_text(fd, &size, x);
	if (!text)
		return NULL;
	o = read_all(text, size, x);
	free(text);
	return o;
}
