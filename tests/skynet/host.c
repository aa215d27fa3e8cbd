/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small host that has what malloc_hook.c needs of skynet, and its habits:
 * handles are counted up and looked up by their low bits, a table that grows
 * under a lock that is not recursive, the current service in a pthread key,
 * a log that allocates.
 */
#include "host.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "skynet.h"
#include "skynet_handle.h"
#include "skynet_server.h"

static pthread_mutex_t lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static struct skynet_context **table;
static uint32_t size = 4, next = 1;
static pthread_key_t current;
static int started;
static char log_text[65536];

static void take(void)
{
	if (pthread_mutex_lock(&lock)) /* this thread has it */
		abort();
}

static void give(void)
{
	pthread_mutex_unlock(&lock);
}

uint32_t skynet_current_handle(void)
{
	if (!started)
		return UINT32_MAX; /* main, before skynet starts */
	return (uint32_t)(uintptr_t)pthread_getspecific(current);
}

void host_start(void)
{
	pthread_key_create(&current, NULL);
	table = calloc(size, sizeof(*table));
	started = 1;
}

static void grow(void)
{
	struct skynet_context **bigger = calloc(size * 2, sizeof(*bigger));
	uint32_t i;

	for (i = 0; i < size; i++)
		if (table[i])
			bigger[table[i]->handle & (size * 2 - 1)] = table[i];
	free(table);
	table = bigger;
	size *= 2;
}

static struct skynet_context **free_place(uint32_t *handle)
{
	uint32_t i;

	for (i = 0; i < size; i++, next++) {
		*handle = next & HANDLE_MASK;
		if (*handle && !table[*handle & (size - 1)])
			return &table[*handle & (size - 1)];
	}
	return NULL;
}

uint32_t skynet_handle_register(struct skynet_context *context)
{
	struct skynet_context **place;
	uint32_t handle;

	take();
	while (!(place = free_place(&handle)))
		grow(); /* allocates while the lock is held */
	next = handle + 1;
	context->handle = handle | NODE;
	*place = context;
	give();
	return handle | NODE;
}

struct skynet_context *skynet_handle_grab(uint32_t handle)
{
	struct skynet_context *context;

	take();
	context = table[handle & (size - 1)];
	if (context && context->handle == handle)
		context->references++;
	else
		context = NULL;
	give();
	return context;
}

struct skynet_context *skynet_context_release(struct skynet_context *context)
{
	int left;

	take();
	left = --context->references;
	give();
	if (left)
		return context;
	free(context);
	return NULL;
}

int skynet_handle_retire(uint32_t handle)
{
	struct skynet_context *context;

	take();
	context = table[handle & (size - 1)];
	if (context && context->handle == handle)
		table[handle & (size - 1)] = NULL;
	else
		context = NULL;
	give();
	if (context)
		skynet_context_release(context);
	return context != NULL;
}

void skynet_error(struct skynet_context *context, const char *format, ...)
{
	size_t used = strlen(log_text);
	va_list args;
	char *line;

	(void)context;
	va_start(args, format);
	if (vasprintf(&line, format, args) >= 0) {
		snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
		free(line);
	}
	va_end(args);
}

const char *what_was_logged(void)
{
	static char text[sizeof(log_text)];

	memcpy(text, log_text, sizeof(text));
	log_text[0] = '\0';
	return text;
}

void service_count_from(uint32_t handle)
{
	next = handle;
}

void service_dispatch(uint32_t handle)
{
	pthread_setspecific(current, (void *)(uintptr_t)handle);
}
