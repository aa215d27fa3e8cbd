/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutexes that jemalloc forgets at fork.
 *
 * Where words have 4 bytes it guards the counters of its arenas by mutexes
 * (64-bit ones are atomic), and its fork handlers pass over these, in 5.3.0
 * as before: the child of a process whose threads allocate may find one
 * locked by a thread that it does not have, and wait for ever.  So
 * private-jemalloc.sh gives jemalloc this function for pthread_mutex_init, and
 * in a child, where nobody is inside of jemalloc, all of them begin anew.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "backend.h"

int memhook_je_pthread_mutex_init(pthread_mutex_t *mutex,
				  const pthread_mutexattr_t *type);

#if SIZE_MAX > 0xffffffff

int memhook_je_pthread_mutex_init(pthread_mutex_t *mutex,
				  const pthread_mutexattr_t *type)
{
	return pthread_mutex_init(mutex, type);
}

void mh_backend_in_child(void)
{
}

#else

/* About 60 for each arena, and there are four arenas for each processor. */
#define MUTEXES 16384

static pthread_mutex_t *_Atomic mutexes[MUTEXES]; /* hashed by address */

/* jemalloc never gives the memory of a mutex back: none is taken out. */
static void remember(pthread_mutex_t *mutex)
{
	uint32_t i = (uint32_t)mutex * UINT32_C(2654435761) >> 18; /* 14 bits */
	pthread_mutex_t *there;
	uint32_t tries;

	for (tries = 0; tries < MUTEXES; tries++, i = (i + 1) % MUTEXES) {
		there = NULL;
		if (atomic_compare_exchange_strong(&mutexes[i], &there, mutex) ||
		    there == mutex)
			return;
	}
}

int memhook_je_pthread_mutex_init(pthread_mutex_t *mutex,
				  const pthread_mutexattr_t *type)
{
	remember(mutex);
	return pthread_mutex_init(mutex, type);
}

void mh_backend_in_child(void)
{
	pthread_mutexattr_t type;
	uint32_t i;

	pthread_mutexattr_init(&type);
	pthread_mutexattr_settype(&type, PTHREAD_MUTEX_ADAPTIVE_NP);
	for (i = 0; i < MUTEXES; i++)
		if (mutexes[i])
			pthread_mutex_init(mutexes[i], &type);
	pthread_mutexattr_destroy(&type);
}

#endif
