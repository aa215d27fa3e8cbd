/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame-check.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <unwind.h>

#include "diag.h"
#include "process.h"
#include "thread.h"

static _Atomic uint64_t checked, differed;

struct search {
	const void *caller;
	unsigned depth; /* frames still to go, once the caller was met */
	int met;
	const void *found;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *arg)
{
	const void *address = (const void *)_Unwind_GetIP(context);
	struct search *s = arg;

	s->met |= address == s->caller;
	if (!s->met)
		return _URC_NO_REASON;
	if (s->depth--)
		return _URC_NO_REASON;
	s->found = address;
	return _URC_END_OF_STACK;
}

static void say(const void *caller, unsigned depth, const void *ours, const void *theirs)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	mh_put(&o, "memhook: see-through check: frame ");
	mh_put_dec(&o, depth);
	mh_put(&o, " above 0x");
	mh_put_hex(&o, (uintptr_t)caller);
	mh_put(&o, " is 0x");
	mh_put_hex(&o, (uintptr_t)theirs);
	mh_put(&o, ", not 0x");
	mh_put_hex(&o, (uintptr_t)ours);
	mh_put(&o, "\n");
	mh_put_end(&o);
}

/* The unwinder may allocate, and that allocation is not looked at. */
void mh_frame_check(const void *caller, unsigned depth, const void *found)
{
	static __thread char checking __attribute__((tls_model("initial-exec")));
	struct search s = { .caller = caller, .depth = depth };

	if (checking || !depth)
		return;
	checking = 1;
	_Unwind_Backtrace(look, &s);
	checking = 0;
	/* relaxed: for a line at the end */
	atomic_fetch_add_explicit(&checked, 1, memory_order_relaxed);
	if (s.found == found)
		return;
	if (atomic_fetch_add_explicit(&differed, 1, memory_order_relaxed) < 10)
		say(caller, depth, found, s.found);
	if (mh_settings.check_frames > 1)
		abort();
}

void mh_frame_check_report(void)
{
	struct mh_line_out o = { .fd = STDERR_FILENO };

	mh_put(&o, "memhook: see-through check: ");
	mh_put_dec(&o, atomic_load(&checked));
	mh_put(&o, " steps checked, ");
	mh_put_dec(&o, atomic_load(&differed));
	mh_put(&o, " differed\n");
	mh_put_end(&o);
}
