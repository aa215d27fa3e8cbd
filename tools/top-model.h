/* SPDX-License-Identifier: BSD-2-Clause */
/* What memhook top knows of one process; no terminal in here. */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include "report.h"
#include "top-history.h"
#include "tree.h"

/* An owner's past, by the row of its handle. */
struct top_past {
	memhook_owner owner;       /* of the latest sample */
	uint64_t calls, bytes;     /* allocated, as of that sample */
	uint64_t sample;           /* its number; 0: never */
	memhook_owner base_owner;  /* who had the row at the reset, ... */
	uint64_t base_live;        /* ... and what it held; 0: none */
	uint32_t base_kind;
	char base_name[MEMHOOK_NAME_MAX];
};

struct top_model {
	struct mh_snapshot last; /* names point into it */
	uint64_t samples;
	uint64_t time_ms;        /* of the last one, on the caller's clock */
	uint64_t base_time_ms;   /* of the reset */
	uint64_t base_total;
	struct tree_numbers total;
	struct tree_owner *owners; /* those of `last`, then those gone since the reset */
	size_t owner_count;
	struct top_past *past;
	size_t past_rows;
	struct tree tree;
	struct top_histories histories;
	char filter[64];
};

void model_init(struct top_model *m);
void model_free(struct top_model *m);

/* The next sample; takes the snapshot over. */
void model_add(struct top_model *m, struct mh_snapshot *s, uint64_t now_ms);

/* Changes count from here: the last sample. */
void model_reset(struct top_model *m);

/* Show what contains this alone; "" ends it. */
void model_filter(struct top_model *m, const char *text);

/* Owners that pass the filter, and what they hold. */
void model_filtered(const struct top_model *m, size_t *owners, uint64_t *live);

#endif /* TOP_MODEL_H */
