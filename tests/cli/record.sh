#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook record: the lines say what the process held, a later recording goes on
# where an earlier one ended, and what a crash leaves costs one line.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"
. "$top_srcdir/tests/cli/proc.sh"
: "${VICTIM:?}" "${CHECK_REPORT:?}"

# What the lines of a recording mean, by the RFC's words alone: as the list `j`
# of reports, and the lines themselves as `lines`.
recording() {
	python3 - "$1" "$2" <<'END' > "$work/out" 2>&1 || fail "$1: not so: $2"
import json, sys
def merge(target, patch):
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merge(target.get(key), value)
    return target
def keyed(report):
    report = dict(report)
    if "owners" in report:
        report["owners"] = {str(o["id"]): o for o in report["owners"]}
    if "workers" in report:
        report["workers"] = {str(w["pid"]): keyed(w) for w in report["workers"]}
    return report
lines, j = [], []
for text in open(sys.argv[1]):
    lines.append(line := json.loads(text))
    if line["schema"] == "memhook/1":
        j.append(keyed(line))
        continue
    assert line["schema"] == "memhook-delta/1", line["schema"]
    assert line["since_unix_ms"] == j[-1]["time_unix_ms"]
    patch = {k: v for k, v in line.items() if k not in ("schema", "since_unix_ms")}
    j.append(merge(j[-1], patch))
def live(report, name):
    return sum(o["live_bytes"] for o in report["owners"].values() if o["name"] == name)
for report in j:
    assert sum(o["live_bytes"] for o in report["owners"].values()) == \
        report["totals"]["live_bytes"], report
result = eval("(" + sys.argv[2] + ")")
if not result: print(lines)
sys.exit(not result)
END
}
# until FILE N: so many lines are there
until_lines() {
	for _ in $(seq 1200); do
		[ -f "$1" ] && [ "$(wc -l < "$1")" -ge "$2" ] && return
		sleep 0.05
	done
	fail "$1: no $2 lines"
}
more() {
	until_lines "$1" $(($(wc -l < "$1") + $2))
}
# In the background: its number is in $recorder.
record() {
	# With our end of the subject's pipe in its hands, the subject would not end.
	"$m" record "$@" > "$work/said" 2>&1 {to}>&- {from}<&- &
	recorder=$!
	children+=("$recorder")
}
# ends STATUS NAME
ends() {
	local got
	wait $recorder
	got=$?
	[ $got = "$1" ] || fail "$2: exit status $got, not $1: $(cat "$work/said")"
}

check "no process" 2 'which process' "$m" record
check "an interval" 2 'number of seconds' "$m" record -i 0 1
check "owners of a running process" 2 'leave out --by' "$m" record --by=site 1
check "no such process" 1 'no such process' "$m" record -o "$work/none" 999999999
[ ! -e "$work/none" ] || fail "a file for no process"
check "help" 0 'memhook record' "$m" record --help
narrow "help"

start
tell alloc db/cache 10 1000
record -i 0.02 -o "$work/r" "$pid"
until_lines "$work/r" 2
tell alloc db/log 20 1000
more "$work/r" 2
tell free db/cache
tell retire db/cache
more "$work/r" 2
kill -TERM $recorder
ends 0 "stopped"
recording "$work/r" 'lines[0]["schema"] == "memhook/1" and
	all(x["schema"] == "memhook-delta/1" for i, x in enumerate(lines) if i % 60)'
recording "$work/r" 'live(j[0], "db/cache") == 10000 and live(j[0], "db/log") == 0'
recording "$work/r" 'live(j[-1], "db/cache") == 0 and live(j[-1], "db/log") == 20000'
recording "$work/r" '{10000, 30000, 20000} <= {live(x, "db/cache") + live(x, "db/log")
	for x in j}'
# of the resident memory each part is known
recording "$work/r" 'all(x["process"]["smaps"] and x["process"]["file_bytes"] for x in j)'
# nothing changed: next to nothing is written
awk 'length < 400 { short = 1 } END { exit !short }' "$work/r" ||
	fail "a line at rest: $(tail -1 "$work/r")"

# It is continued, with a whole report, and another one may not join in.
cp "$work/r" "$work/before"
record -i 0.02 -o "$work/r" "$pid"
more "$work/r" 2
check "two at once" 1 'another memhook record' "$m" record -o "$work/r" "$pid"
kill -9 $recorder
wait $recorder 2> /dev/null
head -c "$(wc -c < "$work/before")" "$work/r" | cmp -s - "$work/before" ||
	fail "what was there has changed"
recording "$work/r" "lines[$(wc -l < "$work/before")]['schema'] == 'memhook/1'"
recording "$work/r" 'live(j[-1], "db/log") == 20000'

# It died in the middle of a line.
truncate -s -20 "$work/r"
whole=$(wc -l < "$work/r")
record -i 0.02 -o "$work/r" "$pid"
until_lines "$work/r" $((whole + 3))
stop
ends 0 "the process has ended"
sed -i "$((whole + 1))d" "$work/r"
recording "$work/r" "lines[$whole]['schema'] == 'memhook/1'"

# 60 lines after a whole one comes the next.
start
record -i 0.01 -o "$work/long" "$pid"
until_lines "$work/long" 123
stop
ends 0 "long"
recording "$work/long" '[i for i, x in enumerate(lines) if x["schema"] == "memhook/1"][:3]
	== [0, 60, 120]'

# A program of its own: as run, with its exit status, and the end is whole.
"$m" record -i 0.02 -o "$work/v" --by=none -- "$VICTIM" exit 3 > "$work/out" 2>&1
got=$?
[ $got = 3 ] || fail "a program: exit status $got"
[ ! -s "$work/out" ] || fail "a program: it said something"
recording "$work/v" 'lines[-1]["exit"] == {"code": 3} and lines[-1]["by"] == "none"'
tail -1 "$work/v" > "$work/last"
"$CHECK_REPORT" "$work/last" || fail "the last line is no report"
"$m" record -i 0.02 -o "$work/v" -- "$VICTIM" signal 9 > "$work/out" 2>&1
got=$?
[ $got = 137 ] || fail "killed: exit status $got"
recording "$work/v" 'lines[-1]["exit"] == {"signal": 9} and
	[x["exit"] for x in lines if "exit" in x][0] == {"code": 3}'
# Its workers as well, while they live with what of them is resident: those that
# /proc says are running the program still.
record -i 0.02 -o "$work/w" -- "$VICTIM" parent wait "$work/go"
if proc_is_true; then
	until_so grep -q '"workers":.*"state":"running"' "$work/w"
	until_so grep -q '"workers":.*"rss_bytes":[1-9]' "$work/w"
else
	until_lines "$work/w" 3
fi
touch "$work/go"
ends 0 "workers"
recording "$work/w" 'len(j[-1]["workers"]) == 1'
! proc_is_true || recording "$work/w" 'any(w["process"]["rss_bytes"] for x in j
	for w in x["workers"].values() if w["state"] == "running")'
check "not found" 127 'No such file' "$m" record -o "$work/none" -- "$work/nothing"

# It cannot be written.
start
check "full" 1 'could not be written: No space' "$m" record -o /dev/full "$pid"
check "a folder" 1 'cannot write' "$m" record -o "$work" "$pid"
stop
exit $failed
