/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots as a profile of pprof.  An owner is a sample with one location:
 * a call site is where it is, in its library's mapping; what is no place in a
 * file (a thread, an owner with a name) is a function of its name, in none.
 */
#include "profile.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "profile.pb-c.h"
#include "text.h"
#include "tool.h"

#define PAGE UINT64_C(4096)

/* A thing that is in the profile once: found by its key, known by a number. */
struct known {
	int64_t number;
	uint64_t key[2];
	char text[];
};

struct builder {
	Pprof__Profile p;
	const struct mh_snapshot *s; /* the one at hand */
	int several;                 /* and there are others */
	void *strings, *functions; /* trees */
	Pprof__Mapping **mapping_of; /* by its object; NULL: it has none yet */
};

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n + !n, size);

	if (!p)
		out_of_memory();
	return p;
}

/* The arrays double when their length is a power of two. */
static void append(void *array, size_t *n, void *item)
{
	void **items;

	memcpy(&items, array, sizeof(items));
	if ((*n & (*n - 1)) == 0) {
		items = realloc(items, (*n ? 2 * *n : 1) * sizeof(*items));
		if (!items)
			out_of_memory();
		memcpy(array, &items, sizeof(items));
	}
	items[(*n)++] = item;
}

static int compare(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int c = memcmp(x->key, y->key, sizeof(x->key));

	return c ? c : strcmp(x->text, y->text);
}

/* The entry of this key; a new one has the number -1. */
static struct known *find(void **tree, uint64_t key, uint64_t key2, const char *text)
{
	size_t size = strlen(text) + 1;
	struct known *e = allocate(1, sizeof(*e) + size), **found;

	e->number = -1;
	e->key[0] = key;
	e->key[1] = key2;
	memcpy(e->text, text, size);
	found = tsearch(e, tree, compare);
	if (!found)
		out_of_memory();
	if (*found != e)
		free(e);
	return *found;
}

/* What a process or a file calls itself may be no UTF-8. */
static int64_t string(struct builder *b, const char *text)
{
	char *clean = allocate(3 * strlen(text) + 1, 1);
	struct known *e;

	text_utf8(clean, text);
	e = find(&b->strings, 0, 0, clean);
	free(clean);
	if (e->number < 0) {
		e->number = (int64_t)b->p.n_string_table;
		append(&b->p.string_table, &b->p.n_string_table, e->text);
	}
	return e->number;
}

static uint64_t function(struct builder *b, const char *name, const char *file)
{
	int64_t n = string(b, name), f = string(b, file);
	struct known *e = find(&b->functions, (uint64_t)n, (uint64_t)f, "");
	Pprof__Function *made;

	if (e->number < 0) {
		made = allocate(1, sizeof(*made));
		pprof__function__init(made);
		append(&b->p.function, &b->p.n_function, made);
		made->id = b->p.n_function;
		made->name = made->system_name = n;
		made->filename = f;
		e->number = (int64_t)made->id;
	}
	return (uint64_t)e->number;
}

static int64_t build_id(struct builder *b, const struct mh_object *o)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * sizeof(o->build_id) + 1] = "";
	size_t i;

	for (i = 0; i < o->build_id_size && i < sizeof(o->build_id); i++) {
		hex[2 * i] = digits[o->build_id[i] >> 4];
		hex[2 * i + 1] = digits[o->build_id[i] & 15];
	}
	return string(b, hex);
}

static Pprof__Mapping *new_mapping(struct builder *b, int64_t path, int64_t build)
{
	Pprof__Mapping *m = allocate(1, sizeof(*m));

	pprof__mapping__init(m);
	append(&b->p.mapping, &b->p.n_mapping, m);
	m->id = b->p.n_mapping;
	m->filename = path;
	m->build_id = build;
	return m;
}

