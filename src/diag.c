/* SPDX-License-Identifier: BSD-2-Clause */
#include "diag.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "checks.h"
#include "cookie.h"
#include "process.h"
#include "zero.h"

void mh_put(struct mh_line_out *o, const char *s)
{
	while (*s && o->used < sizeof(o->buf) - 1)
		o->buf[o->used++] = *s++;
}

static void put_number(struct mh_line_out *o, uint64_t n, unsigned base)
{
	char digits[24], *d = digits + sizeof(digits) - 1;

	*d = '\0';
	do {
		*--d = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	mh_put(o, d);
}

void mh_put_dec(struct mh_line_out *o, uint64_t n)
{
	put_number(o, n, 10);
}

void mh_put_hex(struct mh_line_out *o, uint64_t n)
{
	put_number(o, n, 16);
}

void mh_put_end(struct mh_line_out *o)
{
	size_t done = 0;
	int saved = errno;

	if (o->used == sizeof(o->buf) - 1)
		o->buf[o->used - 1] = '\n';
	while (done < o->used) {
		ssize_t n = write(o->fd, o->buf + done, o->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	errno = saved;
}

const char *mh_call_name(uint64_t expected)
{
	switch (MH_META_KIND(expected)) {
	case MEMHOOK_NEW:
		return "operator delete";
	case MEMHOOK_NEW_ARRAY:
		return "operator delete[]";
	default:
		return "free()";
	}
}

static const char *maker(uint64_t meta)
{
	switch (MH_META_KIND(meta)) {
	case MEMHOOK_NEW:
		return "operator new";
	case MEMHOOK_NEW_ARRAY:
		return "operator new[]";
	default:
		return "malloc";
	}
}

void mh_put_at(struct mh_line_out *o, const char *what, const void *caller)
{
	struct dl_find_object found;
	const char *name, *slash;

	mh_put(o, what);
	if (_dl_find_object((char *)caller - 1, &found)) {
		mh_put(o, "0x");
		mh_put_hex(o, (uintptr_t)caller);
		return;
	}
	name = found.dlfo_link_map->l_name;
	slash = strrchr(name, '/');
	mh_put(o, slash ? slash + 1 : name[0] ? name : mh_program);
	mh_put(o, "+0x");
	mh_put_hex(o, (uintptr_t)caller - found.dlfo_link_map->l_addr);
}

void mh_put_start(struct mh_line_out *o, const char *what, const char *call,
		  const void *pointer)
{
	mh_put(o, "memhook: ");
	mh_put(o, what);
	if (call) {
		mh_put(o, " in ");
		mh_put(o, call);
	}
	mh_put(o, ": pointer 0x");
	mh_put_hex(o, (uintptr_t)pointer);
}

void mh_put_block(struct mh_line_out *o, uint64_t w0)
{
	uint32_t row = mh_cookie_owner(w0);

	mh_put(o, ", ");
	mh_put_dec(o, mh_cookie_size(w0));
	mh_put(o, " bytes, owner \"");
	mh_put(o, row < mh_area->owners_max ? mh_owners(mh_area)[row].name : "?");
	mh_put(o, "\"");
}

void mh_say(const char *what)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	mh_put(&o, "memhook: ");
	mh_put(&o, what);
	mh_put(&o, "\n");
	mh_put_end(&o);
}

void mh_die(const char *what)
{
	mh_say(what);
	abort();
}

void mh_die_block(const char *what, const char *call, const void *block, uint64_t w0,
		  const void *caller)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	mh_put_start(&o, what, call, block);
	mh_put_block(&o, w0);
	mh_put_trace(&o, block);
	mh_put_at(&o, ", called from ", caller);
	mh_put(&o, "\n");
	mh_put_end(&o);
	abort();
}

void mh_die_pointer(const char *what, const char *call, const void *pointer,
		    const void *caller)
{
	static _Atomic int said;
	struct mh_line_out o = { .fd = STDERR_FILENO };

	if (mh_settings.foreign_ignore) {
		atomic_fetch_add_explicit(&mh_area->foreign_ignored, 1, MH_RELAXED);
		if (atomic_exchange(&said, 1))
			return;
	}
	mh_put_start(&o, what, call, pointer);
	mh_put_at(&o, ", called from ", caller);
	mh_put(&o, mh_settings.foreign_ignore
			   ? " (passed over, and those that follow)\n"
			   : " (MEMHOOK_FOREIGN=ignore passes over such pointers)\n");
	mh_put_end(&o);
	if (!mh_settings.foreign_ignore)
		abort();
}

/* With checks there is no second one. */
static int is_worth_saying(void)
{
	static _Atomic int said;

	atomic_fetch_add_explicit(&mh_area->mismatched, 1, MH_RELAXED);
	return !atomic_exchange(&said, 1) || mh_check_level;
}

static void end_mismatch(struct mh_line_out *o, const void *block, const void *caller)
{
	mh_put_trace(o, block);
	mh_put_at(o, ", called from ", caller);
	mh_put(o, "\n");
	mh_put_end(o);
	if (mh_check_level)
		abort();
}

void mh_warn_mismatch(const void *block, uint64_t meta, uint64_t expected,
		      const void *caller)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	if (!is_worth_saying())
		return;
	mh_put_start(&o, "mismatched free", mh_call_name(expected), block);
	mh_put_block(&o, mh_cookie_of(block)->w0);
	mh_put(&o, ", allocated by ");
	mh_put(&o, maker(meta));
	end_mismatch(&o, block, caller);
}

void mh_warn_size(const void *block, size_t claimed, uint64_t expected,
		  const void *caller)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	if (!is_worth_saying())
		return;
	mh_put_start(&o, "wrong size", mh_call_name(expected), block);
	mh_put_block(&o, mh_cookie_of(block)->w0);
	mh_put(&o, ", freed as ");
	mh_put_dec(&o, claimed);
	mh_put(&o, " bytes");
	end_mismatch(&o, block, caller);
}
