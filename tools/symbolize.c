/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which sites to ask for, and what is known of them already.  A site is
 * object and offset, never an address: a library that was unloaded keeps its
 * symbols, and what lies at its address now does not get them.
 */
#include "symbolize.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols.h"

/* Of all processes that this run of the tool looked at. */
static void *known_objects, *known_sites;

struct known_object {
	struct symbol_target of;
	struct mh_object object;
};

struct known_site {
	const struct known_object *object;
	uint64_t offset;
	int asked;
	struct mh_symbol symbol; /* without a label: nothing is known */
};

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* One file may be two in two processes, and before and after an upgrade. */
static int compare_objects(const void *a, const void *b)
{
	const struct known_object *x = a, *y = b;
	int c = compare((uint64_t)x->of.pid, (uint64_t)y->of.pid);

	if (!c)
		c = compare(x->of.started_ms, y->of.started_ms);
	if (!c)
		c = compare(x->object.build_id_size, y->object.build_id_size);
	if (!c)
		c = memcmp(x->object.build_id, y->object.build_id,
			   sizeof(x->object.build_id));
	return c ? c : strcmp(x->object.path, y->object.path);
}

static int compare_sites(const void *a, const void *b)
{
	const struct known_site *x = a, *y = b;
	int c = compare((uintptr_t)x->object, (uintptr_t)y->object);

	return c ? c : compare(x->offset, y->offset);
}

/* The one in the tree that equals this, else a copy of it, put there. */
static void *find_or_keep(void **tree, const void *wanted, size_t size,
			  int (*order)(const void *, const void *))
{
	void **found = tfind(wanted, tree, order), *copy;

	if (found)
		return *found;
	copy = malloc(size);
	if (!copy)
		return NULL;
	memcpy(copy, wanted, size);
	if (!tsearch(copy, tree, order)) {
		free(copy);
		return NULL;
	}
	return copy;
}

static struct known_site *known(const struct symbol_target *t,
				const struct mh_object *object, uint64_t offset)
{
	struct known_object wanted = { .of = *t, .object = *object };
	struct known_site site = { .offset = offset };

	site.object = find_or_keep(&known_objects, &wanted, sizeof(wanted),
				   compare_objects);
	if (!site.object)
		return NULL;
	return find_or_keep(&known_sites, &site, sizeof(site), compare_sites);
}

/* The site of an owner; NULL when it is none, or has no file. */
static struct known_site *site_of(const struct mh_snapshot *s,
				  const struct symbol_target *t,
				  const struct memhook_stats *owner)
{
	const struct mh_object *object;
	uint64_t offset = 0;

	if (owner->kind != MEMHOOK_KIND_SITE)
		return NULL;
	object = mh_owner_object(s, owner, &offset);
	return object && *object->path && offset ? known(t, object, offset) : NULL;
}

static void keep(const struct symbol_job *job, const struct symbol_answer *a)
{
	struct known_site *site = job->site;
	struct mh_symbol *symbol = &site->symbol;

	if (!*a->function && !*a->file)
		return;
	symbol->function = *a->function ? strdup(a->function) : NULL;
	symbol->file = *a->file ? strdup(a->file) : NULL;
	symbol->line = a->line;
	symbol->function_offset = a->function_offset;
	symbol->label = symbol_label(a, job->object->path);
}

static int by_place(const void *a, const void *b)
{
	const struct symbol_job *x = a, *y = b;
	int c = compare((uintptr_t)x->object, (uintptr_t)y->object);

	return c ? c : compare(x->address, y->address);
}

/* Those that were never asked for. */
static size_t collect(const struct mh_snapshot *s, const struct symbol_target *t,
		      struct symbol_job *jobs)
{
	size_t n = 0, i;

	for (i = 0; i < s->owner_count; i++) {
		struct known_site *site = site_of(s, t, &s->owners[i]);

		if (!site || site->asked)
			continue;
		site->asked = 1;
		/* One back: a call may be the last thing of its line, or function. */
		jobs[n++] = (struct symbol_job){ &site->object->object,
						 site->offset - 1, site };
	}
	return n;
}

void symbolize_since(struct mh_snapshot *s, int pid, uint64_t started_ms, int progress)
{
	struct symbol_target t = { .pid = pid, .started_ms = started_ms };
	struct symbol_job *jobs = calloc(s->owner_count + 1, sizeof(*jobs));
	size_t n, i;

	s->symbols = calloc(s->table_rows + 1, sizeof(*s->symbols));
	if (!jobs || !s->symbols)
		goto out;
	n = collect(s, &t, jobs);
	t.progress = progress && isatty(STDERR_FILENO);
	if (n) {
		qsort(jobs, n, sizeof(*jobs), by_place);
		symbol_ask(&t, jobs, n, keep);
	}
	for (i = 0; i < s->owner_count; i++) {
		struct known_site *site = site_of(s, &t, &s->owners[i]);

		if (site)
			s->symbols[(uint32_t)s->owners[i].owner] = site->symbol;
	}
out:
	free(jobs);
}

void symbolize_snapshot(struct mh_snapshot *s, int pid, int progress)
{
	symbolize_since(s, pid, s->time_unix_ms - s->uptime_ms, progress);
}
