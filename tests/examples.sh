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

expected=$from/redirect/expected-output.txt
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] ||
	expected=$from/redirect/expected-output-passthrough.txt
build redirect "$from/redirect/main.c" "$from/redirect/incrementer.c"
"$work/redirect" | sed 's/0x[0-9a-f]*/0x.../g' | diff "$expected" -
"$MEMHOOK_TOOL" header inc_ | diff "$from/redirect/inc_malloc.h" -

build services "$from/services/services.c"
"$work/services"

$CC -shared -fPIC -o "$work/plugin-c.so" "$from/plugin-host/plugin-c.c"
$CXX -shared -fPIC -o "$work/plugin-cxx.so" "$from/plugin-host/plugin-cxx.cc"
build host "$from/plugin-host/host.c" -ldl
"$work/host" "$work/plugin-c.so" "$work/plugin-cxx.so"

if $PKG_CONFIG --exists lua5.4; then
	# shellcheck disable=SC2046
	build lua-host "$from/lua-host/lua-host.c" $($PKG_CONFIG --cflags --libs lua5.4)
	"$work/lua-host"
fi
