/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of JSON: whole ones, whatever happens. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>

/* What was made in a memory file becomes one line.  NULL with errno; free() it. */
char *line_of(int fd, size_t *size);

/* 0 or an errno: what a full disk took only half of is taken back. */
int line_write(int to, const char *text, size_t size);

#endif /* LINE_H */