static Pprof__Mapping *mapping(struct builder *b, const struct mh_object *o)
{
	Pprof__Mapping **at = &b->mapping_of[o - b->s->objects], *m;
	int64_t path, build;
	size_t i;

	if (*at)
		return *at;
	path = string(b, o->path);
	build = build_id(b, o);
	/* A report in a file has an object for each owner. */
	for (i = 0; i < b->p.n_mapping; i++) {
		m = b->p.mapping[i];
		if (m->memory_start == o->bias && m->filename == path &&
		    m->build_id == build)
			return *at = m;
	}
	m = new_mapping(b, path, build);
	m->memory_start = o->bias;
	m->memory_limit = o->bias + PAGE;
	return *at = m;
}

/* Known parts of its length: up to the last call. */
static void stretch(Pprof__Mapping *m, uint64_t address)
{
	if (address >= m->memory_limit)
		m->memory_limit = (address | (PAGE - 1)) + 1;
}

static void line(struct builder *b, Pprof__Location *l, const char *name,
		 const char *file, uint32_t number)
{
	Pprof__Line *made = allocate(1, sizeof(*made));

	pprof__line__init(made);
	made->function_id = function(b, name, file);
	made->line = number;
	append(&l->line, &l->n_line, made);
}

static void site(struct builder *b, Pprof__Location *l, Pprof__Mapping *m,
		 const struct memhook_stats *owner)
{
	const struct mh_symbol *symbol = mh_owner_symbol(b->s, owner);

	if (!symbol || !symbol->function) {
		line(b, l, owner->name, "", 0);
		return;
	}
	line(b, l, symbol->function, symbol->line ? symbol->file : "", symbol->line);
	m->has_functions = 1;
	m->has_filenames |= symbol->line != 0;
	m->has_line_numbers |= symbol->line != 0;
}

static uint64_t location(struct builder *b, const struct memhook_stats *owner)
{
	Pprof__Location *l = allocate(1, sizeof(*l));
	const struct mh_object *object;
	Pprof__Mapping *m = NULL;
	uint64_t offset = 0;

	pprof__location__init(l);
	append(&b->p.location, &b->p.n_location, l);
	l->id = b->p.n_location;
	object = mh_owner_object(b->s, owner, &offset);
	if (object) {
		m = mapping(b, object);
		l->mapping_id = m->id;
		l->address = object->bias + offset;
		stretch(m, l->address);
	}
	if (m && owner->kind == MEMHOOK_KIND_SITE) {
		site(b, l, m, owner);
	} else {
		line(b, l, owner->name, "", 0);
		if (m)
			m->has_functions = 1; /* nothing to look for in the file */
	}
	return l->id;
}

static void label(struct builder *b, Pprof__Sample *sample, const char *key,
		  const char *value)
{
	Pprof__Label *made = allocate(1, sizeof(*made));

	pprof__label__init(made);
	made->key = string(b, key);
	made->str = string(b, value);
	append(&sample->label, &sample->n_label, made);
}

static void sample(struct builder *b, const struct memhook_stats *owner)
{
	Pprof__Sample *made = allocate(1, sizeof(*made));
	const struct mh_object *object;
	char pid[16];
	uint64_t offset;
	int v;

	pprof__sample__init(made);
	append(&b->p.sample, &b->p.n_sample, made);
	made->location_id = allocate(1, sizeof(*made->location_id));
	made->location_id[made->n_location_id++] = location(b, owner);
	made->value = allocate(PROFILE_VALUES, sizeof(*made->value));
	for (v = 0; v < PROFILE_VALUES; v++)
		made->value[made->n_value++] = (int64_t)profile_value(owner, v);
	object = mh_owner_object(b->s, owner, &offset);
	if (object)
		label(b, made, "library", profile_base(object->path));
	if (owner->state == MEMHOOK_STATE_RETIRED)
		label(b, made, "state", "retired");
	if (b->several) {
		snprintf(pid, sizeof(pid), "%d", b->s->pid);
		label(b, made, "pid", pid);
	}
}

static Pprof__ValueType *value_type(struct builder *b, const char *type, int bytes)
{
	Pprof__ValueType *made = allocate(1, sizeof(*made));

	pprof__value_type__init(made);
	made->type = string(b, type);
	made->unit = string(b, bytes ? "bytes" : "count");
	return made;
}

