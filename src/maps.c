/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/*
 * A thread's stack has no name: it is what follows a small region without
 * access.  Larger than this it has grown together with something else.
 */
#define GUARD_MAX (UINT64_C(64) << 10)
#define STACK_MAX (UINT64_C(16) << 20)

#define PAGES_MAX (UINT64_C(1) << 22)
#define PAGE_PRESENT (UINT64_C(1) << 63)

static int starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* --- by name --------------------------------------------------------------- */

static void keep_end(char *to, size_t size, const char *name)
{
	size_t n = strlen(name);

	if (n >= size)
		name += n - size + 1;
	strcpy(to, name);
}

static struct mh_maps_name *least(struct mh_maps_sums *s)
{
	struct mh_maps_name *e, *min = s->entry;

	for (e = s->entry; e < s->entry + s->used; e++)
		if (e->rss_bytes < min->rss_bytes)
			min = e;
	return min;
}

/* What is resident nowhere gets no entry. */
static void add_name(struct mh_maps_sums *s, const char *name, uint64_t rss)
{
	struct mh_maps_name *e = s->entry + s->used;
	char end[sizeof(e->name)];

	if (!rss)
		return;
	keep_end(end, sizeof(end), name);
	/* Backwards: the regions of a file follow each other. */
	while (e-- > s->entry)
		if (strcmp(e->name, end) == 0) {
			e->rss_bytes += rss;
			return;
		}
	if (s->used < MH_MAPS_ROOM) {
		e = &s->entry[s->used++];
	} else {
		e = least(s);
		s->rest_bytes += e->rss_bytes;
		s->rest_names++;
	}
	strcpy(e->name, end);
	e->rss_bytes = rss;
}

/* The greatest ones, in order; the others to the rest. */
static void finish_names(struct mh_maps_sums *s, struct mh_maps_list *to)
{
	uint32_t i, k;

	to->used = s->used < MH_MAPS_NAMES ? s->used : MH_MAPS_NAMES;
	for (i = 0; i < to->used; i++) {
		struct mh_maps_name *max = &s->entry[i], swap;

		for (k = i + 1; k < s->used; k++)
			if (s->entry[k].rss_bytes > max->rss_bytes)
				max = &s->entry[k];
		swap = *max;
		*max = s->entry[i];
		s->entry[i] = to->entry[i] = swap;
	}
	to->rest_bytes = s->rest_bytes;
	to->rest_names = s->rest_names + s->used - to->used;
	for (i = to->used; i < s->used; i++)
		to->rest_bytes += s->entry[i].rss_bytes;
}

/* --- one region ------------------------------------------------------------ */

/* A process may have ranges in endless reservations: not too many are read. */
static uint64_t present(struct mh_maps_work *w, uint64_t from, uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), entry[64], bytes = 0;

	for (from /= page, to /= page; from < to && bytes < w->now.rss;) {
		uint64_t n = to - from < 64 ? to - from : 64, i;
		size_t size = n * sizeof(*entry);

		if (w->pages_read >= PAGES_MAX ||
		    pread(w->pagemap, entry, size, (off_t)(from * 8)) != (ssize_t)size)
			break;
		for (i = 0; i < n; i++)
			bytes += entry[i] & PAGE_PRESENT ? page : 0;
		from += n;
		w->pages_read += n;
	}
	return bytes;
}

/*
 * What of the region lies in ranges of one kind, and its resident bytes:
 * exactly when that is all of it, or when pagemap can be read; else at most.
 */
