/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A snapshot of one process's owners, and its two renderings.  Used by the
 * library (memhook_report, malloc_stats) and by the tool: neither stdio nor
 * malloc, so that it also works in a crash handler.
 */
#ifndef MH_REPORT_H
#define MH_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "memhook.h"
#include "segment.h"

#define MH_NAME_WIDTH 29 /* columns of the table's names */

enum mh_exit_kind { MH_EXIT_NONE, MH_EXIT_CODE, MH_EXIT_SIGNAL };

struct mh_process {
	uint64_t rss_bytes;     /* 0: not known */
	uint64_t max_rss_bytes; /* 0: not known */
	uint64_t cookie_bytes;
	uint64_t allocator_allocated_bytes;
	uint64_t allocator_active_bytes;
	uint64_t allocator_resident_bytes;
	uint64_t allocator_metadata_bytes;
	uint64_t allocator_cached_bytes; /* of allocated: freed blocks in caches */
	uint64_t allocator_quarantine_bytes; /* of allocated, and not of cached */
	uint64_t allocator_dirty_bytes;  /* of resident: free pages */
	uint64_t allocator_live_bytes;   /* requested and live at that time, about */
	uint64_t allocator_time_ms; /* unix ms at which they were taken; 0: never */
	uint64_t memhook_bytes;     /* our own memory, segment included */
};

/* What owners had whose rows serve others now; no owner and no total has it. */
struct mh_past {
	uint64_t alloc_bytes, alloc_calls, free_bytes, free_calls;
};

/* A call site by name; strings are NULL where nothing is known. */
struct mh_symbol {
	const char *label; /* for a column of names: "function (file.c:12)" */
	const char *function;
	const char *file;
	uint32_t line;
	uint64_t function_offset; /* of the return address, without a line */
};

struct mh_snapshot {
	int32_t pid, ppid;
	char command[64];
	const char *mode; /* "jemalloc" */
	const char *by;   /* mh_by_name() */
	uint64_t time_unix_ms;
	uint64_t uptime_ms;
	int consistent;         /* nothing moved while it was read */
	int exact;              /* 0: forked while threads ran ... */
	uint64_t inexact_bytes; /* ... and off by at most so much */
	uint64_t mismatched, foreign_ignored;
	struct memhook_stats totals;
	struct mh_past past; /* the tool's reader knows it, the library does not tell */
	struct memhook_stats *owners; /* any order; the report sorts them */
	size_t owner_count;
	int sorted; /* the owners stay in this order */
	uint64_t unseen_calls; /* by library: no frame outside the see-through list */
	uint64_t unseen_bytes;
	/* By row, and what their `where` leads to: more about an owner. */
	struct mh_owner *table;
	struct mh_object *objects;
	uint32_t table_rows, object_count;
	struct mh_symbol *symbols; /* by row; NULL: nobody looked for any */
	struct mh_process process;
	struct mh_maps *maps; /* NULL: smaps was not read, or may not be */
	enum mh_exit_kind exit_kind;
	int exit_value; /* exit code or signal number */
	int oom_killed; /* and that signal was the OOM killer's */
	/* For people: what else is to be said, and only what still lives. */
	const char *remark; /* NULL: nothing */
	int leaks;
};

/*
 * A buffered writer on a descriptor.  error keeps the first errno.
 */
struct mh_out {
	int fd;
	int error;
	size_t used;
	char buf[2048];
};

void mh_out_init(struct mh_out *o, int fd);
void mh_out_str(struct mh_out *o, const char *s);
void mh_out_u64(struct mh_out *o, uint64_t n);
void mh_out_json(struct mh_out *o, const char *s); /* quoted */
void mh_out_flush(struct mh_out *o);

/* "none", "library", "thread", "site"; "unknown" for a number that is none. */
const char *mh_by_name(uint32_t by);

/* The object that an owner is or lies in, or NULL; *offset in it. */
const struct mh_object *mh_owner_object(const struct mh_snapshot *s,
					const struct memhook_stats *owner,
					uint64_t *offset);

/* What is known of a call site by name, or NULL. */
const struct mh_symbol *mh_owner_symbol(const struct mh_snapshot *s,
					const struct memhook_stats *owner);

/* By live bytes, greatest first; then by row.  Not when s->sorted. */
void mh_report_sort(struct mh_snapshot *s);

/*
 * Sort s->owners and write.  The JSON object comes without a newline at its
 * end; mh_report_json_open() leaves out the last brace too, so that the tool
 * can add the workers.
 */
void mh_report_json_open(struct mh_out *o, struct mh_snapshot *s);
void mh_report_text(struct mh_out *o, struct mh_snapshot *s);
void mh_report_json(struct mh_out *o, struct mh_snapshot *s);

/* A name, its live bytes and blocks, its peak: a line but for its end. */
void mh_report_cells(struct mh_out *o, const char *name, const char *suffix,
		     const struct memhook_stats *s);

/* Its numbers come before those of the process, which are older or coarser. */
void mh_use_maps(struct mh_snapshot *s, struct mh_maps *maps);

#endif /* MH_REPORT_H */
