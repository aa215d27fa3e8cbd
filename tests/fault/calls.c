/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every system call that we, jemalloc or libc on our behalf make fails in
 * turn: the same program is run again and again, with the first call refused,
 * then the second, until there are no more.  It has to go on and count
 * exactly, or to say what is wrong before it ends.
 *
 *     calls PROGRAM [ARGUMENT...]         FAULT_AT=7: the seventh, and no other
 *
 * By seccomp's notifications: the kernel asks us about each call.  Calls of
 * the loader's own are let through.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(name, error) { SYS_##name, error, #name, 0 }
static struct call {
	int number, error;
	const char *name;
	unsigned refused;
} calls[] = {
	CALL(munmap, ENOMEM),	    CALL(process_vm_readv, EPERM),
	CALL(mprotect, ENOMEM),	    CALL(madvise, ENOMEM),
	CALL(mremap, ENOMEM),	    CALL(memfd_create, EMFILE),
	CALL(ftruncate, EPERM),	    CALL(fallocate, ENOSPC),
	CALL(fcntl, EMFILE),	    CALL(openat, EMFILE),
	CALL(pread64, EIO),	    CALL(pwrite64, ENOSPC),
	CALL(read, EIO),	    CALL(clone, EAGAIN),
	CALL(clone3, EAGAIN),	    CALL(getrandom, EAGAIN),
	CALL(readlinkat, EACCES),   CALL(prlimit64, EPERM),
#ifdef SYS_readlink
	CALL(readlink, EACCES),	    CALL(fork, EAGAIN),
#endif
#ifdef SYS_newfstatat
	CALL(mmap, ENOMEM),	    CALL(newfstatat, EACCES),
#else /* of 32 bits */
	CALL(mmap2, ENOMEM),	    CALL(fstatat64, EACCES),
	CALL(ftruncate64, EPERM),   CALL(fcntl64, EMFILE),
#endif
};
#define CALLS (sizeof(calls) / sizeof(*calls))

static struct run {
	char **argv;
	int output;
	volatile int listener, pid;
	int no_listener; /* why */
	unsigned long seen, fail_at;
	struct call *hit;
	struct code { unsigned long start, end; } libc, vdso;
} run;

static int install_filter(void)
{
	struct sock_filter filter[CALLS * 2 + 4];
	struct sock_fprog program = { 0, filter };
	size_t i, n = 0;

	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	for (i = 0; i < CALLS; i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
							   SECCOMP_RET_USER_NOTIF);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* A thread of its own, since a filter cannot be taken off again. */
static void *launch(void *arg)
{
	int fd = install_filter(), pid;

	(void)arg;
	if (fd < 0) {
		run.no_listener = errno;
		run.listener = -1;
		return NULL;
	}
	run.listener = fd; /* from here on somebody answers */
	pid = fork();
	if (pid == 0) {
		personality(ADDR_NO_RANDOMIZE);
		dup2(run.output, STDOUT_FILENO);
		dup2(run.output, STDERR_FILENO);
		alarm(120);
		execv(run.argv[0], run.argv);
		_exit(99);
	}
	run.pid = pid;
	return NULL;
}

static int is_in(const struct code *code, unsigned long at)
{
	return at >= code->start && at < code->end;
}

/* Where the code lies, of libc and of the kernel's: at the same place in each run. */
static void find_code(unsigned pid)
{
	char path[64], line[512], exe[512];
	struct code code;
	ssize_t n;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return;
	exe[n] = '\0';
	if (strcmp(exe, run.argv[0]))
		return;
	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, " r-xp ") &&
		    sscanf(line, "%lx-%lx", &code.start, &code.end) == 2) {
			if (strstr(line, "/libc.so.6"))
				run.libc = code;
			else if (strstr(line, "[vdso]"))
				run.vdso = code;
		}
	if (maps)
		fclose(maps);
}

#ifdef __i386__
/*
 * There libc calls the kernel by way of the vdso, whose __kernel_vsyscall keeps
 * three registers on the stack, above where it returns to.
 */
