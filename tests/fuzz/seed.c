/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image of a real segment, to start fuzzing from:
 *
 *     seed /proc/PID/fd/N > FILE
 */
#include <fcntl.h>
#include <stdio.h>

#include "image.h"

int main(int argc, char **argv)
{
	static uint8_t image[1 << 20];
	int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	size_t n = fd < 0 ? 0 : image_make(fd, image, sizeof(image));

	if (n && fwrite(image, 1, n, stdout) == n && fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "seed: no segment, or too much in it\n");
	return 1;
}
