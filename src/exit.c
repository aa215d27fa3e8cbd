/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * _exit runs no destructor, and many workers, and every dash, end by it: we
 * say goodbye for them, so that a process that ended can be told from one
 * that was killed.  In the shared library only: what is linked statically
 * cannot be run by `memhook run`.
 *
 * Called in signal handlers and in children of vfork, who share our memory.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"

#ifdef PIC /* below the headers: operators.c */

#define EXPORT __attribute__((visibility("default")))

EXPORT void _exit(int status)
{
	mh_segment_goodbye();
	for (;;)
		syscall(SYS_exit_group, status);
}

EXPORT void _Exit(int status) __attribute__((alias("_exit")));

#endif /* PIC */
