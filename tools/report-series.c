/* SPDX-License-Identifier: BSD-2-Clause */
#include "report-series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "tool.h"

static void *grow(void *list, size_t count, size_t size)
{
	void *more = reallocarray(list, count, size);

	if (!more)
		out_of_memory();
	return more;
}

/* --- numbers over time ---------------------------------------------------- */

/* The numbers of several owners of one name are one: the later step counts. */
static void step(struct steps *s, uint32_t moment, uint64_t value)
{
	if (s->count && s->list[s->count - 1].moment == moment)
		s->count--;
	if (s->count ? s->list[s->count - 1].value == value : value == 0)
		return;
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 4;
		s->list = grow(s->list, s->room, sizeof(*s->list));
	}
	s->list[s->count++] = (struct step){ .moment = moment, .value = value };
}

/* What changed at a moment that goes is seen at the next one. */
static void halve_steps(struct steps *s)
{
	struct steps old = *s;
	uint32_t i;

	s->count = 0;
	for (i = 0; i < old.count; i++)
		step(s, (old.list[i].moment + 1) / 2, old.list[i].value);
}

static void forget_moment(struct series_moment *m)
{
	json_object_put(m->process);
	json_object_put(m->totals);
}

static void halve(struct series_run *run)
{
	size_t i, k;

	for (i = 0; i < run->owner_count; i++)
		for (k = 0; k < SERIES_KEYS; k++)
			halve_steps(&run->owners[i].steps[k]);
	for (i = 0; i < run->moment_count; i++) {
		if (i % 2)
			forget_moment(&run->moments[i]);
		else
			run->moments[i / 2] = run->moments[i];
	}
	run->moment_count = (run->moment_count + 1) / 2;
	run->stride *= 2;
}

/*
 * The place of a report among the moments.  One that is no multiple of the
 * stride is there until the next one comes.
 */
static uint32_t place(struct series_run *run)
{
	int extra = run->reports % run->stride != 0;

	if (run->last_is_extra)
		forget_moment(&run->moments[--run->moment_count]);
	if (!extra && run->moment_count >= MOMENTS_MOST)
		halve(run);
	run->last_is_extra = extra;
	run->reports++;
	run->moments = grow(run->moments, run->moment_count + 1, sizeof(*run->moments));
	return run->moment_count++;
}

/* --- owners --------------------------------------------------------------- */

static char *copy(const char *text)
{
	char *to = strdup(text);

	if (!to)
		out_of_memory();
	return to;
}

static struct series_owner *new_owner(struct series_run *run, const char *key)
{
	json_object *number = json_object_new_int64((int64_t)run->owner_count);
	struct series_owner *o;

	if (!number || json_object_object_add(run->index, key, number))
		out_of_memory();
	if (run->owner_count == run->owner_room) {
		run->owner_room = run->owner_room ? 2 * run->owner_room : 64;
		run->owners = grow(run->owners, run->owner_room, sizeof(*run->owners));
	}
	o = &run->owners[run->owner_count++];
	memset(o, 0, sizeof(*o));
	return o;
}

/* As memhook diff tells them apart: kind, name, object and offset.  Allocated. */
static char *key_of(const struct memhook_stats *stats, const struct mh_object *object,
		    uint64_t offset)
{
	char *key;

	if (asprintf(&key, "%u/%llx/%s/%s", stats->kind, (unsigned long long)offset,
		     object ? object->path : "", stats->name) < 0)
		out_of_memory();
	return key;
}

/* NULL when it is a new one, and there shall be none. */
static struct series_owner *find_owner(struct series_run *run, const struct mh_snapshot *s,
				       const struct memhook_stats *stats, int make)
{
	uint64_t offset = 0;
	const struct mh_object *object = mh_owner_object(s, stats, &offset);
	char *key = key_of(stats, object, offset);
	struct series_owner *o = NULL;
	json_object *number;

	if (json_object_object_get_ex(run->index, key, &number)) {
		o = &run->owners[json_object_get_int64(number)];
	} else if (make) {
		o = new_owner(run, key);
		memcpy(o->name, stats->name, sizeof(o->name));
		o->kind = stats->kind;
		if (object)
			o->object = copy(object->path);
	}
	free(key);
	return o;
}

static void name_owner(struct series_owner *o, const struct mh_symbol *symbol)
{
	if (!o || !symbol)
		return;
	free(o->label);
	o->label = copy(symbol->label);
}

void series_add_names(struct series_run *run, const struct mh_snapshot *s)
{
	size_t i;

	for (i = 0; i < s->owner_count; i++)
		name_owner(find_owner(run, s, &s->owners[i], 0),
			   mh_owner_symbol(s, &s->owners[i]));
}

static void add_owner(struct series_run *run, const struct mh_snapshot *s,
		      const struct memhook_stats *stats, int whole)
{
	struct series_owner *o = find_owner(run, s, stats, 1);

	if (o->seen != run->reports) {
		memset(o->sums, 0, sizeof(o->sums));
		o->peak_now = 0;
		o->retired = 1;
	}
	o->seen = (uint32_t)run->reports;
	o->retired &= stats->state == MEMHOOK_STATE_RETIRED;
	o->sums[SERIES_LIVE] += stats->live_bytes;
	o->sums[SERIES_BLOCKS] += stats->live_blocks;
	o->sums[SERIES_BYTES] += stats->alloc_bytes;
	o->sums[SERIES_CALLS] += stats->alloc_calls;
	o->peak_now += stats->peak_bytes;
	if (whole)
		name_owner(o, mh_owner_symbol(s, stats));
}

