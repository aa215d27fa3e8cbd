/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Was it the OOM killer?  It sends SIGKILL like anybody else, but the kernel
 * counts what it kills by memory cgroup, and whoever may look at the cgroup
 * may read that.
 */
#ifndef OOM_H
#define OOM_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

struct oom {
	int fd; /* of the counter's file; -1: none */
	char file[PATH_MAX];
	uint64_t before;
};

void oom_init(struct oom *o);

/* Look where the process is now; in a cgroup not seen before counting begins anew. */
void oom_follow(struct oom *o, int pid);

/* What was killed in that cgroup since; 0 also when it cannot be known. */
uint64_t oom_kills(const struct oom *o);

/*
 * Where the counter is, from /proc/PID/cgroup and /proc/self/mountinfo: the
 * mount's folder (*below bytes of `path`), the cgroup's own folders, and the
 * file.  0 or -1.
 */
int oom_find(FILE *cgroup, FILE *mountinfo, char path[PATH_MAX], size_t *below);

#endif /* OOM_H */
