/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MEMHOOK_OOM_REPORT: when the allocator gets no more memory for the first time,
 * who has it is reported.  Nothing is allocated for that: the memory that it
 * takes was mapped at the start.
 */
#ifndef MH_NO_MEMORY_H
#define MH_NO_MEMORY_H

#include <stddef.h>

void mh_oom_read(void);
int mh_oom_start(void); /* 0 or -1 */

/* ENOMEM, and the report if it is due.  NULL. */
void *mh_oom(size_t size, const void *caller) __attribute__((cold));

#endif /* MH_NO_MEMORY_H */
