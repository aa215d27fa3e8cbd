/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout of the segment: the shared memory that holds the owner table and
 * all counters, written by the hook and read by the tool.
 *
 * A memfd named "memhook".  It begins with a `struct mh_run` and a directory
 * of slots; each process of the run (the first one and every forked worker)
 * has one slot and the area of the same number:
 *
 *     0                 struct mh_run
 *     slots_offset      struct mh_slot [areas_max]
 *     areas_offset      area 0, area 1, ... each areas_stride bytes apart
 *
 *     area + 0               struct mh_area
 *     area + ranges_offset   struct mh_range  [ranges_max]   the allocator's memory, and ours
 *     area + maps_offset     struct mh_maps                   the last look at /proc/self/smaps
 *     area + owners_offset   struct mh_owner  [owners_max]
 *     area + coarse_offset   struct mh_coarse [owners_max]
 *     area + base_offset     struct mh_row    [owners_max]   what a reused row began with
 *     area + objects_offset  struct mh_object [objects_max]  libraries that own or hold sites
 *     area + shards_offset   shard 0, shard 1, ... each shard_stride bytes apart:
 *                                struct mh_row [owners_max]
 *                                int64_t       [owners_max]   net bytes published
 *                                struct mh_shard_end
 *
 * The file is sparse and never grows: only what is written exists.  All
 * numbers are native endian, all positions are offsets.  A reader believes
 * nothing (tools/reader.c).
 */
#ifndef MH_SEGMENT_H
#define MH_SEGMENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "memhook.h"

#define MH_SEGMENT_NAME "memhook"
#define MH_RUN_MAGIC UINT64_C(0x31676573686d656d) /* "memhseg1", little endian */
#define MH_AREA_MAGIC UINT64_C(0x3161726168656d6d)
#define MH_SEGMENT_VERSION 1
#define MH_BYTE_ORDER UINT32_C(0x01020304)

/* Rows 0 and 1 of every table: MEMHOOK_NOBODY and MEMHOOK_OVERFLOW. */
#define MH_NOBODY 0
#define MH_OVERFLOW 1
#define MH_FIRST_OWNER 2

enum mh_by { MH_BY_NONE = 0, MH_BY_LIBRARY = 1, MH_BY_THREAD = 2, MH_BY_SITE = 3 };

/* A slot's life.  FREE is 0: a hole in the file reads as free slots. */
enum mh_slot_state {
	MH_SLOT_FREE = 0,
	MH_SLOT_CLAIMED = 1, /* being filled: not to be read yet */
	MH_SLOT_LIVE = 2,    /* readable; its process may be dead by now */
	MH_SLOT_EXITED = 3,  /* the process said goodbye: readable, final */
	MH_SLOT_REPLACED = 4 /* it went on as another program, which has a slot, too */
};

struct mh_run {
	uint64_t magic;
	uint32_t version;
	uint32_t byte_order;
	uint32_t word_bits;  /* 64 or 32: the word size of the writers */
	uint32_t by_run;     /* 1: made by `memhook run`, which reads it at the end */
	uint64_t slots_offset;
	uint64_t areas_offset;
	uint64_t areas_stride;
	uint32_t areas_max;
	_Atomic uint32_t areas_used;   /* slots below this were used at some time */
	_Atomic uint32_t areas_reused; /* dead processes whose area serves another now */
	_Atomic uint32_t areas_denied; /* processes that found no area */
};

struct mh_slot {
	_Atomic uint32_t state; /* enum mh_slot_state */
	int32_t pid;            /* as the process itself sees it */
	int32_t ppid;
	uint32_t pad;
	uint64_t pid_namespace; /* inode of /proc/self/ns/pid; 0: not known */
	uint64_t start_unix_ms;
	uint64_t spare[4];
};

/* One owner's counters in one shard.  Written by one thread alone. */
struct mh_row {
	_Atomic uint64_t free_bytes;
	_Atomic uint64_t free_calls;
	_Atomic uint64_t alloc_bytes;
	_Atomic uint64_t alloc_calls;
};

struct mh_owner {
	_Atomic uint32_t state;      /* enum memhook_state; stored last */
	_Atomic uint32_t generation; /* of the handle that names this row */
	uint32_t kind;               /* enum memhook_kind */
	uint32_t next_retired;       /* queue of retired rows, 0 ends it */
	uint64_t path_hash;          /* libraries, sites: tells those of one name apart */
	uint64_t where;              /* library, site: MH_WHERE(); thread: its tid, 0: ended */
	char name[MEMHOOK_NAME_MAX];
};

/* An object and an offset in it; offsets as in its symbol table.  0: unknown. */
#define MH_WHERE(object, offset) ((uint64_t)((object) + 1) << 48 | (offset))
#define MH_WHERE_OBJECT(where) ((uint32_t)((where) >> 48) - 1)
#define MH_WHERE_OFFSET(where) ((where) & ((UINT64_C(1) << 48) - 1))

/*
 * A shared object, as it was loaded.  Written once, before objects_used grows
 * beyond it; stays when the object is unloaded.  Another file at the same
 * path (another build-id) is another object.
 */
struct mh_object {
	uint64_t hash;           /* of path and build-id */
	uint64_t bias;           /* address - offset, when it was seen first */
	uint32_t build_id_size;  /* 0: it has none */
	uint8_t build_id[44];
	char path[448];          /* as the loader knows it; the end of a longer one */
};

/* After the counters of a shard: what was not seen through (caller.c). */
struct mh_shard_end {
	_Atomic uint64_t unseen_calls;
	_Atomic uint64_t unseen_bytes;
	uint64_t spare[6];
};

