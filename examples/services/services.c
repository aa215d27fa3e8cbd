/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host with three services on threads of their own.  Each allocates under
 * its own owner and sends blocks to the next, which frees them: they are
 * credited to the one that made them.
 *
 *     cc services.c $(pkg-config --cflags --libs memhook) -pthread && ./a.out
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memhook.h>

#define SERVICES 3
#define MESSAGES 1000

static const char *const names[SERVICES] = { "service/login", "service/chat",
					     "service/store" };

struct mailbox {
	pthread_mutex_t lock;
	char *messages[MESSAGES];
	int count;
};

static struct mailbox boxes[SERVICES];
static char *state[SERVICES][100];

static void send(int to, char *message)
{
	pthread_mutex_lock(&boxes[to].lock);
	boxes[to].messages[boxes[to].count++] = message;
	pthread_mutex_unlock(&boxes[to].lock);
}

/* Keeps 100 blocks for itself, sends the rest on. */
static void *service(void *arg)
{
	int me = (int)(long)arg, i;

	MEMHOOK_SCOPE(memhook_owner_create(names[me]));
	for (i = 0; i < 100; i++)
		state[me][i] = malloc((size_t)(me + 1) * 100);
	for (i = 0; i < MESSAGES; i++)
		send((me + 1) % SERVICES, strdup("a message"));
	return NULL;
}

static int print(const struct memhook_stats *s, void *arg)
{
	(void)arg;
	if (strncmp(s->name, "service/", 8) == 0)
		printf("%-16s %8llu bytes in %6llu blocks, %llu allocations\n", s->name,
		       (unsigned long long)s->live_bytes,
		       (unsigned long long)s->live_blocks,
		       (unsigned long long)s->alloc_calls);
	return 0;
}

static int holds(int i, uint64_t bytes)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_stats(memhook_owner_create(names[i]), &s) == 0 &&
	       s.live_bytes == bytes;
}

int main(void)
{
	pthread_t threads[SERVICES];
	int i, k, ok = 1;

	for (i = 0; i < SERVICES; i++)
		pthread_mutex_init(&boxes[i].lock, NULL);
	for (i = 0; i < SERVICES; i++)
		pthread_create(&threads[i], NULL, service, (void *)(long)i);
	for (i = 0; i < SERVICES; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < SERVICES; i++)
		for (k = 0; k < boxes[i].count; k++)
			free(boxes[i].messages[k]);
	if (!memhook_active()) {
		puts("the hook is not at work: nothing was counted");
		return 0;
	}
	memhook_each(print, NULL);
	for (i = 0; i < SERVICES; i++)
		ok &= holds(i, (uint64_t)(i + 1) * 100 * 100);
	for (i = 0; i < SERVICES; i++)
		for (k = 0; k < 100; k++)
			free(state[i][k]);
	puts(ok ? "each holds its own state" : "WRONG");
	return !ok;
}
