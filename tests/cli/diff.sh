#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook diff: who grew between two reports, and files that are none.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"

start
tell alloc db/cache 10 1000
tell alloc other 3 7
tell alloc web 4 50
"$m" stat -f json -o "$work/a.json" "$pid"
tell alloc db/log 20 1000
tell free other
tell retire other
tell free web
tell alloc web 2 10
"$m" stat -f json -o "$work/b.json" "$pid"
stop

check "diff" 0 '^db/log +0 B +19\.5 KiB +\+19\.5 KiB +\+20 +\+20$' \
	"$m" diff "$work/a.json" "$work/b.json"
narrow "diff"
grep -Eq '^other \(ended\) +21 B +0 B +-21 B +-3 +0$' "$work/out" || fail "the ended one"
grep -Eq '^web +200 B +20 B +-180 B +-2 +\+2$' "$work/out" || fail "the one that shrank"
[ "$(awk '/^OWNER/ { getline; print $1 }' "$work/out")" = db/log ] ||
	fail "not sorted by growth"
[ "$(tail -2 "$work/out" | awk '{ print $1 }' | head -1)" = web ] ||
	fail "who shrank most is not the last"
check "diff, reversed" 0 'EARLIER' "$m" diff "$work/b.json" "$work/a.json"
check "diff, rollup" 0 '^db/ +9\.7 KiB +29\.2 KiB +\+19\.5 KiB' \
	"$m" diff --rollup "$work/a.json" "$work/b.json"
check "diff of one with itself" 0 '^total +[0-9.]+ [KM]iB +[0-9.]+ [KM]iB +0 B +0 +0$' \
	"$m" diff "$work/a.json" "$work/a.json"
"$m" diff - "$work/b.json" < "$work/a.json" > "$work/out" || fail "diff of standard input"
check "diff, json" 0 . "$m" diff -f json --limit=2 "$work/a.json" "$work/b.json"
json "diff, json" 'j[0]["schema"] == "memhook-diff/1" and len(j[0]["owners"]) == 3'
json "diff, json" 'owner(j[0], "db/log")["change"]["live_bytes"] == 20000'
json "diff, json" 'all(sum(x[w]["live_bytes"] for x in j[0]["owners"])
	== j[0]["totals"][w]["live_bytes"] for w in ("old", "new", "change"))'

# several reports in a file: the last; workers: passed over, and said
cat "$work/a.json" "$work/b.json" > "$work/both.json"
check "two in one file" 0 'the last of its 2' "$m" diff "$work/a.json" "$work/both.json"
"$m" run -f json -o "$work/run.json" -- \
	bash -c '(: "{1..999}"; exit 3); exit 0'
check "workers" 0 'without its [1-9][0-9]* workers' "$m" diff "$work/run.json" "$work/run.json"
check "another kind of owners" 0 'by none and by library' "$m" diff "$work/a.json" "$work/run.json"

# A recording: what its last line makes of it, whatever a recorder that died has left
start
"$m" record -i 0.02 -o "$work/rec" "$pid" > "$work/out" 2>&1 {to}>&- {from}<&- &
children+=($!)
until_so test -s "$work/rec"
tell alloc db/cache 10 1000
# shellcheck disable=SC2317 # until_so calls it
recorded() {
	[ "$(grep -c '"memhook-delta/1"' "$work/rec")" -gt 2 ] && grep -q '"live_bytes":10000' "$work/rec"
}
until_so recorded
kill -9 "${children[-1]}"
wait "${children[-1]}" 2> /dev/null
"$m" stat -f json -o "$work/now.json" "$pid"
check "a recording" 0 '^db/cache +0 B +9\.7 KiB +\+9\.7 KiB' \
	"$m" diff <(head -1 "$work/rec") "$work/rec"
grep -Eq 'the last of its [0-9]+ reports' "$work/out" || fail "how many reports it has"
check "a recording, as it is" 0 '^total .* 0 B +0 +0$' "$m" diff "$work/rec" "$work/now.json"
truncate -s -9 "$work/rec"
check "a recording, cut" 0 '1 place of it could not be read' "$m" diff "$work/rec" "$work/now.json"
head -1 "$work/rec" > "$work/whole"
{ echo; cat "$work/whole"; } >> "$work/rec"
check "a recording, continued" 0 '^db/cache +0 B +9\.7 KiB' "$m" diff "$work/rec" "$work/now.json"
check "a recording without its beginning" 1 'a line that this one builds on is missing' \
	"$m" diff <(sed 1d "$work/rec" | head -2) "$work/now.json"
stop

# Owners that only their object and offset tell apart, and several of one name.
made() {
	python3 - "$work/$1" "${@:2}" <<'END'
import json, sys
seven = ["live_bytes", "live_blocks", "peak_bytes", "alloc_bytes", "alloc_calls",
         "free_bytes", "free_calls"]
def numbers(n):
    return dict.fromkeys(seven, n)
owners = []
for arg in sys.argv[2:]:
    name, kind, place, n = arg.split(",")
    o = {"id": len(owners), "name": name, "kind": kind, "state": "active", **numbers(int(n))}
    if place:
        o["object"], o["offset"] = place.split(":")[0], int(place.split(":")[1])
    if place == "/b:1":
        o["function"], o["file"], o["line"] = "grow", "src/lib/b.c", 12
    owners.append(o)
json.dump({"schema": "memhook/1", "pid": 7, "command": "made", "by": "site",
           "time_unix_ms": 1, "uptime_ms": 1,
           "totals": numbers(sum(o["live_bytes"] for o in owners)),
           "owners": owners}, open(sys.argv[1], "w"))
END
}
made old f,site,/a:1,10 f,site,/a:2,20 f,site,/b:1,30 t,thread,,1 t,thread,,2 t,named,,5
made new f,site,/b:1,37 f,site,/a:2,22 f,site,/a:1,11 t,thread,,8 t,named,,6
check "sites" 0 . "$m" diff -f json "$work/old" "$work/new"
json "sites" 'sorted(x["change"]["live_bytes"] for x in j[0]["owners"]) == [1, 1, 2, 5, 7]'
json "sites" '[x["object"] for x in j[0]["owners"] if x["change"]["live_bytes"] == 7] == ["/b"]'
json "threads of one name" '[x["old"]["live_bytes"] for x in j[0]["owners"]
	if x["kind"] == "thread"] == [3]'

