/* SPDX-License-Identifier: BSD-2-Clause */
#include "heapinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "backend.h"
#include "diag.h"
#include "guard.h"
#include "owner.h"
#include "process.h"
#include "quarantine.h"
#include "thread.h"
#include "watch.h"

#define TICK_NS (UINT64_C(100) * 1000000)
#define SOON_NS (UINT64_C(1) * 1000000)
#define MOVED_MIN (UINT64_C(256) << 10)
#define GROWN_MIN (UINT64_C(1) << 20)

/* Second number of /proc/self/statm: resident pages. */
uint64_t mh_read_rss(void)
{
	char text[128], *p;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strchr(text, ' ');
	return p ? strtoull(p, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void put(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, n, MH_RELAXED);
}

static uint64_t at_least_0(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

static uint64_t live(void)
{
	return at_least_0(atomic_load_explicit(&mh_area->total.live_bytes, MH_RELAXED));
}

static uint64_t less(uint64_t n, uint64_t other)
{
	return n > other ? n - other : 0;
}

/*
 * The backend's, and ours: freed blocks that our caches and the quarantine hold
 * count as cached, guarded blocks have whole pages.
 */
static int heap_numbers(struct mh_heap *heap)
{
	int rc = mh_backend_numbers(heap);
	uint64_t guarded;

	heap->quarantine = 0;
	if (mh_process_ready()) {
		heap->quarantine = mh_check_level ? mh_quarantine_bytes() : 0;
		heap->cached += mh_check_level ? heap->quarantine :
						  mh_caches_bytes() + mh_depots_bytes();
		guarded = mh_guard_bytes();
		heap->allocated += guarded;
		heap->active += guarded;
		heap->resident += guarded;
		heap->mapped += guarded;
	}
	if (heap->cached > heap->allocated)
		heap->cached = heap->allocated; /* threads were at it */
	return rc;
}

void mh_heap_publish(void)
{
	struct mh_published *p = &mh_area->published;
	struct mh_heap heap;
	int saved = errno;

	mh_thread_owners_rename();
	if (heap_numbers(&heap) == 0) {
		put(&p->allocated_bytes, heap.allocated);
		put(&p->active_bytes, heap.active);
		put(&p->resident_bytes, heap.resident);
		put(&p->metadata_bytes, heap.metadata);
		put(&p->cached_bytes, heap.cached);
		put(&p->dirty_bytes, heap.dirty);
		put(&p->quarantine_bytes, heap.quarantine);
		put(&p->live_bytes, live());
		put(&p->rss_bytes, mh_read_rss());
		put(&mh_area->private_bytes, mh_lines_bytes() + mh_limits_bytes() +
						    mh_depots_own_bytes());
		/* release: a reader that sees the time sees the numbers */
		atomic_store_explicit(&p->time_unix_ms, mh_unix_ms(),
				      memory_order_release);
	}
	errno = saved;
}

__thread char mh_heap_not_now;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* relaxed, all of it: whoever wins publishes, nothing else hangs on it */
static struct {
	_Atomic uint64_t last_ns; /* when it began; 0: never yet */
	_Atomic uint64_t took_ns;
	_Atomic uint64_t live;    /* then */
	_Atomic uint64_t highest; /* ever at such a time */
} tick;

static uint64_t get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, MH_RELAXED);
}

/*
 * How soon after the last time?  A process that falls idle must not be left
 * with old numbers, but publishing costs some microseconds, the first time
 * more than a hundred: at once when the heap is larger than ever by half,
 * which can be but some thirty times; soon when it changed by an eighth; but
 * for no more than 1 % of the time.
 */
static uint64_t wait_ns(uint64_t now)
{
	uint64_t last = get(&tick.live), top = get(&tick.highest);
	uint64_t moved = now > last ? now - last : last - now;
	uint64_t soon = 100 * get(&tick.took_ns);

	if (now > top + top / 2 && now - top >= GROWN_MIN)
		return 0;
	if (moved < MOVED_MIN || moved <= last / 8)
		return soon > TICK_NS ? soon : TICK_NS;
	return soon > SOON_NS ? soon : SOON_NS;
}

/* The coarse clock is cheaper, and good enough for what is not urgent. */
static uint64_t clock_for(uint64_t wait)
{
	return clock_ns(wait < TICK_NS ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_COARSE);
}

static void publish_at(uint64_t now_ns, uint64_t last, uint64_t now)
{
	uint64_t began;

	if (!atomic_compare_exchange_strong_explicit(&tick.last_ns, &last, now_ns,
						     MH_RELAXED, MH_RELAXED))
		return;
	/* The time counts from the first call: start-up stays cheap. */
	if (!last && wait_ns(now))
		return;
	began = clock_ns(CLOCK_MONOTONIC);
	put(&tick.live, now);
	if (now > get(&tick.highest))
		put(&tick.highest, now);
	mh_heap_publish();
	put(&tick.took_ns, clock_ns(CLOCK_MONOTONIC) - began);
}

void mh_heap_tick(int64_t known)
{
	uint64_t last = get(&tick.last_ns), now_ns, wait;

	if (mh_heap_not_now)
		return;
	wait = known == MH_LIVE_UNKNOWN ? TICK_NS : wait_ns(at_least_0(known));
	now_ns = clock_for(wait);
	if (last && now_ns < last + wait)
		return;
	publish_at(now_ns, last, known == MH_LIVE_UNKNOWN ? live() : at_least_0(known));
}

void mh_heap_tick_freed(int64_t known)
{
	if (known != MH_LIVE_UNKNOWN && get(&tick.live) >= at_least_0(known) + MOVED_MIN)
		mh_heap_tick(known);
}

/* As glibc has it: arena = uordblks + fordblks, keepcost is what trim gives. */
struct mallinfo2 mh_mallinfo2(void)
{
	struct mallinfo2 info = { 0 };
	struct mh_heap heap;

	if (heap_numbers(&heap))
		return info;
	info.uordblks = heap.allocated - heap.cached;
	info.arena = heap.active + heap.dirty;
	info.fordblks = less(info.arena, info.uordblks);
	info.fsmblks = heap.cached;
	info.keepcost = heap.dirty;
	return info;
}

static void put_element(struct mh_line_out *o, const char *name, uint64_t n)
{
	mh_put(o, "<");
	mh_put(o, name);
	mh_put(o, " size=\"");
	mh_put_dec(o, n);
	mh_put(o, "\"/>\n");
}

/* The one place with stdio: the caller gives us a stream. */
int mh_malloc_info(int options, FILE *stream)
{
	struct mh_line_out o = { .used = 0 };
	struct mh_heap heap;

	if (options != 0)
		return EINVAL;
	if (heap_numbers(&heap))
		return EIO;
	mh_put(&o, "<malloc version=\"memhook-1\">\n");
	put_element(&o, "allocated", heap.allocated);
	put_element(&o, "cached", heap.cached);
	put_element(&o, "active", heap.active);
	put_element(&o, "dirty", heap.dirty);
	put_element(&o, "resident", heap.resident);
	put_element(&o, "metadata", heap.metadata);
	put_element(&o, "mapped", heap.mapped);
	put_element(&o, "retained", heap.retained);
	mh_put(&o, "</malloc>\n");
	return fwrite(o.buf, 1, o.used, stream) == o.used ? 0 : errno;
}
