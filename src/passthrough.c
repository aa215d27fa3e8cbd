/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library built --without-jemalloc: replaces nothing, counts nothing,
 * and says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memhook.h"

static int inactive(void)
{
	errno = ENOSYS;
	return -1;
}

int memhook_active(void)
{
	return 0;
}

const char *memhook_version(void)
{
	return MEMHOOK_VERSION;
}

memhook_owner memhook_owner_create(const char *name)
{
	(void)name;
	errno = ENOSYS;
	return MEMHOOK_NOBODY;
}

int memhook_owner_retire(memhook_owner owner)
{
	(void)owner;
	return inactive();
}

memhook_owner memhook_enter(memhook_owner owner)
{
	(void)owner;
	return MEMHOOK_AUTO;
}

void memhook_leave(memhook_owner previous)
{
	(void)previous;
}

memhook_owner memhook_current(void)
{
	return MEMHOOK_AUTO;
}

int memhook_transfer(void *block, memhook_owner to)
{
	(void)block;
	(void)to;
	return inactive();
}

void memhook_set_resolver(memhook_owner (*resolve)(void *), void *arg)
{
	(void)resolve;
	(void)arg;
}

int memhook_stats(memhook_owner owner, struct memhook_stats *stats)
{
	(void)owner;
	(void)stats;
	return inactive();
}

int memhook_totals(struct memhook_stats *stats)
{
	(void)stats;
	return inactive();
}

int memhook_each(int (*fn)(const struct memhook_stats *, void *), void *arg)
{
	(void)fn;
	(void)arg;
	return 0;
}

int memhook_limit(memhook_owner owner, uint64_t soft, uint64_t hard, memhook_limit_fn fn,
		  void *arg)
{
	(void)owner;
	(void)soft;
	(void)hard;
	(void)fn;
	(void)arg;
	return inactive();
}

int memhook_observe(const struct memhook_observer *observer)
{
	(void)observer;
	return inactive();
}

int memhook_unobserve(const struct memhook_observer *observer)
{
	(void)observer;
	return inactive();
}

int memhook_inspect(const void *ptr, struct memhook_block *block)
{
	(void)ptr;
	(void)block;
	return inactive();
}

void memhook_dump(const void *ptr)
{
	static const char text[] = "not use jemalloc\n";

	(void)ptr;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		return; /* nobody to tell */
}

int memhook_report(int fd, int format)
{
	(void)fd;
	(void)format;
	return inactive();
}

void *memhook_lalloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
	void *p;

	(void)ud;
	if (nsize == 0) {
		free(ptr);
		return NULL;
	}
	p = realloc(ptr, nsize);
	return !p && ptr && nsize <= osize ? ptr : p;
}

char *memhook_strdup(const char *s)
{
	return strdup(s);
}
