/* SPDX-License-Identifier: BSD-2-Clause */
/* The C++ operators, called from C. */
#ifndef TESTS_ABORT_OPERATOR_H
#define TESTS_ABORT_OPERATOR_H

#include <dlfcn.h>
#include <stdio.h>

/* How size_t is spelled in the name of an operator. */
#define Z (sizeof(size_t) == 8 ? "m" : "j")

static inline void *operator(const char *name, const char *z)
{
	char whole[32];

	snprintf(whole, sizeof(whole), "%s%s", name, z);
	return dlsym(RTLD_DEFAULT, whole);
}

#endif /* TESTS_ABORT_OPERATOR_H */
