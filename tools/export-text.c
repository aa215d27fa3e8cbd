/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Families of metrics: OpenMetrics 1.0, or the older text format 0.0.4, which
 * node_exporter's textfile collector reads.  They differ in a counter's
 * family name, in units, in the type "info" and in the end mark.
 *
 * All samples of a family stand together, so that the rows of each process
 * are gone through once for each family; their labels are made once.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "tool.h"

enum type { GAUGE, COUNTER, INFO };
enum form { WHOLE, SIGNED, MILLI, MICRO, ONE };

struct family {
	const char *name;
	const char *help;
	const char *unit; /* NULL: none */
	enum type type;
	enum form form;
	size_t offset;
};

#define OWNER(member) offsetof(struct export_owner, stats.member)
#define PROCESS(member) offsetof(struct export_process, member)
#define OURS(member) offsetof(struct export, member)

static const struct family owner_families[] = {
	{ "memhook_owner_live_bytes", "Bytes requested by this owner and not yet freed.",
	  "bytes", GAUGE, WHOLE, OWNER(live_bytes) },
	{ "memhook_owner_live_blocks", "Blocks allocated by this owner and not yet freed.",
	  NULL, GAUGE, WHOLE, OWNER(live_blocks) },
	{ "memhook_owner_peak_bytes",
	  "Most live bytes this owner had, to 64 KiB a thread; a sum where owners are"
	  " added up.", "bytes", GAUGE, WHOLE, OWNER(peak_bytes) },
	{ "memhook_owner_allocated_bytes", "Bytes ever requested by this owner.", "bytes",
	  COUNTER, WHOLE, OWNER(alloc_bytes) },
	{ "memhook_owner_allocations", "Allocations ever made by this owner.", NULL,
	  COUNTER, WHOLE, OWNER(alloc_calls) },
	{ "memhook_owner_freed_bytes", "Bytes of this owner ever freed.", "bytes", COUNTER,
	  WHOLE, OWNER(free_bytes) },
	{ "memhook_owner_frees", "Blocks of this owner ever freed.", NULL, COUNTER, WHOLE,
	  OWNER(free_calls) },
};

static const struct family process_families[] = {
	{ "memhook_process_live_bytes", "Bytes requested and not yet freed, all owners.",
	  "bytes", GAUGE, WHOLE, PROCESS(totals.live_bytes) },
	{ "memhook_process_live_blocks", "Blocks allocated and not yet freed, all owners.",
	  NULL, GAUGE, WHOLE, PROCESS(totals.live_blocks) },
	{ "memhook_process_peak_bytes",
	  "Most live bytes the process had, to 64 KiB a thread.", "bytes", GAUGE, WHOLE,
	  PROCESS(totals.peak_bytes) },
	{ "memhook_process_allocated_bytes",
	  "Bytes ever requested, those of ended owners included.", "bytes", COUNTER,
	  WHOLE, PROCESS(totals.alloc_bytes) },
	{ "memhook_process_allocations",
	  "Allocations ever made, those of ended owners included.", NULL, COUNTER, WHOLE,
	  PROCESS(totals.alloc_calls) },
	{ "memhook_process_freed_bytes",
	  "Bytes ever freed, those of ended owners included.", "bytes", COUNTER, WHOLE,
	  PROCESS(totals.free_bytes) },
	{ "memhook_process_frees", "Blocks ever freed, those of ended owners included.",
	  NULL, COUNTER, WHOLE, PROCESS(totals.free_calls) },
	{ "memhook_process_owners", "Owners, those of one name and kind counted once.",
	  NULL, GAUGE, WHOLE, PROCESS(owners_all) },
	{ "memhook_process_owners_summed",
	  "Owners without rows of their own: they are summed as other (--max-owners).", NULL,
	  GAUGE, WHOLE, PROCESS(owners_summed) },
	{ "memhook_process_resident_bytes", "Resident memory (RSS), as the kernel says.",
	  "bytes", GAUGE, WHOLE, PROCESS(resident) },
	{ "memhook_process_cookie_bytes", "Prefixes of live blocks, 16 bytes each.",
	  "bytes", GAUGE, WHOLE, PROCESS(cookies) },
	{ "memhook_process_memhook_bytes", "Memory that memhook itself takes in it.",
	  "bytes", GAUGE, WHOLE, PROCESS(ours) },
	{ "memhook_process_allocator_allocated_bytes",
	  "In blocks that the allocator has handed out, rounded up to its sizes.",
	  "bytes", GAUGE, WHOLE, PROCESS(allocated) },
	{ "memhook_process_allocator_active_bytes",
	  "In pages of the allocator that hold blocks.", "bytes", GAUGE, WHOLE,
	  PROCESS(active) },
	{ "memhook_process_allocator_resident_bytes",
	  "In pages that the allocator holds resident.", "bytes", GAUGE, WHOLE,
	  PROCESS(allocator_resident) },
	{ "memhook_process_allocator_metadata_bytes", "The allocator's own tables.",
	  "bytes", GAUGE, WHOLE, PROCESS(metadata) },
	{ "memhook_process_allocator_cached_bytes",
	  "Of allocated: freed blocks ready to serve again.", "bytes", GAUGE, WHOLE,
	  PROCESS(cached) },
	{ "memhook_process_allocator_quarantine_bytes",
	  "Of allocated: freed blocks that wait, with --check=on and strict.", "bytes",
	  GAUGE, WHOLE, PROCESS(quarantine) },
	{ "memhook_process_allocator_dirty_bytes",
	  "Of resident: free pages that the allocator keeps.", "bytes", GAUGE, WHOLE,
	  PROCESS(dirty) },
	{ "memhook_process_allocator_timestamp_seconds",
	  "When the process took the allocator's numbers, seconds since 1970.",
	  "seconds", GAUGE, MILLI, PROCESS(allocator_ms) },
	{ "memhook_process_start_time_seconds",
	  "When its counters began, seconds since 1970.", "seconds", GAUGE, MILLI,
	  PROCESS(start_ms) },
	{ "memhook_process_consistent",
	  "1: nothing moved while it was read, its numbers are of one moment.", NULL,
	  GAUGE, WHOLE, PROCESS(consistent) },
	{ "memhook_process_exact",
	  "0: forked while threads ran, its numbers may be off a little.", NULL, GAUGE,
	  WHOLE, PROCESS(exact) },
	{ "memhook_process_inexact_bytes",
	  "By so much at the most, where it is not exact; 0: no bound is known.",
	  "bytes", GAUGE, WHOLE, PROCESS(inexact_bytes) },
	{ "memhook_process_mismatched_frees",
	  "Blocks freed in another way than they were made, or by a wrong size.", NULL,
	  COUNTER, WHOLE, PROCESS(mismatched) },
	{ "memhook_process_foreign_frees",
	  "Pointers of another allocator passed over on request.", NULL, COUNTER, WHOLE,
	  PROCESS(foreign) },
	{ "memhook_process_unseen_allocations",
	  "Allocations charged to a library that could not be seen through.", NULL,
	  COUNTER, WHOLE, PROCESS(unseen_calls) },
	{ "memhook_process_unseen_bytes",
	  "Bytes charged to a library that could not be seen through.", "bytes", COUNTER,
	  WHOLE, PROCESS(unseen_bytes) },
};

