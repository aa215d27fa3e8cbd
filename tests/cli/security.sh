#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What doc/SECURITY.md promises: the secret, whose environment is believed, who
# may read, what is written where.  The reader among hostile segments: fuzz/.
# shellcheck disable=SC2015,SC2016 # "or fail" is meant so; the inner shells expand
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CC:=cc}" "${NM:=nm}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
	echo "FAIL: $*"
	failed=1
}

cat > "$work/prog.c" <<'END_C'
#include <memhook.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uint64_t *p = malloc(100);

	if (argc > 1 && strcmp(argv[1], "cookie") == 0) {
		printf("%p %jx %jx\n", (void *)p, (uintmax_t)p[-2], (uintmax_t)p[-1]);
	} else if (argc > 1 && strcmp(argv[1], "wait") == 0) {
		puts("ready");
		fflush(stdout);
		for (;;)
			pause();
	} else {
		printf("secure %lu, active %d\n", getauxval(AT_SECURE), memhook_active());
		fflush(stdout);
		memhook_report(1, MEMHOOK_JSON);
	}
	free(p);
	return 0;
}
END_C
$CC -std=gnu11 -D_GNU_SOURCE -fno-builtin -I"$top_srcdir/include" "$work/prog.c" \
	-o "$work/prog" -Wl,--no-as-needed "$MEMHOOK_LIBRARY" \
	"-Wl,-rpath,${MEMHOOK_LIBRARY%/*}" || exit 99

# the secret: another one in each process, at the same address and size
setarch -R true 2> /dev/null && {
	setarch -R "$work/prog" cookie > "$work/first"
	setarch -R "$work/prog" cookie > "$work/second"
	read -r address fields check < "$work/first"
	read -r address2 fields2 check2 < "$work/second"
	[ "$address $fields" = "$address2 $fields2" ] ||
		fail "two runs are not alike: nothing proved of the secret"
	[ "$check" != "$check2" ] || fail "two processes share a secret"
}
# ... and the kernel gave it, 8 bytes, asked for once
if strace -f -qq -e trace=getrandom -o "$work/trace" "$work/prog" cookie > /dev/null 2>&1; then
	[ "$(grep -c 'getrandom(.*, 8, GRND_NONBLOCK) *= 8' "$work/trace")" = 1 ] ||
		fail "the secret does not come from getrandom: $(cat "$work/trace")"
fi

# the environment is asked for in one way only
names=$($NM -D "$MEMHOOK_LIBRARY" | awk '$1 == "U" { sub("@.*", "", $2); print $2 }')
grep -qx secure_getenv <<< "$names" || fail "no secure_getenv in the library"
grep -qx getenv <<< "$names" && fail "the library calls getenv"

# report files: no link is followed, nobody is waited for
report() {
	timeout 20 env MEMHOOK_REPORT="$1" "$work/prog" > /dev/null 2>&1
}
report "$work/plain.json" && [ -s "$work/plain.json" ] || fail "no report: nothing proved"
ln -s "$work/target" "$work/link"
report "$work/link"
[ -e "$work/target" ] && fail "MEMHOOK_REPORT went through a link"
mkfifo "$work/pipe"
report "$work/pipe" || fail "a pipe as MEMHOOK_REPORT that nobody reads: status $?"
mkdir "$work/folder"
report "$work/folder" || fail "a folder as MEMHOOK_REPORT: status $?"
report "$work/nowhere/report" || fail "MEMHOOK_REPORT in no folder: status $?"

# --output: a link of one's own is meant, another user's is not
"$MEMHOOK_TOOL" run --output="$work/link" -- "$work/prog" > /dev/null 2>&1
[ -e "$work/target" ] || fail "--output: one's own link was not followed"

[ "$(id -u)" = 0 ] || exit $failed
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
"${nobody[@]}" true 2> /dev/null || exit $failed
mkdir -m 777 "$work/shared" # not sticky: there the kernel would refuse it
"${nobody[@]}" ln -s "$work/precious" "$work/shared/report"
"$MEMHOOK_TOOL" run --output="$work/shared/report" -- "$work/prog" > "$work/out" 2>&1 &&
	fail "--output through another user's link: exit status 0"
grep -q 'a link that another user made' "$work/out" || fail "--output: $(head -1 "$work/out")"
[ -e "$work/precious" ] && fail "--output went through another user's link"

# who may read: not another user, by any of the ways there are
"$work/prog" wait > "$work/started" &
pid=$!
for _ in $(seq 1000); do
	grep -q ready "$work/started" && break
	sleep 0.01
done
fd=
for link in "/proc/$pid/fd"/*; do
	case $(readlink "$link") in
	/memfd:memhook*) fd=${link##*/} ;;
	esac
done
[ -n "$fd" ] && head -c 8 "/proc/$pid/fd/$fd" > /dev/null || fail "root finds no segment"
for way in "fd/$fd" "map_files" "mem" "maps"; do
	"${nobody[@]}" sh -c 'ls "$0" > /dev/null && head -c 1 "$0"' "/proc/$pid/$way" \
		> "$work/out" 2>&1 && [ -s "$work/out" ] && fail "nobody reads /proc/PID/$way"
done
kill $pid
wait $pid 2> /dev/null

# more rights than the caller: no variable is believed, whatever it is called
[ -f "${MEMHOOK_ARCHIVE:-}" ] || exit $failed
$CC -std=gnu11 -D_GNU_SOURCE -fno-builtin -I"$top_srcdir/include" "$work/prog.c" \
	-o "$work/secure" -Wl,-u,malloc "$MEMHOOK_ARCHIVE" -lm || exit 99
cp "$work/secure" "$work/common"
chmod 4755 "$work/secure"
mkdir -m 777 "$work/open"
variables=()
names=$(grep -aoE 'MEMHOOK_[A-Z_]+' "$work/common" | sort -u)
for name in $names; do
	case $name in
	MEMHOOK_BY) value=site ;;
	MEMHOOK_FOREIGN) value=ignore ;;
	MEMHOOK_CHECK) value=strict ;;
	MEMHOOK_SEGMENT) value=0:1 ;;
	*) value=$work/open/$name.json ;;
	esac
	variables+=("$name=$value")
done
[ ${#variables[@]} -ge 6 ] || fail "only ${#variables[@]} variables found: ${variables[*]}"
"${nobody[@]}" env "${variables[@]}" "$work/common" > "$work/out" 2>&1
grep -q '"by":"site"' "$work/out" && grep -q 'secure 0' "$work/out" &&
	[ -s "$work/open/MEMHOOK_REPORT.json" ] ||
	fail "not setuid, the variables have no effect: nothing proved"
rm -f "$work/open"/*
"${nobody[@]}" env "${variables[@]}" "$work/secure" > "$work/out" 2>&1
if grep -q 'secure 1' "$work/out"; then
	grep -q '"by":"none"' "$work/out" || fail "a setuid program believes MEMHOOK_BY"
	[ -z "$(ls "$work/open")" ] || fail "a setuid program wrote $(ls "$work/open")"
else
	echo "setuid has no effect here: not tried"
fi
exit $failed
