/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where an allocation comes from, and what a thread remembers of the places
 * that it came from before.
 */
#ifndef MH_CALLER_H
#define MH_CALLER_H

#include <stdint.h>

/* A caller: the return address, and the stack pointer once it was taken. */
struct mh_from {
	const void *caller;
	uintptr_t cfa;
};

#define MH_HERE ((struct mh_from){ __builtin_return_address(0), \
				   (uintptr_t)__builtin_dwarf_cfa() })

/*
 * The caller's frame pointer, for a function that the function at `from`
 * ended in (a sibling call).  0 where it was called instead, since then the
 * register may hold something else.
 */
#if defined(__x86_64__)
#define MH_FRAME_POINTER(from)                                                     \
	((uintptr_t)__builtin_frame_address(0) + 2 * sizeof(void *) == (from).cfa  \
		 ? *(const uintptr_t *)__builtin_frame_address(0) : (uintptr_t)0)
#elif defined(__i386__)
/*
 * Arguments lie on the stack there, and calls are calls.  But all of the library
 * is built with frame pointers, so the caller's lies below the return address.
 */
#define MH_FRAME_POINTER(from)                                                     \
	((void)__builtin_frame_address(0),                                         \
	 *(const uintptr_t *)((from).cfa - 2 * sizeof(void *)))
#else
#define MH_FRAME_POINTER(from) ((void)(from), (uintptr_t)0)
#endif

/* For functions in no hurry: they keep a frame of their own for it. */
#define MH_HERE_AND_FP MH_HERE, MH_FRAME_POINTER(MH_HERE)

/* How the next return address is found from a call site: frame.c. */
enum mh_step_kind {
	MH_STEP_NONE, /* not needed: this one is charged */
	MH_STEP_SP,   /* the frame ends at the stack pointer + cfa_offset */
	MH_STEP_FP,   /* ... at the frame pointer + cfa_offset */
	MH_STEP_LOST  /* no such rule */
};

struct mh_step {
	int32_t cfa_offset;
	int16_t fp_offset; /* from the frame's end to the saved frame pointer; 0: kept */
	uint8_t kind;      /* enum mh_step_kind */
	uint8_t fp_lost;   /* the frame pointer cannot be followed */
};

/* One entry of a thread's table: call site -> owner.  32 bytes with any pointers. */
struct mh_site {
	_Alignas(8) uintptr_t caller;    /* 0: empty; mh_site_through() */
	_Alignas(8) struct mh_row *row;  /* of the owner */
	uint64_t owned;                  /* mh_w0_owned() of it */
	struct mh_step step;
};

#define MH_SITES 512

/*
 * Where the step is to be taken, the entry is under a key that no caller which
 * is looked up in its place has: malloc then finds it is not for it, with the
 * one compare that it makes.
 */
static inline uintptr_t mh_site_through(const void *caller)
{
	return (uintptr_t)caller ^ 1;
}

/* caller.c */
struct mh_hot;
uint64_t mh_caller_owner(struct mh_hot *h, struct mh_from from, uintptr_t fp,
			 uint64_t size);
int mh_caller_is_current(const struct mh_hot *h);
void mh_caller_unload_begin(void);
void mh_caller_unload_end(void);

#endif /* MH_CALLER_H */
