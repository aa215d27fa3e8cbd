/* SPDX-License-Identifier: BSD-2-Clause */
#include "quarantine.h"

#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "checks.h"
#include "process.h"
#include "ranges.h"

char *mh_rings;

/* Touched by threads that free, and then only. */
int mh_quarantine_map(void)
{
	size_t size = (size_t)mh_area->shards_max * MH_RING_STRIDE;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	madvise(p, size, MADV_WIPEONFORK);
	madvise(p, size, MADV_NOHUGEPAGE);
	mh_range_add(p, size, MH_RANGE_OWN);
	mh_rings = p;
	return 0;
}

void mh_quarantine_wipe(void)
{
	uint32_t s, n = atomic_load_explicit(&mh_area->shards_used, MH_RELAXED);

	for (s = 0; mh_rings && s < n; s++)
		memset(mh_ring(s), 0, sizeof(struct mh_ring));
}

/* Who leaves is looked at without the lock: it may be the end of the process. */
void mh_quarantine_share(struct mh_hot *h, void *block, size_t bytes)
{
	struct mh_ring *r = mh_ring(0);

	pthread_mutex_lock(&r->lock);
	mh_ring_keep(r, block, bytes);
	while (mh_ring_over(r, MH_SHARED_BYTES) && r->first != r->next) {
		void *leaves = mh_ring_first(r);
		size_t held;

		pthread_mutex_unlock(&r->lock);
		held = mh_check_release(h, leaves);
		pthread_mutex_lock(&r->lock);
		mh_ring_add(r, -(uint64_t)held);
	}
	pthread_mutex_unlock(&r->lock);
}

static void verify(struct mh_ring *r)
{
	uint32_t i;

	for (i = r->first; i != r->next; i++)
		mh_check_freed(r->block[i % MH_RING_SLOTS]);
}

/* Rings of threads that run are theirs. */
void mh_quarantine_verify(void)
{
	uint32_t s, n = atomic_load_explicit(&mh_area->shards_used, MH_RELAXED);

	if (!mh_rings)
		return;
	pthread_mutex_lock(&mh_ring(0)->lock);
	verify(mh_ring(0));
	pthread_mutex_unlock(&mh_ring(0)->lock);
	if (mh_hot->rows)
		verify(mh_ring(((struct mh_line *)mh_hot)->shard));
	for (s = 1; s < n; s++) {
		if (!mh_shard_take(s))
			continue;
		verify(mh_ring(s));
		mh_shard_leave(s);
	}
}

uint64_t mh_quarantine_bytes(void)
{
	uint32_t s, n = atomic_load_explicit(&mh_area->shards_used, MH_RELAXED);
	uint64_t bytes = 0;

	for (s = 0; mh_rings && s < n; s++)
		bytes += __atomic_load_n(&mh_ring(s)->bytes, __ATOMIC_RELAXED);
	return bytes;
}
