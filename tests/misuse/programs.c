/* SPDX-License-Identifier: BSD-2-Clause */
/* Commit the misuse of this name; --list: all names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "misuse.h"

char *volatile p, *volatile q;

static const struct misuse *const all[] = {
	frees, pointers, sizes, writes, late_writes, operators,
};

static const struct {
	const char *name;
	size_t size;
} by_size[] = { { "-small", SMALL }, { "-medium", MEDIUM }, { "-large", LARGE } };

void time_goes_by(size_t size)
{
	int i, n = size < LARGE ? 3000 : 200;

	for (i = 0; i < n; i++)
		free(malloc(size));
}

/* The name of program `n`, or NULL; what it does. */
static const char *program(unsigned n, char *name, size_t room, const struct misuse **m,
			   size_t *size)
{
	unsigned list, variant;

	for (list = 0; list < sizeof(all) / sizeof(*all); list++)
		for (*m = all[list]; (*m)->name; (*m)++)
			for (variant = 0; variant < ((*m)->by_size ? 3 : 1); variant++) {
				if (n--)
					continue;
				*size = (*m)->by_size ? by_size[variant].size : 0;
				snprintf(name, room, "%s%s", (*m)->name,
					 *size ? by_size[variant].name : "");
				return name;
			}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct misuse *m;
	char name[64];
	unsigned n;
	size_t size;

	if (argc != 2) {
		fprintf(stderr, "usage: programs NAME | --list\n");
		return 2;
	}
	for (n = 0; program(n, name, sizeof(name), &m, &size); n++) {
		if (strcmp(argv[1], "--list") == 0) {
			puts(name);
		} else if (strcmp(argv[1], name) == 0) {
			puts(m->commit(size) == REFUSED ? "refused" : "went on");
			return 0; /* what is found at exit is found, too */
		}
	}
	if (strcmp(argv[1], "--list") == 0)
		return 0;
	fprintf(stderr, "programs: no misuse named %s\n", argv[1]);
	return 2;
}
