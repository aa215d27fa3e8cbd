/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies of a plug-in: libraries that differ in nothing but their names. */
#ifndef TESTS_COPIES_H
#define TESTS_COPIES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void copy_file(const char *from, const char *to)
{
	char buf[65536];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	while (in && out && (n = fread(buf, 1, sizeof(buf), in)))
		fwrite(buf, 1, n, out);
	if (!in || !out || ferror(in) || fclose(out)) {
		fprintf(stderr, "cannot copy %s to %s\n", from, to);
		exit(99);
	}
	fclose(in);
}

/* A folder of one's own, for as long as the program runs. */
static inline const char *scratch(void)
{
	static char dir[4000];
	const char *tmp = getenv("TMPDIR");

	if (!dir[0]) {
		snprintf(dir, sizeof(dir), "%s/memhook-test.XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(dir))
			exit(99);
	}
	return dir;
}

/* So many copies of the plug-in, in a process whose owners are libraries. */
static inline void copies_by_library(char **argv, char (*path)[4096], int n)
{
	const char *plugin = getenv("MEMHOOK_PLUGIN");
	int i;

	if (!plugin) {
		fputs("MEMHOOK_PLUGIN names no library\n", stderr);
		exit(77);
	}
	if (!getenv("MEMHOOK_BY")) { /* it is read at the very first malloc */
		setenv("MEMHOOK_BY", "library", 1);
		execv("/proc/self/exe", argv);
	}
	for (i = 0; i < n; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/plugin-%d.so", scratch(), i);
		copy_file(plugin, path[i]);
	}
}

#endif /* TESTS_COPIES_H */
