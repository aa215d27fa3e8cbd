/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of both files do with services. */
#ifndef TESTS_SKYNET_SERVICES_H
#define TESTS_SKYNET_SERVICES_H

#include "../common.h"
#include "host.h"
#include "skynet.h"
#include "skynet_handle.h"

void add_crowds(TCase *c);

/* Not in host.c: ld wraps what one file calls in another. */
static inline uint32_t launch(void)
{
	struct skynet_context *context = calloc(1, sizeof(*context));

	context->references = 1;
	return skynet_handle_register(context);
}

static inline void *allocate_in(uint32_t handle, size_t size)
{
	uint32_t was = skynet_current_handle();
	void *p;

	service_dispatch(handle);
	p = malloc(opaque(size));
	service_dispatch(was);
	return p;
}

static inline memhook_owner owner_of(const void *p)
{
	struct memhook_block b = { .size = sizeof(b) };

	ck_assert_int_eq(memhook_inspect(p, &b), 0);
	ck_assert_uint_eq(b.state, MEMHOOK_BLOCK_LIVE);
	return b.owner;
}

#endif /* TESTS_SKYNET_SERVICES_H */
