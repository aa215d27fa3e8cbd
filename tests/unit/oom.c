/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the kernel counts what its OOM killer killed, in every layout. */
#include <unistd.h>

#include "../common.h"
#include "oom.h"

#define V1 "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"              \
	   "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"    \
	   "34 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"       \
	   "38 31 0:38 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n"
#define V2 "25 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

static const struct {
	const char *cgroup, *mounts, *path; /* NULL: not to be found */
} layouts[] = {
	{ "0::/user.slice/a.scope\n", V2,
	  "/sys/fs/cgroup/user.slice/a.scope/memory.events" },
	{ "0::/\n", V2, "/sys/fs/cgroup/memory.events" },
	/* both versions: memory belongs to the first, in whatever order */
	{ "4:memory:/job\n0::/other\n", V1,
	  "/sys/fs/cgroup/memory/job/memory.oom_control" },
	{ "0::/other\n4:cpu,memory:/job\n", V1,
	  "/sys/fs/cgroup/memory/job/memory.oom_control" },
	/* a name that only begins or ends like it */
	{ "4:memory2:/job\n3:xmemory:/job\n0::/u\n", V1,
	  "/sys/fs/cgroup/unified/u/memory.events" },
	/* a container that sees its own part of the tree */
	{ "0::/docker/abc/x\n", "25 23 0:26 /docker/abc /cg rw - cgroup2 cgroup2 rw\n",
	  "/cg/x/memory.events" },
	{ "0::/docker/abcd\n", "25 23 0:26 /docker/abc /cg rw - cgroup2 cgroup2 rw\n",
	  NULL },
	{ "0::/../outside\n", V2, NULL },
	{ "0::/a\n", "25 23 0:26 / /my\\040cg rw - cgroup2 cgroup2 rw\n",
	  "/my cg/a/memory.events" },
	/* nothing mounted, nothing said, nonsense */
	{ "0::/a\n", "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", NULL },
	{ "4:memory:/a\n", V2, NULL },
	{ "", V2, NULL },
	{ "0:/a\n:::\n0::relative\n", V2, NULL },
	{ "0::/a\n", "1 2 3\n - \n - cgroup2\n1 2 - cgroup2 cgroup2 rw\n", NULL },
};

START_TEST(every_layout)
{
	FILE *cgroup = tmpfile(), *mounts = tmpfile();
	char path[PATH_MAX] = "";
	size_t below;
	int rc;

	ck_assert(cgroup && mounts);
	fputs(layouts[_i].cgroup, cgroup);
	fputs(layouts[_i].mounts, mounts);
	rewind(cgroup);
	rewind(mounts);
	rc = oom_find(cgroup, mounts, path, &below);
	fclose(cgroup);
	fclose(mounts);
	if (!layouts[_i].path) {
		ck_assert_msg(rc == -1, "found %s", path);
		return;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(path, layouts[_i].path);
}
END_TEST

/* This very process: no file, or one that counts. */
START_TEST(ourselves)
{
	struct oom o;

	oom_init(&o);
	ck_assert_uint_eq(oom_kills(&o), 0);
	oom_follow(&o, getpid());
	ck_assert(o.fd < 0 || o.file[0] == '/');
	oom_follow(&o, 1 << 30); /* no such process: what is known stays known */
	ck_assert(o.fd < 0 || o.file[0] == '/');
	ck_assert_uint_eq(oom_kills(&o), 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("oom");

	tcase_add_loop_test(c, every_layout, 0, sizeof(layouts) / sizeof(*layouts));
	tcase_add_test(c, ourselves);
	return run_case(c);
}
