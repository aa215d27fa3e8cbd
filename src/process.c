/* SPDX-License-Identifier: BSD-2-Clause */
/* Start, settings and end of a process. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "checks.h"
#include "diag.h"
#include "frame-check.h"
#include "guard.h"
#include "heapinfo.h"
#include "memhook.h"
#include "no-memory.h"
#include "object.h"
#include "owner.h"
#include "quarantine.h"
#include "report.h"
#include "snapshot.h"
#include "thread.h"

struct mh_proc *mh_proc;
struct mh_area *mh_area;
struct mh_settings mh_settings = { .cache_bytes = MH_CACHE_ROOM,
				   .depot_bytes = MH_DEPOT_ROOM };
uint64_t mh_secret;
char mh_program[64];
char mh_program_file[64];
char mh_program_path[4096];

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static int handlers_done;

extern char **environ;

uint64_t mh_unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void choose_secret(void)
{
	const uint64_t *kernels;

	/* The kernel itself: libc's may set up a generator first, with memory of its own. */
	if (syscall(SYS_getrandom, &mh_secret, sizeof(mh_secret), GRND_NONBLOCK) ==
	    (long)sizeof(mh_secret))
		return;
	/* The second half: libc guards its own pointers with it, mixed. */
	kernels = (const uint64_t *)getauxval(AT_RANDOM);
	mh_secret = kernels ? kernels[1] * UINT64_C(0x9e3779b97f4a7c15) : 1;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * By the name that it was started by, which may be a link to another one's
 * file (redis-server is one); unless that was a script's.
 */
static const char *started_as(void)
{
	const char *path = (const char *)getauxval(AT_EXECFN);
	struct stat by_name, file;

	/* "/proc/self/exe" is no name. */
	if (path && strncmp(path, "/proc/", 6) &&
	    strcmp(base_name(path), base_name(mh_program_path)) &&
	    stat(path, &by_name) == 0 && stat("/proc/self/exe", &file) == 0 &&
	    by_name.st_ino == file.st_ino && by_name.st_dev == file.st_dev)
		return base_name(path);
	return base_name(mh_program_path);
}

static void fit(char to[64], const char *name)
{
	memcpy(to, name, strnlen(name, 63));
}

static void find_program_name(void)
{
	ssize_t n = readlink("/proc/self/exe", mh_program_path,
			     sizeof(mh_program_path) - 1);
	const char *name = program_invocation_short_name;

	if (n > 0)
		name = started_as();
	else if (name)
		strncpy(mh_program_path, name, sizeof(mh_program_path) - 1);
	fit(mh_program_file, base_name(mh_program_path));
	if (name)
		fit(mh_program, name);
}

static void read_by(void)
{
	const char *by = secure_getenv("MEMHOOK_BY");
	const char *through = secure_getenv("MEMHOOK_THROUGH");
	const char *check = secure_getenv("MEMHOOK_CHECK_FRAMES");
	uint32_t i;

	for (i = MH_BY_NONE; by && i <= MH_BY_SITE; i++)
		if (strcmp(by, mh_by_name(i)) == 0)
			mh_settings.by = i;
	/* A site is the very call, unless one says what to look through. */
	if (!through && mh_settings.by == MH_BY_SITE)
		through = "none";
	mh_through_set(through);
	if (check)
		mh_settings.check_frames = strcmp(check, "abort") ? 1 : 2;
}

/* Digits, and K for KiB behind them.  What is too large for a word stays large. */
static int read_bytes(const char *text, uint64_t *bytes)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	*bytes = strtoull(text, &end, 10);
	if (*end == 'K' && *bytes <= UINT64_MAX >> 10) {
		*bytes <<= 10;
		end++;
	}
	return *end ? -1 : 0;
}

void mh_read_budget(const char *name, uint32_t least, uint32_t most, uint32_t *budget)
{
	const char *text = secure_getenv(name);
	struct mh_line_out o = { .fd = STDERR_FILENO };
	uint64_t bytes;

	if (!text)
		return;
	if (read_bytes(text, &bytes) == 0 && bytes >= least && bytes <= most) {
		*budget = (uint32_t)bytes;
		return;
	}
	mh_put(&o, "memhook: ");
	mh_put(&o, name);
	mh_put(&o, ": not a number of bytes from ");
	mh_put_dec(&o, least);
	mh_put(&o, " to ");
	mh_put_dec(&o, most);
	mh_put(&o, ": it stays at ");
	mh_put_dec(&o, *budget);
	mh_put(&o, "\n");
	mh_put_end(&o);
}

