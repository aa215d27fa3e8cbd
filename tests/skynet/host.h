/* SPDX-License-Identifier: BSD-2-Clause */
/* The rest of the small host: what the tests do with services. */
#ifndef TESTS_SKYNET_HOST_H
#define TESTS_SKYNET_HOST_H

#include <stdint.h>

/* The bits of a handle that count services; the high ones are the node's. */
#define HANDLE_MASK 0xffffffu
#define NODE 0x01000000u

struct skynet_context {
	uint32_t handle;
	int references;
};

void host_start(void);
void service_dispatch(uint32_t handle); /* this thread is in its message now */
void service_count_from(uint32_t next); /* the next handle that is tried */
const char *what_was_logged(void);      /* by skynet_error(); empties it */

#endif
