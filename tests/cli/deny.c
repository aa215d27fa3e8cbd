/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs CMD under a seccomp filter that refuses some system calls, as a
 * container's or a service's may do.
 *
 *     deny CALL=HOW... -- CMD [ARG...]
 *
 * HOW is EPERM, ENOSYS, or SIGSYS, which kills.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 32

static const struct {
	const char *name;
	uint32_t number;
} calls[] = {
#define CALL(name) { #name, SYS_##name }
	CALL(kill),	     CALL(memfd_create),      CALL(pidfd_send_signal),
	CALL(process_madvise), CALL(process_vm_writev), CALL(ptrace),
	CALL(rt_sigqueueinfo), CALL(rt_tgsigqueueinfo), CALL(tgkill),
	CALL(tkill),
};

static const struct {
	const char *name;
	uint32_t action;
} hows[] = {
	{ "EPERM", SECCOMP_RET_ERRNO | EPERM },
	{ "ENOSYS", SECCOMP_RET_ERRNO | ENOSYS },
	{ "SIGSYS", SECCOMP_RET_KILL_PROCESS },
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct sock_filter filter[2 + 2 * CALLS_MAX];
static unsigned short used;

static void add(struct sock_filter f)
{
	filter[used++] = f;
}

/* "CALL=HOW": two instructions.  0, or -1. */
static int refuse(const char *text)
{
	size_t n = strcspn(text, "="), c, h;

	for (c = 0; c < COUNT(calls); c++)
		if (strlen(calls[c].name) == n && !strncmp(calls[c].name, text, n))
			break;
	for (h = 0; h < COUNT(hows); h++)
		if (text[n] && strcmp(hows[h].name, text + n + 1) == 0)
			break;
	if (c == COUNT(calls) || h == COUNT(hows) || used > 2 * CALLS_MAX - 2)
		return -1;
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[c].number, 0,
					 1));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, hows[h].action));
	return 0;
}

int main(int argc, char **argv)
{
	struct sock_fprog program = { .filter = filter };
	int i;

	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (refuse(argv[i])) {
			fprintf(stderr, "deny: what is '%s'?\n", argv[i]);
			return 99;
		}
	}
	if (i + 1 >= argc) {
		fputs("deny CALL=HOW... -- CMD [ARG...]\n", stderr);
		return 99;
	}
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	program.len = used;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("deny: no filter");
		return 77;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 99;
}
