#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# debian/'s symbols files have what the library exports: the package's build
# would fail otherwise, and later.
set -eu
: "${top_srcdir:?}" "${MEMHOOK_LIBRARY:?}" "${NM:=nm}" "${READELF:=readelf}"

files=$top_srcdir/debian/symbols/api
[ "${MEMHOOK_MODE:-jemalloc}" = passthrough ] ||
	files="$files $top_srcdir/debian/libmemhook1.symbols"
case $($READELF -h "$MEMHOOK_LIBRARY") in *ELF64*) bits=64 ;; *) bits=32 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2086 # two names
sed -n "s/^ \((arch-bits=$bits)\)\{0,1\}\([A-Za-z_][^@]*\)@.*/\2/p" $files |
	sort > "$work/listed"
$NM -D --defined-only "$MEMHOOK_LIBRARY" | awk '{ sub("@.*", "", $3); print $3 }' |
	sort -u > "$work/exported"
[ -s "$work/exported" ] || { echo "the library exports nothing"; exit 1; }
diff "$work/listed" "$work/exported" || {
	echo "FAIL: < only in debian/*symbols*, > only in the library"
	exit 1
}
