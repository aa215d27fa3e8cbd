#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook list: services with their workers, sums, and what cannot be read.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"
: "${BAD_SEGMENT:?}"

start
tell alloc db/cache 10 1000
tell fork worker 5 2000
worker=${answer%% *}
children+=("$worker")
kill -STOP "$worker"
first=$pid
check "list" 0 "^ *$first subject +none .* [0-9.]+ s$" "$m" list
narrow "list"
grep -Eq "^ *$worker   subject +none " "$work/out" || fail "the worker is not below"
awk -v a="$first" -v b="$worker" '$1 == a { a = NR } $1 == b { b = NR } /= the service/ { if (!c) c = NR }
	END { exit !(b == a + 1) }' "$work/out" || fail "not directly below its parent"
check "list, json" 0 memhook-list/1 "$m" list --format=json
# other tests run meanwhile: only what this one started is looked at
family='[p for p in j[0]["processes"] if p["service"] == '$first']'
json "the family" "[(p['pid'], p['depth']) for p in $family] == [($first, 0), ($worker, 1)]"
json "the family" "[p['ppid'] for p in $family][1] == $first"
json "the numbers" "[p['live_bytes'] for p in $family] == [10000, 20000]"
json "the sum" '[(s["processes"], s["live_bytes"], s["live_blocks"]) for s in j[0]["services"]
	if s["pid"] == '"$first"'] == [(2, 30000, 25)]'
json "rss" "all(p['rss_bytes'] > 100000 for p in $family)"
json "by" "all(p['by'] == 'none' and p['command'] == 'subject' for p in $family)"

# a worker whose parent has ended is of the same service still
tell fork worker2 1 500
worker2=${answer%% *}
children+=("$worker2")
stop
check "orphans" 0 memhook-list/1 "$m" list -f json
family='[p for p in j[0]["processes"] if p["pid"] in ('$worker', '$worker2')]'
json "orphans" "len({p['service'] for p in $family}) == 1 and len($family) == 2"
json "orphans" "all(p['depth'] == 0 for p in $family)"
json "the ended" "not [p for p in j[0]['processes'] if p['pid'] == $first]"
kill -9 "$worker" "$worker2"

# the tool's own `run` holds a segment, too, and is no process to be listed
"$m" run -o "$work/r" -- sleep 60 &
run=$!
children+=("$run")
# shellcheck disable=SC2317 # until_so calls it
hooked() {
	target=$(cat "/proc/$run/task/$run/children") && target=${target%% *} &&
		"$m" stat "$target" | grep -q 'memhook: sleep'
}
until_so hooked
children+=("$target")
check "run" 0 memhook-list/1 "$m" list -f json
json "run" "[(p['command'], p['by']) for p in j[0]['processes'] if p['pid'] == $target] ==
	[('sleep', 'library')]"
json "run" "$run not in [p['pid'] for p in j[0]['processes'] + j[0]['unreadable']]"

# a segment that cannot be read is said, and does not stop the list
"$BAD_SEGMENT" text > "$work/pid" &
bad=$!
children+=("$bad")
until_so test -s "$work/pid"
check "a broken segment" 0 "^ *$bad cannot be read: not a memhook segment" "$m" list
grep -q "^ *$target sleep" "$work/out" || fail "the others are missing"
check "a broken segment, json" 0 "\"pid\":$bad,\"error\":\"not a memhook" "$m" list -f json

# another user sees nothing of it, and how many that were
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups true 2> /dev/null; then
	cp "$m" "$work/memhook"
	chmod 755 "$work" "$work/memhook"
	check "another user" 0 '[1-9][0-9]* process(es)? could not be looked at' \
		setpriv --reuid=65534 --clear-groups "$work/memhook" list
	grep -q "^ *$target " "$work/out" && fail "another user's process is listed"
	check "another user, json" 0 '"hidden":[1-9]' \
		setpriv --reuid=65534 --clear-groups "$work/memhook" list -f json
fi
kill "$target"
wait "$run"
check "a process" 2 'memhook stat 1' "$m" list 1
check "bad format" 2 'text or json' "$m" list -f xml
check "unknown option" 2 'Usage' "$m" list --wings
check "--help" 0 '^Usage: memhook list' "$m" list --help
# shellcheck disable=SC2016 # the inner shell expands
check "full disk" 1 'cannot write' sh -c 'exec "$0" list > /dev/full' "$m"
exit $failed
