/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook export: OpenMetrics for Prometheus, over HTTP or once into a file. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "export.h"
#include "tool.h"

#define DEFAULT_LISTEN "127.0.0.1:9797"
#define DEFAULT_OWNERS 100

static void usage(FILE *to)
{
	fputs("Usage: memhook export [OPTION...] [PID...]\n"
	      "The owners of all hooked processes that this user may read, or of these,\n"
	      "for Prometheus: at http://127.0.0.1:9797/metrics until SIGTERM.\n\n"
	      "  -l, --listen=ADDR:PORT  there (default: " DEFAULT_LISTEN "); [::1]:9797\n"
	      "  -n, --max-owners=N      of a process; the others are summed (default: 100)\n"
	      "  -e, --explain           what is resident, by what it is; it takes longer\n"
	      "  -1, --once              no server: write the metrics once, and end\n"
	      "  -o, --output=FILE       with --once: a new FILE in the old one's place\n"
	      "  -f, --format=text|openmetrics\n"
	      "                          with --once (default: text); HTTP clients choose\n"
	      "      --help              print this\n", to);
}

struct options {
	struct export_address listen;
	struct export_scope scope;
	const char *output, *server_only, *once_only; /* options that were given */
	int once;
	enum export_format format;
};

static int parse_export_format(const char *text, enum export_format *format)
{
	if (strcmp(text, "text") == 0)
		*format = EXPORT_TEXT;
	else if (strcmp(text, "openmetrics") == 0)
		*format = EXPORT_OPENMETRICS;
	else {
		complain("--format=%s: it is text or openmetrics", text);
		return -1;
	}
	return 0;
}

/* 0, or -1: refused. */
static int option(int c, struct options *o)
{
	switch (c) {
	case 'l':
		o->server_only = "--listen";
		return export_parse_address(optarg, &o->listen);
	case 'n':
		o->scope.max_owners = (size_t)args_count("--max-owners", optarg);
		return o->scope.max_owners ? 0 : -1;
	case 'e':
		o->scope.explain = 1;
		return 0;
	case '1':
		o->once = 1;
		return 0;
	case 'o':
		o->once_only = "--output";
		o->output = optarg;
		return 0;
	case 'f':
		o->once_only = "--format";
		return parse_export_format(optarg, &o->format);
	}
	usage(stderr);
	return -1;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Each process once: two series with the same labels are an error. */
static int parse_pids(int argc, char **argv, struct export_scope *scope)
{
	int i, n = 0;

	if (!argc)
		return 0;
	scope->pids = calloc((size_t)argc, sizeof(*scope->pids));
	if (!scope->pids)
		out_of_memory();
	for (i = 0; i < argc; i++) {
		scope->pids[i] = args_pid(argv[i]);
		if (!scope->pids[i])
			return -1;
	}
	qsort(scope->pids, (size_t)argc, sizeof(*scope->pids), by_number);
	for (i = 0; i < argc; i++)
		if (!n || scope->pids[n - 1] != scope->pids[i])
			scope->pids[n++] = scope->pids[i];
	scope->pid_count = (size_t)n;
	return 0;
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "listen", 1, NULL, 'l' },
					       { "max-owners", 1, NULL, 'n' },
					       { "explain", 0, NULL, 'e' },
					       { "once", 0, NULL, '1' },
					       { "output", 1, NULL, 'o' },
					       { "format", 1, NULL, 'f' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c;

	o->scope.max_owners = DEFAULT_OWNERS;
	while ((c = getopt_long(argc, argv, "l:n:e1o:f:", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout() + 1;
		}
		if (option(c, o))
			return EXIT_USAGE + 1;
	}
	if (o->once ? !!o->server_only : !!o->once_only) {
		complain(o->once ? "%s and --once do not go together"
				 : "%s goes with --once",
			 o->once ? o->server_only : o->once_only);
		return EXIT_USAGE + 1;
	}
	if (!o->server_only && export_parse_address(DEFAULT_LISTEN, &o->listen))
		return EXIT_USAGE + 1;
	o->scope.complain = o->once;
	return parse_pids(argc - optind, argv + optind, &o->scope)
		       ? EXIT_USAGE + 1 : 0;
}

/* All of it, or -1 with errno. */
static int write_all(int fd, const struct export_buffer *b)
{
	size_t done = 0;

	while (done < b->used) {
		ssize_t n = write(fd, b->data + done, b->used - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/*
 * Whoever reads the file meanwhile sees the old one or the new one, whole.
 * The name that it has until then ends in no ".prom".
 */
static int replace(const char *path, const struct export_buffer *b)
{
	char temporary[PATH_MAX];
	struct stat st;
	mode_t mask;
	int fd, rc;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		complain("%s is no regular file; without --output the metrics go to"
			 " standard output", path);
		return -1;
	}
	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= PATH_MAX) {
		complain("cannot write %s: %s", path, strerror(ENAMETOOLONG));
		return -1;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		complain("cannot write %s: %s", path, strerror(errno));
		return -1;
	}
	mask = umask(0);
	umask(mask);
	rc = fchmod(fd, 0666 & ~mask) || write_all(fd, b);
	if (rc || close(fd) || rename(temporary, path)) {
		complain("cannot write %s: %s", path, strerror(errno));
		unlink(temporary);
		return -1;
	}
	return 0;
}

static int once(const struct options *o)
{
	struct export_buffer b;
	int rc, missing;

	missing = export_scrape(&b, &o->scope, o->format);
	if (o->output) {
		rc = replace(o->output, &b);
	} else {
		rc = write_all(STDOUT_FILENO, &b);
		if (rc)
			complain("cannot write to standard output: %s", strerror(errno));
	}
	free(b.data);
	/* Of those that were named; that others cannot be read is in the metrics. */
	return rc || (o->scope.pids && missing);
}

int export_main(int argc, char **argv)
{
	struct options o = { .once = 0 };
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc - 1;
	if (counts_nothing())
		return 1;
	rc = o.once ? once(&o) : export_serve(&o.listen, &o.scope);
	free(o.scope.pids);
	return rc;
}
