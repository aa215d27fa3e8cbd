#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Narrow places: resource limits, closed descriptors, other users, programs
# with more rights than their caller, and an environment that lies.
# shellcheck disable=SC2016 # the inner shells expand
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CC:=cc}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
failed=0
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN MEMHOOK_SEGMENT
fail() {
	echo "FAIL: $*"
	sed 's/^/      /' "$work/out" 2> /dev/null | head -3
	failed=1
}

# check NAME STATUS COMMAND...: through a pipe, for ulimit -f counts files
check() {
	local name=$1 status=$2 got
	shift 2
	timeout 60 "$@" 2>&1 < /dev/null | cat > "$work/out"
	got=${PIPESTATUS[0]}
	[ "$got" = "$status" ] || fail "$name: exit status $got, not $status"
}
says() {
	grep -Eq -- "$1" "$work/out" || fail "$2: no line matches '$1'"
}

# A program that allocates, tells whether it is hooked, and exits with 3.
cat > "$work/prog.c" <<'END_C'
#include <memhook.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#pragma weak memhook_active

int main(int argc, char **argv)
{
	static _Alignas(64) char mine[256];
	char *volatile p = malloc(100000);

	memset(p, 1, 100000);
	printf("hooked %d, secure %lu\n", memhook_active ? memhook_active() : -1,
	       getauxval(AT_SECURE));
	fflush(stdout);
	if (argc > 1 && strcmp(argv[1], "foreign") == 0) {
		char *volatile foreign = mine + 64;

		free(foreign);
	}
	if (argc > 1 && strcmp(argv[1], "close") == 0) {
		closefrom(3);
		puts("ready");
		fflush(stdout);
		for (;;)
			pause();
	}
	free(p);
	return 3;
}
END_C
build() {
	$CC -std=gnu11 -D_GNU_SOURCE -fno-builtin -I"$top_srcdir/include" "$@" || exit 99
}
build -o "$work/prog" "$work/prog.c"

# limits: the program runs, and is hooked all the same
hooked=(env LD_PRELOAD="$MEMHOOK_LIBRARY" "$work/prog")
check "no limit" 3 "${hooked[@]}"
says '^hooked 1, secure 0$' "no limit"
for limit in "-f 0" "-n 16" "-v 400000" "-l 0" "-s 256"; do
	check "ulimit $limit" 3 bash -c 'ulimit $1; shift; exec "$@"' - "$limit" \
		"${hooked[@]}"
	says '^hooked 1' "ulimit $limit"
	check "run, ulimit $limit" 3 bash -c 'ulimit $1; shift; exec "$@"' - "$limit" \
		"$MEMHOOK_TOOL" run -- "$work/prog"
done

# 3 is all that is left, and whoever started us may have left it open
check "ulimit -n 4" 3 bash -c 'exec 3>&-; ulimit -n 4; exec "$@"' - "${hooked[@]}"
says '^hooked 1' "ulimit -n 4"

# standard descriptors that are closed do not become the segment
check "closed stdin" 0 sh -c 'exec "$0" "$@" <&-' env LD_PRELOAD="$MEMHOOK_LIBRARY" \
	sh -c 'case $(readlink /proc/$$/fd/0) in *memfd*) exit 9;; esac'
check "run, all closed" 3 sh -c 'exec "$0" "$@" <&- >&- 2>&-' \
	"$MEMHOOK_TOOL" run -- "$work/prog"
check "run, no stdin" 0 sh -c 'exec "$0" "$@" <&-' "$MEMHOOK_TOOL" run -o "$work/r" -- \
	sh -c 'case $(readlink /proc/$$/fd/0) in *memfd*) exit 9;; esac'

# an environment that lies: the program's own files are left alone
for segment in abc : 1 1: :1 -1:5 9999:1 "1:$(stat -c %i "$work/prog.c")" \
	99999999999999999999:1; do
	check "MEMHOOK_SEGMENT=$segment" 3 env MEMHOOK_SEGMENT="$segment" "${hooked[@]}"
	says '^hooked 1' "MEMHOOK_SEGMENT=$segment"
