/* SPDX-License-Identifier: BSD-2-Clause */
/* What malloc_hook.c needs of skynet's header of this name. */
#ifndef SKYNET_H
#define SKYNET_H

#include <stddef.h>
#include <stdint.h>

struct skynet_context;

/* As skynet_malloc.h has them, in one tree and in another. */
#ifdef WRAPPED
#define skynet_strdup strdup
#define skynet_strndup strndup
#define skynet_asprintf asprintf
#define skynet_vasprintf vasprintf
#else
char *skynet_strdup(const char *str);
char *skynet_strndup(const char *str, size_t size);
int skynet_asprintf(char **strp, const char *fmt, ...);
int skynet_vasprintf(char **strp, const char *fmt, va_list arg);
#endif
void *skynet_lalloc(void *ptr, size_t osize, size_t nsize);

void skynet_error(struct skynet_context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
uint32_t skynet_current_handle(void);
void skynet_debug_memory(const char *info);

#endif
