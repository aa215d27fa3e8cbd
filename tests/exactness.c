/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A million random operations over 8 threads and 50 owners, against a model
 * kept in memory that malloc knows nothing of: at rest every owner's bytes
 * and blocks equal the model's, seen from inside and from outside.
 *
 *     exactness [SEED [OPERATIONS]]      MEMHOOK_TOOL names the outside reader
 */
#include <errno.h>
#include <malloc.h>
#include <memhook.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#define THREADS 8
#define OWNERS 50
#define SLOTS 4096

extern char **environ;

/* One block that any thread may take: free, move, grow, hand on. */
struct slot {
	pthread_mutex_t lock;
	void *block;
	size_t size;
	int owner; /* index in model.owners */
};

struct model {
	struct slot slots[SLOTS];
	struct {
		memhook_owner handle;
		char name[32];
		int64_t bytes, blocks;
		pthread_mutex_t lock; /* handle and name, while it is retired */
	} owners[OWNERS];
	unsigned long operations;
	unsigned generation;
};

static struct model *m;
static unsigned seed = 1;
static int failures;

static unsigned next(unsigned *r)
{
	*r = *r * 1103515245 + 12345;
	return *r >> 8;
}

static void count(int owner, int64_t bytes, int64_t blocks)
{
	__atomic_fetch_add(&m->owners[owner].bytes, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&m->owners[owner].blocks, blocks, __ATOMIC_RELAXED);
}

static void drop(struct slot *s)
{
	if (!s->block)
		return;
	count(s->owner, -(int64_t)s->size, -1);
	free(s->block);
	s->block = NULL;
}

static void make(struct slot *s, unsigned *r)
{
	int owner = (int)(next(r) % OWNERS);
	size_t size = next(r) % 16 ? next(r) % 2000 : next(r) % 300000;
	memhook_owner previous;

	drop(s);
	pthread_mutex_lock(&m->owners[owner].lock);
	previous = memhook_enter(m->owners[owner].handle);
	switch (next(r) % 4) {
	case 0:
		s->block = calloc(1, size);
		break;
	case 1:
		s->block = memalign((size_t)16 << next(r) % 8, size);
		break;
	default:
		s->block = malloc(size);
	}
	memhook_leave(previous);
	s->size = size;
	s->owner = owner;
	count(owner, (int64_t)size, 1);
	pthread_mutex_unlock(&m->owners[owner].lock);
	memset(s->block, owner, size);
}

static void resize(struct slot *s, unsigned *r)
{
	size_t size = 1 + next(r) % 5000;
	char *p;

	if (!s->block)
		return;
	p = realloc(s->block, size);
	count(s->owner, (int64_t)size - (int64_t)s->size, 0);
	if (s->size && p[(size < s->size ? size : s->size) - 1] != s->owner)
		__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	memset(p, s->owner, size);
	s->block = p;
	s->size = size;
}

static void give(struct slot *s, unsigned *r)
{
	int to = (int)(next(r) % OWNERS);

	if (!s->block)
		return;
	pthread_mutex_lock(&m->owners[to].lock);
	if (memhook_transfer(s->block, m->owners[to].handle))
		__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	count(s->owner, -(int64_t)s->size, -1);
	count(to, (int64_t)s->size, 1);
	pthread_mutex_unlock(&m->owners[to].lock);
	memset(s->block, to, s->size);
	s->owner = to;
}

/*
 * The owner's blocks must leave it first, so that the model stays one row
 * per owner: retire only when it holds none, else only try.
 */
static void retire(unsigned *r)
{
	int i = (int)(next(r) % OWNERS);

	pthread_mutex_lock(&m->owners[i].lock);
	if (m->owners[i].blocks == 0) {
		memhook_owner_retire(m->owners[i].handle);
		snprintf(m->owners[i].name, sizeof(m->owners[i].name), "team/%d.%u", i,
			 __atomic_add_fetch(&m->generation, 1, __ATOMIC_RELAXED));
		m->owners[i].handle = memhook_owner_create(m->owners[i].name);
	}
	pthread_mutex_unlock(&m->owners[i].lock);
}