done
: > "$work/precious"
check "the inode of standard output" 3 sh -c 'exec env MEMHOOK_SEGMENT="1:$1" \
	LD_PRELOAD="$2" "$3" > "$4"' - "$(stat -c %i "$work/precious")" \
	"$MEMHOOK_LIBRARY" "$work/prog" "$work/precious"
[ "$(cat "$work/precious")" = "hooked 1, secure 0" ] ||
	fail "standard output was taken for the segment and closed"
exec 70<> "$work/precious"
for segment in "900:$(stat -c %i "$work/precious"):x" "900:1:$$" \
	"70:$(stat -c %i "$work/precious"):$$" "71:$(stat -c %i "$work/precious"):$$"; do
	check "MEMHOOK_SEGMENT=$segment" 3 env MEMHOOK_SEGMENT="$segment" "${hooked[@]}"
	says '^hooked 1' "MEMHOOK_SEGMENT=$segment"
done
exec 70>&-
[ "$(cat "$work/precious")" = "hooked 1, secure 0" ] ||
	fail "a file of the process that was named was written to"
ln -s "$work/target" "$work/link.json"
check "MEMHOOK_REPORT is a link" 3 env MEMHOOK_REPORT="$work/link.json" "${hooked[@]}"
[ -e "$work/target" ] && fail "the report went through a symbolic link"
for value in "" nonsense; do
	check "MEMHOOK_BY='$value'" 3 env MEMHOOK_BY="$value" "${hooked[@]}"
	check "MEMHOOK_FOREIGN='$value'" 134 env MEMHOOK_FOREIGN="$value" \
		"${hooked[@]}" foreign
done

[ "$(id -u)" = 0 ] || exit $failed

# the program closed the descriptor: root still reads it through the mapping
"${hooked[@]}" close > "$work/started" &
pid=$!
for _ in $(seq 500); do
	grep -q ready "$work/started" && break
	sleep 0.01
done
check "stat of a program that closed all" 0 "$MEMHOOK_TOOL" stat --format=json $pid
says '"schema":"memhook/1"' "stat of a program that closed all"
# and another user does not
cp "$MEMHOOK_TOOL" "$work/memhook"
if setpriv --reuid=65534 --clear-groups true 2> /dev/null; then
	check "stat of another user's program" 1 \
		setpriv --reuid=65534 --clear-groups "$work/memhook" stat $pid
	says 'permission denied|belongs to another user' "stat of another user's program"
fi
kill $pid
wait $pid 2> /dev/null

# more rights than the caller: no variable of ours is believed
[ -f "${MEMHOOK_ARCHIVE:-}" ] || exit $failed
build -o "$work/own" "$work/prog.c" -Wl,-u,memhook_active "$MEMHOOK_ARCHIVE" -lm
cp "$work/own" "$work/secure"
chown 65534:65534 "$work/secure"
chmod 4755 "$work/secure"
"$work/secure" | grep -q 'hooked 1, secure 1' || {
	echo "setuid has no effect here: not tried"
	exit $failed
}
mkdir -m 777 "$work/open"
check "a report, not setuid" 3 env MEMHOOK_REPORT="$work/open/a.json" "$work/own"
[ -s "$work/open/a.json" ] || fail "no report without setuid: nothing proved"
check "a report, setuid" 3 env MEMHOOK_REPORT="$work/open/b.json" "$work/secure"
[ -e "$work/open/b.json" ] && fail "a setuid program wrote where it was told to"
check "foreign, not setuid" 3 env MEMHOOK_FOREIGN=ignore "$work/own" foreign
check "foreign, setuid" 134 env MEMHOOK_FOREIGN=ignore "$work/secure" foreign
exit $failed
