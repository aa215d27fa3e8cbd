/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook report FILE: a page to look at. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recording.h"
#include "report-page.h"
#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook report [OPTION...] FILE\n"
	      "Make one HTML page of what memhook record wrote, or run --interval, or of a\n"
	      "single report in JSON.  It needs no network and no other file.\n\n"
	      "  -o, --output=FILE       write it there, not to standard output\n"
	      "      --help              print this\n", to);
}

static int read_file(const char *path, struct series *s, struct recording_found *found)
{
	int is_stdin = strcmp(path, "-") == 0, rc;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		complain("%s: %s", path, strerror(errno));
		return -1;
	}
	rc = recording_read(fd, series_add, s, found);
	if (!is_stdin)
		close(fd);
	if (rc)
		complain("%s: nothing in it to show: %s", path, found->why);
	else if (found->spoiled)
		complain("%s: %zu place%s left out: %s", path, found->spoiled,
			 found->spoiled == 1 ? "" : "s", found->why);
	return rc;
}

/* The page would take the place of what it is made of. */
static int is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return b && stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int write_page(const struct series *s, const char *path, const char *output,
		      size_t spoiled)
{
	const char *slash = strrchr(path, '/');
	int fd = open_output(output, STDOUT_FILENO), error;
	json_object *data;

	if (fd < 0)
		return 1;
	data = report_data(s, slash ? slash + 1 : path, spoiled);
	error = report_page_write(fd, data);
	json_object_put(data);
	if (fd != STDOUT_FILENO && close(fd) && !error)
		error = errno;
	if (!error)
		return 0;
	complain("the page could not be written: %s", strerror(error));
	return 1;
}

static int make(const char *path, const char *output)
{
	struct recording_found found;
	struct series s = { .run_count = 0 };
	int rc = 1;

	if (is_same_file(path, output)) {
		complain("%s: the page would overwrite it: name another --output", path);
		return EXIT_USAGE;
	}
	if (!output && isatty(STDOUT_FILENO)) {
		complain("a page is nothing for a terminal: name a file (--output=FILE)");
		return EXIT_USAGE;
	}
	if (read_file(path, &s, &found) == 0)
		rc = write_page(&s, path, output, found.spoiled);
	series_free(&s);
	return rc;
}

int report_main(int argc, char **argv)
{
	static const struct option longs[] = { { "help", 0, NULL, 'h' },
					       { "output", 1, NULL, 'o' },
					       { NULL, 0, NULL, 0 } };
	const char *output = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return close_stdout();
		}
		if (c != 'o') {
			usage(stderr);
			return EXIT_USAGE;
		}
		output = optarg;
	}
	if (argc - optind == 1)
		return make(argv[optind], output);
	if (argc == optind)
		complain("which recording? (memhook report FILE -o page.html)");
	else
		complain("one recording at a time");
	return EXIT_USAGE;
}
