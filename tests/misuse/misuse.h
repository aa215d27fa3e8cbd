/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs with one fault each, by name: `programs NAME` is one of them. */
#ifndef TESTS_MISUSE_H
#define TESTS_MISUSE_H

#include <stddef.h>

#define SMALL 48     /* with its cookie a whole size class of the backend */
#define MEDIUM 2000  /* as large as most that the caches hold */
#define LARGE 300000 /* not cached */

/* What a program found out itself. */
enum outcome { WENT_ON, REFUSED };

/* `size` is one of the above, or 0 where it does not matter. */
typedef enum outcome misuse_fn(size_t size);

struct misuse {
	const char *name; /* by size: -small, -medium or -large follows */
	misuse_fn *commit;
	int by_size;
};

#ifdef __cplusplus
extern "C" {
#endif

/* Each ends with an entry without a name. */
extern const struct misuse frees[], late_writes[], operators[], pointers[], sizes[],
	writes[];

/* Out of the compiler's sight, and of its opinion on what follows. */
extern char *volatile p, *volatile q;

/* Blocks come and go: what was freed is reused, or leaves its quarantine. */
void time_goes_by(size_t size);

#ifdef __cplusplus
}
#endif

#endif /* TESTS_MISUSE_H */
