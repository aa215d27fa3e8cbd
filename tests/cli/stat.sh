#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook stat: order, limit, rollup; again and again, with rates; its bad input.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"

start
tell alloc db/cache 10 1000
tell alloc db/log 5 100
tell alloc other 3 7
tell alloc web/a/b 1 50000
tell free web/a/b

# order, limit, rollup: the table adds up to its total whatever is left out
order() {
	awk '/^OWNER/ { on = 1; next } /^total/ { exit } on { printf "%s ", $1 }' "$work/out"
}
sorted() {
	check "--sort=$1" 0 "^OWNER" "$m" stat --sort="$1" "$pid"
	[ "$(order)" = "$2 " ] || fail "--sort=$1: $(order)"
}
sorted live "db/cache db/log other nobody web/a/b"
sorted blocks "db/cache db/log other nobody web/a/b"
sorted peak "web/a/b db/cache db/log other nobody"
sorted allocs "db/cache db/log other web/a/b nobody"
sorted name "db/cache db/log nobody other web/a/b"
narrow "--sort"
check "--limit" 0 '^\(3 others\) +21 B +3 +48\.8 KiB +4$' "$m" stat --limit=2 "$pid"
check "--limit of all" 0 '^web/a/b' "$m" stat --limit=5 "$pid"
grep -q others "$work/out" && fail "--limit=5 of 5 owners left some out"
check "--limit, json" 0 others "$m" stat --limit=2 -f json "$pid"
json "--limit, json" 'adds_up(j[0]) and adds_up(j[0], "alloc_calls")'
json "--limit, json" 'len(j[0]["owners"]) == 3 and j[0]["owners"][2]["others"] == 3'
# what one report leaves out, the next one has not forgotten
check "--limit, again" 0 '^\(3 others\) +21 B +0 B +3 +0 +0 B$' \
	"$m" stat --limit=2 -i 0.1 -c 2 "$pid"
check "--rollup, again" 0 '^db/ +10\.2 KiB +0 B +15 +0 +0 B$' "$m" stat -r -i 0.1 -c 2 "$pid"
check "--rollup" 0 '^db/ +10.2 KiB +15 ' "$m" stat --rollup "$pid"
check "--rollup" 0 '^web/ +0 B +0 +48.8 KiB +1$' "$m" stat --rollup "$pid"
check "--rollup, json" 0 '"schema":"memhook/1"' "$m" stat -r -f json --limit=99 "$pid"
json "--rollup, json" 'owner(j[0], "db/")["live_bytes"] == 10500 and adds_up(j[0])'
json "--rollup, json" 'owner(j[0], "db/")["id"] is None and owner(j[0], "other")["id"] > 1'
"$m" stat -f json -o "$work/plain.json" "$pid" || fail "--output"
"$CHECK_REPORT" "$work/plain.json" || fail "no report in the file"

# again and again: what happens between two reports is in the second
watch "$m" stat -i 0.5 -f json "$pid"
until_so test -s "$work/lines"
tell alloc db/log 20 1000
tell alloc fresh 2 30
tell free other
tell retire other
until_so grep '"fresh"' "$work/lines"
stop
watched
[ "$status" = 0 ] || fail "--interval until it ends: its exit status"
cp "$work/err" "$work/out"
grep -q "process $pid: it has ended" "$work/out" || fail "does not say that it has ended"
lines 1 "the end"
cp "$work/lines" "$work/out"
json "--interval" 'all(o["schema"] == "memhook/1" and adds_up(o) for o in j)'
json "--interval" '"change" not in j[0] and all("change" in o and "rates" in o for o in j[1:])'
# a report may fall between two commands: what all of them say counts
json "growth" 'sum(owner(o, "db/log")["change"]["live_bytes"] for o in j[1:]) == 20000'
json "growth" 'sum(owner(o, "db/log")["change"]["alloc_calls"] for o in j[1:]) == 20'
json "rates" 'any(owner(o, "db/log")["rates"]["alloc_calls"] > 0 for o in j[1:])'
json "rates" 'max(owner(o, "db/log")["rates"]["alloc_bytes"] for o in j[1:]) <= 20000 * 100'
json "the total" 'sum(o["change"]["live_bytes"] for o in j[1:]) == 20060 - 21'
json "the ended" 'sum(x["change"]["live_bytes"] for o in j[1:] for x in o["owners"]
	if x["name"] == "other") == -21'
