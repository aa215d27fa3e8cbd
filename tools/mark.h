/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's numbers at one time, kept on the reader's side. */
#ifndef MARK_H
#define MARK_H

#include "report.h"

/*
 * The mark of the process that has this number and started at this time.
 * 0, or -1 after a complaint; reader_free() in the first case.
 */
int mark_load(int pid, uint64_t started, struct mh_snapshot *s);

#endif /* MARK_H */
