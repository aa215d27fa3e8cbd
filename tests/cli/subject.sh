# shellcheck shell=bash disable=SC2034 # what it sets is for the scripts
# SPDX-License-Identifier: BSD-2-Clause
# What the scripts on running processes share; they source it.
set -u
: "${MEMHOOK_TOOL:?}" "${SUBJECT:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
m=$MEMHOOK_TOOL

work=$(mktemp -d)
failed=0
children=()
# shellcheck disable=SC2317 # the trap calls it
finish() {
	[ ${#children[@]} = 0 ] || kill -9 "${children[@]}" 2> /dev/null
	wait 2> /dev/null
	rm -rf "$work"
}
trap finish EXIT
mkdir -m 700 "$work/runtime"
export XDG_RUNTIME_DIR=$work/runtime
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN MEMHOOK_SEGMENT

fail() {
	echo "FAIL: $*"
	sed 's/^/      /' "$work/out" 2> /dev/null | head -8
	failed=1
}
# check NAME STATUS PATTERN COMMAND...: exit status, and a line of all output
check() {
	local name=$1 status=$2 pattern=$3 got
	shift 3
	timeout 120 "$@" > "$work/out" 2>&1 < /dev/null
	got=$?
	if [ $got != "$status" ]; then
		fail "$name: exit status $got, not $status"
	elif ! grep -Eq -- "$pattern" "$work/out"; then
		fail "$name: no line matches '$pattern'"
	fi
}
lines() {
	local n
	n=$(wc -l < "$work/out")
	[ "$n" = "$1" ] || fail "$2: $n lines, not $1"
}
narrow() {
	awk 'length > 80 { bad = 1 } END { exit bad }' "$work/out" ||
		fail "$1: wider than 80 columns"
}
# json NAME EXPRESSION: of each line of the output, as the list `j`
json() {
	python3 -c 'import json, sys
j = [json.loads(line) for line in open(sys.argv[1])]
def owner(o, name):
    found = [x for x in o["owners"] if x["name"] == name]
    assert len(found) == 1, (name, found)
    return found[0]
def adds_up(o, key="live_bytes"):
    return sum(x[key] for x in o["owners"]) == o["totals"][key]
result = eval("(" + sys.argv[2] + ")")
if not result: print(result)
sys.exit(not result)' "$work/out" "$2" || fail "$1: not so: $2"
}

# start: a subject on the descriptors $to and $from, its number in $pid

start() {
	local fifo=$work/fifo
	rm -f "$fifo.in" "$fifo.out"
	mkfifo "$fifo.in" "$fifo.out"
	"$SUBJECT" < "$fifo.in" > "$fifo.out" &
	exec {to}> "$fifo.in" {from}< "$fifo.out"
	read -r -t 60 pid <&"$from" || { echo "the subject did not start"; exit 99; }
	children+=("$pid")
}
# tell COMMAND...: its answer in $answer
tell() {
	echo "$*" >&"$to"
	read -r -t 60 answer <&"$from" || { echo "no answer to: $*"; exit 99; }
}
# end it, and wait until it has gone
stop() {
	exec {to}>&- {from}<&-
	wait "$pid" 2> /dev/null
}
# watch COMMAND...: in the background, into $work/lines and $work/err; $reader.
# With our end of the subject's pipe in its hands, the subject would not end.
watch() {
	: > "$work/lines"
	"$@" > "$work/lines" 2> "$work/err" {to}>&- {from}<&- &
	reader=$!
	children+=("$reader")
}
# The watcher's exit status, in $status
watched() {
	wait "$reader"
	status=$?
}
# until_so COMMAND...: wait for it, a minute at the most
until_so() {
	local i
	for ((i = 0; i < 600; i++)); do
		"$@" > /dev/null 2>&1 && return
		sleep 0.1
	done
	fail "never so: $*"
}
