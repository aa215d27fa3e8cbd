/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A long time of everything at once: 8 threads, 10,000 owners that are created
 * and retired, blocks that change hands, libraries that come and go, a child
 * each second, a thousand signals a second, malloc_trim.  Every few seconds
 * all threads rest, and then each owner holds what the model says, and memory
 * is no more than it was after the first third of the time.
 *
 *     soak [SECONDS [THREADS]]            6 and 8; 3600 for an hour
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <memhook.h>

#include "contract/copies.h"
#include "memory.h"

#define THREADS_MAX 16
#define OWNERS (SIZE_MAX > 0xffffffff ? 10000 : 4000) /* at a time, of all threads */
#define HANDS 1024
#define KEPT 400     /* blocks of a thread */
#define PLUGINS 4

struct owner {
	memhook_owner handle;
	int used, retired;
	_Atomic int64_t bytes, blocks;
};

struct block {
	void *p;
	size_t size;
	struct owner *owner;
};

struct worker {
	pthread_t thread;
	unsigned number, random, serial;
	struct owner *rows;   /* twice as many as it has owners at a time */
	struct owner **names;
	struct block kept[KEPT];
	unsigned long steps;
};

static struct worker workers[THREADS_MAX];
static struct hand {
	pthread_mutex_t lock;
	struct block block;
} hands[HANDS];
static unsigned threads = 8, names_each;
static char path[PLUGINS][4096];
static pthread_barrier_t rest, go_on;
static _Atomic int resting, stop;
static _Atomic unsigned long wrong, ticks, created, loads, trims, children;

static unsigned next(struct worker *w)
{
	w->random = w->random * 1103515245 + 12345;
	return w->random >> 8;
}

static void complain(const char *what, const char *which, long is, long model)
{
	if (atomic_fetch_add(&wrong, 1) < 10)
		fprintf(stderr, "%s %s: %ld, not %ld\n", which, what, is, model);
}

static void drop(struct block *b)
{
	if (!b->p)
		return;
	atomic_fetch_sub(&b->owner->bytes, (int64_t)b->size);
	atomic_fetch_sub(&b->owner->blocks, 1);
	free(b->p);
	b->p = NULL;
}

/* A row that was never used, or whose owner is retired and holds nothing. */
static struct owner *new_owner(struct worker *w)
{
	struct owner *o = NULL;
	char name[64];
	int tries;

	for (tries = 0; tries < 16; tries++) {
		o = &w->rows[next(w) % (2 * names_each)];
		if (!o->used || (o->retired && !atomic_load(&o->blocks)))
			break;
	}
	if (tries == 16)
		return NULL;
	snprintf(name, sizeof(name), "soak/%u/%u", w->number, w->serial++);
	o->used = 1;
	o->retired = 0;
	o->handle = memhook_owner_create(name);
	if ((uint32_t)o->handle <= 1)
		complain("is not created", name, 0, 1);
	atomic_fetch_add(&created, 1);
	return o;
}

static struct owner *some_owner(struct worker *w)
{
	struct owner **name = &w->names[next(w) % names_each], *o;

	if (!*name || next(w) % 8 == 0) {
		o = new_owner(w);
		if (!o)
			return *name;
		if (*name) {
			(*name)->retired = 1;
			if (memhook_owner_retire((*name)->handle))
				complain("is not retired", "an owner", -1, 0);
		}
		*name = o;
	}
	return *name;
}

static void make(struct worker *w, struct block *b)
{
	struct owner *o = some_owner(w);
	unsigned form = next(w) % 8;
	memhook_owner was;

	drop(b);
	if (!o)
		return;
	b->size = form ? next(w) % 3000 : next(w) % 100000;
	b->owner = o;
	was = memhook_enter(o->handle);
	b->p = form == 1 ? aligned_alloc((size_t)64 << next(w) % 8, b->size)
	     : form == 2 ? calloc(1, b->size)
			 : malloc(b->size);
	if (b->p && form == 3) {
		b->size += 100;
		b->p = realloc(b->p, b->size);
	}
	memhook_leave(was);
	atomic_fetch_add(&o->bytes, (int64_t)b->size);
	atomic_fetch_add(&o->blocks, 1);
	memset(b->p, (int)form, b->size);
}

static void hand_over(struct worker *w, struct block *b)
{
	struct hand *h = &hands[next(w) % HANDS];
	struct block theirs;

	pthread_mutex_lock(&h->lock);
	theirs = h->block;
	h->block = *b;
	pthread_mutex_unlock(&h->lock);
	*b = theirs;
}

/* Each library is charged for its own, wherever it was loaded. */
static void visit(struct worker *w)
{
	const char *file = path[next(w) % PLUGINS];
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL), *p;
	struct memhook_stats s = { .size = sizeof(s) };
	struct memhook_block b = { .size = sizeof(b) };
	void *(*plugin_make)(size_t);

	if (!handle) {
		complain("is not loaded", file, 0, 1);
		return;
	}
	plugin_make = (void *(*)(size_t))dlsym(handle, "plugin_make");
	p = plugin_make(100);
	memhook_inspect(p, &b);
	if (memhook_stats(b.owner, &s) || strcmp(s.name, strrchr(file, '/') + 1))
		complain("is charged for", s.name, 0, 1);
	dlclose(handle);
	free(p);
	atomic_fetch_add(&loads, 1);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&stop)) {
		struct block *b = &w->kept[next(w) % KEPT];
		unsigned what = next(w) % 4096;

		if (what == 0)
			visit(w);
		else if (what == 1)
			atomic_fetch_add(&trims, (unsigned long)malloc_trim(0));
		else if (what < 1000)
			hand_over(w, b);
		else if (what < 2200)
			drop(b);
		else
			make(w, b);
		w->steps++;
		if (atomic_load(&resting)) {
			pthread_barrier_wait(&rest);
			pthread_barrier_wait(&go_on);
		}
	}
	return NULL;
}

