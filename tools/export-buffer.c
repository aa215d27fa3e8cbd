/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of a scrape while it grows, and its labels. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "tool.h"

static void reserve(struct export_buffer *b, size_t more)
{
	if (b->room - b->used >= more && b->data)
		return;
	b->room = 2 * b->room + more;
	b->data = realloc(b->data, b->room);
	if (!b->data)
		out_of_memory();
}

void export_put_bytes(struct export_buffer *b, const char *s, size_t n)
{
	reserve(b, n + 1);
	memcpy(b->data + b->used, s, n);
	b->used += n;
	b->data[b->used] = '\0';
}

void export_put(struct export_buffer *b, const char *s)
{
	export_put_bytes(b, s, strlen(s));
}

/* `before` and the value, quoted; the value is UTF-8 already. */
void export_put_label(struct export_buffer *b, const char *before, const char *value)
{
	export_put(b, before);
	export_put(b, "\"");
	for (; *value; value++) {
		if (*value == '\n')
			export_put(b, "\\n");
		else if (*value == '"' || *value == '\\')
			export_put_bytes(b, (char[2]){ '\\', *value }, 2);
		else
			export_put_bytes(b, value, 1);
	}
	export_put(b, "\"");
}

void export_put_labels(struct export_buffer *b, const char *labels, const char *before,
		       const char *value)
{
	export_put_bytes(b, labels, strlen(labels) - 1);
	export_put_label(b, before, value);
}
