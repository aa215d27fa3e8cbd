/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Valgrind puts a malloc of its own in the place of everybody's, while the
 * program runs: the loader has bound ours, and it is not called.  Said once,
 * since all that we count would be nothing; and remembered, so that the names
 * which valgrind leaves to us (strdup) hand out what its free() takes.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"
#include "process.h"
#include "thread.h"

int mh_replaced;

static int ours_is_called(void)
{
	struct mh_hot *h = mh_attach();
	void *(*volatile allocate)(size_t) = malloc;
	void (*volatile release)(void *) = free;
	uint64_t before;
	void *p;
	int called;

	if (!h)
		return 1;
	before = h->tally;
	p = allocate(1);
	called = h->tally != before;
	release(p);
	return called;
}

void mh_look_for_valgrind(void)
{
	const char *preload = secure_getenv("LD_PRELOAD");
	struct mh_line_out o = { .fd = STDERR_FILENO };

	if (!preload || !strstr(preload, "/vgpreload_") || ours_is_called())
		return;
	mh_replaced = 1;
	mh_put(&o, "memhook: valgrind's malloc is in the place of the hook's, nothing is "
		   "counted (to count all the same: valgrind "
		   "--soname-synonyms=somalloc=nouserintercepts)\n");
	mh_put_end(&o);
}
