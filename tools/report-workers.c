/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other processes of a run: each one's own owners over time, and all
 * processes together, with what each of them held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "report-series.h"
#include "tool.h"

/* A report that is being taken. */
struct workers {
	struct series *all;
	size_t main;
	int whole;
	int is_first; /* no report of the run came before this one */
	struct mh_snapshot sum;
};

/* The numbers of a process as those of an owner. */
static void add_up(struct mh_snapshot *sum, const struct mh_snapshot *s, int lives)
{
	struct memhook_stats *o = &sum->owners[sum->owner_count++];

	*o = s->totals;
	o->kind = MEMHOOK_KIND_NAMED;
	o->state = lives ? MEMHOOK_STATE_ACTIVE : MEMHOOK_STATE_RETIRED;
	snprintf(o->name, sizeof(o->name), "%s (pid %d)", s->command, s->pid);
	if (!lives)
		o->live_bytes = o->live_blocks = 0;
	sum->totals.live_bytes += o->live_bytes;
	sum->consistent &= s->consistent;
}

static int is_alive(json_object *worker)
{
	json_object *state = json_object_object_get(worker, "state");

	return !json_object_is_type(state, json_type_string) ||
	       strcmp(json_object_get_string(state), "running") == 0;
}

/* What is known of its resident memory; the process's whole numbers are many. */
static json_object *process_of(json_object *worker)
{
	static const char *const keys[] = { "rss_bytes", "cookie_bytes", "memhook_bytes",
					    "allocator_allocated_bytes",
					    "allocator_resident_bytes",
					    "allocator_time_ms" };
	json_object *from = json_object_object_get(worker, "process"), *value;
	json_object *to = json_object_new_object();
	size_t i;

	if (!to)
		out_of_memory();
	if (!json_object_is_type(from, json_type_object))
		return to;
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (json_object_object_get_ex(from, keys[i], &value) &&
		    json_object_is_type(value, json_type_int))
			json_object_object_add(to, keys[i],
				json_object_new_int64(json_object_get_int64(value)));
	return to;
}

/* Its run so far, or a new one.  At the end it is only told again what it was. */
static void add_own(struct workers *w, const struct mh_snapshot *s, json_object *worker,
		    int lives)
{
	struct series *all = w->all;
	json_object *known;
	char key[48];
	size_t run = 0;
	int found;

	if (!all->workers && !(all->workers = json_object_new_object()))
		out_of_memory();
	snprintf(key, sizeof(key), "%zu/%d", w->main, s->pid);
	found = json_object_object_get_ex(all->workers, key, &known) &&
		series_same_run(&all->runs[run = (size_t)json_object_get_int64(known)], s);
	if (found && !lives) {
		series_add_names(&all->runs[run], s);
		return;
	}
	if (!found) {
		run = series_new_run(all, s, SERIES_WORKER, w->main);
		all->runs[w->main].workers++;
		json_object_object_add(all->workers, key,
				       json_object_new_int64((int64_t)run));
	}
	series_add_moment(&all->runs[run], s, w->whole, process_of(worker), NULL);
}

/* One that cannot be read is no reason to do without the others. */
static void add_worker(struct workers *w, json_object *worker)
{
	struct load_extra extra = { .workers = 0 };
	int lives = is_alive(worker);
	struct mh_snapshot s;

	if (load_snapshot(worker, &s, &extra))
		return;
	s.consistent = json_object_get_boolean(json_object_object_get(worker, "consistent"));
	/* Of a single report what it held at its end is all that there is. */
	add_up(&w->sum, &s, lives || w->is_first);
	add_own(w, &s, worker, lives);
	reader_free(&s);
}

/* All processes have a run of their own from the first report on. */
static size_t run_of_all(struct series *all, size_t main, const struct mh_snapshot *s)
{
	size_t run = main + 1;

	return run < all->run_count ? run : series_new_run(all, s, SERIES_ALL, main);
}

void series_add_workers(struct series *all, size_t main, const struct mh_snapshot *s,
			json_object *report, int whole)
{
	json_object *list = json_object_object_get(report, "workers");
	int is_list = json_object_is_type(list, json_type_array);
	size_t n = is_list ? json_object_array_length(list) : 0, i, run;
	struct workers w = { .all = all, .main = main, .whole = whole, .sum = *s };

	w.is_first = all->runs[main].reports == 1;
	w.sum.owners = calloc(n + 1, sizeof(*w.sum.owners));
	if (!w.sum.owners)
		out_of_memory();
	w.sum.owner_count = 0;
	w.sum.table_rows = w.sum.object_count = 0;
	w.sum.symbols = NULL;
	w.sum.by = "process";
	memset(&w.sum.totals, 0, sizeof(w.sum.totals));
	run = run_of_all(all, main, &w.sum);
	add_up(&w.sum, s, 1);
	for (i = 0; i < n; i++)
		add_worker(&w, json_object_array_get_idx(list, i));
	series_add_moment(&all->runs[run], &w.sum, 0, NULL, NULL);
	free(w.sum.owners);
}
