/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host with three services on threads of their own.  Each allocates under
 * its own owner and sends blocks to the next, which frees them in its own
 * scope and on its own thread: they are credited to the one that made them.
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
	pthread_cond_t filled;
	char *messages[MESSAGES];
	int sent, received;
};

static struct mailbox boxes[SERVICES];
static char *state[SERVICES][100];

static void put(struct mailbox *box, char *message)
{
	pthread_mutex_lock(&box->lock);
	box->messages[box->sent++] = message;
	pthread_cond_signal(&box->filled);
	pthread_mutex_unlock(&box->lock);
}

static char *take(struct mailbox *box)
{
	char *message;

	pthread_mutex_lock(&box->lock);
	while (box->received == box->sent)
		pthread_cond_wait(&box->filled, &box->lock);
	message = box->messages[box->received++];
	pthread_mutex_unlock(&box->lock);
	return message;
}

static char *write_message(void)
{
	static const char text[] = "a message";
	char *message = malloc(sizeof(text));

	return message ? memcpy(message, text, sizeof(text)) : NULL;
}

/* Keeps 100 blocks for itself, sends messages on, frees those that come. */
static void *service(void *arg)
{
	int me = (int)(long)arg, i;

	MEMHOOK_SCOPE(memhook_owner_create(names[me]));
	for (i = 0; i < 100; i++)
		state[me][i] = malloc((size_t)(me + 1) * 100);
	for (i = 0; i < MESSAGES; i++)
		put(&boxes[(me + 1) % SERVICES], write_message());
	for (i = 0; i < MESSAGES; i++)
		free(take(&boxes[me]));
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

/* Its state and nothing else; its messages were counted and credited. */
static int is_right(int i)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_stats(memhook_owner_create(names[i]), &s) == 0 &&
	       s.live_bytes == (uint64_t)(i + 1) * 100 * 100 && s.live_blocks == 100 &&
	       s.free_calls == MESSAGES;
}

int main(void)
{
	pthread_t threads[SERVICES];
	int i, k, ok = 1;

	for (i = 0; i < SERVICES; i++) {
		pthread_mutex_init(&boxes[i].lock, NULL);
		pthread_cond_init(&boxes[i].filled, NULL);
	}
	for (i = 0; i < SERVICES; i++) {
		if (pthread_create(&threads[i], NULL, service, (void *)(long)i)) {
			perror("pthread_create");
			return 1;
		}
	}
	for (i = 0; i < SERVICES; i++)
		pthread_join(threads[i], NULL);
	if (!memhook_active()) {
		puts("the hook is not at work: nothing was counted");
		return 0;
	}
	memhook_each(print, NULL);
	for (i = 0; i < SERVICES; i++)
		ok &= is_right(i);
	for (i = 0; i < SERVICES; i++)
		for (k = 0; k < 100; k++)
			free(state[i][k]);
	puts(ok ? "each holds its own state" : "WRONG");
	return !ok;
}