/* It may be called by another name than its file's: what is no library, then. */
static int is_program(const struct mh_snapshot *s, const struct mh_object *o)
{
	const char *base = profile_base(o->path);

	return strcmp(base, s->command) == 0 || (*base && !strstr(base, ".so"));
}

/*
 * Viewers call a profile by its first mapping.  A program that allocates by
 * its libraries alone is known by name only.
 */
static void program_first(struct builder *b)
{
	const struct mh_snapshot *s = b->s;
	uint32_t i;

	for (i = 0; i < s->object_count; i++) {
		if (is_program(s, &s->objects[i])) {
			mapping(b, &s->objects[i]);
			return;
		}
	}
	/* Nothing is to be looked for in it. */
	new_mapping(b, string(b, s->command), 0)->has_functions = 1;
}

static void head(struct builder *b)
{
	const struct mh_snapshot *s = b->s;
	char comment[160];
	int v;

	string(b, "");
	for (v = 0; v < PROFILE_VALUES; v++)
		append(&b->p.sample_type, &b->p.n_sample_type,
		       value_type(b, profile_value_name(v),
				  v == PROFILE_ALLOC_SPACE || v == PROFILE_INUSE_SPACE));
	b->p.default_sample_type = string(b, profile_value_name(PROFILE_INUSE_SPACE));
	b->p.time_nanos = (int64_t)(s->time_unix_ms * 1000000);
	b->p.duration_nanos = (int64_t)(s->uptime_ms * 1000000);
	/* Nothing was sampled: each byte is counted. */
	b->p.period_type = value_type(b, "space", 1);
	b->p.period = 1;
	snprintf(comment, sizeof(comment), "memhook: %s (pid %d)%s, owners by %s%s",
		 s->command, s->pid, b->several ? " and its workers" : "", s->by,
		 s->exact ? "" : ", not exact");
	b->p.comment = allocate(1, sizeof(*b->p.comment));
	b->p.comment[b->p.n_comment++] = string(b, comment);
}

static void release(struct builder *b)
{
	size_t i, k;

	for (i = 0; i < b->p.n_sample; i++) {
		for (k = 0; k < b->p.sample[i]->n_label; k++)
			free(b->p.sample[i]->label[k]);
		free(b->p.sample[i]->label);
		free(b->p.sample[i]->location_id);
		free(b->p.sample[i]->value);
		free(b->p.sample[i]);
	}
	for (i = 0; i < b->p.n_location; i++) {
		free(b->p.location[i]->line[0]);
		free(b->p.location[i]->line);
		free(b->p.location[i]);
	}
	for (i = 0; i < b->p.n_function; i++)
		free(b->p.function[i]);
	for (i = 0; i < b->p.n_mapping; i++)
		free(b->p.mapping[i]);
	for (i = 0; i < b->p.n_sample_type; i++)
		free(b->p.sample_type[i]);
	free(b->p.period_type);
	free(b->p.comment);
	free(b->p.sample);
	free(b->p.location);
	free(b->p.function);
	free(b->p.mapping);
	free(b->p.sample_type);
	free(b->p.string_table);
	free(b->mapping_of);
	tdestroy(b->strings, free);
	tdestroy(b->functions, free);
}

static void process(struct builder *b, const struct mh_snapshot *s)
{
	size_t i;

	free(b->mapping_of);
	b->s = s;
	b->mapping_of = allocate(s->object_count, sizeof(*b->mapping_of));
	if (!b->p.n_mapping)
		program_first(b);
	for (i = 0; i < s->owner_count; i++)
		sample(b, &s->owners[i]);
}

void *profile_pack(const struct mh_snapshot *list, size_t count, size_t *size)
{
	struct builder b = { .p = PPROF__PROFILE__INIT, .s = list, .several = count > 1 };
	uint8_t *packed;
	size_t i;

	head(&b);
	for (i = 0; i < count; i++)
		process(&b, &list[i]);
	*size = pprof__profile__get_packed_size(&b.p);
	packed = allocate(*size, 1);
	pprof__profile__pack(&b.p, packed);
	release(&b);
	return packed;
}
