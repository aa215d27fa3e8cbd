/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fault in the stretch of guarded blocks is explained; then it goes its way:
 * to the handler that was there before us, or to the end of the process by the
 * very signal.  A program that installs a handler of its own later loses the
 * explanation and nothing else.
 */
#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include "diag.h"

static struct sigaction earlier[2]; /* of SIGSEGV and SIGBUS */

enum access { TOUCHED, READ, WRITTEN };

static enum access access_of(const ucontext_t *u)
{
#if defined(__x86_64__) || defined(__i386__)
	return u->uc_mcontext.gregs[REG_ERR] & 2 ? WRITTEN : READ;
#else
	(void)u;
	return TOUCHED;
#endif
}

/* s390 names the page of a fault, and no byte of it. */
#if defined(__s390__)
#define BYTE_IS_KNOWN 0
#else
#define BYTE_IS_KNOWN 1
#endif

static const void *place_of(const ucontext_t *u)
{
#if defined(__x86_64__)
	return (void *)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__i386__)
	return (void *)u->uc_mcontext.gregs[REG_EIP];
#elif defined(__aarch64__)
	return (void *)u->uc_mcontext.pc;
#elif defined(__arm__)
	return (void *)u->uc_mcontext.arm_pc;
#elif defined(__s390x__)
	return (void *)u->uc_mcontext.psw.addr;
#else
	(void)u;
	return NULL;
#endif
}

/* On pages of a live block: on some processors their number is all there is. */
static int is_inside(const struct mh_guard *g, const char *at)
{
	return g->is_live && at < g->end &&
	       at >= (const char *)((uintptr_t)g->block & -(uintptr_t)4096);
}

/*
 * There all but execution is allowed, unless the program has said otherwise of
 * its pages: then the fault is no fault.
 */
static int is_allowed(const struct mh_guard *g, const char *at, const ucontext_t *u)
{
	return is_inside(g, at) && place_of(u) && !is_inside(g, place_of(u));
}

static const char *name_of(const struct mh_guard *g, const char *at, enum access how)
{
	static const char *const names[][3] = {
		{ "use after free", "read after free", "write after free" },
		{ "underflow", "read underflow", "write underflow" },
		{ "overflow", "read overflow", "write overflow" }
	};

	if (is_inside(g, at))
		return "execution of a block";
	/* free() looks at the cookie first; with strict it knows better. */
	if (BYTE_IS_KNOWN && !g->is_live && at < g->block && at >= g->block - MH_COOKIE_SIZE &&
	    how != WRITTEN && mh_check_level != MH_CHECK_STRICT)
		return "double free";
	return names[!g->is_live ? 0 : at < g->block ? 1 : 2][how];
}

static void put_position(struct mh_line_out *o, const struct mh_guard *g, const char *at)
{
	const char *end = g->block + g->size;

	mh_put(o, ", byte ");
	mh_put_dec(o, (uint64_t)(at < g->block ? g->block - at :
				 at < end ? at - g->block : at - end));
	if (at < g->block)
		mh_put(o, " before it");
	else if (at >= end)
		mh_put(o, " behind its end");
}

static void explain(const struct mh_guard *g, const char *at, const ucontext_t *u)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };
	uint64_t w0 = mh_guard_cookie(g)->w0;

	mh_put_start(&o, name_of(g, at, access_of(u)), NULL, g->block);
	mh_put_block(&o, w0);
	if (BYTE_IS_KNOWN)
		put_position(&o, g, at);
	mh_put_trace(&o, g->block);
	if (place_of(u))
		mh_put_at(&o, ", by ", place_of(u));
	mh_put(&o, "\n");
	mh_put_end(&o);
}

/* Nothing is done about it: the instruction is executed again, and faults. */
static void fault(int number, siginfo_t *info, void *context)
{
	static _Atomic int said;
	const char *at = info->si_addr;
	const struct mh_guard *g;
	int saved = errno;

	if (info->si_code > 0 && mh_guard_has(at)) {
		g = mh_guard_at(at);
		if (g && !is_allowed(g, at, context) && !atomic_exchange(&said, 1))
			explain(g, at, context);
	}
	sigaction(number, &earlier[number == SIGBUS], NULL);
	if (info->si_code <= 0)
		raise(number); /* somebody sent it: it does not come again */
	errno = saved;
}

void mh_guard_watch(void)
{
	struct sigaction ours = { .sa_sigaction = fault,
				  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sigemptyset(&ours.sa_mask);
	sigaction(SIGSEGV, &ours, &earlier[0]);
	sigaction(SIGBUS, &ours, &earlier[1]);
}