static const struct family part_family = {
	"memhook_process_resident_part_bytes",
	"Where resident memory goes: the parts of a process add up to it. What is not"
	" in memory is below 0; stack, file, shared, anonymous: with --explain.",
	"bytes", GAUGE, SIGNED, 0
};

#define PART(name) { #name, PROCESS(bridge.name) }
static const struct part {
	const char *name;
	size_t offset;
} parts[] = {
	{ "live", PROCESS(totals.live_bytes) },
	{ "cookies", PROCESS(cookies) },
	PART(rounding),
	PART(cached),
	PART(quarantine),
	PART(slack),
	PART(dirty),
	PART(tables),
	PART(unsplit),
	PART(not_resident),
	PART(memhook),
	PART(stack),
	PART(file),
	PART(shared),
	PART(anonymous),
	PART(other),
};

static const struct family info_family = {
	"memhook_process", "What owners the process has, and over which allocator.", NULL,
	INFO, ONE, 0
};

static const struct family build_family = {
	"memhook_exporter_build", "The exporter that says this.", NULL, INFO, ONE, 0
};

static const struct family our_families[] = {
	{ "memhook_exporter_processes_read", "Hooked processes in this scrape.", NULL,
	  GAUGE, WHOLE, OURS(read) },
	{ "memhook_exporter_processes_refused",
	  "Processes, hooked or not, that the exporter may not look at.", NULL, GAUGE,
	  WHOLE, OURS(refused) },
	{ "memhook_exporter_processes_unreadable",
	  "Hooked processes whose counters could not be read; `memhook list` says why.",
	  NULL, GAUGE, WHOLE, OURS(unreadable) },
	{ "memhook_exporter_scrapes", "Scrapes, this one included.", NULL, COUNTER, WHOLE,
	  OURS(scrapes) },
	{ "memhook_exporter_cpu_seconds", "Processor time of the exporter.", "seconds",
	  COUNTER, MICRO, OURS(cpu_us) },
	{ "memhook_exporter_resident_bytes", "Resident memory of the exporter.", "bytes",
	  GAUGE, WHOLE, OURS(resident) },
	{ "memhook_exporter_scrape_duration_seconds",
	  "How long this scrape took: reading all processes and writing this.",
	  "seconds", GAUGE, MICRO, OURS(took_us) },
};

