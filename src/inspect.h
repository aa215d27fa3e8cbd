/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at a pointer that may be anything. */
#ifndef MH_INSPECT_H
#define MH_INSPECT_H

#include <stddef.h>
#include <stdint.h>

/* Copy n bytes from an address that may not be readable.  0, or -1. */
int mh_peek(const void *from, void *to, size_t n);

/* meta of the block's cookie, 0 if there is none; its w0. */
uint64_t mh_peek_meta(const void *block, uint64_t *w0);

/*
 * For a block at the start of a page: may the page before be read?  It takes no
 * system call, which one block of 256 would cost.
 */
struct mh_cookie;
int mh_cookie_is_known(const struct mh_cookie *c);

/*
 * meta of a live block's cookie.  Anything else ends the process with a
 * message, but for foreign pointers under MEMHOOK_FOREIGN=ignore: 0.
 */
uint64_t mh_verify(const void *block, const char *call, const void *caller);

#endif /* MH_INSPECT_H */
