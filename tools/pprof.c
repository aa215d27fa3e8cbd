/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook pprof PID|FILE: what pprof and flame graphs read. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "args.h"
#include "live.h"
#include "load.h"
#include "profile.h"
#include "symbolize.h"
#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook pprof [OPTION...] PID|FILE.json\n"
	      "Write a heap profile that pprof reads, of a running process, of a report of\n"
	      "`memhook stat` or `memhook run` with --format=json, or of the last moment of a\n"
	      "recording; workers in it are told by a label.  - is standard input.\n\n"
	      "  -o, --output=FILE   write it there, not to standard output\n"
	      "      --folded        stacks in lines instead, for flame graphs\n"
	      "      --sample=TYPE   what those count: inuse_space (default), inuse_objects,\n"
	      "                      alloc_space or alloc_objects\n"
	      "      --no-symbols    leave call sites as library+offset\n"
	      "      --help          print this\n\n"
	      "    memhook pprof -o heap.pb.gz 4711 && go tool pprof -http=: heap.pb.gz\n",
	      to);
}

struct options {
	const char *output, *from;
	int folded, no_symbols, sampled;
	enum profile_value value;
	json_object *report; /* of a file: symbols lie in it */
	/* the process, and its workers */
	struct mh_snapshot *list;
	size_t count;
};

/* 0, or -1 after a complaint. */
static int parse_sample(const char *text, struct options *o)
{
	int v;

	o->sampled = 1;
	for (v = 0; v < PROFILE_VALUES; v++) {
		o->value = (enum profile_value)v;
		if (strcmp(profile_value_name(o->value), text) == 0)
			return 0;
	}
	complain("--sample=%s: it is inuse_space, inuse_objects, alloc_space or"
		 " alloc_objects", text);
	return -1;
}

static int check(int left, const struct options *o)
{
	if (o->sampled && !o->folded)
		complain("--sample goes with --folded: a profile has them all");
	else if (!left)
		complain("of what? (memhook pprof PID, or a report's FILE)");
	else if (left > 1)
		complain("one process or report at a time");
	else if (!o->folded && !o->output && isatty(STDOUT_FILENO))
		complain("a profile is nothing for a terminal: use --output=FILE");
	else
		return 0;
	return EXIT_USAGE + 1;
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "output", 1, NULL, 'o' },
					       { "folded", 0, NULL, 'F' },
					       { "sample", 1, NULL, 's' },
					       { "no-symbols", 0, NULL, 'S' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c, rc;

	while ((c = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		} else if (c == 'o') {
			o->output = optarg;
		} else if (c == 'F') {
			o->folded = 1;
		} else if (c == 'S') {
			o->no_symbols = 1;
		} else if (c != 's') {
			usage(stderr);
			return EXIT_USAGE + 1;
		} else if (parse_sample(optarg, o)) {
			return EXIT_USAGE + 1;
		}
	}
	rc = check(argc - optind, o);
	if (rc == 0)
		o->from = argv[optind];
	return rc;
}

static struct mh_snapshot *one_more(struct options *o)
{
	o->list = reallocarray(o->list, o->count + 1, sizeof(*o->list));
	if (!o->list)
		out_of_memory();
	return &o->list[o->count];
}

static int read_process(struct options *o, int pid)
{
	struct mh_snapshot *s = one_more(o);
	struct live l;
	int rc = live_open(&l, pid);

	if (rc == 0)
		rc = live_read(&l, s);
	live_close(&l);
	if (rc) {
		complain("process %d: %s", pid, l.error);
		return rc;
	}
	o->count++;
	if (!o->no_symbols)
		symbolize_snapshot(s, pid, 1);
	return 0;
}

/* 0, or -1 with extra->why. */
static int take(struct options *o, json_object *report, struct load_extra *extra)
{
	struct mh_snapshot *s = one_more(o);

	if (load_snapshot(report, s, extra))
		return -1;
	o->count++;
	if (o->no_symbols) {
		free(s->symbols);
		s->symbols = NULL;
	}
	return 0;
}

static int take_all(struct options *o, struct load_extra *extra)
{
	json_object *workers = json_object_object_get(o->report, "workers");
	size_t i;

	if (take(o, o->report, extra))
		return -1;
	for (i = 0; i < extra->workers; i++) {
		struct load_extra its = { 0 };

		if (take(o, json_object_array_get_idx(workers, i), &its)) {
			snprintf(extra->why, sizeof(extra->why), "worker %zu: %.90s", i + 1,
				 its.why);
			return -1;
		}
	}
	return 0;
}

static int read_report(struct options *o)
{
	int standard = strcmp(o->from, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(o->from, O_RDONLY | O_CLOEXEC);
	struct load_extra extra = { 0 };

	if (fd < 0) {
		complain("cannot read %s: %s", o->from, strerror(errno));
		return -1;
	}
	o->report = load_json(fd, &extra);
	if (!standard)
		close(fd);
	if (o->report && take_all(o, &extra) == 0)
		return 0;
	complain("%s: %s (it takes a PID, or the JSON of `memhook stat`, `run` or `record`)",
		 o->from, extra.why);
	return -1;
}

/* Allocated; *size bytes.  NULL when there is no memory. */
static void *compress_profile(const void *from, size_t n, size_t *size)
{
	z_stream z = { .next_in = (Bytef *)from };
	Bytef *to;
	int rc;

	/* 16: as gzip does */
	if (n > UINT32_MAX || deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
					   15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	*size = deflateBound(&z, n);
	to = malloc(*size);
	z.avail_in = (uInt)n;
	z.next_out = to;
	z.avail_out = (uInt)*size;
	rc = to ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	*size = z.total_out;
	deflateEnd(&z);
	if (rc == Z_STREAM_END)
		return to;
	free(to);
	return NULL;
}

static void write_profile(FILE *to, const struct options *o)
{
	size_t n, size;
	void *packed = profile_pack(o->list, o->count, &n);
	void *compressed = compress_profile(packed, n, &size);

	if (!compressed)
		out_of_memory();
	fwrite(compressed, 1, size, to);
	free(compressed);
	free(packed);
}

static int write_all(const struct options *o)
{
	const struct view view = { .output = o->output };
	FILE *to = args_output(&view);
	size_t i;
	int failed;

	if (!to)
		return 1;
	for (i = 0; i < o->count; i++)
		mh_report_sort(&o->list[i]);
	if (o->folded)
		profile_folded(to, o->list, o->count, o->value);
	else
		write_profile(to, o);
	failed = fflush(to) || ferror(to);
	if (failed)
		complain("cannot write %s: %s", o->output ? o->output : "it",
			 strerror(errno));
	fclose(to);
	return failed;
}

int pprof_main(int argc, char **argv)
{
	struct options o = { .value = PROFILE_INUSE_SPACE };
	int rc = parse(argc, argv, &o), pid = 0;

	if (rc)
		return rc - 1;
	/* A file whose name is a number: ./4711 */
	if (o.from[0] && o.from[strspn(o.from, "0123456789")] == '\0') {
		pid = args_pid(o.from);
		if (!pid)
			return EXIT_USAGE;
	}
	if (pid && counts_nothing())
		return 1;
	rc = pid ? read_process(&o, pid) : read_report(&o);
	rc = rc == 0 ? write_all(&o) : 1;
	while (o.count)
		reader_free(&o.list[--o.count]);
	free(o.list);
	json_object_put(o.report);
	return rc;
}
