/* SPDX-License-Identifier: BSD-2-Clause */
/* What an actor can do with blocks; owners.c has the rest. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "model.h"

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t align, size_t size);
void cfree(void *block);

#define EDGE 4096 /* of a large block, this much at both ends is filled */

unsigned long model_refused;
int (*model_fault)(void);
int model_has_new = 1;

static size_t edge(size_t size)
{
	return size < EDGE ? size : EDGE;
}

static int all_are(const unsigned char *p, size_t n, unsigned char value)
{
	return !n || (*p == value && memcmp(p, p + 1, n - 1) == 0);
}

static void fill(struct model_block *b, unsigned char value)
{
	char *p = b->p;

	b->fill = value;
	memset(p, value, edge(b->size));
	memset(p + b->size - edge(b->size), value, edge(b->size));
}

/* What was written is there, as far as both sizes have it. */
static void check_filled(const struct model_block *b, size_t had)
{
	const unsigned char *p = b->p;
	size_t n = had < b->size ? had : b->size;

	if (!all_are(p, edge(n), b->fill) ||
	    (n == had && !all_are(p + n - edge(n), edge(n), b->fill)))
		model_fail("a block of %zu bytes is not what was written", b->size);
}

void model_drop(struct model_actor *a, struct model_block *b)
{
	unsigned form = model_byte(&a->in);

	if (!b->p)
		return;
	check_filled(b, b->size);
	model_uncount(b->owner, b->size);
	errno = 4711;
	if (b->kind == MEMHOOK_NEW)
		model_delete(form & ~1u, b->p, b->size, b->align);
	else if (b->kind == MEMHOOK_NEW_ARRAY)
		model_delete(form | 1, b->p, b->size, b->align);
	else if (form % 8 == 0)
		free_sized(b->p, b->size);
	else if (form % 8 == 1)
		free_aligned_sized(b->p, b->align, b->size);
	else if (form % 8 == 2)
		cfree(b->p);
	else
		free(b->p);
	if (errno != 4711)
		model_fail("free changed errno to %d", errno);
	b->p = NULL;
}

/* Small, at the borders of size classes, large, very large. */
static size_t some_size(struct model_actor *a)
{
	unsigned how = model_byte(&a->in);
	size_t n = model_word(&a->in);

	if (how < 160)
		return n % 512;
	if (how < 220)
		return n % 8192;
	if (how < 240)
		return ((size_t)32 << n % 12) - 17 + (n >> 8) % 3;
	return how < 254 ? n * 5 : n * 64;
}

/* Would the scope's hard limit refuse it?  Only one who acts alone can tell. */
static int limit_of(struct model_actor *a, uint64_t more)
{
	struct model_owner *o = a->scope[a->depth].effective;

	if (!o || !o->hard || !more)
		return 0;
	return !a->alone ? -1 : model_live(o) + (int64_t)more > (int64_t)o->hard;
}

static void check_refusal(struct model_actor *a, size_t more, const void *p)
{
	int expected = limit_of(a, more), fault = model_fault ? model_fault() : 0;

	if (!p && errno != ENOMEM)
		model_fail("refused with errno %d", errno);
	if (fault > 0 && p)
		model_fail("%zu bytes out of a call that failed", more);
	if (fault > 0 || (fault && !p))
		return;
	if (expected >= 0 && expected != !p)
		model_fail("%zu bytes %s by a limit of %llu", more,
			   p ? "not refused" : "refused",
			   a->scope[a->depth].effective
				   ? (unsigned long long)a->scope[a->depth].effective->hard
				   : 0);
	if (!p && !expected)
		model_fail("%zu bytes refused, and there is no limit", more);
	if (!p)
		__atomic_fetch_add(&model_refused, 1, __ATOMIC_RELAXED);
}

/* A new block came, or did not. */
static void keep(struct model_actor *a, struct model_block *b, void *p, size_t size,
		 size_t align, unsigned kind)
{
	check_refusal(a, size, p);
	if (!p)
		return;
	if ((uintptr_t)p % align)
		model_fail("%p is not aligned to %zu", p, align);
	b->p = p;
	b->size = size;
	b->align = align;
	b->kind = (unsigned char)kind;
	b->owner = a->scope[a->depth].effective;
	model_count(b->owner, size);
	if (malloc_usable_size(p) != size)
		model_fail("%zu bytes usable, not %zu", malloc_usable_size(p), size);
	fill(b, (unsigned char)(1 + model_byte(&a->in) % 255));
}

struct model_block *model_any(struct model_actor *a)
{
	return &a->block[model_byte(&a->in) % MODEL_BLOCKS];
}

static struct model_block *emptied(struct model_actor *a)
{
	struct model_block *b = model_any(a);

	model_drop(a, b);
	errno = 0;
	return b;
}

void model_malloc(struct model_actor *a)
{
	struct model_block *b = emptied(a);
	size_t size = some_size(a);

	keep(a, b, malloc(size), size, 16, MEMHOOK_MALLOC);
}

void model_calloc(struct model_actor *a)
{
	struct model_block *b = emptied(a);
	size_t size = some_size(a), count = model_byte(&a->in) % 5;
	unsigned char *p = calloc(count, size);

	size *= count;
	if (p && (!all_are(p, edge(size), 0) ||
		  !all_are(p + size - edge(size), edge(size), 0)))
		model_fail("calloc of %zu bytes is not zero", size);
	keep(a, b, p, size, 16, MEMHOOK_MALLOC);
}

