#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook run, when CMD and its workers have come to whatever end: how it was,
# which program it was, who belonged to whom, and what was never freed.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CHECK_REPORT:?}" "${VICTIM:?}" "${CC:=cc}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
# shellcheck source=tests/cli/proc.sh
. "${top_srcdir:?}/tests/cli/proc.sh"
proc_is_true || exit 77

work=$(mktemp -d)
left=
trap 'rm -rf "$work"; [ -z "$left" ] || kill -9 "$left" 2> /dev/null' EXIT
failed=0
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN
fail() {
	echo "FAIL: $*"
	sed 's/^/      /' "$work/out" | head -30
	failed=1
}
cp "$VICTIM" "$work/first"
cp "$VICTIM" "$work/second"

# run STATUS ARG...: in text, to $work/out
run() {
	local status=$1 got
	shift
	name=$*
	timeout 120 "$MEMHOOK_TOOL" run -o "$work/out" "$@" < /dev/null > /dev/null 2> "$work/err"
	got=$?
	[ $got = "$status" ] || fail "$name: exit status $got, not $status"
	[ ! -s "$work/err" ] || fail "$name: $(cat "$work/err")"
}
says() {
	grep -Eq -- "$1" "$work/out" || fail "$name: no line matches '$1'"
}
silent() {
	grep -Eq -- "$1" "$work/out" && fail "$name: a line matches '$1'"
}
# json STATUS ARG...: checked, and a line for each process in $work/out
json() {
	run "$1" -f json "${@:2}"
	"$CHECK_REPORT" "$work/out" || fail "$name: not a good report"
}

# The signal by its name, and what was held.
while read -r number signal end; do
	# shellcheck disable=SC2086 # an action and its argument
	run $((128 + number)) -- "$work/first" $end
	says "^memhook: first \(pid [0-9]+\) was killed by signal $number, $signal, after "
	says '^first +976\.5 KiB +10 '
	silent 'OOM|PROCESS|went on'
done <<'END'
1 SIGHUP signal 1
6 SIGABRT abort
7 SIGBUS signal 7
8 SIGFPE signal 8
9 SIGKILL signal 9
10 SIGUSR1 signal 10
11 SIGSEGV fault
15 SIGTERM signal 15
31 SIGSYS signal 31
END
run $((128 + 40)) -- "$work/first" signal 40
says 'was killed by signal 40, after'
json 137 -- "$work/first" signal 9
says '"exit":\{"signal":9\}'

# exec: which program it was, and which it is not
for end in "exit 5" "_exit 5"; do
	# shellcheck disable=SC2086
	run 5 -- "$work/first" exec "$work/second" $end
	says '^memhook: first '
	says '^It went on as second \(exec\), which is not hooked without --follow:$'
	says 'these are the numbers of first, as it left them'
	silent 'resident \(RSS\)'
done
json 137 -- "$work/first" exec "$work/second" signal 9
says '"command":"first"'
says '"exec":"second"'
run 0 -- "$work/first" rename second
silent 'went on'

# one that stays is seen while it runs, whatever it is called then
json_seen() {
	rm -f "$work/out"
	"$MEMHOOK_TOOL" run --interval=0.05 -o "$work/out" -- "$work/first" exec \
		"$work/second" wait "$work/go" > /dev/null 2>&1 &
	for _ in $(seq 600); do
		grep -q '"exec":"second"' "$work/out" 2> /dev/null && break
		sleep 0.1
	done
	touch "$work/go"
	wait $!
	[ $? = 3 ] || fail "seen while it runs: exit status"
	name="seen while it runs"
	says '"command":"first".*"exec":"second"'
}
json_seen

