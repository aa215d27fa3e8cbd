/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library that allocates for others, from frames of all kinds: through.c
 * has it on the list of libraries that are seen through.
 */
#include <alloca.h>
#include <stdlib.h>
#include <string.h>

#include "layers.h"

#define EXPORT __attribute__((visibility("default"), noinline))

/* Something after the call, so that it is no jump. */
static void *keep(void *p)
{
	__asm__ volatile("" : "+r"(p));
	return p;
}

EXPORT void *layer_plain(size_t size)
{
	return keep(malloc(size));
}

/* A frame of a size that is known when it runs: ends at the frame pointer. */
EXPORT void *layer_alloca(size_t size, layer_fn *inner)
{
	char *room = alloca(size % 100 + 16);

	memset(room, 1, size % 100 + 16);
	__asm__ volatile("" : : "r"(room) : "memory");
	return keep(inner ? inner(size) : malloc(size));
}

/* It has the frame pointer's register in use, and saved. */
EXPORT void *layer_clobber(size_t size)
{
#if defined(__x86_64__) && defined(__OPTIMIZE__)
	__asm__ volatile("xor %%ebp, %%ebp" : : : "rbp");
#endif
	return keep(malloc(size));
}

EXPORT void *layer_deep(size_t size, unsigned depth)
{
	return keep(depth ? layer_deep(size, depth - 1) : malloc(size));
}

/* Back to the program, and into the library again. */
EXPORT void *layer_back(size_t size, layer_fn *inner)
{
	return keep(inner(size));
}

EXPORT void *layer_calloc(size_t size)
{
	return keep(calloc(1, size));
}

EXPORT void *layer_realloc(size_t size)
{
	return keep(realloc(NULL, size));
}

EXPORT void *layer_aligned(size_t size)
{
	return keep(aligned_alloc(256, size));
}

EXPORT void *layer_strdup(size_t size)
{
	char text[200];

	memset(text, 'x', size - 1);
	text[size - 1] = '\0';
	return keep(strdup(text));
}

#ifdef __x86_64__
/* Somebody's assembler, without a word about its frame. */
__asm__(".text\n"
	".globl layer_lost\n"
	".type layer_lost, @function\n"
	"layer_lost:\n"
	"	subq $8, %rsp\n"
	"	call malloc@PLT\n"
	"	addq $8, %rsp\n"
	"	ret\n"
	".size layer_lost, . - layer_lost\n");
#endif
