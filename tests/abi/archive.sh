#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The archive defines only public names, mh_* and memhook_je_*, and malloc's
# family all in one object.  (DW.ref: the compiler's, for cleanup attributes.)
set -eu
: "${MEMHOOK_ARCHIVE:?}" "${NM:=nm}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
[ -f "$MEMHOOK_ARCHIVE" ] || { echo "no archive was built"; exit 77; }

strange=$($NM -g --defined-only "$MEMHOOK_ARCHIVE" | awk 'NF == 3 { print $3 }' | sort -u |
	grep -Evx 'DW\.ref\..*|__x86\.get_pc_thunk\..*|mh_.*|memhook_.*|c?free|(m|c|re|v|pv)alloc|reallocarray|free_(aligned_)?sized|aligned_alloc|memalign|posix_memalign|malloc_usable_size|(str|strn|wcs)dup|mallinfo2?|mallopt|malloc_(trim|stats|info|conf|message)' || :)
if [ -n "$strange" ]; then
	echo "the archive also defines:"
	echo "$strange"
	exit 1
fi
objects=$($NM -A -g --defined-only "$MEMHOOK_ARCHIVE" |
	awk '$NF ~ /^(malloc|free|malloc_trim|mallinfo|strdup)$/ { split($1, a, ":"); print a[2] }' |
	sort -u | wc -l)
[ "$objects" -eq 1 ] || { echo "malloc's family lies in $objects objects"; exit 1; }
