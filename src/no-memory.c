/* SPDX-License-Identifier: BSD-2-Clause */
#include "no-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"
#include "memhook.h"
#include "snapshot.h"

static char file[256]; /* "": no report; "1": on standard error */
static void *room;
static _Atomic int reported;

void mh_oom_read(void)
{
	const char *to = secure_getenv("MEMHOOK_OOM_REPORT");

	if (!to || !*to)
		return;
	if (strlen(to) < sizeof(file))
		strcpy(file, to);
	else
		mh_say("MEMHOOK_OOM_REPORT is too long for a file's name: there will be"
		       " no such report");
}

int mh_oom_start(void)
{
	if (file[0])
		room = mh_report_room();
	return file[0] && !room ? -1 : 0;
}

static int open_report(void)
{
	if (strcmp(file, "1") == 0)
		return STDERR_FILENO;
	return open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
}

static void report(size_t size, const void *caller)
{
	struct mh_line_out o = { .fd = open_report() };

	if (o.fd < 0) {
		mh_say("out of memory, and the file of MEMHOOK_OOM_REPORT cannot be"
		       " written");
		return;
	}
	mh_put(&o, "memhook: out of memory: ");
	mh_put_dec(&o, size);
	mh_put(&o, " bytes could not be had");
	mh_put_at(&o, ", called from ", caller);
	mh_put(&o, "; who has it:\n");
	mh_put_end(&o);
	mh_report_in(room, o.fd, MEMHOOK_TEXT);
	if (o.fd != STDERR_FILENO)
		close(o.fd);
}

void *mh_oom(size_t size, const void *caller)
{
	if (room && !atomic_exchange(&reported, 1))
		report(size, caller);
	errno = ENOMEM;
	return NULL;
}
