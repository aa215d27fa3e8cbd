/* SPDX-License-Identifier: BSD-2-Clause */
/* layers.c, by name. */
#ifndef LAYERS_H
#define LAYERS_H

#include <stddef.h>

typedef void *layer_fn(size_t size);

void *layer_plain(size_t size);
void *layer_alloca(size_t size, layer_fn *inner);
void *layer_clobber(size_t size);
void *layer_deep(size_t size, unsigned depth);
void *layer_back(size_t size, layer_fn *inner);
void *layer_calloc(size_t size);
void *layer_realloc(size_t size);
void *layer_aligned(size_t size);
void *layer_strdup(size_t size);
void *layer_lost(size_t size);

#endif /* LAYERS_H */