static void fork_and_free(struct slot *s)
{
	struct memhook_stats t = { .size = sizeof(t) };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		free(s->block);
		free(malloc(100));
		memhook_totals(&t);
		_exit(t.live_bytes > UINT64_C(1) << 40);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	unsigned r = seed * 7919 + (unsigned)(uintptr_t)arg;
	unsigned long i;

	for (i = 0; i < m->operations / THREADS; i++) {
		struct slot *s = &m->slots[next(&r) % SLOTS];
		unsigned what = next(&r) % 1000;

		pthread_mutex_lock(&s->lock);
		if (what < 450)
			make(s, &r);
		else if (what < 750)
			drop(s);
		else if (what < 900)
			resize(s, &r);
		else if (what < 990)
			give(s, &r);
		else
			retire(&r);
		if (i % 25000 == 24999)
			fork_and_free(s);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static void check(const char *where, int i, int64_t bytes, int64_t blocks)
{
	if (bytes == m->owners[i].bytes && blocks == m->owners[i].blocks)
		return;
	fprintf(stderr, "%s: %s holds %ld bytes in %ld blocks, the model says %ld, %ld\n",
		where, m->owners[i].name, (long)bytes, (long)blocks,
		(long)m->owners[i].bytes, (long)m->owners[i].blocks);
	failures++;
}

static void check_inside(void)
{
	struct memhook_stats s = { .size = sizeof(s) };
	int i;

	for (i = 0; i < OWNERS; i++) {
		if (memhook_stats(m->owners[i].handle, &s)) {
			fprintf(stderr, "%s: %s\n", m->owners[i].name, strerror(errno));
			failures++;
			continue;
		}
		check("inside", i, (int64_t)s.live_bytes, (int64_t)s.live_blocks);
	}
}

static json_object *outside(char *tool)
{
	char pid[16], path[] = "/tmp/exactness.XXXXXX", output[64];
	char *argv[] = { tool, "stat", "--format=json", output, pid, NULL };
	json_object *report;
	pid_t child;
	int fd = mkstemp(path), status;

	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(output, sizeof(output), "--output=%s", path);
	if (fd < 0 || posix_spawn(&child, tool, NULL, NULL, argv, environ) ||
	    waitpid(child, &status, 0) != child || status) {
		fprintf(stderr, "%s stat failed\n", tool);
		exit(1);
	}
	close(fd);
	report = json_object_from_file(path);
	unlink(path);
	return report;
}

static int64_t number(json_object *o, const char *key)
{
	return json_object_get_int64(json_object_object_get(o, key));
}

static void check_outside(char *tool)
{
	json_object *report = outside(tool), *owners, *totals, *o;
	int64_t bytes = 0, blocks = 0;
	size_t k;
	int i;

	owners = json_object_object_get(report, "owners");
	totals = json_object_object_get(report, "totals");
	if (!json_object_get_boolean(json_object_object_get(report, "consistent")) ||
	    !json_object_get_boolean(json_object_object_get(report, "exact"))) {
		fprintf(stderr, "outside: at rest, but not consistent or not exact\n");
		failures++;
	}
	for (k = 0; k < json_object_array_length(owners); k++) {
		const char *name;

		o = json_object_array_get_idx(owners, k);
		name = json_object_get_string(json_object_object_get(o, "name"));
		bytes += number(o, "live_bytes");
		blocks += number(o, "live_blocks");
		for (i = 0; i < OWNERS; i++)
			if (strcmp(name, m->owners[i].name) == 0)
				check("outside", i, number(o, "live_bytes"),
				      number(o, "live_blocks"));
	}
	if (bytes != number(totals, "live_bytes") ||
	    blocks != number(totals, "live_blocks")) {
		fprintf(stderr, "outside: the owners do not add up to the total\n");
		failures++;
	}
	json_object_put(report);
}

static void set_up(int argc, char **argv)
{
	int i;

	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)getpid();
	m->operations = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
	printf("seed %u, %lu operations\n", seed, m->operations);
	for (i = 0; i < OWNERS; i++) {
		snprintf(m->owners[i].name, sizeof(m->owners[i].name), "team/%d", i);
		m->owners[i].handle = memhook_owner_create(m->owners[i].name);
		pthread_mutex_init(&m->owners[i].lock, NULL);
	}
	for (i = 0; i < SLOTS; i++)
		pthread_mutex_init(&m->slots[i].lock, NULL);
}

int main(int argc, char **argv)
{
	char *tool = getenv("MEMHOOK_TOOL");
	pthread_t t[THREADS];
	uintptr_t i;

	set_up(argc, argv);
	if (!memhook_active()) {
		fprintf(stderr, "the hook is not this program's malloc\n");
		return 1;
	}
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, work, (void *)i);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	check_inside();
	if (tool)
		check_outside(tool);
	for (i = 0; i < SLOTS; i++)
		drop(&m->slots[i]);
	check_inside();
	printf("%d failures\n", failures);
	return failures != 0;
}
