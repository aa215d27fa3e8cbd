/* SPDX-License-Identifier: BSD-2-Clause */
/* What malloc_hook.c needs of skynet's header of this name. */
#ifndef SKYNET_SERVER_H
#define SKYNET_SERVER_H

struct skynet_context *skynet_context_release(struct skynet_context *context);

#endif
