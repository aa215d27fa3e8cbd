/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What instructions.sh counts under callgrind: pairs of malloc and free.
 *
 *     pairs PAIRS SIZE...     each size: PAIRS pairs to warm up, PAIRS, twice PAIRS
 *
 * Each call of pairs() is a part of the profile; the third less the second has
 * PAIRS pairs and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noipa))
static void pairs(size_t size, long n)
{
	while (n--) {
		void *p = malloc(size);

		*(volatile char *)p = 1;
		free(p);
	}
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[1]) : 0;
	int i;

	if (n <= 0) {
		fprintf(stderr, "usage: pairs PAIRS SIZE...\n");
		return 2;
	}
	for (i = 2; i < argc; i++) {
		size_t size = (size_t)atol(argv[i]);

		pairs(size, n);
		pairs(size, n);
		pairs(size, 2 * n);
	}
	return 0;
}
