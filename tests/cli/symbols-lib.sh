# shellcheck shell=bash disable=SC2034,SC2048,SC2119,SC2120,SC2154
# SPDX-License-Identifier: BSD-2-Clause
# What symbols.sh and symbols-enemy.sh share: a process with the call sites of a
# program of places.cc, and what the tool says of it.

work=$(mktemp -d)
work=$(readlink -f "$work")
here=$top_srcdir/tests/cli
pid=
trap 'rm -rf "$work"; [ -z "$pid" ] || kill -9 $pid 2> /dev/null' EXIT
cd "$work" || exit 99
failed=0
unset LD_PRELOAD DEBUGINFOD_URLS
mkdir -p include/c++
cat > include/c++/box.h << 'END'
#include "places.h"
template <class T> struct std_box {
	static inline __attribute__((always_inline)) void allocate(const char *name)
	{
		PLACE(name);
	}
};
END

fail() {
	echo "FAIL: $*"
	failed=1
}

build_id() {
	local id
	id=$(readelf -n "$1" | sed -n 's/.*Build ID: //p')
	echo "${id:--}"
}
# offset PROGRAM NAME: of a call site, as the program itself prints it
offset() {
	"./$1" | awk -v name="$2" '$1 == name { print $3 }'
}
# start INPUT COMMAND...: a process that says when it is ready; $pid
start() {
	[ -z "$pid" ] || { kill -9 "$pid"; wait "$pid" 2> /dev/null; }
	: > started
	"${@:2}" < "${1:-/dev/null}" > started 2> errors &
	pid=$!
	for _ in $(seq 6000); do
		[ -s started ] && return
		kill -0 $pid 2> /dev/null || break
		sleep 0.01
	done
	echo "${*:2} did not start"
	cat errors
	exit 99
}
# start_sites [COMMAND...]: a process with the sites of standard input
start_sites() {
	cat > sites
	start sites "$@" "${pretender:-$SITES}" ${root:+"$root"}
}
# look: the report, in ./out.  The tool gives each name of a spoiled file a minute,
# and may need it where an emulator runs it.
look() {
	timeout 1000 "$MEMHOOK_TOOL" stat --format=json "$pid" > out 2> errors ||
		fail "stat: status $?, $(head -1 errors)"
}
# ask_as PATH BUILD-ID [PROGRAM]: the sites of a program, said to be in PATH
ask_as() {
	start_sites < <("./${3:-$1}" | sed "s| [^ ]* | $work/$1 |; s|\$| $2|")
	look
}
# ask PROGRAM: its sites, as they are
ask() {
	ask_as "${1#./}" "$(build_id "$1")"
}

# has WHAT NAME PATTERN: the owner of this name has it in its line of JSON
has() {
	grep "\"name\":\"$2\"" out | grep -Fq -- "$3" && return
	grep "\"name\":\"$2\"" out | grep -q -- "$3" && return
	fail "$1: $2 has no '$3': $(grep "\"name\":\"$2\"" out | head -c 400)"
}
hasnt() {
	grep -q "\"name\":\"$2\"" out || fail "$1: $2 is not there"
	grep "\"name\":\"$2\"" out | grep -q -- "$3" &&
		fail "$1: $2 has '$3': $(grep "\"name\":\"$2\"" out | head -c 400)"
	return 0
}

# build NAME OPTION...: a program of places.cc
build() {
	local name=$1
	shift
	$CC -O2 -D_GNU_SOURCE -c -o places.o "$here/places.c" -I "$here" &&
		$CXX -std=c++17 -I "$here" -I "$work" -DPROGRAM "$@" -o "$name" \
			"$here/places.cc" places.o -rdynamic || exit 99
}
all="anonymous template operator inlined header lambda virtual plain noreturn"
# function_of NAME: what it should be called, or how that begins
function_of() {
	case $1 in
	anonymous) echo 'app::(anonymous namespace)::hidden(int)' ;;
	template) echo 'app::shelf<std::' ;;
	operator) echo 'app::shelf<int>::operator<<(int const&)' ;;
	inlined) echo 'helper"' ;; # gcc has no more of what is static
	header) echo 'app::outer()"' ;;
	lambda) echo 'app::lambda()::{lambda(int)' ;;
	virtual) echo 'app::derived::show(int) const"' ;;
	plain) echo 'plain_c"' ;;
	noreturn) echo 'leave()"' ;;
	esac
}
# check_all WHAT [NAME...]: function, file and line of each
check_all() {
	local what=$1 name line
	shift
	for name in ${*:-$all}; do
		line=$(grep -n "\"$name\"" "$here/places.cc" | cut -d: -f1)
		has "$what: $name" "$name" "\"function\":\"$(function_of "$name")"
		has "$what: $name" "$name" "places.cc\",\"line\":$line,"
	done
}

