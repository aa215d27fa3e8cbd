/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole API against a reference model: what a stream of bytes says is
 * done both to the library and to plain numbers that malloc knows nothing of,
 * and the two are compared.
 *
 * An actor is who executes: it has blocks, scopes, and owners that only it
 * creates, enters and retires.  Blocks go from actor to actor by mailboxes.
 * model.c has the comparison, blocks.c and owners.c what an actor can do.
 */
#ifndef TESTS_FUZZ_MODEL_H
#define TESTS_FUZZ_MODEL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <memhook.h>

#include "operators.h"

#define MODEL_ACTORS 8
#define MODEL_BLOCKS 96
#define MODEL_NAMES 4   /* owners that an actor has at a time */
#define MODEL_ROWS 64   /* ... and those that it retired and that hold blocks */
#define MODEL_DEPTH 6   /* scopes in scopes */
#define MODEL_MAILS 64

struct model_owner {
	memhook_owner handle;
	char name[40];
	int used, retired;
	uint64_t hard; /* 0: no limit */
	_Atomic int64_t alloc_bytes, alloc_calls, free_bytes, free_calls;
};

struct model_block {
	void *p;
	size_t size, align;
	struct model_owner *owner; /* NULL: nobody */
	unsigned char fill;
	unsigned char kind; /* enum memhook_alloc_kind */
};

/* Bytes to act by: an input's, or as many as one likes from a seed. */
struct model_stream {
	const uint8_t *data;
	size_t left;
	uint64_t random;
	int ended;
};

struct model_scope {
	memhook_owner said;            /* what memhook_current() answers */
	struct model_owner *effective; /* who is charged; NULL: nobody */
};

struct model_actor {
	struct model_block block[MODEL_BLOCKS];
	struct model_owner row[MODEL_ROWS];
	struct model_owner *name[MODEL_NAMES];
	struct model_scope scope[MODEL_DEPTH + 1]; /* [0]: none */
	memhook_owner left[MODEL_DEPTH + 1]; /* for memhook_leave() */
	unsigned depth;
	unsigned number, generation;
	int alone; /* nobody else acts: what happens can be foretold */
	unsigned long steps;
	struct model_stream in;
};

extern struct model_actor model_actors[MODEL_ACTORS];

/* model.c */
void model_init(void);
void model_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
extern void (*model_failed)(void);  /* called before the end, to say where */
unsigned model_byte(struct model_stream *in);
size_t model_word(struct model_stream *in); /* two bytes of it */
void model_count(struct model_owner *o, size_t size);
void model_uncount(struct model_owner *o, size_t size);
int64_t model_live(struct model_owner *o);
struct model_owner *model_owner_new(struct model_actor *a);
void model_check_owner(struct model_owner *o);
void model_check(void);             /* at rest: every owner, and the totals */
void model_begin_thread(struct model_actor *a); /* it has no scope yet */
void model_give_all_back(void);     /* all blocks, all owners */
int model_swap_mail(unsigned i, struct model_block *b); /* 0: busy */
extern int model_no_mail;           /* the mails are not to be believed */

/* blocks.c: a block comes or goes, changes or is looked at */
void model_malloc(struct model_actor *a);
void model_calloc(struct model_actor *a);
void model_aligned(struct model_actor *a);
void model_new_one(struct model_actor *a);
void model_copy(struct model_actor *a);
void model_realloc(struct model_actor *a);
void model_realloc_to_nothing(struct model_actor *a);
void model_free(struct model_actor *a);
void model_inspect(struct model_actor *a);
void model_hand_over(struct model_actor *a);
void model_drop(struct model_actor *a, struct model_block *b);
struct model_block *model_any(struct model_actor *a);
extern unsigned long model_refused;
/* Did a call underneath fail since it was asked last?  1; -1: perhaps. */
extern int (*model_fault)(void);
extern int model_has_new; /* the operators are the library's, and never fail */

/* owners.c */
void model_step(struct model_actor *a);
extern unsigned long model_forks, model_retired;

/* input.c */
void model_input(const uint8_t *data, size_t size);

#endif /* TESTS_FUZZ_MODEL_H */
