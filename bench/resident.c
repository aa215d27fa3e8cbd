/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of one size, written to and held.
 *
 *     resident SIZE COUNT       prints the resident KiB that they added
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Anonymous and shared alike: what /proc/PID/statm has second. */
static long resident_kib(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	long size = 0, resident = 0;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	close(fd);
	sscanf(text, "%ld %ld", &size, &resident);
	return resident * (sysconf(_SC_PAGESIZE) >> 10);
}

int main(int argc, char **argv)
{
	size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 64;
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	long before;

	free(malloc(1));
	before = resident_kib();
	while (count--) {
		void *block = malloc(size);

		if (!block)
			return 1;
		memset(block, 1, size);
	}
	printf("%ld\n", resident_kib() - before);
	fflush(stdout);
	_exit(0);
}
