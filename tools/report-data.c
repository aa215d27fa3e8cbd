/* SPDX-License-Identifier: BSD-2-Clause */
/* The series as JSON for the page: numbers as moment, value, moment, value... */
#include <stdlib.h>

#include "growth-report.h"
#include "report-page.h"
#include "tool.h"

/* Rows of its table; those that never held much are added up. */
#define OWNERS_MOST 400
/* Processes of a run that have pages of their own, beside the main one. */
#define WORKERS_MOST 100

static const char *const role_names[] = { "main", "all", "worker" };
static const char *const key_names[] = { "live", "blocks", "bytes", "calls" };

static void put(json_object *o, const char *key, json_object *value)
{
	if (!value || json_object_object_add(o, key, value))
		out_of_memory();
}

static void put_number(json_object *o, const char *key, uint64_t n)
{
	put(o, key, json_object_new_uint64(n));
}

static void put_text(json_object *o, const char *key, const char *text)
{
	put(o, key, json_object_new_string(text));
}

static void append(json_object *array, json_object *value)
{
	if (!value || json_object_array_add(array, value))
		out_of_memory();
}

static json_object *new_array(void)
{
	json_object *array = json_object_new_array();

	if (!array)
		out_of_memory();
	return array;
}

static json_object *new_object(void)
{
	json_object *o = json_object_new_object();

	if (!o)
		out_of_memory();
	return o;
}

static void append_step(json_object *array, uint32_t moment, uint64_t value)
{
	append(array, json_object_new_int64(moment));
	append(array, json_object_new_uint64(value));
}

static json_object *owner_json(const struct series_owner *o, int is_process)
{
	json_object *to = new_object(), *array;
	uint32_t i;
	int k;

	put_text(to, "name", o->label ? o->label : o->name);
	put_text(to, "kind", is_process ? "process" : growth_kind_name(o->kind));
	if (o->label) /* library+offset */
		put_text(to, "place", o->name);
	if (o->object)
		put_text(to, "object", o->object);
	if (o->retired)
		put(to, "retired", json_object_new_boolean(1));
	put_number(to, "peak", o->peak);
	for (k = 0; k < SERIES_KEYS; k++) {
		array = new_array();
		for (i = 0; i < o->steps[k].count; i++)
			append_step(array, o->steps[k].list[i].moment,
				    o->steps[k].list[i].value);
		put(to, key_names[k], array);
	}
	return to;
}

/* To what each moment has so far, what this owner has. */
static void add_up(uint64_t *sums, uint32_t moments, const struct steps *s)
{
	uint32_t i, m = 0;
	uint64_t value = 0;

	for (i = 0; i <= s->count; i++) {
		uint32_t until = i < s->count ? s->list[i].moment : moments;

		for (; m < until && m < moments; m++)
			sums[m] += value;
		value = i < s->count ? s->list[i].value : 0;
	}
}

/* All from `first` on, in one row. */
static json_object *others_json(const struct series_run *run,
				const struct series_owner *const *owners, size_t first)
{
	uint64_t *sums = calloc(run->moment_count, sizeof(*sums)), had, peak = 0;
	json_object *to = new_object(), *array;
	uint32_t m;
	size_t i;
	int k;

	if (!sums)
		out_of_memory();
	put_text(to, "name", "other");
	put_number(to, "others", run->owner_count - first);
	for (k = 0; k < SERIES_KEYS; k++) {
		for (m = 0; m < run->moment_count; m++)
			sums[m] = 0;
		for (i = first; i < run->owner_count; i++)
			add_up(sums, run->moment_count, &owners[i]->steps[k]);
		array = new_array();
		for (m = 0, had = 0; m < run->moment_count; had = sums[m++])
			if (sums[m] != had)
				append_step(array, m, sums[m]);
		put(to, key_names[k], array);
	}
	for (i = first; i < run->owner_count; i++)
		peak += owners[i]->peak;
	put_number(to, "peak", peak);
	free(sums);
	return to;
}

