#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook pprof: profiles say what the report says, to a decoder that goes by
# pprof's own description of the format, and to pprof where it is installed.
# shellcheck disable=SC2094 # what is called like the subcommand is no file
# shellcheck source-path=SCRIPTDIR
command -v protoc > /dev/null || { echo "no protoc"; exit 77; }

# In Debian's golang-github-google-pprof-dev.  Else by our own description.
format=/usr/share/gocode/src/github.com/google/pprof/proto/profile.proto
message=perftools.profiles.Profile
if [ ! -f $format ]; then
	echo "pprof's own profile.proto is not here"
	format=$(readlink -f "${top_srcdir:?}/tools/profile.proto") message=pprof.Profile
fi

. "${top_srcdir:?}/tests/cli/debugged.sh"
. "$top_srcdir/tests/cli/terminal.sh"

decode() {
	gzip -dc "$1" | protoc --decode=$message -I "$(dirname "$format")" \
		"$(basename "$format")" 2> errors || fail "$1: protoc: $(head -3 errors)"
	grep . errors
}
# total KEY: of the report
total() {
	python3 -c 'import json, sys
print(json.load(open("report"))["totals"][sys.argv[1]])' "$1"
}
# ask_go FILE: pprof itself has the totals, the place, the build-id
ask_go() {
	HOME=$work go tool pprof -top -lines -unit=B -nodefraction=0 "$1" > out 2> errors ||
		fail "go tool pprof: $(cat errors)"
	grep -q '^Type: inuse_space' out || fail "go tool pprof: its type: $(cat out)"
	grep -q '^File: debugged$' out || fail "go tool pprof: its file: $(cat out)"
	[ $by != site ] || grep -q "^ *777B .* unclaimed .*/debugged.c:$line" out ||
		fail "go tool pprof: $(cat out)"
	HOME=$work go tool pprof -top -sample_index=alloc_objects "$1" > out 2>&1
	grep -q "of $(total alloc_calls) total" out || fail "go tool pprof: $(cat out)"
	HOME=$work go tool pprof -raw "$1" > out 2>&1
	[ $by != site ] || [ -z "$id" ] || grep -q "debugged.*$id" out ||
		fail "go tool pprof -raw: $(cat out)"
}
line=$(grep -n 'malloc(777)' "$top_srcdir/tests/cli/debugged.c" | cut -d: -f1)
id=$(readelf -n "$DEBUGGED" | sed -n 's/.*Build ID: //p')
command -v go > /dev/null || echo "no go, whose pprof would have been asked"

for by in site library thread none; do
	start env MEMHOOK_BY=$by "$DEBUGGED" wait
	"$MEMHOOK_TOOL" stat --format=json "$pid" > report || fail "stat"
	"$MEMHOOK_TOOL" pprof -o live.gz "$pid" || fail "pprof PID"
	"$MEMHOOK_TOOL" pprof report > file.gz || fail "pprof FILE"
	"$MEMHOOK_TOOL" pprof - < report | cmp - file.gz || fail "pprof -"
	decode live.gz > live
	decode file.gz > file
	python3 "$top_srcdir/tests/cli/pprof.py" report live live || fail "by $by: live"
	python3 "$top_srcdir/tests/cli/pprof.py" report file || fail "by $by: a file"

	"$MEMHOOK_TOOL" pprof --folded "$pid" > folded || fail "--folded"
	"$MEMHOOK_TOOL" pprof --folded report | cmp - folded || fail "--folded of a file"
	for pair in inuse_space:live_bytes inuse_objects:live_blocks \
		alloc_space:alloc_bytes alloc_objects:alloc_calls; do
		sum=$("$MEMHOOK_TOOL" pprof --folded --sample=${pair%:*} "$pid" |
			awk '{ sum += $NF } END { print sum }')
		[ "$sum" = "$(total ${pair#*:})" ] || fail "by $by: $pair: $sum"
	done
	if command -v go > /dev/null; then
		ask_go live.gz
		ask_go file.gz
	fi
	[ $by = site ] || continue

	# --- what is known of a place ---
	cp report by-site
	grep -q "^debugged;unclaimed (debugged.c:$line) 777$" folded ||
		fail "folded: $(cat folded)"
	grep -q '^db 6300$' folded || fail "folded: $(cat folded)"
	[ -z "$id" ] || grep -q "string_table: \"$id\"" file || fail "build-id $id"
	"$MEMHOOK_TOOL" pprof --no-symbols --folded "$pid" > out
	grep -q '^debugged;debugged+0x[0-9a-f]* 777$' out || fail "--no-symbols: $(cat out)"
	"$MEMHOOK_TOOL" pprof --no-symbols --folded report | cmp - out ||
		fail "--no-symbols of a file"
