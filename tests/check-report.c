/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check-report [--idle] FILE [TEXT]: is it a report, do its owners add up to
 * its totals and the parts of its bridge to the resident memory, and does it
 * contain TEXT?  --idle: the kernel was asked, and "other" is below 5 %.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

static const char *file;

static int bad(const char *what)
{
	fprintf(stderr, "%s: %s\n", file, what);
	return 1;
}

static int64_t number(json_object *o, const char *key)
{
	json_object *n = json_object_object_get(o, key);

	if (!json_object_is_type(n, json_type_int)) {
		bad(key);
		exit(1);
	}
	return json_object_get_int64(n);
}

static const char *const seven[] = { "live_bytes",  "live_blocks", "peak_bytes",
				     "alloc_bytes", "alloc_calls", "free_bytes",
				     "free_calls" };

static int check_sums(json_object *report)
{
	json_object *owners = json_object_object_get(report, "owners");
	json_object *totals = json_object_object_get(report, "totals");
	size_t i, n = json_object_array_length(owners);
	int64_t bytes = 0, blocks = 0;

	for (i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(owners, i);
		size_t k;

		for (k = 0; k < 7; k++)
			if (number(o, seven[k]) < 0)
				return bad("a negative number");
		if (number(o, "peak_bytes") < number(o, "live_bytes"))
			return bad("a peak below what is live");
		bytes += number(o, "live_bytes");
		blocks += number(o, "live_blocks");
	}
	if (bytes != number(totals, "live_bytes") ||
	    blocks != number(totals, "live_blocks"))
		return bad("the owners do not add up to the total");
	if (number(totals, "alloc_calls") == 0)
		return bad("nothing was counted");
	return 0;
}

static const char *const parts[] = {
	"cookie_bytes", "memhook_bytes", "allocator_rounding_bytes",
	"allocator_cached_bytes", "allocator_quarantine_bytes",
	"allocator_slack_bytes", "allocator_dirty_bytes",
	"allocator_table_bytes", "allocator_unsplit_bytes",
	"allocator_not_resident_bytes", "stack_bytes", "file_bytes", "shared_bytes",
	"anonymous_bytes", "other_bytes",
};

/* A list of names, of at most 20 and the others, against its class. */
static int check_list(json_object *process, const char *key, const char *class)
{
	json_object *list = json_object_object_get(process, key);
	size_t i, n = json_object_array_length(list);
	int64_t bytes = 0, last = INT64_MAX;

	if (n > 21)
		return bad("a list that is too long");
	for (i = 0; i < n; i++) {
		json_object *o = json_object_array_get_idx(list, i);
		int others = strcmp(json_object_get_string(
			json_object_object_get(o, "name")), "(others)") == 0;

		if (number(o, "rss_bytes") > last && !others)
			return bad("a list that is not sorted");
		last = number(o, "rss_bytes");
		bytes += last;
	}
	return bytes == number(process, class) ? 0 : bad("a list that does not add up");
}

static int check_bridge(json_object *report, int idle)
{
	json_object *p = json_object_object_get(report, "process");
	int64_t rss = number(p, "rss_bytes"), other = number(p, "other_bytes");
	int64_t sum = number(json_object_object_get(report, "totals"), "live_bytes");
	int smaps = json_object_get_boolean(json_object_object_get(p, "smaps"));
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		sum += number(p, parts[i]);
	if (rss && sum != rss)
		return bad("the parts do not add up to the resident memory");
	if (idle && (!smaps || !rss))
		return bad("the kernel was not asked");
	if (idle && llabs(other) * 20 >= rss)
		return bad("other is 5 % or more");
	return smaps && (check_list(p, "files", "file_bytes") ||
			 check_list(p, "shared", "shared_bytes") ||
			 check_list(p, "anonymous", "anonymous_bytes"));
}

static int check_worker(json_object *worker)
{
	static const char *const states[] = { "running", "ended", "replaced", "gone",
					      "unknown" };
	const char *state = json_object_get_string(json_object_object_get(worker,
									  "state"));
	size_t i;

	if (number(worker, "pid") <= 0)
		return bad("a worker without pid");
	for (i = 0; state && i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(state, states[i]) == 0)
			return check_sums(worker) || check_bridge(worker, 0);
	return bad("a worker without state");
}

static int check_process(json_object *report, int idle)
{
	if (strcmp(json_object_get_string(json_object_object_get(report, "schema")),
		   "memhook/1"))
		return bad("schema");
	if (!json_object_get_boolean(json_object_object_get(report, "consistent")))
		return bad("not consistent");
	number(json_object_object_get(report, "process"), "rss_bytes");
	number(report, "pid");
	return check_sums(report) || check_bridge(report, idle);
}

static int contains(const char *text)
{
	FILE *f = fopen(file, "r");
	char *line = NULL;
	size_t room = 0;
	int found = 0;

	while (f && getline(&line, &room, f) > 0)
		found |= strstr(line, text) != NULL;
	free(line);
	if (f)
		fclose(f);
	return found;
}

int main(int argc, char **argv)
{
	json_object *report, *workers;
	int idle = argc > 1 && strcmp(argv[1], "--idle") == 0;
	size_t i;

	argc -= idle;
	argv += idle;
	if (argc < 2)
		return 2;
	file = argv[1];
	report = json_object_from_file(file);
	if (!report)
		return bad(json_util_get_last_err());
	if (check_process(report, idle))
		return 1;
	workers = json_object_object_get(report, "workers");
	for (i = 0; workers && i < json_object_array_length(workers); i++)
		if (check_worker(json_object_array_get_idx(workers, i)))
			return 1;
	if (argc > 2 && !contains(argv[2]))
		return bad("the text is missing");
	json_object_put(report);
	return 0;
}
