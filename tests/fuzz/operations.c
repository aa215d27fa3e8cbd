/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations over the whole API by chance, compared with the model.  In
 * rounds: threads act at once and hand blocks to one another, in every fourth
 * round one acts alone, so that what happens can be foretold to the byte.
 * Every thread ends with its round, and another goes on with what it held.
 *
 *     operations [OPERATIONS [SEED [THREADS]]]     1,000,000, by the clock, 8
 *     operations FILE                              each line of it is an input
 *     operations -- INPUT...
 *
 * The seed is printed, and decides all but the order in which threads run.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

#define STEPS 2000 /* of a thread in a round */

static unsigned long operations = 1000000, seed, round_now;
static unsigned threads = MODEL_ACTORS;

static void say_where(void)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "seed %lu, %u threads, round %lu\n", seed,
			 threads, round_now);

	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(99);
}

static void *act(void *arg)
{
	struct model_actor *a = arg;
	unsigned i;

	model_begin_thread(a);
	a->in = (struct model_stream){ .random = seed * 1000003 + round_now * 101 + a->number };
	for (i = 0; i < STEPS; i++)
		model_step(a);
	return NULL;
}

static void play_round(unsigned first, unsigned n)
{
	pthread_t t[MODEL_ACTORS];
	int begun[MODEL_ACTORS];
	unsigned i;

	for (i = 0; i < n; i++) {
		model_actors[first + i].alone = n == 1;
		begun[i] = !pthread_create(&t[i], NULL, act, &model_actors[first + i]);
		if (!begun[i] && !model_fault)
			exit(99);
	}
	for (i = 0; i < n; i++)
		if (begun[i])
			pthread_join(t[i], NULL);
	model_check();
}

static unsigned long steps_done(void)
{
	unsigned long n = 0;
	unsigned i;

	for (i = 0; i < MODEL_ACTORS; i++)
		n += model_actors[i].steps;
	return n;
}

static int by_chance(void)
{
	for (round_now = 0; steps_done() < operations && round_now < operations; round_now++)
		if (round_now % 4 == 3)
			play_round((unsigned)(round_now / 4) % threads, 1);
		else
			play_round(0, threads);
	model_give_all_back();
	printf("%lu operations in %lu rounds: %lu owners retired, %lu refused by limits, "
	       "%lu forks\n", steps_done(), round_now, model_retired, model_refused,
	       model_forks);
	/* else something was not tried */
	return operations >= 1000000 && (!model_retired || !model_refused || !model_forks);
}

static int from_arguments(char **inputs)
{
	for (; *inputs; inputs++)
		model_input((const uint8_t *)*inputs, strlen(*inputs));
	printf("%lu operations\n", steps_done());
	return !steps_done();
}

static int from_file(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long lines = 0;
	size_t room = 0;
	char *line = NULL;
	ssize_t n;

	if (!file) {
		perror(path);
		return 99;
	}
	while ((n = getline(&line, &room, file)) > 0) {
		model_input((const uint8_t *)line, (size_t)n - (line[n - 1] == '\n'));
		lines++;
	}
	free(line);
	fclose(file);
	printf("%lu inputs, %lu operations\n", lines, steps_done());
	return !lines;
}

/* MODEL_FAULTS: calls of the kernel fail, or may: whatever asks for memory, too. */
static int perhaps(void)
{
	return -1;
}

int main(int argc, char **argv)
{
	char *end = NULL;

	model_failed = say_where;
#ifdef SANITIZED
	model_has_new = 0; /* the operators are not renamed */
#endif
	if (getenv("MODEL_FAULTS")) {
		model_fault = perhaps;
		model_has_new = 0;
	}
	model_init();
	if (argc > 2 && strcmp(argv[1], "--") == 0)
		return from_arguments(argv + 2);
	seed = argc > 2 ? strtoul(argv[2], NULL, 10) : (unsigned long)time(NULL);
	if (argc > 3)
		threads = (unsigned)atoi(argv[3]);
	if (argc > 1)
		operations = strtoul(argv[1], &end, 10);
	if (end && *end)
		return from_file(argv[1]);
	if (!threads || threads > MODEL_ACTORS) {
		fprintf(stderr, "1 to %d threads\n", MODEL_ACTORS);
		return 2;
	}
	printf("seed %lu, %lu operations, %u threads\n", seed, operations, threads);
	fflush(stdout);
	return by_chance();
}