run 5 --follow -- "$work/first" exec "$work/second" exit 5
says '^memhook: second \(pid [0-9]+\) exited with status 5'
says '^second \([0-9]+\) +976\.5 KiB +10 .* ended$'
says '^  first \([0-9]+\) +976\.5 KiB +10 .* became second$'
says '^became: replaced by exec'
silent '= with|went on'
# also by one who closes all descriptors first, twice
run 5 --follow -- "$work/first" close "$work/second" close "$work/first" exit 5
says '^  first \([0-9]+\) +976\.5 KiB +10 .* became second$'
says '^  second \([0-9]+\) +976\.5 KiB +10 .* became first$'
says '^first \([0-9]+\) +976\.5 KiB +10 .* ended$'
json 5 --follow -- "$work/first" exec "$work/second" exit 5
says '"state":"replaced","exec":"second"'
if $CC -static -o "$work/static" -x c - 2> /dev/null <<< 'int main(void){return 4;}'; then
	run 4 --follow -- "$work/first" exec "$work/static"
	says '^It went on as static \(exec\), which could not be hooked'
else
	echo "no static programs can be built here: not tried"
fi

# a worker that became another program and outlived CMD
cp "$VICTIM" "$work/stays"
rm "$work/go"
run 0 -- "$work/first" leave "$work/stays" wait "$work/go"
says '^  first \([0-9]+\) .* became stays$'
left=$(sed -n 's/^  first (\([0-9]*\)).*/\1/p' "$work/out")
kill -0 "$left" || fail "$name: it did not stay"
touch "$work/go"
json 0 -- "$work/first" leave "$work/stays" wait "$work/go2"
says '"state":"replaced","exec":"stays"'
touch "$work/go2"

# workers: who said goodbye, who belongs to whom, and what they hold together
run 0 -- "$work/first" family
awk -v state=ended,ended,ended,gone,ended,gone -v depth=2,2,4,2,2,2 \
	-v blocks=11,12,14,13,14,15 '
	BEGIN { split(state, s, ","); split(depth, d, ","); split(blocks, b, ",") }
	/^PROCESS/ { on = 1; next }
	!on { next }
	/^first \(/ { sum = $5; next }
	/^ +first \(/ {
		n++
		sum += $5
		match($0, /^ +/)
		if ($NF != s[n] || RLENGTH != d[n] || $5 != b[n])
			print "worker " n ": " $0
		next
	}
	/^= with 6 workers/ { total = $7 }
	END { if (n != 6 || !sum || sum != total) print n " workers, " sum " blocks, " total }
' "$work/out" > "$work/wrong"
[ ! -s "$work/wrong" ] || fail "family: $(cat "$work/wrong")"
says '^  = with 1 worker .* sum of peaks$'
says '^gone: it was killed, or became another program'
awk 'length > 80 { bad = 1 } END { exit bad }' "$work/out" || fail "wider than 80 columns"
json 0 -- "$work/first" family
[ "$(grep -o '"state":"gone"' "$work/out" | wc -l)" = 2 ] || fail "family: two are gone"
[ "$(grep -o '"state":"ended"' "$work/out" | wc -l)" = 4 ] || fail "family: four ended"
run 0 --follow -- "$work/first" family
says '^gone: it was killed, or became a program that cannot be hooked'

# many of them: bounded for people, all of them for programs
run 0 -- "$work/first" many 30
[ "$(grep -c '^  first' "$work/out")" = 20 ] || fail "many: not 20 lines"
says '^and 10 more'
says '^= with 30 workers'
json 0 -- "$work/first" many 30
[ "$(grep -o '"state":"ended"' "$work/out" | wc -l)" = 30 ] || fail "many: not 30 objects"

# what was never freed: those who hold nothing are left out, in text
run 7 --leaks -- "$work/first" exit 7
says '^[0-9]+ blocks, 1,[0-9]{3},[0-9]{3} bytes were never freed:$'
says '^first +976\.5 KiB +10 '
says '^total '
silent '^nobody|resident \(RSS\)'
run 7 -- "$work/first" exit 7
says '^nobody '
silent 'never freed'
json 7 --leaks -- "$work/first" exit 7
says '"name":"nobody"'
exit $failed
