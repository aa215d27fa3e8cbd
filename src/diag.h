/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of the hook: one line, one write(2), no stdio, no allocation.
 */
#ifndef MH_DIAG_H
#define MH_DIAG_H

#include <stddef.h>
#include <stdint.h>

struct mh_line_out {
	int fd;
	size_t used;
	char buf[768];
};

void mh_put(struct mh_line_out *o, const char *s);
void mh_put_dec(struct mh_line_out *o, uint64_t n);
void mh_put_hex(struct mh_line_out *o, uint64_t n);
void mh_put_end(struct mh_line_out *o);

/* "free()", "operator delete" ... by what the caller expected. */
const char *mh_call_name(uint64_t expected_meta);

/* Parts of messages: each but the first begins with a comma. */
void mh_put_start(struct mh_line_out *o, const char *what, const char *call,
		  const void *pointer); /* call: NULL, found later */
void mh_put_block(struct mh_line_out *o, uint64_t w0);
void mh_put_at(struct mh_line_out *o, const char *what, const void *caller);

void mh_say(const char *what); /* a line, and go on */

/* Abort; mh_die_pointer returns where MEMHOOK_FOREIGN=ignore says so. */
void mh_die_block(const char *what, const char *call, const void *block, uint64_t w0,
		  const void *caller) __attribute__((cold, noreturn));
void mh_die_pointer(const char *what, const char *call, const void *pointer,
		    const void *caller) __attribute__((cold));
void mh_die(const char *what) __attribute__((cold, noreturn));

/* Counted each time, said once per process. */
void mh_warn_mismatch(const void *block, uint64_t meta, uint64_t expected,
		      const void *caller) __attribute__((cold));
void mh_warn_size(const void *block, size_t claimed, uint64_t expected,
		  const void *caller)
	__attribute__((cold));

#endif /* MH_DIAG_H */
