/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Call sites by name: function, file and line, as far as the object files
 * and their debug information tell.  The network is never asked.
 */
#ifndef SYMBOLIZE_H
#define SYMBOLIZE_H

#include "report.h"

/*
 * Fill s->symbols for the call sites among s->owners; what is left out of
 * them (a limit) costs nothing.  Answers are kept, so that the next snapshot
 * of the same process asks only for what is new.
 *
 * pid: the process while it lives, whose files are looked for where it sees
 * them; 0 when it has ended.  progress: say on the terminal how far we are,
 * should it take long.
 */
void symbolize_snapshot(struct mh_snapshot *s, int pid, int progress);

/*
 * The same of a forked worker: its files are those that were opened since its
 * first process began, and what is known of that one's serves it as well.
 */
void symbolize_since(struct mh_snapshot *s, int pid, uint64_t started_ms, int progress);

#endif /* SYMBOLIZE_H */
