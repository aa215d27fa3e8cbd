#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The examples build as their first lines say, run, and print what they should.
set -eu
: "${top_srcdir:?}" "${top_builddir:?}" "${CC:=cc}" "${CXX:=c++}" "${PKG_CONFIG:=pkg-config}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
from=$top_srcdir/examples
strict='-std=gnu11 -O1 -Wall -Wextra -Werror'
link="-I$top_srcdir/include -L$top_builddir/.libs -Wl,-rpath,$top_builddir/.libs
	-Wl,--push-state,--no-as-needed,-lmemhook,--pop-state"

# shellcheck disable=SC2086 # flags are words
build() {
	out=$1
	shift
	$CC $strict -o "$work/$out" "$@" $link -pthread
}

output=expected-output.txt
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || output=expected-output-passthrough.txt
build redirect "$from/redirect/main.c" "$from/redirect/incrementer.c"
"$work/redirect" | sed 's/0x[0-9a-f]*/0x.../g' | diff "$from/redirect/$output" -
"$MEMHOOK_TOOL" header inc_ | diff "$from/redirect/inc_malloc.h" -

build services "$from/services/services.c"
"$work/services"

$CC -shared -fPIC -o "$work/plugin-c.so" "$from/plugin-host/plugin-c.c"
$CXX -shared -fPIC -o "$work/plugin-cxx.so" "$from/plugin-host/plugin-cxx.cc"
build host "$from/plugin-host/host.c" -ldl
"$work/host" "$work/plugin-c.so" "$work/plugin-cxx.so"

# What Debian's libraries are needed for, with what it should print.
# shellcheck disable=SC2046
with_library() {
	if $PKG_CONFIG --exists "$2"; then
		build "$1" "$from/$1/$1.c" $($PKG_CONFIG --cflags --libs "$2")
		"$work/$1" | diff "$from/$1/$output" -
	else
		echo "$1 is left out: no $2"
	fi
}
with_library lua-host lua5.4
with_library sqlite-host sqlite3
