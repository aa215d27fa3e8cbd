/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding CMD, and seeing beforehand whether it can be hooked. */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>

/*
 * The file that execvp() would run, into `path`.  0, or 127 (not found) or
 * 126 (cannot be executed) after a complaint.
 */
int target_find(const char *command, char *path, size_t size);

/* 0, or 126 after saying why it cannot be hooked and what to do instead. */
int target_check(const char *path, int follow);

#endif /* TARGET_H */
