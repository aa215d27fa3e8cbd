/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 20 operators new and delete of C++, in C by their mangled names: so
 * that none of them comes from another allocator's library, and the caller
 * of new is seen.  In the shared library only; in a static program
 * libstdc++'s own operators call our malloc.
 *
 * Built with -fexceptions: bad_alloc passes through these frames.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

#include "block.h"
#include "checks.h"
#include "diag.h"

#ifdef PIC /* below the headers: what make knows of them comes from either build */

#if SIZE_MAX > 0xffffffff && defined(__LP64__)
#define Z "m"
#else
#define Z "j"
#endif

#define OPERATOR(name) __asm__(name) __attribute__((visibility("default")))
#define NEW MH_LIVE_NEW
#define ARRAY MH_LIVE_NEW_ARRAY

typedef void (*new_handler)(void);

/*
 * libstdc++ may have come by dlopen, out of our sight: asked for by name,
 * when memory ran out and not before.
 */
static void *libstdcxx(const char *symbol)
{
	void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);

	return library ? dlsym(library, symbol) : NULL;
}

/* The same for what is not ours, too: without dlopen, which wants memory itself. */
static void *runtime(const char *symbol)
{
	void *found = dlsym(RTLD_DEFAULT, symbol);

	return found ? found : libstdcxx(symbol);
}

static __attribute__((noreturn)) void throw_bad_alloc(void)
{
	void (*throw)(void) = (void (*)(void))runtime("_ZSt17__throw_bad_allocv");

	if (throw)
		throw();
	mh_die("out of memory in operator new, and no libstdc++ to throw bad_alloc");
}

/* As the standard has it: call the handler until it helps, or throws. */
static MH_COLD void *new_failed(size_t align, size_t size, uint64_t meta,
				struct mh_from from)
{
	new_handler (*current)(void);

	current = (new_handler(*)(void))runtime("_ZSt15get_new_handlerv");
	for (;;) {
		new_handler handler = current ? current() : NULL;
		void *block;

		if (!handler)
			throw_bad_alloc();
		handler();
		block = mh_alloc_aligned(align, size, meta, from, 0);
		if (block)
			return block;
	}
}

/* A sibling call of the operator's: it returns to the same caller. */
static MH_NOINLINE void *new_fresh(size_t size, uint64_t meta, uint64_t w0)
{
	void *block = mh_alloc_missed(size, meta, w0, 0);

	return mh_likely(block != NULL) ? block : new_failed(0, size, meta, MH_HERE);
}

static MH_COLD void *new_asked(size_t size, uint64_t meta, struct mh_from from,
			       uintptr_t fp)
{
	void *block = mh_alloc_asked(size, meta, 0, from, fp);

	return mh_likely(block != NULL) ? block : new_failed(0, size, meta, from);
}

/* What mh_check_new() ends in. */
void *mh_new_unsure(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	(void)zero;
	return new_asked(size, meta, from, MH_FRAME_POINTER(from));
}

static MH_NOINLINE void *new_outside(size_t size, uint64_t meta, struct mh_from from)
{
	uintptr_t fp = MH_FRAME_POINTER(from);
	struct mh_hot *h = mh_hot;
	const struct mh_site *site = mh_site_outside(h, from, fp);

	if (mh_unlikely(!site))
		return new_asked(size, meta, from, fp);
	return mh_alloc_charged(h, site->row, site->owned, size, meta, 0, new_fresh);
}

static MH_NOINLINE void *new_ask(size_t size, uint64_t meta, int zero, struct mh_from from)
{
	(void)zero;
	if (mh_check_level == MH_CHECK_ON)
		return mh_check_new(size, meta, from);
	return new_outside(size, meta, from);
}

static inline __attribute__((always_inline)) void *new_plain(size_t size, uint64_t meta)
{
	return mh_alloc_hot(size, meta, 0, NULL, new_ask, new_fresh);
}

static void *new_aligned(size_t align, size_t size, uint64_t meta, struct mh_from from,
			 uintptr_t fp)
{
	void *block = mh_alloc_aligned(align, size, meta, from, fp);

	return mh_likely(block != NULL) ? block : new_failed(align, size, meta, from);
}

/*
 * The nothrow forms must return NULL when the handler throws, and a C frame
 * cannot catch.  libstdc++'s own form can: it calls the throwing one.
 */
static MH_COLD void *nothrow_failed(const char *symbol, size_t size, const void *tag)
{
	void *(*theirs)(size_t, const void *) =
		(void *(*)(size_t, const void *))libstdcxx(symbol);

	return theirs ? theirs(size, tag) : NULL;
}

static MH_COLD void *nothrow_failed_aligned(const char *symbol, size_t size, size_t align,
					    const void *tag)
{
	void *(*theirs)(size_t, size_t, const void *) =
		(void *(*)(size_t, size_t, const void *))libstdcxx(symbol);

	return theirs ? theirs(size, align, tag) : NULL;
}

void *op_new(size_t) OPERATOR("_Znw" Z);
void *op_new(size_t size)
{
	return new_plain(size, NEW);
}

void *op_new_array(size_t) OPERATOR("_Zna" Z);
void *op_new_array(size_t size)
{
	return new_plain(size, ARRAY);
}

