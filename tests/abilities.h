/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel may lack, and what stands in for one: emulators of other
 * processors do.  Each of these tries it, and says so on standard output when it
 * is not there, since what depends on it is left out then.
 */
#ifndef TESTS_ABILITIES_H
#define TESTS_ABILITIES_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* fork() without its handlers, by the system call: newer processors have one of them. */
static inline pid_t raw_fork(void)
{
#ifdef SYS_fork
	return (pid_t)syscall(SYS_fork);
#else
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
#endif
}

static inline int lacks(const char *what)
{
	printf("not tried: %s\n", what);
	fflush(stdout);
	return 0;
}

/* Memory with MADV_WIPEONFORK is zero in a child that no handler prepared. */
static inline int fork_wipes(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 1;
	pid_t pid;

	if (p == MAP_FAILED || madvise((void *)p, size, MADV_WIPEONFORK))
		return lacks("children without handlers: no MADV_WIPEONFORK here");
	*p = 1;
	pid = raw_fork();
	if (pid == 0)
		_exit(*p != 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = 1;
	munmap((void *)p, size);
	return status == 0 ||
	       lacks("children without handlers: MADV_WIPEONFORK wipes nothing here");
}

static struct rlimit all_addresses;

static inline void limit_address_space(void)
{
	struct rlimit none;

	getrlimit(RLIMIT_AS, &all_addresses);
	none = (struct rlimit){ 1, all_addresses.rlim_max };
	setrlimit(RLIMIT_AS, &none);
}

static inline void unlimit_address_space(void)
{
	setrlimit(RLIMIT_AS, &all_addresses);
}

static inline int address_space_has_limits(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	limit_address_space();
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unlimit_address_space();
	if (p == MAP_FAILED)
		return 1;
	munmap(p, size);
	return lacks("memory that runs out: RLIMIT_AS limits nothing here");
}

/* /proc/self/mem has at an address what is there. */
static inline int memory_is_true(void)
{
	volatile uint64_t here = UINT64_C(0x0123456789abcdef);
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	uint64_t seen = 0;

	if (fd >= 0 && pread(fd, &seen, sizeof(seen), (off_t)(uintptr_t)&here) < 0)
		seen = 0;
	close(fd);
	return seen == here || lacks("a process's memory: /proc/self/mem has another one");
}

/* The Rss of the region at `p`, in bytes, as /proc/self/smaps has it; -1: none. */
static inline long long resident_by_smaps(const void *p)
{
	unsigned long long start, end;
	long long kib = -1;
	char line[4352];
	int here = 0;
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			here = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (here && sscanf(line, "Rss: %lld", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib < 0 ? -1 : kib * 1024;
}

/* The entry of /proc/PID/pagemap for an address; 0: none. */
static inline uint64_t page_entry(int pid, uint64_t address)
{
	uint64_t entry = 0, at = address / (uint64_t)sysconf(_SC_PAGESIZE) * sizeof(entry);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (off_t)at) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry;
}

/* Of three pages the middle one was written to, and is no file's: so it says. */
static inline int pagemap_is_true(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t flags[3] = { 1 };
	int i;

	if (p != MAP_FAILED && mprotect(p + page, page, PROT_READ | PROT_WRITE) == 0) {
		p[page] = 1;
		for (i = 0; i < 3; i++)
			flags[i] = page_entry(getpid(), (uintptr_t)p + i * page) >> 58;
		munmap(p, 3 * page);
	}
	return flags[0] == 0 && flags[1] == 32 && flags[2] == 0;
}

/* /proc/self/smaps and pagemap know of memory that was just written to. */
static inline int maps_are_true(void)
{
	size_t size = 64 * (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long long rss;

	if (p == MAP_FAILED)
		return lacks("what is resident: no memory");
	memset(p, 1, size);
	rss = resident_by_smaps(p);
	munmap(p, size);
	if (rss < (long long)size)
		return lacks("what is resident: /proc/self/smaps does not say it here");
	return pagemap_is_true() ||
	       lacks("what is resident: /proc/self/pagemap does not say it here");
}

/* VmRSS, in KiB */
static inline long resident(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* Addresses without memory cost nothing, so that there may be very many of them. */
static inline int addresses_are_free(void)
{
	size_t size = sizeof(size_t) > 4 ? (size_t)1 << 16 << 16 : (size_t)1 << 26;
	long before = resident(), more;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return lacks("very large blocks: not so many addresses here");
	more = resident() - before;
	munmap(p, size);
	return more < 4096 || lacks("very large blocks: addresses take memory here");
}

static volatile char *volatile at_fault;

static inline void exit_at_fault(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	_exit(info->si_addr != (void *)at_fault);
}

/* si_addr is the byte that was touched; s390 has but the page of it. */
static inline int faults_name_the_byte(void)
{
	struct sigaction action = { .sa_sigaction = exit_at_fault, .sa_flags = SA_SIGINFO };
	char *p = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		sigaction(SIGSEGV, &action, NULL);
		at_fault = p + 5;
		*at_fault = 1;
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = 1;
	munmap(p, 1);
	return status == 0;
}

#endif /* TESTS_ABILITIES_H */