made new f,site,/b:1,37
check "sites by name" 0 '^grow \(b\.c:12\) +30 B +37 B +\+7 B' "$m" diff "$work/old" "$work/new"

# large numbers stay in their columns
made old big,named,,9000000000000000000 shrank,named,,0
made new big,named,,1 shrank,named,,8000000000000000000
check "large" 0 '^big +7\.8 EiB +1 B +-7\.8 EiB +-8\.9 E +-8\.9 E$' "$m" diff "$work/old" "$work/new"
narrow "large"
made old n,named,,0
made new n,named,,1234567
check "millions" 0 '^n +0 B +1\.1 MiB +\+1\.1 MiB +\+1\.2 M +\+1,234,567$' "$m" diff "$work/old" "$work/new"

# what is no report: one clear line, exit status 1
refused() {
	check "$1" 1 "^memhook diff: $work/bad: .*$2" "$m" diff "$work/a.json" "$work/bad"
	lines 1 "$1"
	check "$1, first" 1 "^memhook diff: $work/bad: .*$2" "$m" diff "$work/bad" "$work/a.json"
}
: > "$work/bad"
refused "empty" 'it is empty'
echo 'hello, world' > "$work/bad"
refused "text" 'no JSON'
printf '{"schema":"memhook/1"}\0\1' > "$work/bad"
refused "bytes after it" 'no JSON'
echo '[1,2]' > "$work/bad"
refused "an array" 'no object'
head -c 4096 "$MEMHOOK_TOOL" > "$work/bad"
refused "a program" 'no JSON'
head -c 700 "$work/a.json" > "$work/bad"
refused "truncated" 'ends in the middle'
printf '{"a":"\377"}' > "$work/bad"
refused "no UTF-8" 'no JSON'
printf '%0100d' 0 | tr 0 '[' > "$work/bad"
refused "deep" 'no JSON'
echo '{"schema":"memhook/2"}' > "$work/bad"
refused "another schema" 'memhook/2'
echo '{"schema":7}' > "$work/bad"
refused "a schema that is none" "'schema' is no string"
"$m" diff -f json "$work/a.json" "$work/b.json" > "$work/bad"
refused "a difference" 'memhook-diff/1'
# spoil SED: a good report with one thing changed
spoiled() {
	sed "$2" "$work/a.json" > "$work/bad"
	cmp -s "$work/a.json" "$work/bad" && fail "nothing was spoiled by $2"
	refused "$1" "$3"
}
for key in pid command by time_unix_ms uptime_ms totals owners name kind state \
	live_bytes live_blocks peak_bytes alloc_bytes alloc_calls free_bytes free_calls; do
	spoiled "no $key" "s/\"$key\":/\"x$key\":/" "'$key' is missing"
done
spoiled "a negative number" 's/"live_bytes":[0-9]*/"live_bytes":-5/' "negative"
# Beyond 64 bits: json-c's own bound before 0.18, then a refusal of its.
spoiled "a huge number" 's/"live_bytes":[0-9]*/"live_bytes":99999999999999999999/' \
	"too large|no JSON: number expected"
spoiled "2^63" 's/"live_bytes":[0-9]*/"live_bytes":9223372036854775808/' "too large"
spoiled "an endless number" 's/"live_bytes":[0-9]*/"live_bytes":1e400/' "no whole number|no JSON"
spoiled "a fraction" 's/"live_blocks":[0-9]*/"live_blocks":1.5/' "no whole number"
spoiled "text for a number" 's/"free_calls":[0-9]*/"free_calls":"x"/' "no whole number"
spoiled "null" 's/"alloc_bytes":[0-9]*/"alloc_bytes":null/' "no whole number"
spoiled "owners of text" 's/"owners":\[/"owners":["x",/' "no object"
spoiled "a long name" "s/\"name\":\"/\"name\":\"$(printf %0200d 0)/" "longer"
spoiled "a NUL in a name" 's/"name":"/"name":"\\u0000/' "longer"
spoiled "a kind of its own" 's/"kind":"named"/"kind":"gold"/' "kind"
echo '{"schema":"memhook/1","pid":1,"command":"x","by":"site","time_unix_ms":1,"uptime_ms":1,
"totals":{},"owners":[]}' > "$work/bad"
refused "totals without numbers" "'live_bytes' is missing"
rm "$work/bad"
check "no file" 1 'cannot read .*/bad: No such file' "$m" diff "$work/a.json" "$work/bad"
check "a folder" 1 'Is a directory' "$m" diff "$work/a.json" "$work"
check "one file" 2 'two reports' "$m" diff "$work/a.json"
check "three files" 2 'two reports' "$m" diff "$work/a.json" "$work/a.json" "$work/a.json"
check "unknown option" 2 'Usage' "$m" diff --wings a b
check "--help" 0 '^Usage: memhook diff' "$m" diff --help
check "full disk" 1 'could not be written' "$m" diff -o /dev/full "$work/a.json" "$work/b.json"
exit $failed
