/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SANITIZED_H
#define SANITIZED_H

/* Not 0, after saying why, when its malloc cannot be the hook's. */
int sanitized(const char *path, int fd);
int is_valgrind(const char *path);

#endif /* SANITIZED_H */