static void check_owners(void)
{
	struct memhook_stats s = { .size = sizeof(s) };
	unsigned t, i;

	for (t = 0; t < threads; t++)
		for (i = 0; i < 2 * names_each; i++) {
			struct owner *o = &workers[t].rows[i];
			int64_t blocks = atomic_load(&o->blocks);

			if (!o->used || (o->retired && !blocks))
				continue;
			if (memhook_stats(o->handle, &s)) {
				complain("is not known", "an owner", -1, 0);
				continue;
			}
			if ((int64_t)s.live_bytes != atomic_load(&o->bytes))
				complain("holds", s.name, (long)s.live_bytes,
					 (long)atomic_load(&o->bytes));
			if ((int64_t)s.live_blocks != blocks)
				complain("has blocks", s.name, (long)s.live_blocks,
					 (long)blocks);
		}
}

/* The first third says how much it takes; a third more is growth. */
static void compare(struct memory m, int warm)
{
	static struct memory had;

	if (warm) {
		had.rss = most(had.rss, m.rss);
		had.segment = most(had.segment, m.segment);
		had.mappings = most(had.mappings, m.mappings);
		return;
	}
	if (m.rss > had.rss + had.rss / 3 + 8192)
		complain("grew (KiB)", "resident memory", m.rss, had.rss);
	if (m.segment > had.segment + had.segment / 3 + 1024)
		complain("grew (KiB)", "the segment", m.segment, had.segment);
	if (m.mappings > had.mappings + had.mappings / 3 + 100)
		complain("grew", "the list of mappings", m.mappings, had.mappings);
}

static void have_child(void)
{
	struct memhook_stats s = { .size = sizeof(s) };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		memhook_owner o, was;
		void *p;

		signal(SIGALRM, SIG_DFL);
		alarm(100);
		o = memhook_owner_create("soak/child");
		was = memhook_enter(o);
		p = malloc(1000);
		memhook_leave(was);
		if (memhook_stats(o, &s) || s.live_bytes != 1000)
			_exit(1);
		free(p);
		_exit(memhook_stats(o, &s) || s.live_bytes != 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		complain("ended with", "a child", status, 0);
	atomic_fetch_add(&children, 1);
}

static void tick(int signal)
{
	(void)signal;
	atomic_fetch_add(&ticks, 1);
}

static void pause_for(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t))
		; /* a signal */
}

static void take_a_rest(int warm)
{
	struct memory m;

	atomic_store(&resting, 1);
	pthread_barrier_wait(&rest);
	check_owners();
	m = look_at_memory();
	compare(m, warm);
	atomic_store(&resting, 0);
	pthread_barrier_wait(&go_on);
}

static void begin(void)
{
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	struct itimerval each = { { 0, 1000 }, { 0, 1000 } };
	unsigned i;

	names_each = OWNERS / threads;
	pthread_barrier_init(&rest, NULL, threads + 1);
	pthread_barrier_init(&go_on, NULL, threads + 1);
	for (i = 0; i < HANDS; i++)
		pthread_mutex_init(&hands[i].lock, NULL);
	for (i = 0; i < threads; i++) {
		struct worker *w = &workers[i];

		w->number = i;
		w->random = i * 7919 + 1;
		w->rows = calloc(2 * names_each, sizeof(*w->rows));
		w->names = calloc(names_each, sizeof(*w->names));
		if (pthread_create(&w->thread, NULL, run, w))
			exit(99);
	}
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
}

static unsigned long end(void)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } };
	unsigned long steps = 0;
	unsigned i, k;

	setitimer(ITIMER_REAL, &none, NULL);
	atomic_store(&stop, 1);
	for (i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	for (i = 0; i < threads; i++) {
		steps += workers[i].steps;
		for (k = 0; k < KEPT; k++)
			drop(&workers[i].kept[k]);
	}
	for (i = 0; i < HANDS; i++)
		drop(&hands[i].block);
	check_owners();
	return steps;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 6, s, rests = 0;
	unsigned long steps;
	struct memory m;
	int i;

	if (argc > 2 && atoi(argv[2]) > 0 && atoi(argv[2]) <= THREADS_MAX)
		threads = (unsigned)atoi(argv[2]);
	copies_by_library(argv, path, PLUGINS);
	begin();
	for (s = 0; s < seconds && !atomic_load(&wrong); s++) {
		pause_for(1000);
		have_child();
		if (s % (seconds > 60 ? 5 : 1) == 0) {
			take_a_rest(s <= seconds / 3);
			rests++;
		}
	}
	m = look_at_memory();
	steps = end();
	for (i = 0; i < PLUGINS; i++)
		unlink(path[i]);
	rmdir(scratch());
	printf("%ld s: %lu steps, %lu owners created, %lu loads, %lu trims, %lu children, "
	       "%lu signals, %ld rests; resident %ld KiB, segment %ld KiB, %ld mappings; "
	       "%lu wrong\n", s, steps, created, loads, trims, children, ticks, rests, m.rss,
	       m.segment, m.mappings, wrong);
	return wrong || !loads || !ticks || !children || !created;
}