done

refused() {
	local status=$1 pattern=$2
	shift 2
	"$MEMHOOK_TOOL" pprof "$@" > out 2> errors < /dev/null
	[ $? = "$status" ] || fail "pprof $*: not status $status"
	grep -q "^memhook pprof: .*$pattern" errors || fail "pprof $*: $(cat errors)"
	[ -s out ] && fail "pprof $*: writes something"
}

# --- a run with workers: each by its number ---
"$MEMHOOK_TOOL" run --by=site -f json -o report -- bash -c '(: {1..999}; exit 3); exit 0' ||
	fail "run"
"$MEMHOOK_TOOL" pprof -o workers.gz report || fail "pprof of workers"
decode workers.gz > workers
python3 "$top_srcdir/tests/cli/pprof.py" report workers || fail "workers"
grep -q 'key: ' workers || fail "workers have no labels"
python3 -c 'import json
r = json.load(open("report"))
assert any("function" in o for w in r["workers"] for o in w["owners"])
print(r["pid"], r["totals"]["live_bytes"])
for w in r["workers"]:
	print(w["pid"], w["totals"]["live_bytes"])' > want || fail "there are no workers with names"
"$MEMHOOK_TOOL" pprof --folded report > folded || fail "--folded of workers"
sed -n 's/^bash (pid \([0-9]*\));.* \([0-9]*\)$/\1 \2/p' folded |
	awk '{ sum[$1] += $2 } END { for (pid in sum) print pid, sum[pid] }' | sort > have
sort want | cmp - have || fail "--folded of workers: $(cat have)"
if command -v go > /dev/null; then
	HOME=$work go tool pprof -tags workers.gz > out 2> errors
	grep -q "pid: Total" out || fail "go tool pprof -tags: $(cat out errors)"
fi
refused 1 'worker 1: ' <(sed 's/\("workers".*\)"pid":/\1"p":/' <(tr -d '\n' < report))

# --- names that would break a line, or a stack ---
sed 's/"name":"db"/"name":"a;b c\\n\\u007f"/' by-site > odd
"$MEMHOOK_TOOL" pprof --folded odd > folded || fail "an odd name"
grep -q '^a:b c?? 6300$' folded || fail "an odd name: $(cat folded)"

# --- bad input ---
refused 2 'of what'
refused 2 'one process or report' 1 2
refused 2 '--sample goes with --folded' --sample=inuse_space report
refused 2 '--sample=bytes: it is inuse_space' --folded --sample=bytes report
refused 2 'no process number' 99999999999
refused 1 'cannot read ./nothing' ./nothing
refused 1 'it is empty' -
refused 1 "'schema' is missing" <(echo '{}')
refused 1 "'build_id' is not hexadecimal" \
	<(sed 's/"build_id":"../"build_id":"xy/' by-site)
refused 1 'cannot write ./no/where' -o ./no/where report
refused 1 'cannot write /dev/full' -o /dev/full report
sleep 0 & wait $!
refused 1 'no such process' $!
"$MEMHOOK_TOOL" pprof --nonsense > out 2>&1
[ $? = 2 ] || fail "--nonsense: not status 2"
if has_terminal; then
	script -qec "'$MEMHOOK_TOOL' pprof report" typescript > out
	[ $? = 2 ] || fail "a terminal: not status 2"
	grep -q 'nothing for a terminal' out || fail "a terminal: $(cat out)"
else
	echo "no terminal is to be had here: not tried on one"
fi
"$MEMHOOK_TOOL" pprof --help | grep -q '^Usage: memhook pprof' || fail "--help"
exit $failed