/* At least `least` digits. */
static void put_digits(struct export_buffer *b, uint64_t n, int least)
{
	char digits[24], *d = digits + sizeof(digits);

	while (n || least > 0) {
		*--d = (char)('0' + n % 10);
		n /= 10;
		least--;
	}
	export_put_bytes(b, d, (size_t)(digits + sizeof(digits) - d));
}

static void put_value(struct export_buffer *b, uint64_t n, enum form form)
{
	uint64_t unit = form == MILLI ? 1000 : form == MICRO ? 1000000 : 1;

	if (form == SIGNED && (int64_t)n < 0) {
		export_put(b, "-");
		n = -n;
	}
	put_digits(b, n / unit, 1);
	if (unit > 1) {
		export_put(b, ".");
		put_digits(b, n % unit, form == MILLI ? 3 : 6);
	}
}

static const char *suffix(enum type type)
{
	return type == COUNTER ? "_total" : type == INFO ? "_info" : "";
}

static void put_meta(struct export_buffer *b, const char *what, const struct family *f,
		     enum export_format format, const char *text)
{
	export_put(b, what);
	export_put(b, f->name);
	if (format == EXPORT_TEXT)
		export_put(b, suffix(f->type));
	export_put(b, " ");
	export_put(b, text);
	export_put(b, "\n");
}

static void put_family(struct export_buffer *b, const struct family *f,
		       enum export_format format)
{
	static const char *const types[] = { "gauge", "counter", "info" };
	int older = format == EXPORT_TEXT && f->type == INFO;

	put_meta(b, "# TYPE ", f, format, older ? "gauge" : types[f->type]);
	if (f->unit && format == EXPORT_OPENMETRICS)
		put_meta(b, "# UNIT ", f, format, f->unit);
	put_meta(b, "# HELP ", f, format, f->help);
}

static void put_sample(struct export_buffer *b, const struct family *f,
		       const char *labels, uint64_t n)
{
	if (n == EXPORT_UNKNOWN)
		return;
	export_put(b, f->name);
	export_put(b, suffix(f->type));
	export_put(b, labels);
	export_put(b, " ");
	put_value(b, n, f->form);
	export_put(b, "\n");
}

static uint64_t member(const void *of, size_t offset)
{
	uint64_t n;

	memcpy(&n, (const char *)of + offset, sizeof(n));
	return n;
}

static void put_owners(struct export_buffer *b, const struct export *e,
		       const struct family *f)
{
	size_t i, k;

	for (i = 0; i < e->count; i++)
		for (k = 0; k < e->processes[i].owner_count; k++) {
			const struct export_owner *o = &e->processes[i].owners[k];

			put_sample(b, f, o->labels, member(o, f->offset));
		}
}

static void put_processes(struct export_buffer *b, const struct export *e,
			  const struct family *f)
{
	size_t i;

	for (i = 0; i < e->count; i++) {
		const struct export_process *p = &e->processes[i];

		put_sample(b, f, f->type == INFO ? p->info : p->labels,
			   f->form == ONE ? 1 : member(p, f->offset));
	}
}

static void put_parts(struct export_buffer *b, const struct export *e)
{
	size_t i, k;

	for (i = 0; i < e->count; i++) {
		const struct export_process *p = &e->processes[i];

		if (p->resident == EXPORT_UNKNOWN)
			continue; /* nothing that they would add up to */
		for (k = 0; k < sizeof(parts) / sizeof(*parts); k++) {
			export_put(b, part_family.name);
			export_put_labels(b, p->labels, ",part=", parts[k].name);
			export_put(b, "} ");
			put_value(b, member(p, parts[k].offset), SIGNED);
			export_put(b, "\n");
		}
	}
}

/* Last, so that it knows what the rest has cost. */
static void put_ours(struct export_buffer *b, struct export *e,
		     enum export_format format)
{
	size_t i;

	put_family(b, &build_family, format);
	put_sample(b, &build_family, "{version=\"" MEMHOOK_VERSION "\"}", 1);
	e->took_us = export_now_us() - e->began_us;
	for (i = 0; i < sizeof(our_families) / sizeof(*our_families); i++) {
		put_family(b, &our_families[i], format);
		put_sample(b, &our_families[i], "", member(e, our_families[i].offset));
	}
}

void export_render(struct export_buffer *b, struct export *e, enum export_format format)
{
	size_t i;

	put_family(b, &info_family, format);
	put_processes(b, e, &info_family);
	for (i = 0; i < sizeof(process_families) / sizeof(*process_families); i++) {
		put_family(b, &process_families[i], format);
		put_processes(b, e, &process_families[i]);
	}
	put_family(b, &part_family, format);
	put_parts(b, e);
	for (i = 0; i < sizeof(owner_families) / sizeof(*owner_families); i++) {
		put_family(b, &owner_families[i], format);
		put_owners(b, e, &owner_families[i]);
	}
	put_ours(b, e, format);
	if (format == EXPORT_OPENMETRICS)
		export_put(b, "# EOF\n");
}

const char *export_content_type(enum export_format format)
{
	return format == EXPORT_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
