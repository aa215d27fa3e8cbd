#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook verify: consistent, running, and each kind of drift is found.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"
: "${DRIFT:?}" "${BAD_SEGMENT:?}"

# at rest; after threads, after owners whose rows serve new ones, in a worker
start
tell alloc victim 10 1000
check "verify" 0 "^memhook: process $pid: consistent$" "$m" verify "$pid"
narrow "verify"
tell busy 4
tell rest
for i in 1 2 3 4 5 6; do
	tell alloc "passing$i" 300 5000
	tell free "passing$i"
	tell retire "passing$i"
done
tell alloc again 3 700
check "after threads" 0 "consistent" "$m" verify "$pid"
check "after threads, json" 0 '"schema":"memhook-verify/1"' "$m" verify -f json "$pid"
json "after threads" 'j[0]["result"] == "consistent" and j[0]["drifts"] == 0'
json "after threads" 'j[0]["live_bytes"] >= 12100 and j[0]["live_blocks"] >= 13'
json "after threads" 'j[0]["bound_bytes"] == j[0]["shards"] * 65536 and j[0]["shards"] >= 2'
tell fork worker 5 2000
worker=${answer%% *}
children+=("$worker")
check "a worker" 0 "consistent" "$m" verify "$worker"
kill -STOP "$worker"
check "stopped" 0 "consistent" "$m" verify "$worker"

# running: never called drift.  A machine may well let it rest meanwhile.
tell busy 4
"$m" verify "$pid" > "$work/out" 2>&1
status=$?
case $status in
3) grep -q "^memhook: process $pid: running$" "$work/out" || fail "running: not said" ;;
0) grep -q 'consistent$' "$work/out" || fail "running: not said" ;;
*) fail "running: exit status $status" ;;
esac
tell rest
check "at rest again" 0 "consistent" "$m" verify "$pid"
stop

# each kind of drift, in a segment that was in order before
mapfile -t cases < <("$DRIFT" --list)
[ ${#cases[@]} -ge 11 ] || fail "where are the cases?"
for name in "${cases[@]}"; do
	start
	tell alloc victim 10 1000
	"$m" verify "$pid" > "$work/out" || fail "$name: not consistent to begin with"
	"$DRIFT" "$pid" "$name" victim || fail "$name: not spoiled"
	case $name in
	negative-bytes) what="victim: more bytes freed than allocated" ;;
	negative-blocks) what="victim: more blocks freed than allocated" ;;
	no-block) what="victim: live bytes without a live block" ;;
	base-live) what="victim: began with live bytes" ;;
	base-large) what="victim: began with more bytes than there ever were" ;;
	coarse) what="victim: the coarse sum is off by more than its bound" ;;
	coarse-total) what="process: the coarse total is off by more than its bound" ;;
	peak) what="victim: the peak is below what is live" ;;
	peak-total) what="process: the total's peak is below what is live" ;;
	behind) what="row [0-9]+: counted behind the last owner" ;;
	no-owner) what="victim: blocks of no owner" ;;
	*) what="a test for $name" ;;
	esac
	check "$name" 1 "$what$" "$m" verify "$pid"
	grep -q "^memhook: process $pid: drift$" "$work/out" || fail "$name: no drift"
	narrow "$name"
	check "$name, json" 1 '"result":"drift"' "$m" verify -f json "$pid"
	json "$name" 'j[0]["drifts"] == len(j[0]["drift"]) > 0'
	stop
done

"$BAD_SEGMENT" good > "$work/pid" &
bad=$!
children+=("$bad")
until_so test -s "$work/pid"
check "a made one" 0 "consistent" "$m" verify "$bad"
"$BAD_SEGMENT" area.shard_stride=0 > "$work/pid2" &
bad=$!
children+=("$bad")
until_so test -s "$work/pid2"
check "a broken one" 1 "^memhook verify: process $bad: broken segment" "$m" verify "$bad"
lines 1 "a broken one"
check "vanished" 1 "no such process" "$m" verify "$pid"
check "not hooked" 1 "not hooked" "$m" verify $$
check "no number" 2 "no process number" "$m" verify x
check "nothing" 2 "which process" "$m" verify
check "bad format" 2 "text or json" "$m" verify -f xml 1
check "unknown option" 2 "Usage" "$m" verify --wings 1
check "--help" 0 "^Usage: memhook verify" "$m" verify --help
exit $failed
