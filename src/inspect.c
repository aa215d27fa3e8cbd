/* SPDX-License-Identifier: BSD-2-Clause */
#include "inspect.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "block.h"
#include "diag.h"
#include "guard.h"
#include "memhook.h"
#include "owner.h"
#include "process.h"
#include "ranges.h"
#include "zero.h"

/*
 * rt_sigprocmask reads a set before it refuses what to do with it: EFAULT where
 * nothing can be read, EINVAL elsewhere.
 */
#define SET_SIZE (_NSIG / 8) /* as the kernel has it */

static int peek_by_sets(const char *from, char *to, size_t n)
{
	size_t i;

	for (i = 0; i + SET_SIZE <= n; i += SET_SIZE) {
		if (!syscall(SYS_rt_sigprocmask, -1, from + i, NULL, SET_SIZE) ||
		    errno != EINVAL)
			return 0;
		memcpy(to + i, from + i, SET_SIZE);
	}
	return i == n;
}

/*
 * The kernel copies: it answers EFAULT where we would crash.  The second way
 * is for sandboxes and emulators that do not have the first; it needs neither
 * /proc nor a descriptor, but somebody may unmap what it looks at.
 */
int mh_peek(const void *from, void *to, size_t n)
{
	struct iovec local = { to, n }, remote = { (void *)from, n };
	int saved = errno, ok;

	ok = process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)n ||
	     (errno != EFAULT && peek_by_sets(from, to, n));
	errno = saved;
	return ok ? 0 : -1;
}

uint64_t mh_peek_meta(const void *block, uint64_t *w0)
{
	struct mh_cookie c;

	if (mh_guard_has(block))
		return mh_guard_meta(block, w0);
	*w0 = 0;
	if ((uintptr_t)block % MH_COOKIE_SIZE || (uintptr_t)block < 4096 ||
	    mh_peek(mh_cookie_of(block), &c, sizeof(c)))
		return 0;
	*w0 = c.w0;
	return mh_cookie_meta(&c, block, mh_secret);
}

int mh_cookie_is_known(const struct mh_cookie *c)
{
	return mh_range_has(c) && !mh_guard_has(c);
}

static uint64_t read_meta(const void *block, uint64_t *w0)
{
	const struct mh_cookie *c = mh_cookie_of(block);

	if (mh_guard_has(block))
		return mh_guard_meta(block, w0);
	if (((uintptr_t)block & 4095) >= MH_COOKIE_SIZE || mh_zero_has(block) ||
	    mh_cookie_is_known(c)) {
		*w0 = c->w0;
		return mh_cookie_meta(c, block, mh_secret);
	}
	return mh_peek_meta(block, w0);
}

uint64_t mh_verify(const void *block, const char *call, const void *caller)
{
	uint64_t meta, w0;

	if ((uintptr_t)block % MH_COOKIE_SIZE) {
		mh_die_pointer("misaligned pointer", call, block, caller);
		return 0;
	}
	meta = read_meta(block, &w0);
	if (MH_META_STATE(meta) == MH_FREED)
		mh_die_block("double free", call, block, w0, caller);
	if (MH_META_STATE(meta) != MH_LIVE) {
		if (mh_guard_has(block))
			mh_die_guarded(block, call, caller);
		mh_die_pointer("foreign pointer", call, block, caller);
		return 0;
	}
	return meta;
}

size_t mh_usable_size(void *block, const void *caller)
{
	if (!block)
		return 0;
	mh_attach();
	if (!mh_verify(block, "malloc_usable_size()", caller))
		return 0;
	return mh_cookie_size(mh_cookie_of(block)->w0);
}

int memhook_inspect(const void *ptr, struct memhook_block *out)
{
	struct memhook_block b = { .size = sizeof(b) };
	uint64_t meta, w0;
	size_t size = out->size;

	if (size < sizeof(b)) {
		errno = EINVAL;
		return -1;
	}
	meta = mh_process_ready() ? mh_peek_meta(ptr, &w0) : 0;
	if (MH_META_STATE(meta) == MH_LIVE || MH_META_STATE(meta) == MH_FREED) {
		b.state = MH_META_STATE(meta) == MH_LIVE ? MEMHOOK_BLOCK_LIVE
							 : MEMHOOK_BLOCK_FREED;
		b.kind = MH_META_KIND(meta);
		b.owner = mh_owner_handle(mh_cookie_owner(w0));
		b.requested = mh_cookie_size(w0);
		b.alignment = MH_META_ALIGN(meta) ? (size_t)1 << MH_META_ALIGN(meta)
						  : MH_COOKIE_SIZE;
		b.cookie = mh_cookie_of(ptr);
	}
	b.size = size;
	memcpy(out, &b, sizeof(b));
	return 0;
}

void memhook_dump(const void *ptr)
{
	struct memhook_block b = { .size = sizeof(b) };
	struct mh_line_out o = { .fd = STDOUT_FILENO };

	memhook_inspect(ptr, &b);
	if (b.state == MEMHOOK_BLOCK_FOREIGN) {
		mh_put(&o, "[mem_cookie: none]: not a block of memhook\nptr: 0x");
	} else {
		mh_put(&o, "[mem_cookie: 0x");
		mh_put_hex(&o, (uintptr_t)b.cookie);
		mh_put(&o, "]: mem_size: ");
		mh_put_dec(&o, b.requested);
		mh_put(&o, " bytes, tag: ");
		mh_put(&o, b.state == MEMHOOK_BLOCK_LIVE ? "MEM_MALLOCED" : "MEM_FREE");
		mh_put(&o, ", cookie_size: 16 bytes\nptr: 0x");
	}
	mh_put_hex(&o, (uintptr_t)ptr);
	mh_put(&o, "\n");
	mh_put_end(&o);
}
