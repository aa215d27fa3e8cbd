/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that are freed twice, or not as they were given. */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "misuse.h"

static enum outcome twice(size_t size)
{
	p = malloc(size);
	free(p);
	free(p);
	return WENT_ON;
}

static enum outcome twice_with_another_between(size_t size)
{
	p = malloc(size);
	q = malloc(size);
	free(p);
	free(q);
	free(p);
	return WENT_ON;
}

static enum outcome twice_much_later(size_t size)
{
	int i;

	p = malloc(size);
	free(p);
	/* A large one still lies in quarantine, where there is one: afterwards its
	 * place is another's, which begins at a random offset and may fill it. */
	for (i = 0; i < 40; i++)
		free(malloc(size));
	if (size < LARGE)
		time_goes_by(size);
	free(p);
	return WENT_ON;
}

/* Where the address comes back at once, the second free is q's, the third is none. */
static enum outcome twice_with_a_heir(size_t size)
{
	p = malloc(size);
	free(p);
	q = malloc(size);
	free(p);
	free(q);
	return WENT_ON;
}

static void *free_it(void *block)
{
	free(block);
	return NULL;
}

static enum outcome twice_by_two_threads(size_t size)
{
	pthread_t t;

	p = malloc(size);
	if (pthread_create(&t, NULL, free_it, p) == 0)
		pthread_join(t, NULL);
	free(p);
	return WENT_ON;
}

/* Ends as the child did. */
static enum outcome twice_by_a_child(size_t size)
{
	int status = 0;
	pid_t pid;

	p = malloc(size);
	free(p);
	pid = fork();
	if (pid == 0) {
		free(p);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return WENT_ON;
}

/* An aligned block always moves. */
static enum outcome stale_after_realloc(size_t size)
{
	p = memalign(64, size);
	q = realloc(p, size + 100);
	free(p);
	return WENT_ON;
}

static enum outcome realloc_of_freed(size_t size)
{
	p = malloc(size);
	free(p);
	q = realloc(p, size + 100);
	return WENT_ON;
}

static enum outcome size_of_freed(size_t size)
{
	p = malloc(size);
	free(p);
	return malloc_usable_size(p) == 1 ? REFUSED : WENT_ON;
}

static enum outcome inside(size_t size)
{
	p = calloc(1, size);
	free(p + size / 32 * 16);
	return WENT_ON;
}

static enum outcome off_by_one(size_t size)
{
	p = malloc(size);
	free(p + 1);
	return WENT_ON;
}

static enum outcome off_by_eight(size_t size)
{
	p = malloc(size);
	free(p + 8);
	return WENT_ON;
}

static enum outcome behind(size_t size)
{
	p = calloc(1, size);
	q = malloc(size);
	free(p + size);
	return WENT_ON;
}

static enum outcome realloc_inside(size_t size)
{
	p = calloc(1, size);
	q = realloc(p + 16, size);
	return WENT_ON;
}

/* The bytes of a true cookie, in another place. */
static enum outcome copied_cookie(size_t size)
{
	p = malloc(size);
	memcpy(p, p - 16, 16);
	free(p + 16);
	return WENT_ON;
}

static enum outcome twice_strdup(size_t size)
{
	(void)size;
	p = strdup("text");
	free(p);
	free(p);
	return WENT_ON;
}

static enum outcome twice_aligned(size_t size)
{
	(void)size;
	p = aligned_alloc(4096, 4096);
	free(p);
	free(p);
	return WENT_ON;
}

static enum outcome start_of_aligned(size_t size)
{
	(void)size;
	p = memalign(256, 1000);
	memset(p - 32, 0, 16);
	free(p - 16);
	return WENT_ON;
}

typedef void sized_fn(void *, size_t);
typedef void aligned_fn(void *, size_t, size_t);

/* Of C23: glibc 2.36 has no such name, the hook has. */
static enum outcome wrong_free_sized(size_t size)
{
	sized_fn *by_size = (sized_fn *)dlsym(RTLD_DEFAULT, "free_sized");

	(void)size;
	p = malloc(100);
	by_size(p, 101);
	return WENT_ON;
}

static enum outcome wrong_free_aligned_sized(size_t size)
{
	aligned_fn *by_both = (aligned_fn *)dlsym(RTLD_DEFAULT, "free_aligned_sized");

	(void)size;
	p = aligned_alloc(64, 128);
	by_both(p, 64, 64);
	return WENT_ON;
}

const struct misuse frees[] = {
	{ "double-free", twice, 1 },
	{ "double-free-interleaved", twice_with_another_between, 1 },
	{ "double-free-much-later", twice_much_later, 1 },
	{ "double-free-with-a-heir", twice_with_a_heir, 1 },
	{ "double-free-by-two-threads", twice_by_two_threads, 1 },
	{ "double-free-by-a-child", twice_by_a_child, 1 },
	{ "double-free-of-strdup", twice_strdup, 0 },
	{ "double-free-of-aligned", twice_aligned, 0 },
	{ "free-of-stale-after-realloc", stale_after_realloc, 1 },
	{ "free-inside", inside, 1 },
	{ "free-off-by-one", off_by_one, 1 },
	{ "free-off-by-eight", off_by_eight, 1 },
	{ "free-behind", behind, 1 },
	{ "free-behind-copied-cookie", copied_cookie, 1 },
	{ "free-of-aligned-at-its-start", start_of_aligned, 0 },
	{ "free-sized-wrong", wrong_free_sized, 0 },
	{ "free-aligned-sized-wrong", wrong_free_aligned_sized, 0 },
	{ "realloc-of-freed", realloc_of_freed, 1 },
	{ "realloc-inside", realloc_inside, 1 },
	{ "size-of-freed", size_of_freed, 1 },
	{ NULL, NULL, 0 },
};
