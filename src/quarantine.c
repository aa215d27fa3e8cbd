/* SPDX-License-Identifier: BSD-2-Clause */
#include "quarantine.h"

#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "backend.h"
#include "fill.h"
#include "process.h"
#include "ranges.h"

struct shared {
	pthread_mutex_t lock;
	uint64_t first, next;
	uint64_t bytes; /* what they hold, and who leaves and was not looked at yet */
	void *block[MH_SHARED_SLOTS];
};

static uint32_t most = MH_QUARANTINE_BYTES;
uint32_t mh_ring_at[(MH_HELD_MAX - MH_CHECK_ROOM) / 16 + 1];

static uint32_t odd_at;       /* the ring of over-aligned blocks, behind the others */
static size_t stride;         /* of a thread's rings */
static struct shared *shared; /* in front of all of them */
static char *map;
static size_t map_size;

#define SHARED_SIZE ((sizeof(struct shared) + 4095) & ~(size_t)4095)

void mh_quarantine_read(void)
{
	mh_read_budget("MEMHOOK_QUARANTINE", MH_QUARANTINE_MIN, MH_QUARANTINE_MAX, &most);
}

/* --- layout ------------------------------------------------------------------ */

/* jemalloc(3), "size classes": as in cache.h. */
static size_t next_class(size_t held)
{
	size_t step = 16;

	while (held >= 8 * step)
		step *= 2;
	return held + step;
}

/* The greatest power of two of such blocks that has no more bytes, within bounds. */
static uint32_t number(size_t bytes, size_t held, uint32_t least, uint32_t most_of_them)
{
	uint32_t n = least;

	while (n < most_of_them && 2 * n * held <= bytes)
		n *= 2;
	return n;
}

static uint32_t can_be_ready(size_t held)
{
	return number(most / MH_RING_PART, held, MH_RING_LEAST, MH_RING_MOST);
}

static uint32_t have_to_wait(size_t held)
{
	return number(most / MH_RING_WAIT, held, MH_WAIT_LEAST, MH_RING_MOST);
}

/* With a NULL between them. */
static size_t ring_size(uint32_t wait, uint32_t ready)
{
	size_t blocks = (size_t)wait + 1 + ready;

	return (sizeof(struct mh_ring) + blocks * sizeof(void *) + 63) & ~(size_t)63;
}

static size_t size_of(size_t held)
{
	return ring_size(have_to_wait(held), can_be_ready(held));
}

static size_t lay_out(void)
{
	size_t at = 0, held = MH_CHECK_ROOM + 16, end;

	for (end = 16; end <= MH_HELD_MAX - MH_CHECK_ROOM; end += 16) {
		if (MH_CHECK_ROOM + end > held) {
			at += size_of(held);
			held = next_class(held);
		}
		mh_ring_at[end / 16] = (uint32_t)at;
	}
	odd_at = (uint32_t)(at + size_of(held));
	return sizeof(struct mh_quarantine) + odd_at + ring_size(MH_WAIT_ODD, 1);
}

static struct mh_quarantine *rings_of(uint32_t shard)
{
	return (struct mh_quarantine *)(map + SHARED_SIZE + shard * stride);
}

static struct mh_ring *odd(struct mh_quarantine *q)
{
	return (struct mh_ring *)(q->rings + odd_at);
}

/* All of a thread's, by their classes. */
struct walk {
	struct mh_ring *ring;
	size_t held; /* but for the last one, of over-aligned blocks */
};

static struct walk first_ring(struct mh_quarantine *q)
{
	return (struct walk){ (struct mh_ring *)q->rings, MH_CHECK_ROOM + 16 };
}

static int next_ring(struct mh_quarantine *q, struct walk *w)
{
	if (w->ring == odd(q))
		return 0;
	w->ring = (struct mh_ring *)((char *)w->ring + size_of(w->held));
	w->held = next_class(w->held);
	return 1;
}

static uint32_t ready(const struct mh_ring *r)
{
	return r->top - (r->limit ? r->mask + 1 : 0);
}

static uint32_t waiting(const struct mh_ring *r)
{
	uint32_t n = r->limit ? r->mask + 1 : 0, i = r->oldest;

	for (; n && !r->block[i]; i = (i + 1) & r->mask)
		n--;
	return n;
}