/* Who is not listed any more holds nothing; what it allocated stays true. */
static void take_steps(struct series_run *run, uint32_t moment)
{
	size_t i, k;

	for (i = 0; i < run->owner_count; i++) {
		struct series_owner *o = &run->owners[i];

		if (o->seen != run->reports) {
			o->retired = 1;
			o->sums[SERIES_LIVE] = o->sums[SERIES_BLOCKS] = 0;
		}
		for (k = 0; k < SERIES_KEYS; k++)
			step(&o->steps[k], moment, o->sums[k]);
		if (o->sums[SERIES_LIVE] > o->most)
			o->most = o->sums[SERIES_LIVE];
		/* Peaks are coarse, and seen again and again they are less so. */
		if (o->peak_now > o->peak)
			o->peak = o->peak_now;
	}
}

/* --- runs ----------------------------------------------------------------- */

int series_same_run(const struct series_run *run, const struct mh_snapshot *s)
{
	const struct series_moment *last = &run->moments[run->moment_count - 1];
	uint64_t start = s->time_unix_ms - s->uptime_ms;
	uint64_t apart = start > run->start_unix_ms ? start - run->start_unix_ms
						    : run->start_unix_ms - start;

	return run->pid == s->pid && strcmp(run->command, s->command) == 0 &&
	       strcmp(run->by, s->by) == 0 && s->time_unix_ms >= last->time_unix_ms &&
	       apart < 2000;
}

size_t series_new_run(struct series *all, const struct mh_snapshot *s,
		      enum series_role role, size_t main)
{
	struct series_run *run;

	all->runs = grow(all->runs, all->run_count + 1, sizeof(*all->runs));
	run = &all->runs[all->run_count];
	*run = (struct series_run){
		.role = role,
		.main = main,
		.pid = s->pid,
		.by = s->by,
		.start_unix_ms = s->time_unix_ms - s->uptime_ms,
		.stride = 1,
		.index = json_object_new_object(),
	};
	if (!run->index)
		out_of_memory();
	memcpy(run->command, s->command, sizeof(run->command));
	return all->run_count++;
}

static size_t find_main(struct series *all, const struct mh_snapshot *s)
{
	if (!all->run_count || !series_same_run(&all->runs[all->last_main], s))
		all->last_main = series_new_run(all, s, SERIES_MAIN, all->run_count);
	return all->last_main;
}

void series_add_moment(struct series_run *run, const struct mh_snapshot *s, int whole,
		       json_object *process, json_object *totals)
{
	uint32_t moment = place(run);
	size_t i;

	run->moments[moment] = (struct series_moment){
		.time_unix_ms = s->time_unix_ms,
		.consistent = s->consistent,
		.process = process,
		.totals = totals,
	};
	for (i = 0; i < s->owner_count; i++)
		add_owner(run, s, &s->owners[i], whole);
	take_steps(run, moment);
	if (s->totals.live_bytes > run->most)
		run->most = s->totals.live_bytes;
}

/* A copy: the next line of a recording changes what it changes in place. */
static json_object *object_of(json_object *report, const char *key)
{
	json_object *o = json_object_object_get(report, key), *to = NULL;

	if (json_object_is_type(o, json_type_object) && json_object_deep_copy(o, &to, NULL))
		out_of_memory();
	return to;
}

int series_add(void *arg, json_object *report, int whole, char why[128])
{
	struct load_extra extra = { .workers = 0 };
	struct series *all = arg;
	struct series_run *run;
	struct mh_snapshot s;
	size_t main;

	if (load_snapshot(report, &s, &extra)) {
		memcpy(why, extra.why, sizeof(extra.why));
		return -1;
	}
	s.consistent = json_object_get_boolean(json_object_object_get(report, "consistent"));
	main = find_main(all, &s);
	run = &all->runs[main];
	series_add_moment(run, &s, whole, object_of(report, "process"),
			  object_of(report, "totals"));
	json_object_put(run->exit);
	run->exit = object_of(report, "exit");
	series_add_workers(all, main, &s, report, whole);
	reader_free(&s);
	return 0;
}

static void free_run(struct series_run *run)
{
	size_t i, k;

	for (i = 0; i < run->owner_count; i++) {
		free(run->owners[i].label);
		free(run->owners[i].object);
		for (k = 0; k < SERIES_KEYS; k++)
			free(run->owners[i].steps[k].list);
	}
	for (i = 0; i < run->moment_count; i++)
		forget_moment(&run->moments[i]);
	free(run->owners);
	free(run->moments);
	json_object_put(run->index);
	json_object_put(run->exit);
}

void series_free(struct series *s)
{
	size_t i;

	for (i = 0; i < s->run_count; i++)
		free_run(&s->runs[i]);
	free(s->runs);
	json_object_put(s->workers);
}
