#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The reader's enemy: processes whose segment is foreign, broken or spoiled on
# purpose.  One clear line and exit status 1, never a crash.  SPOILED=N
# spoils a real one N times; the seed of a failure is printed.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${BAD_SEGMENT:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

work=$(mktemp -d)
pid=
trap 'rm -rf "$work"; [ -z "$pid" ] || kill -9 $pid 2> /dev/null' EXIT
failed=0
fail() {
	echo "FAIL: $*"
	sed 's/^/      /' "$work/err" | head -5
	failed=1
}

# pretend CASE...: start the pretender; its pid in $pid
pretend() {
	: > "$work/pid"
	"$BAD_SEGMENT" "$@" > "$work/pid" 2> "$work/err" &
	pid=$!
	for _ in $(seq 500); do
		[ -s "$work/pid" ] && return
		kill -0 $pid 2> /dev/null || break
		sleep 0.01
	done
	echo "bad-segment $* did not start"
	exit 99
}
stop() {
	kill -9 $pid
	wait $pid 2> /dev/null
	pid=
}

# The pretender is believed when it tells the truth: else nothing is proved.
pretend good
timeout 20 "$MEMHOOK_TOOL" stat --format=json $pid > "$work/out" 2> "$work/err" ||
	fail "a segment in order was refused"
grep -q '"command":"pretender"' "$work/out" || fail "not what the segment says"
stop

mapfile -t cases < <("$BAD_SEGMENT" --list)
for name in "${cases[@]}"; do
	for format in text json; do
		pretend "$name"
		timeout 20 "$MEMHOOK_TOOL" stat --format=$format $pid \
			> "$work/out" 2> "$work/err"
		status=$?
		[ $status = 1 ] || fail "$name: exit status $status, not 1"
		[ "$(wc -l < "$work/err")" = 1 ] || fail "$name: not one line"
		grep -q "^memhook stat: process $pid: " "$work/err" ||
			fail "$name: does not say whose"
		[ -s "$work/out" ] && fail "$name: and something was reported"
		stop
	done
done

# A real one, its first bytes, spoiled.
"$MEMHOOK_TOOL" run -o "$work/report" -- sleep 60 &
run=$!
for _ in $(seq 500); do
	target=$(cat /proc/$run/task/$run/children 2> /dev/null)
	target=${target%% *}
	[ -n "$target" ] && "$MEMHOOK_TOOL" stat "$target" > "$work/out" 2> "$work/err" &&
		break
	sleep 0.01
done
for fd in /proc/"$target"/fd/*; do
	case $(readlink "$fd") in
	/memfd:memhook*) head -c 1048576 "$fd" > "$work/segment" ;;
	esac
done
kill "$target"
wait $run
[ -s "$work/segment" ] || { echo "FAIL: no segment to spoil"; exit 1; }
read_it=0
for seed in $(seq 0 "${SPOILED:-150}"); do
	pretend flip "$seed" "$work/segment"
	(ulimit -v 4000000; exec timeout 20 "$MEMHOOK_TOOL" stat --format=json $pid) \
		> "$work/out" 2> "$work/err"
	status=$?
	case $status in
	0) read_it=$((read_it + 1)) ;; # what was changed may be harmless
	1) [ "$(wc -l < "$work/err")" = 1 ] || fail "seed $seed: not one line" ;;
	*) fail "seed $seed: exit status $status" ;;
	esac
	[ "$seed$status" = 01 ] && fail "not spoiled, but refused"
	stop
done
echo "$read_it of $seed spoiled segments were readable"
exit $failed
