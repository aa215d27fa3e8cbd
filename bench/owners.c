/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random sizes with a live set whose blocks belong to one, fifty or ten
 * thousand owners.  Each service works for sixteen blocks before the next
 * one has its turn, and frees what others made as well.  Under an allocator
 * that knows no owners the same program runs without them.
 *
 * The threads share all owners.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "memhook.h"

#pragma weak memhook_owner_create
#pragma weak memhook_enter
#pragma weak memhook_leave

#define TURN 16
#define SET  4000

static memhook_owner *services;

static void make_services(const struct job *job)
{
	long i;

	services = calloc((size_t)job->arg[0], sizeof(*services));
	if (!services)
		no_memory();
	for (i = 0; memhook_owner_create && i < job->arg[0]; i++) {
		char name[32];

		snprintf(name, sizeof(name), "service %ld", i);
		services[i] = memhook_owner_create(name);
	}
}

static void turn(struct job *job, void **set)
{
	int i;

	for (i = 0; i < TURN; i++) {
		unsigned k = draw(&job->seed) % SET;

		free(set[k]);
		set[k] = get(draw_size(&job->seed, job->arg[1], job->arg[2]));
	}
}

static void owners(struct job *job)
{
	void **set = calloc(SET, sizeof(*set));
	long n = job->n / TURN, i;

	if (!set)
		no_memory();
	while (n--) {
		unsigned who = draw(&job->seed) % (unsigned)job->arg[0];
		memhook_owner before = 0;

		if (memhook_enter)
			before = memhook_enter(services[who]);
		turn(job, set);
		if (memhook_leave)
			memhook_leave(before);
	}
	for (i = 0; i < SET; i++)
		free(set[i]);
	free(set);
}

const struct workload owners_workloads[] = {
	{ "owners", "owners lowest highest", owners, make_services },
	{ 0 },
};
