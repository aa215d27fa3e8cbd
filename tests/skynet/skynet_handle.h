/* SPDX-License-Identifier: BSD-2-Clause */
/* What malloc_hook.c needs of skynet's header of this name. */
#ifndef SKYNET_HANDLE_H
#define SKYNET_HANDLE_H

#include <stdint.h>

struct skynet_context;

uint32_t skynet_handle_register(struct skynet_context *context);
int skynet_handle_retire(uint32_t handle);
struct skynet_context *skynet_handle_grab(uint32_t handle);

#endif