json "the sum of changes" 'all(sum(x["change"][k] for x in o["owners"]) == o["change"][k]
	for o in j[1:] for k in ("live_bytes", "live_blocks", "alloc_calls", "alloc_bytes"))'

# stopped by the user, not by us; and one that runs all the while
start
tell alloc steady 7 100
tell busy 4
check "--interval, text" 0 '^busy +.* [1-9][0-9.,]+( [kMG])? +[0-9.]+ [KMGT]iB$' \
	"$m" stat -i 0.3 -c 3 --sort=rate "$pid"
narrow "--interval"
[ "$(grep -c '^OWNER' "$work/out")" = 3 ] || fail "--count=3"
grep -q '^memhook: subject (pid [0-9]*), since [0-9.]* s ago$' "$work/out" ||
	fail "--interval: since when?"
awk '/ALLOCS\/S/ { getline; if ($1 != "busy") bad = 1; n++ } END { exit bad || n != 2 }' \
	"$work/out" || fail "--sort=rate: busy is not the first"
check "busy, json" 0 steady "$m" stat -i 0.2 -c 3 -f json "$pid"
json "busy" 'all(adds_up(o) for o in j)'
json "busy" 'all(owner(o, "busy")["change"]["alloc_calls"] > 0 for o in j[1:])'
tell rest
kill -STOP "$pid"
check "a stopped process" 0 '^steady +700 B' "$m" stat -i 0.1 -c 2 "$pid"
kill -CONT "$pid"

# threads have numbers, since many may have one name
stop
export MEMHOOK_BY=thread
start
unset MEMHOOK_BY
tell busy 1 # which takes memory for a thread
check "by thread" 0 "^subject \\($pid\\) " "$m" stat -i 0.1 -c 2 "$pid"
[ "$(grep -c '^OWNER (thread)' "$work/out")" = 2 ] || fail "not said that they are threads"

# another program in the same process; before that has begun, there is none
for _ in $(seq 20); do
	watch "$m" stat -i 1 "$pid"
	until_so test -s "$work/lines"
	tell exec
	until_so grep -E 'another program by exec|not hooked|not allocated yet' "$work/err"
	grep -Eq 'not hooked|not allocated yet' "$work/err" || break
	watched
done
grep -q 'another program by exec' "$work/err" || fail "exec: $(cat "$work/err")"
stop
watched
[ "$status" = 0 ] || fail "--interval beyond an exec: its exit status"

# what cannot be
check "vanished" 1 "process $pid: no such process" "$m" stat -i 1 "$pid"
lines 1 "vanished"
check "not hooked" 1 'not hooked' "$m" stat -i 1 -c 2 $$
for bad in -i0 -i-1 -ix -i1x -i1e9 -iinf "-i 1" -inan -c0 -cx -c-1 -l0 -l-3 -lx -l9e9 -sx -s \
	-fxml --colour --interval --count=3 "-i1 --since-mark" "-i1 -c0"; do
	# shellcheck disable=SC2086 # several words in some
	check "stat $bad" 2 'memhook|Usage' "$m" stat ${bad/ 1/1 -c} 1
done
for bad in 0 -1 1x x "" 99999999999999 " 1" 1.5; do
	check "stat '$bad'" 2 "no process number|Usage" "$m" stat -- "$bad"
done
check "two processes" 2 'one process at a time' "$m" stat 1 2
if [ -e /dev/full ]; then
	start
	check "full disk" 1 'could not be written' "$m" stat -o /dev/full "$pid"
	check "full disk, json" 1 'could not be written' "$m" stat -l 1 -f json -o /dev/full "$pid"
	check "full disk, again" 1 'could not be written' "$m" stat -i 1 -o /dev/full "$pid"
	stop
fi
exit $failed
