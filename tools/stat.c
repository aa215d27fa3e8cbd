/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook stat PID: the owners of a running process. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live.h"
#include "symbolize.h"
#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook stat [--format=text|json] [--output=FILE] PID\n"
	      "Show who owns the memory of a running process.  It is not stopped,\n"
	      "signalled or slowed.\n\n"
	      "  -f, --format=text|json  the report's format (default: text)\n"
	      "  -o, --output=FILE       write it there, not to standard output\n"
	      "      --no-symbols        leave call sites as library+offset\n"
	      "      --help              print this\n", to);
}

struct options {
	int format;
	const char *output;
	int pid;
	int no_symbols;
};

static int parse_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	if (*end || end == text || pid <= 0 || pid > 1 << 30) {
		complain("'%s' is no process number", text);
		return 0;
	}
	return (int)pid;
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "format", 1, NULL, 'f' },
					       { "output", 1, NULL, 'o' },
					       { "no-symbols", 0, NULL, 'S' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "f:o:", longs, NULL)) != -1) {
		if (c == 'f' && (o->format = parse_format(optarg)) < 0)
			return EXIT_USAGE + 1;
		if (c == 'o')
			o->output = optarg;
		if (c == 'S')
			o->no_symbols = 1;
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		if (c == '?') {
			usage(stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (argc - optind != 1) {
		complain(argc == optind ? "which process? (memhook stat PID)"
					: "one process at a time");
		return EXIT_USAGE + 1;
	}
	o->pid = parse_pid(argv[optind]);
	return o->pid ? 0 : EXIT_USAGE + 1;
}

static int read_process(int pid, struct mh_snapshot *s)
{
	struct live l;
	int rc = live_open(&l, pid);

	if (rc == 0)
		rc = live_read(&l, s);
	if (rc)
		complain("process %d: %s", pid, l.error);
	live_close(&l);
	return rc;
}

int stat_main(int argc, char **argv)
{
	struct options o = { .format = MEMHOOK_TEXT };
	struct mh_snapshot s;
	struct mh_out out;
	int rc = parse(argc, argv, &o), fd;

	if (rc)
		return rc - 1;
#ifdef MEMHOOK_PASSTHROUGH
	complain("this memhook was built --without-jemalloc and counts nothing");
	return 1;
#endif
	if (read_process(o.pid, &s))
		return 1;
	if (!o.no_symbols)
		symbolize_snapshot(&s, o.pid, 1);
	fd = open_output(o.output, STDOUT_FILENO);
	if (fd < 0)
		return 1;
	mh_out_init(&out, fd);
	if (o.format == MEMHOOK_JSON) {
		mh_report_json(&out, &s);
		mh_out_str(&out, "\n");
	} else {
		mh_report_text(&out, &s);
	}
	mh_out_flush(&out);
	reader_free(&s);
	if (out.error)
		complain("the report could not be written: %s", strerror(out.error));
	return out.error ? 1 : 0;
}