static unsigned long caller_of_vdso(unsigned thread)
{
	unsigned long stack, at = 0;
	struct iovec here = { &at, sizeof(at) }, there = { NULL, sizeof(at) };
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/syscall", thread);
	f = fopen(path, "re");
	/* its number, six arguments, stack, instruction */
	if (f && fscanf(f, "%*s %*s %*s %*s %*s %*s %*s %lx", &stack) == 1) {
		there.iov_base = (void *)(stack + 3 * sizeof(at));
		process_vm_readv((pid_t)thread, &here, 1, &there, 1, 0);
	}
	if (f)
		fclose(f);
	return at;
}
#else
static unsigned long caller_of_vdso(unsigned thread)
{
	(void)thread;
	return 0;
}
#endif

static int is_counted(const struct seccomp_notif *ask)
{
	unsigned long at = (unsigned long)ask->data.instruction_pointer;

	if (!run.libc.start)
		find_code(ask->pid);
	if (is_in(&run.vdso, at))
		at = caller_of_vdso(ask->pid);
	return is_in(&run.libc, at);
}

static void answer(int fd)
{
	struct seccomp_notif ask;
	struct seccomp_notif_resp say;
	size_t i;

	memset(&ask, 0, sizeof(ask));
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &ask))
		return; /* it was killed meanwhile */
	memset(&say, 0, sizeof(say));
	say.id = ask.id;
	say.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (is_counted(&ask) && ++run.seen == run.fail_at) {
		for (i = 0; i < CALLS && calls[i].number != ask.data.nr; i++)
			;
		run.hit = &calls[i];
		run.hit->refused++;
		say.flags = 0;
		say.error = -run.hit->error;
	}
	ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &say);
}

/* Its status, or -1 where the kernel does not ask. */
static int run_once(void)
{
	struct pollfd p;
	pthread_t t;
	int status;

	run.listener = run.pid = 0;
	run.seen = 0;
	run.hit = NULL;
	if (ftruncate(run.output, 0) || lseek(run.output, 0, SEEK_SET) ||
	    pthread_create(&t, NULL, launch, NULL))
		exit(99);
	while (!run.listener)
		usleep(10);
	p = (struct pollfd){ .fd = run.listener, .events = POLLIN };
	/* hangs up when the last one who has the filter is gone */
	while (p.fd >= 0 && poll(&p, 1, -1) >= 0 && !(p.revents & POLLHUP))
		answer(p.fd);
	pthread_join(t, NULL);
	if (p.fd < 0) {
		errno = run.no_listener; /* of the other thread */
		return -1;
	}
	close(p.fd);
	if (waitpid(run.pid, &status, 0) != run.pid)
		exit(99);
	return status;
}

static int passed(int status, char *text)
{
	static const char *const reasons[] = {
		"memhook: no memory for the counters",
		"memhook: no memory for the allocator's first page",
	};
	size_t i;

	if (status == 0)
		return 1;
	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
		    strstr(text, reasons[i]))
			return 1;
	return 0;
}

static int all_in_turn(const char *only)
{
	unsigned failed = 0, ended = 0;
	char text[4096];
	ssize_t n;

	for (run.fail_at = only ? strtoul(only, NULL, 10) : 0;; run.fail_at++) {
		int status = run_once();

		if (status < 0) {
			printf("no notifications of seccomp here: %s\n", strerror(errno));
			return 77;
		}
		if (run.fail_at == 0 && run.seen == 0) {
			printf("the kernel does not say here who calls it\n");
			return 77;
		}
		n = pread(run.output, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		ended += status != 0;
		if (!passed(status, text)) {
			printf("call %lu (%s) refused: status %#x\n%s\n", run.fail_at,
			       run.hit ? run.hit->name : "none", status, text);
			failed++;
		}
		if (only || (run.fail_at && !run.hit))
			break;
	}
	printf("%u failed, %u said why they ended\n", failed, ended - failed);
	return failed != 0;
}

int main(int argc, char **argv)
{
	const char *only = getenv("FAULT_AT");
	unsigned total = 0;
	size_t i;
	int rc;

	if (argc < 2)
		return 2;
	run.argv = argv + 1;
	run.output = memfd_create("output", MFD_CLOEXEC);
	rc = all_in_turn(only);
	for (i = 0; i < CALLS; i++) {
		total += calls[i].refused;
		if (calls[i].refused)
			printf("%s %u, ", calls[i].name, calls[i].refused);
	}
	printf("%u calls refused\n", total);
	return rc ? rc : !only && total < 20; /* else little was tried */
}
