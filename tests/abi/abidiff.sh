#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The public functions are still those of tests/abi/memhook.abi, which abidw
# made of the last release: types, sizes, offsets.  New ones are welcome.  Where a
# change is meant (structures that carry their size may grow), write it anew:
#
#     make check TESTS=tests/abi/abidiff.sh UPDATE=yes
set -eu
: "${top_srcdir:?}" "${MEMHOOK_LIBRARY:?}" "${READELF:=readelf}"
command -v abidiff > /dev/null || { echo "apt install abigail-tools"; exit 77; }
$READELF -h "$MEMHOOK_LIBRARY" | grep -q 'Machine:.*X86-64' ||
	{ echo "the description is that of amd64"; exit 77; }
$READELF -S "$MEMHOOK_LIBRARY" | grep -q '\.debug_info' ||
	{ echo "built without -g"; exit 77; }

stored=$top_srcdir/tests/abi/memhook.abi
rules=$top_srcdir/tests/abi/abidiff.ini
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
abidw --suppressions "$rules" --headers-dir "$top_srcdir/include" --drop-private-types \
	--exported-interfaces-only --no-architecture --no-corpus-path --no-comp-dir-path \
	--no-show-locs --no-elf-needed --no-write-default-sizes "$MEMHOOK_LIBRARY" \
	> "$work/memhook.abi"
[ "$(grep -c '<function-decl.*mangled-name=.memhook_' "$work/memhook.abi")" -gt 10 ] ||
	{ echo "where are the public functions?"; exit 1; }
if [ "${UPDATE:-no}" = yes ]; then
	cp "$work/memhook.abi" "$stored"
	exit 0
fi
abidiff --suppressions "$rules" --no-added-syms "$stored" "$work/memhook.abi"