void *op_new_nothrow(size_t, const void *) OPERATOR("_Znw" Z "RKSt9nothrow_t");
void *op_new_nothrow(size_t size, const void *tag)
{
	void *block = mh_alloc(size, NEW, NULL);

	return mh_likely(block != NULL)
		       ? block
		       : nothrow_failed("_Znw" Z "RKSt9nothrow_t", size, tag);
}

void *op_new_array_nothrow(size_t, const void *) OPERATOR("_Zna" Z "RKSt9nothrow_t");
void *op_new_array_nothrow(size_t size, const void *tag)
{
	void *block = mh_alloc(size, ARRAY, NULL);

	return mh_likely(block != NULL)
		       ? block
		       : nothrow_failed("_Zna" Z "RKSt9nothrow_t", size, tag);
}

void *op_new_align(size_t, size_t) OPERATOR("_Znw" Z "St11align_val_t");
void *op_new_align(size_t size, size_t align)
{
	return new_aligned(align, size, NEW, MH_HERE_AND_FP);
}

void *op_new_array_align(size_t, size_t) OPERATOR("_Zna" Z "St11align_val_t");
void *op_new_array_align(size_t size, size_t align)
{
	return new_aligned(align, size, ARRAY, MH_HERE_AND_FP);
}

void *op_new_align_nothrow(size_t, size_t, const void *)
	OPERATOR("_Znw" Z "St11align_val_tRKSt9nothrow_t");
void *op_new_align_nothrow(size_t size, size_t align, const void *tag)
{
	void *block = mh_alloc_aligned(align, size, NEW, MH_HERE_AND_FP);

	return block ? block
		     : nothrow_failed_aligned("_Znw" Z "St11align_val_tRKSt9nothrow_t",
					      size, align, tag);
}

void *op_new_array_align_nothrow(size_t, size_t, const void *)
	OPERATOR("_Zna" Z "St11align_val_tRKSt9nothrow_t");
void *op_new_array_align_nothrow(size_t size, size_t align, const void *tag)
{
	void *block = mh_alloc_aligned(align, size, ARRAY, MH_HERE_AND_FP);

	return block ? block
		     : nothrow_failed_aligned("_Zna" Z "St11align_val_tRKSt9nothrow_t",
					      size, align, tag);
}

/* Deleting: tags and alignments say nothing that the cookie does not know. */

void op_delete(void *) OPERATOR("_ZdlPv");
void op_delete(void *block)
{
	mh_free(block, NEW, MH_ANY_SIZE, NULL);
}

void op_delete_array(void *) OPERATOR("_ZdaPv");
void op_delete_array(void *block)
{
	mh_free(block, ARRAY, MH_ANY_SIZE, NULL);
}

void op_delete_nothrow(void *, const void *) OPERATOR("_ZdlPvRKSt9nothrow_t");
void op_delete_nothrow(void *block, const void *tag)
{
	(void)tag;
	mh_free(block, NEW, MH_ANY_SIZE, NULL);
}

void op_delete_array_nothrow(void *, const void *) OPERATOR("_ZdaPvRKSt9nothrow_t");
void op_delete_array_nothrow(void *block, const void *tag)
{
	(void)tag;
	mh_free(block, ARRAY, MH_ANY_SIZE, NULL);
}

void op_delete_align(void *, size_t) OPERATOR("_ZdlPvSt11align_val_t");
void op_delete_align(void *block, size_t align)
{
	(void)align;
	mh_free(block, NEW, MH_ANY_SIZE, NULL);
}

void op_delete_array_align(void *, size_t) OPERATOR("_ZdaPvSt11align_val_t");
void op_delete_array_align(void *block, size_t align)
{
	(void)align;
	mh_free(block, ARRAY, MH_ANY_SIZE, NULL);
}

void op_delete_align_nothrow(void *, size_t, const void *)
	OPERATOR("_ZdlPvSt11align_val_tRKSt9nothrow_t");
void op_delete_align_nothrow(void *block, size_t align, const void *tag)
{
	(void)align;
	(void)tag;
	mh_free(block, NEW, MH_ANY_SIZE, NULL);
}

void op_delete_array_align_nothrow(void *, size_t, const void *)
	OPERATOR("_ZdaPvSt11align_val_tRKSt9nothrow_t");
void op_delete_array_align_nothrow(void *block, size_t align, const void *tag)
{
	(void)align;
	(void)tag;
	mh_free(block, ARRAY, MH_ANY_SIZE, NULL);
}

void op_delete_sized(void *, size_t) OPERATOR("_ZdlPv" Z);
void op_delete_sized(void *block, size_t size)
{
	mh_free(block, NEW, size, NULL);
}

void op_delete_array_sized(void *, size_t) OPERATOR("_ZdaPv" Z);
void op_delete_array_sized(void *block, size_t size)
{
	mh_free(block, ARRAY, size, NULL);
}

void op_delete_sized_align(void *, size_t, size_t) OPERATOR("_ZdlPv" Z "St11align_val_t");
void op_delete_sized_align(void *block, size_t size, size_t align)
{
	(void)align;
	mh_free(block, NEW, size, NULL);
}

void op_delete_array_sized_align(void *, size_t, size_t)
	OPERATOR("_ZdaPv" Z "St11align_val_t");
void op_delete_array_sized_align(void *block, size_t size, size_t align)
{
	(void)align;
	mh_free(block, ARRAY, size, NULL);
}

#endif /* PIC */
