#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each program commits its one fault at each level; what comes of it is what
# verdicts.tsv says, or the test fails, whether less was caught or more.
#
#   run.sh                all programs at all levels
#   run.sh --table        the same, as lines for verdicts.tsv
#   run.sh NAME [LEVEL]   one of them, to look at

: "${top_srcdir:?}" "${top_builddir:?}"
programs=$top_builddir/tests/misuse/programs
table=$top_srcdir/tests/misuse/verdicts.tsv
levels=${LEVELS:-off on strict}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
ulimit -c 0
unset MEMHOOK_FOREIGN MEMHOOK_BY MEMHOOK_REPORT

# What became of program $1 at level $2.
#
#   abort: WHAT     the line of that name, then SIGABRT
#   fault           SIGSEGV or SIGBUS, of the instruction at fault
#   fault: WHAT     the same, explained; not every processor tells reads from writes
#   refused         the call failed as documented
#   warning: WHAT   the line of that name, and the program went on
#   -               nothing
verdict()
{
	{
		MEMHOOK_CHECK=$2 timeout 60 "$programs" "$1" >"$work/out" 2>"$work/err"
	} 2>/dev/null
	status=$?
	what=$(sed -n '/^memhook: /{s///;s/ in .*//;s/: pointer .*//;p;q;}' "$work/err")
	case $status in
	134) echo "abort: $what" ;;
	135 | 139)
		case $what in
		"read after free" | "write after free") what="use after free" ;;
		"read "* | "write "*) what=${what#* } ;;
		esac
		echo "fault${what:+: $what}"
		;;
	0)
		if [ -n "$what" ]; then
			echo "warning: $what"
		elif grep -qx refused "$work/out"; then
			echo refused
		elif grep -qx 'went on' "$work/out"; then
			echo -
		else
			echo "ended without a word"
		fi
		;;
	*) echo "status $status${what:+: $what}" ;;
	esac
}

if [ $# -gt 0 ] && [ "$1" != --table ]; then
	verdict "$1" "${2:-off}"
	cat "$work/err"
	exit 0
fi

"$programs" --list >"$work/names" || exit 1
tab=$(printf '\t')

if [ "$1" = --table ]; then
	while read -r name; do
		line=$name
		for level in $levels; do
			line=$line$tab$(verdict "$name" "$level")
		done
		echo "$line"
	done <"$work/names"
	exit 0
fi

grep -v '^#' "$table" >"$work/table"
cut -f 1 "$work/table" >"$work/listed"
if ! cmp -s "$work/names" "$work/listed"; then
	echo "programs and verdicts.tsv do not name the same, in this order:"
	diff "$work/names" "$work/listed"
	exit 1
fi

failed=0
for level in $levels; do
	case $level in off) column=2 ;; on) column=3 ;; *) column=4 ;; esac
	caught=0
	all=0
	cut -f "1,$column" "$work/table" >"$work/expected"
	while IFS=$tab read -r name expected; do
		is=$(verdict "$name" "$level")
		all=$((all + 1))
		case $expected in "- "*) expected=- ;; esac # the rest is why
		case $is in
		abort:* | fault* | refused) caught=$((caught + 1)) ;;
		esac
		if [ "$is" != "$expected" ]; then
			echo "$name, $level: '$is' where '$expected' was expected"
			sed 's/^/	/' "$work/err"
			failed=$((failed + 1))
		fi
	done <"$work/expected"
	echo "$level: $caught of $all caught"
done

[ "$all" -ge 80 ] || failed=1
[ "$failed" -eq 0 ]
