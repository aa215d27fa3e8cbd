/* SPDX-License-Identifier: BSD-2-Clause */
/* What only jemalloc's control interface can tell or do. */
#include "backend.h"

int memhook_je_mallctl(const char *name, void *old, size_t *old_size, void *new_,
		       size_t new_size);

/* MALLCTL_ARENAS_ALL of jemalloc(3): every arena at once. */
#define PURGE_ALL "arena.4096.purge"

static int number(const char *name, uint64_t *n)
{
	size_t value = 0, size = sizeof(value);
	int rc = memhook_je_mallctl(name, &value, &size, NULL, 0);

	*n = value;
	return rc;
}

int mh_backend_numbers(struct mh_heap *heap)
{
	uint64_t epoch = 1;

	/* jemalloc's numbers are a snapshot, taken when the epoch moves. */
	if (memhook_je_mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)))
		return -1;
	if (number("stats.allocated", &heap->allocated) ||
	    number("stats.active", &heap->active) ||
	    number("stats.resident", &heap->resident) ||
	    number("stats.metadata", &heap->metadata) ||
	    number("stats.mapped", &heap->mapped) ||
	    number("stats.retained", &heap->retained))
		return -1;
	return 0;
}

void mh_backend_trim(void)
{
	memhook_je_mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	memhook_je_mallctl(PURGE_ALL, NULL, NULL, NULL, 0);
}