static uint64_t in_ranges(struct mh_maps_work *w, uint64_t own, uint64_t *mapped)
{
	const struct mh_maps_region *r = &w->now;
	uint64_t rss = 0;
	uint32_t i;

	*mapped = 0;
	for (i = 0; i < w->range_count; i++) {
		uint64_t from = w->ranges[i].start, to = w->ranges[i].end;

		if (!from || (from & MH_RANGE_IS_OWN) != own)
			continue;
		from -= own;
		from = from > r->start ? from : r->start;
		to = to < r->end ? to : r->end;
		if (from >= to)
			continue;
		*mapped += to - from;
		rss += from == r->start && to == r->end ? r->rss
		       : w->pagemap >= 0		 ? present(w, from, to)
							 : to - from;
	}
	if (*mapped >= r->end - r->start) {
		*mapped = r->end - r->start;
		return r->rss;
	}
	return rss < r->rss ? rss : r->rss;
}

static int is_stack(const struct mh_maps_work *w)
{
	const struct mh_maps_region *r = &w->now;

	if (starts(r->name, "[stack") || strstr(r->name, "pthread stack"))
		return 1;
	return !*r->name && starts(r->perms, "rw") && r->perms[3] == 'p' &&
	       r->start == w->guard_end && r->end - r->start <= STACK_MAX;
}

static int is_shared(const char *name)
{
	return starts(name, "/memfd:") || starts(name, "/dev/shm/") ||
	       starts(name, "/SYSV") || starts(name, "/dev/zero") ||
	       starts(name, "[anon_shmem:");
}

/* Memory without a file: the heap's and our own taken out, then the rest. */
static void add_anonymous(struct mh_maps_work *w)
{
	struct mh_maps_region *r = &w->now;
	uint64_t mapped, part, rss = r->rss;

	part = in_ranges(w, 0, &mapped);
	w->to->heap_bytes += part;
	w->to->heap_mapped_bytes += *r->perms != '-' ? mapped : part;
	rss -= part;
	part = in_ranges(w, MH_RANGE_IS_OWN, &mapped);
	part = part < rss ? part : rss;
	w->to->memhook_bytes += part;
	rss -= part;
	if (is_stack(w)) {
		w->to->stack_bytes += rss;
	} else {
		w->to->anonymous_bytes += rss;
		add_name(&w->anonymous, *r->name ? r->name : "(unnamed)", rss);
	}
	w->guard_end = 0;
	if (!*r->name && starts(r->perms, "---p") && r->end - r->start <= GUARD_MAX)
		w->guard_end = r->end;
}

static void end_region(struct mh_maps_work *w)
{
	struct mh_maps_region *r = &w->now;

	if (!w->have)
		return;
	w->broken |= !r->has_rss;
	w->to->rss_bytes += r->rss;
	if (starts(r->name, "/memfd:" MH_SEGMENT_NAME " ") ||
	    strcmp(r->name, "/memfd:" MH_SEGMENT_NAME) == 0) {
		w->to->memhook_bytes += r->rss;
	} else if (is_shared(r->name)) {
		w->to->shared_bytes += r->rss;
		add_name(&w->shared, r->name, r->rss);
	} else if (*r->name == '/') {
		w->to->file_bytes += r->rss;
		add_name(&w->files, r->name, r->rss);
	} else {
		add_anonymous(w);
	}
}

/* --- text ------------------------------------------------------------------ */

