#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook run --interval: a line of JSON for each snapshot, whole ones whatever
# happens, the last one with the end; and the program notices nothing.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CHECK_REPORT:?}" "${VICTIM:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
# shellcheck source=tests/cli/proc.sh
. "${top_srcdir:?}/tests/cli/proc.sh"
worker='"workers":.*"state":"running"'
proc_is_true || worker='"workers":' # it runs the emulator: not shown before its end

work=$(mktemp -d)
pid=
trap 'touch "$work/go"; [ -z "$pid" ] || kill -9 $pid 2> /dev/null; rm -rf "$work"' EXIT
failed=0
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN
m=$MEMHOOK_TOOL
fail() {
	echo "FAIL: $*"
	failed=1
}

# refused TEXT ARG...: one line, exit status 2, nothing started
refused() {
	local text=$1 got
	shift
	"$m" run "$@" -- touch "$work/started" > "$work/err" 2>&1
	got=$?
	[ $got = 2 ] || fail "$*: exit status $got, not 2"
	[ "$(wc -l < "$work/err")" = 1 ] || fail "$*: not one line"
	grep -q -- "$text" "$work/err" || fail "$*: $(cat "$work/err")"
	[ ! -e "$work/started" ] || fail "$*: CMD was started"
}
refused '--output=FILE' --interval=1
refused '--format=text' --interval=1 --format=text --output="$work/o"
for bad in 0 -1 x 1x nan inf 0.001 1e9 ' 1' ''; do
	refused 'number of seconds' --interval="$bad" --output="$work/o"
done

# The first snapshots may be older than the program's first allocation.
begun() {
	grep -v '"totals":{[^}]*"alloc_calls":0,'
}
# until LINES: so many snapshots are there, in which there is something
until_lines() {
	for _ in $(seq 600); do
		[ -f "$work/o" ] && [ "$(begun < "$work/o" | wc -l)" -ge "$1" ] && return
		sleep 0.1
	done
	fail "no $1 snapshots"
}
# Each line is a report; the last has "exit" if $1 is 1, no other one has.
check_lines() {
	local n=0 reports=0 last line
	last=$(wc -l < "$work/o")
	while IFS= read -r line; do
		n=$((n + 1))
		printf '%s\n' "$line" > "$work/line"
		if begun < "$work/line" > /dev/null || [ $reports -gt 0 ]; then
			"$CHECK_REPORT" "$work/line" || fail "line $n is no report"
			reports=$((reports + 1))
		fi
		if [ "$1" = 1 ] && [ $n = "$last" ]; then
			grep -q '"exit":{' "$work/line" || fail "the last line has no exit"
		else
			grep -q '"exit":{' "$work/line" && fail "line $n has an exit"
		fi
	done < "$work/o"
	[ $reports -gt 0 ] || fail "no report at all"
	[ "$(tail -c 1 "$work/o" | od -An -c | tr -d ' ')" = '\n' ] || fail "half a line"
}
# start ARG...: in the background; what it says is in $work/err
start() {
	rm -f "$work/go" "$work/o" "$work/err"
	"$@" > "$work/err" 2>&1 &
	pid=$!
}

start "$m" run --interval=0.05 -o "$work/o" -- "$VICTIM" parent wait "$work/go"
until_lines 3
for _ in $(seq 600); do
	grep -q "$worker" "$work/o" && break
	sleep 0.1
done
touch "$work/go"
wait $pid || fail "exit status"
[ ! -s "$work/err" ] || fail "said $(cat "$work/err")"
check_lines 1
grep -q "$worker" "$work/o" || fail "no worker runs"
tail -n 1 "$work/o" | grep -q '"state":"ended"' || fail "the worker did not end"
tail -n 1 "$work/o" | grep -q '"exit":{"code":0}' || fail "exit of CMD"

# The tool is killed: what it wrote is whole, and CMD does not care.
start "$m" run --interval=0.02 -o "$work/o" -- "$VICTIM" wait "$work/go"
until_lines 3
victim=$(cat "/proc/$pid/task/$pid/children")
kill -9 $pid
wait $pid 2> /dev/null
check_lines 0
kill -0 "${victim% }" || fail "CMD died with the tool"
touch "$work/go"

# It cannot be written: said once, and CMD's exit status comes first.
for end in "exit 0" "exit 7"; do
	# shellcheck disable=SC2086 # an action and its argument
	"$m" run --interval=0.02 -o /dev/full -- "$VICTIM" $end 2> "$work/err"
	got=$?
	[ $got = "$([ "$end" = "exit 0" ] && echo 1 || echo 7)" ] || fail "full, $end: $got"
done
start "$m" run --interval=0.02 -o /dev/full -- "$VICTIM" wait "$work/go"
for _ in $(seq 600); do
	[ -s "$work/err" ] && break
	sleep 0.1
done
sleep 0.2
[ "$(wc -l < "$work/err")" = 1 ] || fail "full: $(cat "$work/err")"
touch "$work/go"
wait $pid
[ $? = 3 ] || fail "full: exit status of CMD"

# A reader that goes away takes nothing with it.
rm -f "$work/go" "$work/err"
"$m" run --interval=0.02 -o >(head -c 1 > /dev/null) -- "$VICTIM" wait "$work/go" \
	2> "$work/err" &
pid=$!
for _ in $(seq 600); do
	[ -s "$work/err" ] && break
	sleep 0.1
done
grep -q 'could not be written' "$work/err" || fail "pipe: $(cat "$work/err")"
touch "$work/go"
wait $pid
[ $? = 3 ] || fail "pipe: exit status of CMD"

# A disk that fills up: the line that had no room is taken back.
# shellcheck disable=SC2016 # the inner shell expands
if unshare -m true 2> /dev/null; then
	rm -f "$work/go" "$work/o" "$work/err"
	mkdir "$work/small"
	unshare -m sh -c 'mount -t tmpfs -o size=16k none "$1" || exit 77
		"$2" run --interval=0.02 -o "$1/o" -- "$3" wait "$4" 2> "$5/err"
		echo $? > "$5/status"; cp "$1/o" "$5/o"' - \
		"$work/small" "$m" "$VICTIM" "$work/go" "$work" &
	pid=$!
	for _ in $(seq 600); do
		[ -s "$work/err" ] && break
		sleep 0.1
	done
	touch "$work/go"
	wait $pid
	if [ $? != 77 ]; then
		[ "$(cat "$work/status")" = 3 ] || fail "small disk: exit status"
		grep -q 'No space left' "$work/err" || fail "small disk: $(cat "$work/err")"
		check_lines 0
	fi
else
	echo "no disk to fill up: not tried"
fi

# Nobody is signalled, stopped or traced: seen from the tool's system calls.
if strace -o /dev/null true 2> /dev/null; then
	start strace -o "$work/trace" -e trace=kill,tkill,tgkill,ptrace,pidfd_send_signal \
		-e signal=none "$m" run --interval=0.02 -o "$work/o" -- "$VICTIM" wait "$work/go"
	until_lines 3
	touch "$work/go"
	wait $pid
	grep -v '^+++ exited with' "$work/trace" > "$work/calls"
	[ ! -s "$work/calls" ] || fail "the tool called $(cat "$work/calls")"
	grep -q '^+++ exited with 3' "$work/trace" || fail "strace saw nothing"
else
	echo "strace is not there: not tried"
fi
pid=
exit $failed
