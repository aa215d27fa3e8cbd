/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer and the JSON rendering; report-text.c has the other one. */
#include "report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"

void mh_out_init(struct mh_out *o, int fd)
{
	o->fd = fd;
	o->error = 0;
	o->used = 0;
}

void mh_out_flush(struct mh_out *o)
{
	size_t done = 0;

	while (done < o->used && !o->error) {
		ssize_t n = write(o->fd, o->buf + done, o->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			o->error = n == 0 ? EIO : errno;
	}
	o->used = 0;
}

static void put(struct mh_out *o, char c)
{
	if (o->used == sizeof(o->buf))
		mh_out_flush(o);
	o->buf[o->used++] = c;
}

void mh_out_str(struct mh_out *o, const char *s)
{
	while (*s)
		put(o, *s++);
}

void mh_out_u64(struct mh_out *o, uint64_t n)
{
	char digits[24], *d = digits + sizeof(digits) - 1;

	*d = '\0';
	do {
		*--d = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	mh_out_str(o, d);
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none. RFC 3629. */
static unsigned utf8(const unsigned char *s)
{
	uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 }, code;
	unsigned n, i;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	code = s[0] & (0x7fU >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)
		       ? 0 : n;
}

void mh_out_json(struct mh_out *o, const char *s)
{
	static const char hex[] = "0123456789abcdef";
	unsigned n;

	put(o, '"');
	while (*s) {
		unsigned char c = (unsigned char)*s;

		n = utf8((const unsigned char *)s);
		if (n == 0) {
			mh_out_str(o, "\\ufffd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			put(o, '\\');
			put(o, (char)c);
		} else if (c < ' ' || c == 127) {
			mh_out_str(o, "\\u00");
			put(o, hex[c >> 4]);
			put(o, hex[c & 15]);
		} else {
			unsigned i;

			for (i = 0; i < n; i++)
				put(o, s[i]);
		}
		s += n;
	}
	put(o, '"');
}

static void number(struct mh_out *o, const char *key, uint64_t n)
{
	mh_out_str(o, ",\"");
	mh_out_str(o, key);
	mh_out_str(o, "\":");
	mh_out_u64(o, n);
}

static void integer(struct mh_out *o, const char *key, int64_t n)
{
	mh_out_str(o, ",\"");
	mh_out_str(o, key);
	mh_out_str(o, n < 0 ? "\":-" : "\":");
	mh_out_u64(o, (uint64_t)(n < 0 ? -n : n));
}

static void string(struct mh_out *o, const char *key, const char *s)
{
	mh_out_str(o, ",\"");
	mh_out_str(o, key);
	mh_out_str(o, "\":");
	mh_out_json(o, s);
}

static void boolean(struct mh_out *o, const char *key, int yes)
{
	mh_out_str(o, ",\"");
	mh_out_str(o, key);
	mh_out_str(o, yes ? "\":true" : "\":false");
}

static void seven(struct mh_out *o, const struct memhook_stats *s)
{
	mh_out_str(o, "\"live_bytes\":");
	mh_out_u64(o, s->live_bytes);
	number(o, "live_blocks", s->live_blocks);
	number(o, "peak_bytes", s->peak_bytes);
	number(o, "alloc_bytes", s->alloc_bytes);
	number(o, "alloc_calls", s->alloc_calls);
	number(o, "free_bytes", s->free_bytes);
	number(o, "free_calls", s->free_calls);
}

const char *mh_by_name(uint32_t by)
{
	static const char *const names[] = { "none", "library", "thread", "site" };

	return by < sizeof(names) / sizeof(*names) ? names[by] : "unknown";
}

const struct mh_object *mh_owner_object(const struct mh_snapshot *s,
					const struct memhook_stats *owner,
					uint64_t *offset)
{
	uint32_t row = (uint32_t)owner->owner, object;

	if (row >= s->table_rows || (owner->kind != MEMHOOK_KIND_LIBRARY &&
				     owner->kind != MEMHOOK_KIND_SITE))
		return NULL;
	object = MH_WHERE_OBJECT(s->table[row].where);
	*offset = MH_WHERE_OFFSET(s->table[row].where);
	return object < s->object_count ? &s->objects[object] : NULL;
}

const struct mh_symbol *mh_owner_symbol(const struct mh_snapshot *s,
					const struct memhook_stats *owner)
{
	uint32_t row = (uint32_t)owner->owner;

	if (owner->kind != MEMHOOK_KIND_SITE || !s->symbols || row >= s->table_rows ||
	    !s->symbols[row].label)
		return NULL;
	return &s->symbols[row];
}

static const char *kind(uint32_t k)
{
	static const char *const names[] = { "none", "named", "library", "thread",
					     "site" };

	return k < sizeof(names) / sizeof(*names) ? names[k] : "unknown";
}

static void build_id(struct mh_out *o, const struct mh_object *object)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t i;

	if (!object->build_id_size)
		return;
	mh_out_str(o, ",\"build_id\":\"");
	for (i = 0; i < object->build_id_size && i < sizeof(object->build_id); i++) {
		put(o, hex[object->build_id[i] >> 4]);
		put(o, hex[object->build_id[i] & 15]);
	}
	put(o, '"');
}

static void symbol(struct mh_out *o, const struct mh_symbol *symbol)
{
	if (symbol->function)
		string(o, "function", symbol->function);
	if (symbol->function && !symbol->line)
		number(o, "function_offset", symbol->function_offset);
	if (symbol->line) {
		string(o, "file", symbol->file);
		number(o, "line", symbol->line);
	}
}

/* What a name alone does not tell: the file, the place in it, the thread. */
static void whereabouts(struct mh_out *o, const struct mh_snapshot *snap,
			const struct memhook_stats *s)
{
	const struct mh_object *object;
	uint64_t offset = 0;

	object = mh_owner_object(snap, s, &offset);
	if (object) {
		string(o, "object", object->path);
		build_id(o, object);
	}
	if (object && s->kind == MEMHOOK_KIND_SITE)
		number(o, "offset", offset);
	if (mh_owner_symbol(snap, s))
		symbol(o, mh_owner_symbol(snap, s));
	if (s->kind == MEMHOOK_KIND_THREAD && (uint32_t)s->owner < snap->table_rows)
		number(o, "tid", snap->table[(uint32_t)s->owner].where);
}

static void owner(struct mh_out *o, const struct mh_snapshot *snap,
		  const struct memhook_stats *s)
{
	mh_out_str(o, "{\"id\":");
	if (s->owner == MEMHOOK_AUTO)
		mh_out_str(o, "null"); /* several owners, added up by the tool */
	else
		mh_out_u64(o, (uint32_t)s->owner);
	string(o, "name", s->name);
	string(o, "kind", kind(s->kind));
	string(o, "state", s->state == MEMHOOK_STATE_RETIRED ? "retired" : "active");
	whereabouts(o, snap, s);
	put(o, ',');
	seven(o, s);
	put(o, '}');
}

/* {"name":...,"rss_bytes":...}; what is not listed is the last, "(others)". */
static void names(struct mh_out *o, const char *key, const struct mh_maps_list *l)
{
	uint32_t i, n = l->used + (l->rest_bytes != 0);

	mh_out_str(o, ",\"");
	mh_out_str(o, key);
	mh_out_str(o, "\":[");
	for (i = 0; i < n; i++) {
		mh_out_str(o, i ? ",{\"name\":" : "{\"name\":");
		mh_out_json(o, i < l->used ? l->entry[i].name : "(others)");
		number(o, "rss_bytes",
		       i < l->used ? l->entry[i].rss_bytes : l->rest_bytes);
		put(o, '}');
	}
	put(o, ']');
}

static void bridge(struct mh_out *o, const struct mh_snapshot *s)
{
	const struct mh_maps *m = s->maps;
	struct mh_bridge b;

	mh_bridge(s, &b);
	integer(o, "allocator_rounding_bytes", b.rounding);
	integer(o, "allocator_cached_bytes", b.cached);
	integer(o, "allocator_quarantine_bytes", b.quarantine);
	integer(o, "allocator_slack_bytes", b.slack);
	integer(o, "allocator_dirty_bytes", b.dirty);
	integer(o, "allocator_table_bytes", b.tables);
	integer(o, "allocator_unsplit_bytes", b.unsplit);
	integer(o, "allocator_not_resident_bytes", b.not_resident);
	integer(o, "stack_bytes", b.stack);
	integer(o, "file_bytes", b.file);
	integer(o, "shared_bytes", b.shared);
	integer(o, "anonymous_bytes", b.anonymous);
	integer(o, "other_bytes", b.other);
	boolean(o, "smaps", m != NULL);
	if (!m)
		return;
	number(o, "smaps_time_ms", m->time_unix_ms);
	number(o, "heap_rss_bytes", m->heap_bytes);
	names(o, "files", &m->files);
	names(o, "shared", &m->shared);
	names(o, "anonymous", &m->anonymous);
}

static void process(struct mh_out *o, const struct mh_snapshot *s)
{
	const struct mh_process *p = &s->process;

	mh_out_str(o, ",\"process\":{\"rss_bytes\":");
	mh_out_u64(o, p->rss_bytes);
	number(o, "max_rss_bytes", p->max_rss_bytes);
	number(o, "cookie_bytes", p->cookie_bytes);
	number(o, "allocator_allocated_bytes", p->allocator_allocated_bytes);
	number(o, "allocator_active_bytes", p->allocator_active_bytes);
	number(o, "allocator_resident_bytes", p->allocator_resident_bytes);
	number(o, "allocator_metadata_bytes", p->allocator_metadata_bytes);
	number(o, "allocator_live_bytes", p->allocator_live_bytes);
	number(o, "allocator_time_ms", p->allocator_time_ms);
	number(o, "memhook_bytes", p->memhook_bytes);
	bridge(o, s);
	put(o, '}');
}

void mh_report_json_open(struct mh_out *o, struct mh_snapshot *s)
{
	size_t i;

	mh_report_sort(s);
	mh_out_str(o, "{\"schema\":\"memhook/1\"");
	number(o, "pid", (uint64_t)s->pid);
	number(o, "ppid", (uint64_t)s->ppid);
	string(o, "command", s->command);
	string(o, "mode", s->mode);
	string(o, "by", s->by);
	number(o, "time_unix_ms", s->time_unix_ms);
	number(o, "uptime_ms", s->uptime_ms);
	boolean(o, "consistent", s->consistent);
	boolean(o, "exact", s->exact);
	if (!s->exact)
		number(o, "exact_bound_bytes", s->inexact_bytes);
	number(o, "mismatched", s->mismatched);
	number(o, "foreign_ignored", s->foreign_ignored);
	number(o, "unseen_calls", s->unseen_calls);
	number(o, "unseen_bytes", s->unseen_bytes);
	mh_out_str(o, ",\"totals\":{");
	seven(o, &s->totals);
	mh_out_str(o, "},\"owners\":[");
	for (i = 0; i < s->owner_count; i++) {
		mh_out_str(o, i ? ",\n" : "\n");
		owner(o, s, &s->owners[i]);
	}
	mh_out_str(o, "]");
	process(o, s);
	if (s->exit_kind != MH_EXIT_NONE) {
		mh_out_str(o, s->exit_kind == MH_EXIT_CODE ? ",\"exit\":{\"code\":"
							   : ",\"exit\":{\"signal\":");
		mh_out_u64(o, (uint64_t)s->exit_value);
		if (s->oom_killed)
			mh_out_str(o, ",\"oom_killed\":true");
		put(o, '}');
	}
}

void mh_report_json(struct mh_out *o, struct mh_snapshot *s)
{
	mh_report_json_open(o, s);
	mh_out_str(o, "}");
}
