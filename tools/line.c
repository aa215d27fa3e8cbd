/* SPDX-License-Identifier: BSD-2-Clause */
#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

char *line_of(int fd, size_t *size)
{
	off_t length = lseek(fd, 0, SEEK_END);
	char *text = malloc((size_t)length + 2);
	size_t i, had;
	ssize_t n = 1;

	for (had = 0; text && had < (size_t)length && n > 0; had += (size_t)n)
		n = pread(fd, text + had, (size_t)length - had, (off_t)had);
	if (n <= 0 || !text) {
		free(text);
		return NULL;
	}
	/* Between the objects: strings have none. */
	for (i = 0; i < had; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	while (had && text[had - 1] == ' ')
		had--;
	text[had++] = '\n';
	text[had] = '\0';
	*size = had;
	return text;
}

int line_write(int to, const char *text, size_t size)
{
	off_t had = lseek(to, 0, SEEK_CUR);
	size_t done = 0;
	int error = 0;

	while (done < size && !error) {
		ssize_t n = write(to, text + done, size - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? EIO : errno;
	}
	if (error && done > 0 && had >= 0 && ftruncate(to, had) == 0)
		lseek(to, had, SEEK_SET);
	return error;
}
