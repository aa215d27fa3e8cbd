/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One input: a few actors take turns, each act on a thread of its own when
 * the input says so.  Nobody acts at the same time, so that the same input
 * does the same each time.
 */
#include <pthread.h>
#include <stdlib.h>

#include "model.h"

#define ACT 64 /* steps of an actor until it is another's turn */

static void *act(void *arg)
{
	struct model_actor *a = arg;
	unsigned i;

	model_begin_thread(a);
	for (i = 0; i < ACT && !a->in.ended; i++)
		model_step(a);
	while (a->depth)
		memhook_leave(a->left[a->depth--]);
	return NULL;
}

void model_input(const uint8_t *data, size_t size)
{
	struct model_stream in = { .data = data, .left = size };
	struct model_actor *a;
	pthread_t t;

	while (!in.ended) {
		unsigned who = model_byte(&in);

		a = &model_actors[who % 3];
		a->alone = 1;
		a->in = in;
		if (who % 2) {
			act(a);
		} else if (pthread_create(&t, NULL, act, a) == 0) {
			pthread_join(t, NULL);
		} else if (!model_fault) {
			exit(99);
		}
		in = a->in;
		model_check();
	}
	model_give_all_back();
}
