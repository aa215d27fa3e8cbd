/* SPDX-License-Identifier: BSD-2-Clause */
/* C++'s operators for those who write C. */
#ifndef TESTS_FUZZ_OPERATORS_H
#define TESTS_FUZZ_OPERATORS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* form: bit 0 an array, bit 1 nothrow or sized; NULL: bad_alloc, too */
void *model_new(unsigned form, size_t size, size_t align);
void model_delete(unsigned form, void *p, size_t size, size_t align);

#ifdef __cplusplus
}
#endif
#endif /* TESTS_FUZZ_OPERATORS_H */
