#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every system call of ours fails in turn: `calls` has how, fuzz/owners.c the
# letters of what the program does.
# shellcheck disable=SC2016 # nothing is to expand
set -eu
: "${top_builddir:?}" "${MEMHOOK_LIBRARY:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
# One arena: jemalloc 5.3.0 crashes when it has no memory for another one, which
# it makes for a new thread (tcache_arena_associate, given none).
export MODEL_FAULTS=1 MALLOC_CONF=narenas:1
exec "$top_builddir/tests/fault/calls" "$top_builddir/tests/fuzz/operations" -- \
	'!e!m!!!! e$c"!!!e!m(a)lf!tF@!xli(h!!$L!!"m~~~mzzzT!T@b!d!!F@' \
	'"eemm!!z!rF@!Rm0rr0!f0a0!!!a1"!!a2#!!a3$!!i0i1i2i3%bbb!b"b#b$h!h"' \
	'&L!!"mzzzmzzz xxxe!m!!!lF@!h!h"h#T@f!f"f#d!!d!"d!#'
