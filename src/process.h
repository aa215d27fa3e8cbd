/* SPDX-License-Identifier: BSD-2-Clause */
/* What there is once per process. */
#ifndef MH_PROCESS_H
#define MH_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "segment.h"

/*
 * In the wiped region, like the hot lines: a child without atfork handlers
 * finds `ready` 0 and its locks open, whoever held them in the parent.
 */
struct mh_proc {
	_Atomic uint64_t depots_room; /* bytes: depot.c */
	_Atomic int ready;
	pthread_mutex_t owners; /* owner table and its index */
	pthread_mutex_t guards; /* slots of guarded blocks; taken after the other */
};

struct mh_settings {
	enum mh_by by;
	int foreign_ignore;
	int check_frames; /* 1: compare each step outwards with the unwinder's; 2: or abort */
	int by_run;       /* `memhook run` made the segment */
	int follow;       /* ... and wants exec'ed programs too */
	uint32_t cache_bytes; /* of freed blocks that a thread may keep; 0: none */
	uint32_t depot_bytes; /* that each depot may hold beside them; 0: none */
	char report[256]; /* file for a report at exit; "": none */
	int report_pid;   /* the process that writes it */
};

extern struct mh_proc *mh_proc;          /* NULL before the first malloc */
extern struct mh_area *mh_area;          /* this process's counters */
extern struct mh_settings mh_settings;
extern uint64_t mh_secret __attribute__((visibility("hidden")));
extern char mh_program[64];              /* what the program was started as */
extern char mh_program_file[64];         /* name of its file */
extern char mh_program_path[4096];

/* First malloc of the process, or of a child without atfork handlers. */
void mh_process_start(void);
int mh_is_active(void);
/* From the environment; what is no number of bytes in these bounds is named. */
void mh_read_budget(const char *name, uint32_t least, uint32_t most, uint32_t *budget);

/* replaced.c: another malloc answers where ours was bound */
extern int mh_replaced;
void mh_look_for_valgrind(void);
uint64_t mh_unix_ms(void);

/* Are owners outside of scopes found by the call site? */
static inline int mh_by_caller(void)
{
	return mh_settings.by == MH_BY_LIBRARY || mh_settings.by == MH_BY_SITE;
}

static inline int mh_process_ready(void)
{
	/* acquire: pairs with the release in mh_process_start() */
	return mh_proc && atomic_load_explicit(&mh_proc->ready, memory_order_acquire);
}

/* handed.c: the descriptor that `memhook run` made, or -1 */
int mh_segment_handed(void);

/* segment.c: the area and its parts */
int mh_segment_open(void);            /* first process: 0, or -1 and a private area */
struct mh_area *mh_segment_claim(void); /* another area, for a forked child */
int mh_segment_inherit_shards(int to_be_read); /* in a child; -1: cannot be read */
void mh_segment_drop_shards(struct mh_area *parents);
void mh_segment_drop(struct mh_area *parents);
void mh_segment_goodbye(void);
int mh_shard_open(uint32_t shard);    /* make it accessible: 0 or -1 */

/*
 * Shards of mh_area that this process made accessible.  Private: the parent
 * opens more of the area that a child has still mapped, but not for it.
 */
extern _Atomic uint64_t mh_shards_open[MH_SHARD_WORDS];

static inline int mh_shard_is_open(uint32_t s)
{
	/* acquire: pairs with the release in mh_shard_open() */
	return atomic_load_explicit(&mh_shards_open[s / 64], memory_order_acquire) >>
		       (s % 64) & 1;
}

static inline struct mh_range *mh_area_ranges(const struct mh_area *a)
{
	return (struct mh_range *)((char *)a + a->ranges_offset);
}

static inline struct mh_maps *mh_area_maps(const struct mh_area *a)
{
	return (struct mh_maps *)((char *)a + a->maps_offset);
}

static inline struct mh_owner *mh_owners(const struct mh_area *a)
{
	return (struct mh_owner *)((char *)a + a->owners_offset);
}

static inline struct mh_coarse *mh_coarse(const struct mh_area *a)
{
	return (struct mh_coarse *)((char *)a + a->coarse_offset);
}

static inline struct mh_row *mh_base(const struct mh_area *a)
{
	return (struct mh_row *)((char *)a + a->base_offset);
}

static inline struct mh_object *mh_objects(const struct mh_area *a)
{
	return (struct mh_object *)((char *)a + a->objects_offset);
}

/* Net bytes of each row that its thread published; only that thread's. */
static inline int64_t *mh_shard_published(const struct mh_area *a, struct mh_row *rows)
{
	return (int64_t *)(rows + a->owners_max);
}

static inline struct mh_shard_end *mh_shard_end(const struct mh_area *a,
						struct mh_row *rows)
{
	return (struct mh_shard_end *)(mh_shard_published(a, rows) + a->owners_max);
}

/* Shards are mapped 16 at a time, when the first of them is used. */
#define MH_CHUNK 16
#define MH_CHUNKS (MH_SHARD_WORDS * 64 / MH_CHUNK)
extern _Atomic(char *) mh_chunks[MH_CHUNKS];

/* An open shard of mh_area. */
static inline struct mh_row *mh_shard(uint32_t shard)
{
	/* relaxed: that it is open was seen with acquire */
	char *chunk = atomic_load_explicit(&mh_chunks[shard / MH_CHUNK],
					   memory_order_relaxed);

	return (struct mh_row *)(chunk + shard % MH_CHUNK * mh_area->shard_stride);
}

/* fork.c */
int mh_fork_init(void);
int mh_fork_map_copy(void); /* 0 or -1 */
void mh_fork_adopt(int exactly);

#endif /* MH_PROCESS_H */
