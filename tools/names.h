/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NAMES_H
#define NAMES_H

#include "report.h"

/* Owners of the kind "thread": as the threads of this process are called now. */
void names_refresh(int pid, struct mh_snapshot *s);

#endif /* NAMES_H */
