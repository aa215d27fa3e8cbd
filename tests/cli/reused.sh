#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A process number that goes to another process while it is watched, or after
# it was marked: that one is not taken for the first.  In a PID namespace of
# its own, where the next number can be chosen.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"

if [ -z "${REUSED_INSIDE-}" ]; then
	unshare --pid --fork --mount-proc sh -c 'echo 1000 > /proc/sys/kernel/ns_last_pid' \
		2> /dev/null || { echo "no PID namespace of our own here"; exit 77; }
	export REUSED_INSIDE=1
	exec unshare --pid --fork --mount-proc "$0"
fi

start
tell alloc owner 10 1000
first=$pid
"$m" mark "$first" > /dev/null || fail "no mark"
watch "$m" stat -i 0.2 -c 50 -f json "$first"
until_so test -s "$work/lines"
# The watcher must not see the gap: then it would only say that it has ended.
kill -STOP "$reader"
cp "$work/lines" "$work/before"
stop
for _ in 1 2 3 4 5 6 7 8 9 10; do
	mkfifo "$work/again.in"
	echo $((first - 1)) > /proc/sys/kernel/ns_last_pid
	"$SUBJECT" < "$work/again.in" > "$work/again.out" &
	again=$!
	exec {to}> "$work/again.in"
	rm "$work/again.in"
	[ "$again" = "$first" ] && break
	exec {to}>&-
done
[ "$again" = "$first" ] || { echo "the number did not come again"; exit 77; }
until_so test -s "$work/again.out"
kill -CONT "$reader"
watched
cp "$work/err" "$work/out"
grep -q "process $first: it has ended, and another one has its number" "$work/err" ||
	fail "the other process was taken for it"
[ "$status" = 0 ] || fail "exit status $status after a report"
check "the mark" 1 "has no mark" "$m" stat --since-mark "$first"
check "the other process itself" 0 "is running" "$m" stat "$first"
exec {to}>&-
exit $failed