static uint32_t count(const struct mh_ring *r)
{
	return ready(r) + waiting(r);
}

/* Touched by threads that free, and then only. */
int mh_quarantine_map(void)
{
	char *p;

	stride = (lay_out() + 4095) & ~(size_t)4095;
	map_size = SHARED_SIZE + mh_area->shards_max * stride;
	p = mmap(NULL, map_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	madvise(p, map_size, MADV_WIPEONFORK);
	madvise(p, map_size, MADV_NOHUGEPAGE);
	mh_range_add(p, map_size, MH_RANGE_OWN);
	shared = (struct shared *)p;
	map = p;
	/* Their bytes are counted as those of the cache, which nothing else uses. */
	mh_settings.cache_bytes = most;
	return 0;
}

void mh_quarantine_wipe(void)
{
	uint32_t s, n = atomic_load_explicit(&mh_area->shards_used, MH_RELAXED);

	if (!map)
		return;
	memset(shared, 0, sizeof(*shared));
	for (s = 0; s < n; s++)
		memset(rings_of(s), 0, stride);
}

static void start_ring(struct mh_ring *r, uint32_t wait, uint32_t can_be_ready)
{
	r->mask = wait - 1;
	r->top = wait;
	r->limit = wait + can_be_ready;
}

static void start(struct mh_ring *r, size_t held)
{
	start_ring(r, have_to_wait(held), can_be_ready(held));
	r->end = held - MH_CHECK_ROOM > MH_FILL_MAX ? 0 : (uint32_t)(held - MH_CHECK_ROOM);
	r->weight = (uint64_t)held << 32;
}

/* Its rings may have been another thread's. */
void mh_quarantine_attach(struct mh_hot *h)
{
	struct mh_quarantine *q = rings_of(((struct mh_line *)h)->shard);
	struct walk w = first_ring(q);

	((struct mh_line *)h)->quarantine = q;
	for (; w.ring != odd(q); next_ring(q, &w))
		h->tally += count(w.ring) * w.ring->weight;
	h->tally += w.ring->weight;
}

/* --- coming and going -------------------------------------------------------- */

/* Who waited longest, from *at on, which begins with r->oldest: there is one. */
static void *take_waiting(struct mh_ring *r, uint32_t *at)
{
	void *block;

	while (!r->block[*at])
		*at = (*at + 1) & r->mask;
	block = r->block[*at];
	r->block[*at] = NULL;
	return block;
}

/* What it had in quarantine. */
static size_t release(void *block)
{
	uint64_t meta = mh_check_freed(block);
	size_t held = mh_check_room(meta) +
		      mh_check_end(mh_cookie_size(mh_cookie(block)->w0));

	mh_backend_free((char *)block - mh_check_room(meta));
	return held;
}

static void release_one(struct mh_hot *h, struct mh_ring *r, char *block)
{
	size_t held = r->weight >> 32;

	h->tally -= r->weight;
	mh_check_leaves(r, block);
	mh_backend_free_sized(block - MH_CHECK_ROOM, held);
}

/* Those that are ready first: of these the last ones, which are near still. */
static void release_of(struct mh_hot *h, struct mh_ring *r, uint32_t n)
{
	uint32_t at = r->oldest;

	for (; n && ready(r); n--)
		release_one(h, r, r->block[r->top--]);
	for (; n; n--)
		release_one(h, r, take_waiting(r, &at));
}

/* What the ring of over-aligned blocks weighs is all of them. */
static void release_odd(struct mh_hot *h, struct mh_ring *r, void *block)
{
	uint64_t weight = (uint64_t)release(block) << 32;

	r->weight -= weight;
	h->tally -= weight;
}

static int is_much(const struct mh_hot *h)
{
	return mh_tally_cached(h->tally, most) > most / 4 * 3;
}

/* The largest blocks first, until a quarter is free. */
void mh_quarantine_shrink(struct mh_hot *h)
{
	struct mh_quarantine *q = mh_quarantine(h);
	struct mh_ring *by_class[MH_BINS];
	struct walk w = first_ring(q);
	unsigned classes = 0, n;
	uint32_t n_odd, at;

	for (; w.ring != odd(q); next_ring(q, &w))
		by_class[classes++] = w.ring;
	while (is_much(h)) {
		at = w.ring->oldest;
		for (n_odd = (waiting(w.ring) + 1) / 2; n_odd; n_odd--)
			release_odd(h, w.ring, take_waiting(w.ring, &at));
		for (n = classes; n-- && is_much(h);)
			release_of(h, by_class[n], (count(by_class[n]) + 1) / 2);
	}
}

/* Who leaves is looked at without the lock: it may be the end of the process. */
static void share(void *block, size_t bytes)
{
	struct shared *s = shared;

	pthread_mutex_lock(&s->lock);
	s->block[s->next++ % MH_SHARED_SLOTS] = block;
	s->bytes += bytes;
	while ((s->bytes > (uint64_t)most * MH_SHARED_TIMES ||
		s->next - s->first == MH_SHARED_SLOTS) && s->first != s->next) {
		void *leaves = s->block[s->first++ % MH_SHARED_SLOTS];
		size_t held;

		pthread_mutex_unlock(&s->lock);
		held = release(leaves);
		pthread_mutex_lock(&s->lock);
		s->bytes -= held;
	}
	pthread_mutex_unlock(&s->lock);
}

static void put_odd(struct mh_hot *h, void *block, size_t held)
{
	struct mh_ring *r = odd(mh_quarantine(h));

	if (!r->limit)
		start_ring(r, MH_WAIT_ODD, 1);
	mh_ring_keep(r, block);
	if (ready(r))
		release_odd(h, r, r->block[r->top--]);
	r->weight += (uint64_t)held << 32;
	h->tally += (uint64_t)held << 32;
}

static size_t class_of(struct mh_quarantine *q, const struct mh_ring *r)
{
	struct walk w = first_ring(q);

	while (w.ring != r)
		next_ring(q, &w);
	return w.held;
}

/* It may be filled as far as it was used, no further. */
static void put(struct mh_hot *h, void *block, size_t end)
{
	struct mh_ring *r = mh_ring(mh_quarantine(h), end);

	if (!r->limit)
		start(r, class_of(mh_quarantine(h), r));
	mh_fill(block, (char *)block + mh_ring_end(r, end));
	if (!mh_ring_keep(r, block)) {
		release_of(h, r, ready(r) / 4);
		mh_ring_keep(r, block);
	}
	h->tally += r->weight;
}

void mh_quarantine_put(struct mh_hot *h, void *block, uint64_t meta, size_t end)
{
	size_t held = mh_check_room(meta) + end;

	if (!h || held > MH_HELD_MAX) {
		share(block, held);
		return;
	}
	if (MH_META_ALIGN(meta))
		put_odd(h, block, held);
	else
		put(h, block, end);
	if (h->tally & MH_TALLY_FULL)
		mh_quarantine_shrink(h);
}

/* --- at exit, and for people ------------------------------------------------- */

static void verify(struct mh_quarantine *q)
{
	struct walk w = first_ring(q);
	uint32_t i;

	do {
		for (i = 0; w.ring->limit && i <= w.ring->top; i++)
			if (w.ring->block[i])
				mh_check_freed(w.ring->block[i]);
	} while (next_ring(q, &w));
}

/* Rings of threads that run are theirs. */
void mh_quarantine_verify(void)
{
	uint32_t s, n = atomic_load_explicit(&mh_area->shards_used, MH_RELAXED);
	uint64_t i;

	if (!map)
		return;
	pthread_mutex_lock(&shared->lock);
	for (i = shared->first; i != shared->next; i++)
		mh_check_freed(shared->block[i % MH_SHARED_SLOTS]);
	pthread_mutex_unlock(&shared->lock);
	if (mh_hot->rows)
		verify(mh_quarantine(mh_hot));
	for (s = 1; s < n; s++) {
		if (!mh_shard_take(s))
			continue;
		verify(rings_of(s));
		mh_shard_leave(s);
	}
}

uint64_t mh_quarantine_bytes(void)
{
	if (!map)
		return 0;
	return mh_caches_bytes() + __atomic_load_n(&shared->bytes, __ATOMIC_RELAXED);
}
