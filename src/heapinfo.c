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
#include "owner.h"
#include "process.h"
#include "watch.h"

#define TICK_MS 500

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

void mh_heap_publish(void)
{
	struct mh_published *p = &mh_area->published;
	struct mh_heap heap;
	int saved = errno;

	mh_thread_owners_rename();
	if (mh_backend_numbers(&heap) == 0) {
		put(&p->allocated_bytes, heap.allocated);
		put(&p->active_bytes, heap.active);
		put(&p->resident_bytes, heap.resident);
		put(&p->metadata_bytes, heap.metadata);
		put(&p->rss_bytes, mh_read_rss());
		put(&mh_area->private_bytes, mh_lines_bytes() + mh_limits_bytes());
		/* release: a reader that sees the time sees the numbers */
		atomic_store_explicit(&p->time_unix_ms, mh_unix_ms(),
				      memory_order_release);
	}
	errno = saved;
}

void mh_heap_tick(void)
{
	static _Atomic uint64_t next;
	struct timespec t;
	uint64_t now, due = atomic_load_explicit(&next, MH_RELAXED);

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	if (now < due)
		return;
	/* relaxed: whoever wins publishes, nothing else hangs on it */
	if (atomic_compare_exchange_strong_explicit(&next, &due, now + TICK_MS,
						    MH_RELAXED, MH_RELAXED) &&
	    due != 0) /* not in the first half second: start-up stays cheap */
		mh_heap_publish();
}

struct mallinfo2 mh_mallinfo2(void)
{
	struct mallinfo2 info = { 0 };
	struct mh_heap heap;

	if (mh_backend_numbers(&heap))
		return info;
	info.arena = heap.mapped;
	info.uordblks = heap.allocated;
	info.fordblks = heap.active > heap.allocated ? heap.active - heap.allocated : 0;
	info.keepcost = heap.resident > heap.active ? heap.resident - heap.active : 0;
	info.usmblks = heap.resident;
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
	if (mh_backend_numbers(&heap))
		return EIO;
	mh_put(&o, "<malloc version=\"memhook-1\">\n");
	put_element(&o, "allocated", heap.allocated);
	put_element(&o, "active", heap.active);
	put_element(&o, "resident", heap.resident);
	put_element(&o, "metadata", heap.metadata);
	put_element(&o, "mapped", heap.mapped);
	put_element(&o, "retained", heap.retained);
	mh_put(&o, "</malloc>\n");
	return fwrite(o.buf, 1, o.used, stream) == o.used ? 0 : errno;
}