static int digit(char c, unsigned base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number of at most 2^63; NULL when there is none. */
static const char *number(const char *s, unsigned base, uint64_t *n)
{
	const char *from = s;
	int d;

	for (*n = 0; (d = digit(*s, base)) >= 0; s++) {
		if (*n > (UINT64_MAX - 15) / base)
			return NULL;
		*n = *n * base + (uint64_t)d;
	}
	return s == from ? NULL : s;
}

/* "55d0c8a00000-55d0c8a21000 rw-p 00000000 00:00 0     [heap]" */
static int header(const char *s, struct mh_maps_region *r)
{
	uint64_t skip;

	s = number(s, 16, &r->start);
	if (!s || *s != '-' || !(s = number(s + 1, 16, &r->end)) || *s != ' ' ||
	    r->end <= r->start || strlen(++s) < 5 || s[4] != ' ')
		return -1;
	memcpy(r->perms, s, 4);
	s = number(s + 5, 16, &skip);                            /* offset */
	if (!s || *s != ' ' || !(s = number(s + 1, 16, &skip)))  /* device */
		return -1;
	if (*s != ':' || !(s = number(s + 1, 16, &skip)) || *s != ' ' ||
	    !(s = number(s + 1, 10, &skip)))                     /* inode */
		return -1;
	strcpy(r->name, s + strspn(s, " "));
	return 0;
}

static int rss_line(const char *s, struct mh_maps_region *r)
{
	uint64_t kib;

	s = number(s + strspn(s, " \t"), 10, &kib);
	if (!s || strcmp(s, " kB") || kib > (r->end - r->start) / 1024)
		return -1;
	r->rss = kib * 1024;
	r->has_rss = 1;
	return 0;
}

static void line(struct mh_maps_work *w)
{
	uint64_t end = w->have ? w->now.end : 0;

	if (w->line[0] >= 'A' && w->line[0] <= 'Z') {
		if (!w->have || (starts(w->line, "Rss:") &&
				 rss_line(w->line + 4, &w->now)))
			w->broken = 1;
		return;
	}
	end_region(w);
	memset(&w->now, 0, sizeof(w->now));
	w->have = 1;
	/* In order and apart: so no sum can exceed the address space. */
	if (header(w->line, &w->now) || w->now.start < end)
		w->broken = 1;
}

void mh_maps_feed(struct mh_maps_work *w, const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n && !w->broken; i++) {
		if (text[i] == '\n') {
			w->line[w->used] = '\0';
			w->used = 0;
			line(w);
		} else if (w->used < sizeof(w->line) - 1) {
			w->line[w->used++] = text[i];
		} /* the end of a line that long is no name anyway */
	}
}

int mh_maps_end(struct mh_maps_work *w)
{
	end_region(w);
	if (w->broken || w->used || !w->have)
		return -1;
	finish_names(&w->files, &w->to->files);
	finish_names(&w->shared, &w->to->shared);
	finish_names(&w->anonymous, &w->to->anonymous);
	return 0;
}

int mh_maps_read(struct mh_maps_work *w, int smaps, struct mh_maps *to)
{
	ssize_t n;

	memset(to, 0, sizeof(*to));
	w->to = to;
	for (;;) {
		n = read(smaps, w->buf, sizeof(w->buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		mh_maps_feed(w, w->buf, (size_t)n);
	}
	if (n == 0 && mh_maps_end(w) == 0)
		return 0;
	memset(to, 0, sizeof(*to));
	return -1;
}

/* Does the list add up to its class? */
static int list_valid(struct mh_maps_list *l, uint64_t total)
{
	uint64_t left = total;
	uint32_t i;

	if (l->used > MH_MAPS_NAMES || l->rest_bytes > left)
		return 0;
	left -= l->rest_bytes;
	for (i = 0; i < l->used; i++) {
		l->entry[i].name[sizeof(l->entry[i].name) - 1] = '\0';
		if (l->entry[i].rss_bytes > left)
			return 0;
		left -= l->entry[i].rss_bytes;
	}
	return left == 0;
}

int mh_maps_valid(struct mh_maps *m)
{
	const uint64_t part[] = { m->heap_bytes,  m->memhook_bytes, m->stack_bytes,
				  m->file_bytes, m->shared_bytes,  m->anonymous_bytes };
	uint64_t left = m->rss_bytes;
	size_t i;

	for (i = 0; i < sizeof(part) / sizeof(*part); i++) {
		if (part[i] > left)
			return 0;
		left -= part[i];
	}
	/* Above: no process is larger than its address space. */
	return left == 0 && m->time_unix_ms && m->rss_bytes >> 62 == 0 &&
	       m->heap_bytes <= m->heap_mapped_bytes &&
	       m->heap_mapped_bytes >> 62 == 0 && list_valid(&m->files, m->file_bytes) &&
	       list_valid(&m->shared, m->shared_bytes) &&
	       list_valid(&m->anonymous, m->anonymous_bytes);
}