static void read_settings(void)
{
	const char *foreign = secure_getenv("MEMHOOK_FOREIGN");
	const char *report = secure_getenv("MEMHOOK_REPORT");

	read_by();
	mh_check_read();
	mh_oom_read();
	mh_read_budget("MEMHOOK_CACHE", 0, MH_CACHE_ROOM_MAX, &mh_settings.cache_bytes);
	mh_read_budget("MEMHOOK_DEPOT", 0, MH_DEPOT_ROOM_MAX, &mh_settings.depot_bytes);
	if (foreign && strcmp(foreign, "ignore") == 0)
		mh_settings.foreign_ignore = 1;
	if (report && strlen(report) < sizeof(mh_settings.report))
		strcpy(mh_settings.report, report);
	mh_settings.report_pid = getpid();
	mh_settings.follow = secure_getenv("MEMHOOK_FOLLOW") != NULL;
}

/* Nothing here allocates: a malloc is waiting for us. */
static void start_first(void)
{
	choose_secret();
	find_program_name();
	read_settings();
	mh_depots_init();
	if (mh_segment_open() || mh_lines_map() || mh_owners_init() ||
	    mh_fork_map_copy() || mh_check_start() || mh_oom_start())
		mh_die("no memory for the counters (address space limit too low?)");
}

/*
 * pthread_atfork before anything that may make the backend start and
 * register its own handlers: see fork.c.
 */
static void install_handlers(void)
{
	handlers_done = 1;
	mh_fork_init();
	mh_threads_init();
}

void mh_process_start(void)
{
	int first;

	pthread_mutex_lock(&start_lock);
	first = !mh_proc;
	if (first) {
		start_first();
		/* release: pairs with mh_process_ready() */
		atomic_store_explicit(&mh_proc->ready, 1, memory_order_release);
	} else if (!mh_process_ready()) {
		mh_fork_adopt(0);
	}
	pthread_mutex_unlock(&start_lock);
	if (!handlers_done)
		install_handlers();
}

/* Take "libmemhook.so.1", as we wrote it, out of a list of preloads. */
static void drop_preload(char *list)
{
	char *token = list, *end;

	for (;;) {
		end = token + strcspn(token, ": ");
		if (memmem(token, (size_t)(end - token), "libmemhook.so",
			   strlen("libmemhook.so")))
			break;
		if (!*end)
			return;
		token = end + 1;
	}
	if (*end)
		memmove(token, end + 1, strlen(end + 1) + 1);
	else if (token > list)
		token[-1] = '\0';
	else
		*token = '\0';
}

/* `memhook run` without --follow: programs started by exec are not ours. */
static void clean_environment(void)
{
	static const char *const ours[] = { "MEMHOOK_SEGMENT", "MEMHOOK_BY",
					    "MEMHOOK_CHECK", "MEMHOOK_GUARD_RATE",
					    "MEMHOOK_QUARANTINE",
					    "MEMHOOK_OOM_REPORT",
					    "MEMHOOK_THROUGH", "MEMHOOK_FOLLOW" };
	char *preload = secure_getenv("LD_PRELOAD");
	size_t i;

	if (!mh_settings.by_run || mh_settings.follow)
		return;
	for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		unsetenv(ours[i]);
	if (preload) {
		drop_preload(preload);
		if (!*preload)
			unsetenv("LD_PRELOAD");
	}
}

__attribute__((constructor)) static void at_load(void)
{
	if (!mh_is_active())
		return;
	mh_attach();
	if (!handlers_done)
		install_handlers();
	mh_look_for_valgrind();
	clean_environment();
}

static void write_report(void)
{
	const char *dot = strrchr(mh_settings.report, '.');
	int json = dot && strcmp(dot, ".json") == 0;
	/* not waiting: a pipe that nobody reads must not keep us from ending */
	int fd = open(mh_settings.report, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
		      O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0666);

	if (fd < 0)
		return;
	fcntl(fd, F_SETFL, O_WRONLY);
	memhook_report(fd, json ? MEMHOOK_JSON : MEMHOOK_TEXT);
	close(fd);
}

/*
 * Reading smaps takes some 0.3 ms: for the program itself, and for workers
 * that lived long enough for it not to matter.
 */
static int worth_a_look(void)
{
	return mh_settings.report_pid == getpid() ||
	       mh_unix_ms() - mh_area->start_unix_ms > 100;
}

__attribute__((destructor)) static void at_exit(void)
{
	if (!mh_process_ready())
		return;
	mh_quarantine_verify();
	mh_guard_verify();
	if (mh_settings.by_run || mh_settings.report[0])
		mh_heap_publish();
	if (mh_settings.check_frames)
		mh_frame_check_report();
	if (mh_settings.by_run && worth_a_look())
		mh_maps_publish();
	/* Forked children end here, too; the report is the first process's. */
	if (mh_settings.report[0] && mh_settings.report_pid == getpid())
		write_report();
	mh_segment_goodbye();
}