/* Coarse global sums, within 64 KiB of each thread: peaks come from here. */
struct mh_coarse {
	_Atomic int64_t live_bytes;
	_Atomic int64_t peak_bytes;
	uint64_t spare[6];
};

/* Numbers that only the process itself can know, published at cold events. */
struct mh_published {
	_Atomic uint64_t time_unix_ms; /* when; 0: never.  Stored last */
	_Atomic uint64_t allocated_bytes;
	_Atomic uint64_t active_bytes;
	_Atomic uint64_t resident_bytes;
	_Atomic uint64_t metadata_bytes;
	_Atomic uint64_t rss_bytes;
	_Atomic uint64_t cached_bytes; /* freed blocks in caches, its and ours; in allocated */
	_Atomic uint64_t dirty_bytes;  /* free pages it keeps; in resident, not in active */
	_Atomic uint64_t live_bytes;   /* what was live then, within the coarse bound */
	_Atomic uint64_t quarantine_bytes; /* of cached_bytes: freed, and not used again yet */
};

/*
 * A stretch of the allocator's memory, or of ours outside the segment.  Any
 * order, no two overlap; start 0: none.  They change under a reader's eyes.
 */
struct mh_range {
	_Atomic uint64_t start; /* address, | MH_RANGE_IS_OWN when it is ours */
	_Atomic uint64_t end;
};

#define MH_RANGE_IS_OWN UINT64_C(1) /* addresses are whole pages */

#define MH_RANGES_MAX 1024

/* Resident bytes by name, the greatest first; `rest` is all that is not listed. */
#define MH_MAPS_NAMES 20

struct mh_maps_name {
	uint64_t rss_bytes;
	char name[104]; /* the end of a longer one */
};

struct mh_maps_list {
	uint64_t rest_bytes;
	uint32_t rest_names;
	uint32_t used;
	struct mh_maps_name entry[MH_MAPS_NAMES];
};

/*
 * What /proc/PID/smaps says, by what it is: heap_bytes .. anonymous_bytes add
 * up to rss_bytes, and each list to its class.
 */
struct mh_maps {
	uint64_t time_unix_ms; /* 0: never looked */
	uint64_t rss_bytes;
	uint64_t heap_bytes;   /* of the allocator's mappings */
	uint64_t memhook_bytes; /* segment and private memory */
	uint64_t stack_bytes;
	uint64_t file_bytes;
	uint64_t shared_bytes;
	uint64_t anonymous_bytes;
	uint64_t heap_mapped_bytes; /* accessible, resident or not */
	uint32_t ranges_lost;  /* 1: part of the heap is in anonymous_bytes */
	uint32_t pad;
	struct mh_maps_list files, shared, anonymous;
};

#define MH_SHARD_WORDS 64 /* shards_max is at most 64 x 64 */

struct mh_area {
	uint64_t magic;
	uint32_t version;
	uint32_t by;             /* enum mh_by */
	uint32_t owners_max;
	uint32_t shards_max;
	uint32_t objects_max;
	uint32_t ranges_max;
	uint64_t ranges_offset;  /* all from the start of the area */
	uint64_t maps_offset;
	uint64_t owners_offset;
	uint64_t coarse_offset;
	uint64_t base_offset;
	uint64_t objects_offset;
	uint64_t shards_offset;
	uint64_t shard_stride;
	uint64_t area_size;
	int32_t pid;
	int32_t ppid;
	uint64_t start_unix_ms;
	char command[64];        /* what the program was started as */
	char file[64];           /* name of its file, where that was a link */
	uint32_t cookie_size;    /* bytes before every block */
	_Atomic uint32_t inexact;          /* 1: began by fork with threads running */
	_Atomic uint64_t inexact_bytes;    /* and may be off by so much */
	_Atomic uint32_t owners_used;      /* rows below this may be in use */
	_Atomic uint32_t shards_used;      /* shards below this may hold counts */
	_Atomic uint32_t objects_used;     /* objects below this are complete */
	_Atomic uint32_t ranges_lost;      /* stretches that found no place */
	_Atomic uint64_t mismatched;       /* new/free, delete/malloc, wrong size */
	_Atomic uint64_t foreign_ignored;  /* pointers passed over on request */
	_Atomic uint64_t private_bytes;    /* our own memory outside the segment */
	struct mh_published published;
	_Alignas(64) struct mh_coarse total;
	_Alignas(64) _Atomic uint64_t shard_taken[MH_SHARD_WORDS];
};

_Static_assert(sizeof(struct mh_row) == 32, "row: part of the format");
_Static_assert(sizeof(struct mh_owner) == 128, "owner: part of the format");
_Static_assert(sizeof(struct mh_object) == 512, "object: part of the format");
_Static_assert(sizeof(struct mh_shard_end) == 64, "shard's end: part of the format");
_Static_assert(sizeof(struct mh_coarse) == 64, "coarse: part of the format");
_Static_assert(sizeof(struct mh_slot) == 64, "slot: part of the format");
_Static_assert(sizeof(struct mh_range) == 16, "range: part of the format");
_Static_assert(sizeof(struct mh_maps) % 64 == 0, "maps: part of the format");
_Static_assert(sizeof(struct mh_area) <= 4096, "area header: one page");

/*
 * Reading order.  Counters are read in two passes over all shards: frees
 * first (acquire), then allocs.  The owning thread stores free counters with
 * release, so whoever sees a free sees the allocation that came before it,
 * and live = allocs - frees never comes out negative.
 */

#endif /* MH_SEGMENT_H */
