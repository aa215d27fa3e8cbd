/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A segment as a short string of bytes, for the fuzzers: its size, then pieces
 * of it (where, how long, what); all between them are holes.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX 65536

/* Write what the image says into an emptied file.  0, or -1: it says nothing. */
int image_expand(int fd, const uint8_t *image, size_t size);

/* The image of a file, zeros left out.  Its size; 0 when there is no room. */
size_t image_make(int fd, uint8_t *image, size_t room);

/* Open it, look at its slots, take and render areas as the tool does.  How many. */
unsigned read_everything(int fd, int null);

#endif /* IMAGE_H */