void model_aligned(struct model_actor *a)
{
	struct model_block *b = emptied(a);
	unsigned how = model_byte(&a->in);
	size_t size = some_size(a), align = (size_t)8 << how / 16 % 14, power = align;
	void *p = NULL;
	int rc;

	switch (how % 5) {
	case 0:
		p = aligned_alloc(align, size);
		break;
	case 1:
		p = memalign(align - how / 16 % 3, size); /* rounded up */
		break;
	case 2:
		power = 4096;
		p = valloc(size);
		break;
	case 3:
		power = 4096;
		size = (size + 4095) & ~(size_t)4095;
		p = pvalloc(size);
		break;
	default:
		p = a;
		errno = 4711;
		rc = posix_memalign(&p, align, size);
		if ((rc && rc != ENOMEM) || errno != 4711 || (rc != 0) != (p == a))
			model_fail("posix_memalign returns %d, errno %d", rc, errno);
		p = rc ? NULL : p;
		errno = rc;
	}
	keep(a, b, p, size, power < 16 ? 16 : power, MEMHOOK_MALLOC);
}

/* Not what may be refused: the exception, too, would be charged. */
void model_new_one(struct model_actor *a)
{
	struct model_block *b = emptied(a);
	unsigned form = model_byte(&a->in);
	size_t size = some_size(a), align = form & 4 ? (size_t)32 << form / 16 : 16;

	if (!model_has_new || limit_of(a, size))
		return;
	keep(a, b, model_new(form, size, align), size, align,
	     form & 1 ? MEMHOOK_NEW_ARRAY : MEMHOOK_NEW);
}

void model_copy(struct model_actor *a)
{
	struct model_block *b = emptied(a);
	size_t length = model_byte(&a->in), form = model_byte(&a->in) % 3;
	wchar_t wide[256];
	char text[256];

	memset(text, 'x', length);
	text[length] = '\0';
	wmemset(wide, L'x', length);
	wide[length] = L'\0';
	if (form == 0)
		keep(a, b, strdup(text), length + 1, 16, MEMHOOK_MALLOC);
	else if (form == 1)
		keep(a, b, strndup(text, length / 2), length / 2 + 1, 16, MEMHOOK_MALLOC);
	else
		keep(a, b, wcsdup(wide), (length + 1) * sizeof(*wide), 16, MEMHOOK_MALLOC);
}

/*
 * The owner stays, and its limit asks only in its own scope.  What `realloc`
 * may not do is lose the old block.
 */
void model_realloc(struct model_actor *a)
{
	struct model_block *b = model_any(a);
	size_t size = some_size(a), had = b->size, more;
	unsigned form = model_byte(&a->in) % 3;
	void *p;

	if (!b->p || b->kind != MEMHOOK_MALLOC || !size)
		return;
	size += form == 1 && size == had; /* could not be told from a refusal */
	more = size > had ? size - had : 0;
	errno = 0;
	p = form == 0 ? reallocarray(b->p, 1, size)
	  : form == 1 ? memhook_lalloc(NULL, b->p, had, size)
		      : realloc(b->p, size);
	/* Lua's way: what cannot be made smaller stays as it is */
	if (form == 1 && size < had && p == b->p && malloc_usable_size(p) == had &&
	    model_fault && model_fault())
		p = NULL;
	else if (b->owner && b->owner == a->scope[a->depth].effective &&
		 a->scope[a->depth].said == b->owner->handle)
		check_refusal(a, more, p);
	else if (!p && (!model_fault || !model_fault()))
		model_fail("realloc refused, and no limit asks");
	if (!p) {
		check_filled(b, had);
		return;
	}
	model_count(b->owner, size);
	model_uncount(b->owner, had);
	b->p = p;
	b->size = size;
	b->align = 16;
	check_filled(b, had);
	if (malloc_usable_size(p) != size)
		model_fail("%zu bytes usable after realloc to %zu", malloc_usable_size(p),
			   size);
	fill(b, b->fill);
}

void model_free(struct model_actor *a)
{
	model_drop(a, model_any(a));
}

/* realloc to nothing frees, as glibc's does. */
void model_realloc_to_nothing(struct model_actor *a)
{
	struct model_block *b = model_any(a);

	if (!b->p || b->kind != MEMHOOK_MALLOC)
		return;
	model_uncount(b->owner, b->size);
	if (realloc(b->p, 0))
		model_fail("realloc(p, 0) returned a block");
	b->p = NULL;
}

void model_inspect(struct model_actor *a)
{
	struct memhook_block known = { .size = sizeof(known) };
	struct model_block *b = model_any(a);

	if (!b->p)
		return;
	check_filled(b, b->size);
	if (memhook_inspect(b->p, &known) || known.state != MEMHOOK_BLOCK_LIVE ||
	    known.kind != b->kind || known.requested != b->size ||
	    known.alignment != b->align)
		model_fail("a block of %zu bytes by %u, aligned to %zu, is known as %zu, "
			   "%u, %zu", b->size, b->kind, b->align, known.requested,
			   known.kind, known.alignment);
	if (known.owner != (b->owner ? b->owner->handle : MEMHOOK_NOBODY))
		model_fail("its owner is %#llx, not %s", (unsigned long long)known.owner,
			   b->owner ? b->owner->name : "nobody");
}

void model_hand_over(struct model_actor *a)
{
	model_swap_mail(model_byte(&a->in), model_any(a));
}
