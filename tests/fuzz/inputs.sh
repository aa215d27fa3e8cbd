#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the fuzzer over the API found worth keeping, once more.
: "${top_srcdir:?}" "${top_builddir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
exec "$top_builddir/tests/fuzz/operations" "$top_srcdir/tests/fuzz/api.txt"
