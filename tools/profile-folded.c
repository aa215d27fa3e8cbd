/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks in lines, for flame graphs; and what both formats share. */
#include <stdlib.h>
#include <string.h>

#include "profile.h"
#include "text.h"
#include "tool.h"

const char *profile_value_name(enum profile_value value)
{
	static const char *const names[] = { "alloc_objects", "alloc_space",
					     "inuse_objects", "inuse_space" };

	return names[value];
}

uint64_t profile_value(const struct memhook_stats *s, enum profile_value value)
{
	const uint64_t values[] = { s->alloc_calls, s->alloc_bytes, s->live_blocks,
				    s->live_bytes };

	return values[value];
}

const char *profile_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* A frame ends at ';', the line at its last blank: they and controls are not ours. */
static void frame(FILE *to, const char *name)
{
	char *clean = malloc(3 * strlen(name) + 1), *c;

	if (!clean)
		out_of_memory();
	text_utf8(clean, name);
	for (c = clean; *c; c++) {
		if (*c == ';')
			*c = ':';
		else if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	}
	fputs(clean, to);
	free(clean);
}

static void site(FILE *to, const struct mh_object *object, const struct mh_symbol *symbol,
		 const char *name)
{
	frame(to, profile_base(object->path));
	fputc(';', to);
	if (!symbol || !symbol->function) {
		frame(to, name);
		return;
	}
	frame(to, symbol->function);
	if (symbol->line) {
		fputs(" (", to);
		frame(to, profile_base(symbol->file));
		fprintf(to, ":%u)", symbol->line);
	}
}

static void fold(FILE *to, const struct mh_snapshot *s, const struct memhook_stats *owner)
{
	uint64_t offset;
	const struct mh_object *object = mh_owner_object(s, owner, &offset);

	if (object && owner->kind == MEMHOOK_KIND_SITE)
		site(to, object, mh_owner_symbol(s, owner), owner->name);
	else
		frame(to, owner->name);
}

void profile_folded(FILE *to, const struct mh_snapshot *list, size_t count,
		    enum profile_value value)
{
	const struct mh_snapshot *s;
	size_t i;

	for (s = list; s < list + count; s++) {
		for (i = 0; i < s->owner_count; i++) {
			uint64_t n = profile_value(&s->owners[i], value);

			if (!n)
				continue;
			if (count > 1) {
				frame(to, s->command);
				fprintf(to, " (pid %d);", s->pid);
			}
			fold(to, s, &s->owners[i]);
			fprintf(to, " %llu\n", (unsigned long long)n);
		}
	}
}
