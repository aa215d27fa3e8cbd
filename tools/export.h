/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memhook export: the numbers of many processes for Prometheus.
 *
 *     export.c          what is asked for; once, or until a signal
 *     export-read.c     processes -> rows, in bounded number
 *     export-text.c     rows -> families of metrics, in two formats
 *     export-http.c     whoever asks over HTTP
 */
#ifndef EXPORT_H
#define EXPORT_H

#include <stddef.h>
#include <stdint.h>

#include "bridge.h"
#include "memhook.h"

enum export_format { EXPORT_TEXT, EXPORT_OPENMETRICS };

#define EXPORT_UNKNOWN UINT64_MAX /* such a value is left out */

/* What is read, and how much of it is shown. */
struct export_scope {
	int *pids; /* each once, by number; NULL: all that may be read */
	size_t pid_count;
	size_t max_owners; /* of one process, the sum of the others not counted */
	int explain;       /* look at each page for what is resident */
	int complain;      /* of those of `pids` that cannot be read */
};

struct export_owner {
	struct memhook_stats stats;
	char *name;   /* valid UTF-8; stats.name is as the process wrote it */
	char *labels; /* {pid="1",...}, escaped */
};

struct export_process {
	int pid;
	char *labels; /* of its own rows */
	char *info;   /* ... and of what never changes */
	struct export_owner *owners; /* the last one: all that are left out */
	size_t owner_count;
	struct memhook_stats totals; /* those of ended owners included */
	uint64_t owners_all, owners_summed;
	uint64_t resident, cookies, ours;
	uint64_t allocated, active, allocator_resident, metadata, cached, dirty;
	uint64_t quarantine;
	uint64_t allocator_ms;
	struct mh_bridge bridge;
	uint64_t start_ms, consistent, exact, inexact_bytes;
	uint64_t mismatched, foreign, unseen_calls, unseen_bytes;
};

struct export {
	struct export_process *processes;
	size_t count;
	uint64_t read, refused, unreadable; /* processes */
	uint64_t began_us, took_us, cpu_us, resident, scrapes; /* what we cost */
};

struct export_buffer {
	char *data;
	size_t used, room;
};

/* export-read.c: each process is read once. */
void export_read(struct export *e, const struct export_scope *scope);
void export_free(struct export *e);
uint64_t export_now_us(void); /* of a clock that never goes back */

/* export-buffer.c */
void export_put_bytes(struct export_buffer *b, const char *s, size_t n);
void export_put(struct export_buffer *b, const char *s);
void export_put_label(struct export_buffer *b, const char *before, const char *value);
/* Those that a process has, and one more; the closing brace is still to come. */
void export_put_labels(struct export_buffer *b, const char *labels, const char *before,
		       const char *value);

/* export-text.c */
void export_render(struct export_buffer *b, struct export *e, enum export_format format);
const char *export_content_type(enum export_format format);

/* Read and render; the caller frees b->data.  Returns how many were unreadable. */
int export_scrape(struct export_buffer *b, const struct export_scope *scope,
		  enum export_format format);

/* export-http.c: "127.0.0.1:9797", "[::1]:9797"; -1 after a complaint. */
struct export_address {
	_Alignas(16) unsigned char bytes[128]; /* a struct sockaddr */
	uint32_t size;
};
int export_parse_address(const char *text, struct export_address *a);

/* Until SIGTERM or SIGINT; the exit status. */
int export_serve(const struct export_address *a, const struct export_scope *scope);

/* What the header `Accept` prefers; NULL: there is none. */
enum export_format export_negotiate(const char *accept);

#endif /* EXPORT_H */
