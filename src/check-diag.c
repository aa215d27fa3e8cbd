/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the checks: as diag.c's, with where the block came from. */
#include "checks.h"

#include <stdlib.h>
#include <unistd.h>

#include "diag.h"
#include "guard.h"
#include "zero.h"

void mh_put_trace(struct mh_line_out *o, const void *block)
{
	const struct mh_trace *t = mh_trace(block);

	if (mh_guard_has(block))
		t = &mh_guard_at(block)->trace;
	else if (!mh_check_level || mh_zero_has(block))
		return;
	mh_put_at(o, ", allocated at ", (void *)t->allocated);
	if (t->freed)
		mh_put_at(o, ", freed at ", (void *)t->freed);
}

/* NULL: found at exit, long after. */
static void put_caller(struct mh_line_out *o, const void *caller)
{
	if (caller)
		mh_put_at(o, ", called from ", caller);
}

static __attribute__((noreturn)) void end(struct mh_line_out *o)
{
	mh_put(o, "\n");
	mh_put_end(o);
	abort();
}

static void put_byte(struct mh_line_out *o, const char *before, size_t at,
		     const char *after)
{
	mh_put(o, before);
	mh_put_dec(o, at);
	mh_put(o, after);
}

void mh_die_overflow(const void *block, size_t at, const char *call, const void *caller)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	mh_put_start(&o, "overflow found", call, block);
	mh_put_block(&o, mh_cookie_of(block)->w0);
	put_byte(&o, ", byte ", at, " behind its end was written");
	mh_put_trace(&o, block);
	put_caller(&o, caller);
	end(&o);
}

void mh_die_underflow(const void *block, size_t by, const char *call, const void *caller)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	mh_put_start(&o, "underflow found", call, block);
	mh_put_block(&o, mh_cookie_of(block)->w0);
	put_byte(&o, ", byte ", by, " before it was written");
	mh_put_trace(&o, block);
	put_caller(&o, caller);
	end(&o);
}

void mh_die_after_free(const void *block, size_t at)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };
	size_t size = mh_cookie_size(mh_cookie_of(block)->w0);

	mh_put_start(&o, "write after free", NULL, block);
	mh_put_block(&o, mh_cookie_of(block)->w0);
	if (at < size)
		put_byte(&o, ", byte ", at, " was written");
	else
		put_byte(&o, ", byte ", at - size, " behind its end was written");
	mh_put_trace(&o, block);
	end(&o);
}

/* Size and owner are gone with the cookie. */
void mh_die_before_freed(const void *block)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	mh_put_start(&o, "write before a freed block", NULL, block);
	mh_put_trace(&o, block);
	end(&o);
}

/* Its table knows the block: an underflow, or a pointer into its middle. */
void mh_die_guarded(const void *block, const char *call, const void *caller)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };
	const struct mh_guard *g = mh_guard_at(block);

	if (!g || g->block != block)
		return;
	mh_put_start(&o, "underflow found", call, block);
	mh_put(&o, ", ");
	mh_put_dec(&o, g->size);
	mh_put(&o, " bytes");
	mh_put_trace(&o, block);
	put_caller(&o, caller);
	end(&o);
}