static int by_most(const void *a, const void *b)
{
	const struct series_owner *x = *(const struct series_owner *const *)a;
	const struct series_owner *y = *(const struct series_owner *const *)b;

	if (x->most != y->most)
		return x->most > y->most ? -1 : 1;
	return (x > y) - (x < y);
}

static json_object *owners_json(const struct series_run *run)
{
	const struct series_owner **owners = calloc(run->owner_count + 1, sizeof(*owners));
	json_object *array = new_array();
	size_t i;

	if (!owners)
		out_of_memory();
	for (i = 0; i < run->owner_count; i++)
		owners[i] = &run->owners[i];
	qsort(owners, run->owner_count, sizeof(*owners), by_most);
	for (i = 0; i < run->owner_count && i < OWNERS_MOST; i++)
		append(array, owner_json(owners[i], run->role == SERIES_ALL));
	if (i < run->owner_count)
		append(array, others_json(run, owners, i));
	free(owners);
	return array;
}

static json_object *moment_json(const struct series_moment *m)
{
	json_object *to = new_object();

	put_number(to, "time", m->time_unix_ms);
	put(to, "consistent", json_object_new_boolean(m->consistent));
	if (m->process)
		put(to, "process", json_object_get(m->process));
	if (m->totals)
		put(to, "totals", json_object_get(m->totals));
	return to;
}

static json_object *run_json(const struct series_run *run, const struct series *s)
{
	json_object *to = new_object(), *moments = new_array();
	uint32_t i;

	put_number(to, "pid", (uint64_t)run->pid);
	put_text(to, "command", run->command);
	put_text(to, "by", run->by);
	put_text(to, "role", role_names[run->role]);
	put_number(to, "start", run->start_unix_ms);
	put_number(to, "reports", run->reports);
	put_number(to, "stride", run->stride);
	put_number(to, "workers", s->runs[run->main].workers);
	if (run->role != SERIES_WORKER && s->runs[run->main].exit)
		put(to, "exit", json_object_get(s->runs[run->main].exit));
	for (i = 0; i < run->moment_count; i++)
		append(moments, moment_json(&run->moments[i]));
	put(to, "moments", moments);
	put(to, "owners", owners_json(run));
	return to;
}

static int by_run(const void *a, const void *b)
{
	const struct series_run *x = *(const struct series_run *const *)a;
	const struct series_run *y = *(const struct series_run *const *)b;

	if (x->most != y->most)
		return x->most > y->most ? -1 : 1;
	return (x > y) - (x < y);
}

/* A run: all processes of it, where there are several; the main one; the others. */
static void append_run(json_object *runs, const struct series *s, size_t main)
{
	const struct series_run **workers;
	size_t n = 0, i;

	if (s->runs[main].workers)
		append(runs, run_json(&s->runs[main + 1], s));
	append(runs, run_json(&s->runs[main], s));
	workers = calloc(s->runs[main].workers + 1, sizeof(*workers));
	if (!workers)
		out_of_memory();
	for (i = main + 2; i < s->run_count && s->runs[i].main == main; i++)
		workers[n++] = &s->runs[i];
	qsort(workers, n, sizeof(*workers), by_run);
	for (i = 0; i < n && i < WORKERS_MOST; i++)
		append(runs, run_json(workers[i], s));
	free(workers);
}

json_object *report_data(const struct series *s, const char *file, size_t spoiled)
{
	json_object *to = new_object(), *runs = new_array();
	size_t i;

	put_text(to, "schema", "memhook-page/1");
	put_text(to, "file", file);
	put_number(to, "spoiled", spoiled);
	for (i = 0; i < s->run_count; i++)
		if (s->runs[i].role == SERIES_MAIN)
			append_run(runs, s, i);
	put(to, "runs", runs);
	return to;
}
