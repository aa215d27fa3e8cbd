#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What users do: make install, then pkg-config; C and C++, dynamic and static.
# Proved by memhook_active() and by a counter that moves, not by the link.
set -eu
: "${top_builddir:?}" "${CC:=cc}" "${CXX:=c++}" "${PKG_CONFIG:=pkg-config}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

unset MAKEFLAGS MFLAGS MAKELEVEL
make -s -C "$top_builddir" install DESTDIR="$work/root" > "$work/log" 2>&1 || {
	cat "$work/log"
	exit 1
}
pc=$(find "$work/root" -name memhook.pc)
libdir=${pc%/pkgconfig/memhook.pc}
PKG_CONFIG_PATH=${pc%/memhook.pc}
PKG_CONFIG_SYSROOT_DIR=$work/root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
cflags=$($PKG_CONFIG --cflags memhook)
flags=$($PKG_CONFIG --cflags --libs memhook)
static=$($PKG_CONFIG --static --cflags --libs memhook)

cat > "$work/c.c" <<'END'
#include <memhook.h>
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	struct memhook_stats s = { .size = sizeof(s) };
	memhook_owner o = memhook_owner_create("consumer"), was = memhook_enter(o);
	void *volatile p = malloc(1000);

	memhook_leave(was);
	memhook_stats(o, &s);
	printf("%d %d\n", memhook_active(), p && s.live_bytes == 1000);
	return 0;
}
END
# Allocates only through libstdc++: --as-needed would drop the library.
cat > "$work/cxx.cc" <<'END'
#include <cstdio>
#include <string>
int main(int argc, char **)
{
	std::string *volatile s = new std::string(1000, 'x');

	std::printf("%zu\n", s->size() + argc);
	delete s;
}
END

# The C++ header by itself, and blocks that files of two language versions share.
cat > "$work/make.cc" <<'END'
#include <memhook.hpp>
#include <vector>
struct alignas(256) wide { char bytes[256]; };
using wides = std::vector<wide, memhook::allocator<wide>>;
wides *make(memhook_owner owner)
{
	return new wides(10, memhook::allocator<wide>(owner));
}
END
cat > "$work/take.cc" <<'END'
#include <memhook.hpp>
#include <cstdio>
#include <vector>
struct alignas(256) wide { char bytes[256]; };
using wides = std::vector<wide, memhook::allocator<wide>>;
wides *make(memhook_owner owner);
static unsigned long long live(memhook_owner owner)
{
	struct memhook_stats s {};
	s.size = sizeof(s);
	return memhook_stats(owner, &s) ? 0 : s.live_bytes;
}
int main()
{
	memhook_owner owner = memhook_owner_create("consumer");
	wides *w = make(owner);
	unsigned long long before = live(owner);
	delete w;
	std::printf("%llu %llu\n", before, live(owner));
}
END

expect() {
	what=$1 want=$2
	shift 2
	got=$("$@" 2>&1) || got="$got (failed)"
	if [ "$got" != "$want" ]; then
		echo "FAIL: $what: '$got', not '$want'"
		failed=1
	fi
}
# shellcheck disable=SC2317 # called through expect
hooked() { # the report at exit shows the 1,001 bytes of the string
	rm -f "$work/report.json"
	MEMHOOK_REPORT=$work/report.json "$1" > /dev/null || return 1
	grep -q '"schema":"memhook/1"' "$work/report.json" || return 1
	grep -Eq '"alloc_bytes":[0-9]{4,}' "$work/report.json" && echo hooked
}

LD_LIBRARY_PATH=$libdir
export LD_LIBRARY_PATH
active='1 1'
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || active='0 0'

# shellcheck disable=SC2086 # flags are words
$CC -o "$work/c" "$work/c.c" $flags
expect "C, dynamic" "$active" "$work/c"
# shellcheck disable=SC2086
$CXX -o "$work/cxx" "$work/cxx.cc" $flags
if [ "$active" = '1 1' ]; then
	expect "C++, dynamic" hooked hooked "$work/cxx"
fi
for std in 11 14 17 20; do
	# shellcheck disable=SC2086
	echo '#include <memhook.hpp>' | $CXX -std=c++$std -Wall -Wextra -Wpedantic \
		-Wconversion -Werror -fsyntax-only $cflags -x c++ - ||
		failed=1
done
# shellcheck disable=SC2086
$CXX -std=c++17 -c -o "$work/make.o" "$work/make.cc" $cflags
# shellcheck disable=SC2086
$CXX -std=c++11 -o "$work/take" "$work/take.cc" "$work/make.o" $flags
wide='2560 0'
[ "$active" = '1 1' ] || wide='0 0'
expect "C++17 makes, C++11 releases" "$wide" "$work/take"
if [ -f "$libdir/libmemhook.a" ] && [ "$active" = '1 1' ]; then
	# shellcheck disable=SC2086
	$CC -static -o "$work/c-static" "$work/c.c" $static
	expect "C, static" "$active" "$work/c-static"
	# shellcheck disable=SC2086
	$CXX -static -o "$work/cxx-static" "$work/cxx.cc" $static
	expect "C++, static" hooked hooked "$work/cxx-static"
fi
# shellcheck disable=SC2046
if [ "$active" = '1 1' ] && $CC -o "$work/won" "$work/c.c" \
	$($PKG_CONFIG --cflags memhook) -ljemalloc -L"$libdir" -lmemhook 2> /dev/null; then
	expect "-ljemalloc -lmemhook: another malloc won" "0 0" "$work/won"
fi
exit $failed
