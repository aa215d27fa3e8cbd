#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The completion in a real bash: commands, options, values, processes, files.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"
. "$top_srcdir/tests/cli/terminal.sh"

# shellcheck source=/dev/null
. "$top_srcdir/completions/memhook"
complete -p memhook > /dev/null || fail "nothing is completed"

# words WORD...: what bash offers for the last of them, on one line
words() {
	COMP_WORDS=(memhook "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_memhook "$m" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
	echo "${COMPREPLY[*]}" > "$work/out"
}
offers() {
	words "${@:2}"
	[ "$(cat "$work/out")" = "$1" ] || fail "memhook ${*:2}<TAB>: not '$1'"
}
has() {
	words "${@:2}"
	[[ " $(cat "$work/out") " == *" $1 "* ]] || fail "memhook ${*:2}<TAB>: no '$1'"
}
has_not() {
	words "${@:2}"
	[[ " $(cat "$work/out") " == *" $1 "* ]] && fail "memhook ${*:2}<TAB>: '$1'"
}

# every command that there is, and every option that its help has
mapfile -t commands < <("$m" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
[ ${#commands[@]} -ge 7 ] || fail "where are the commands?"
for command in "${commands[@]}" --help --version; do
	has "$command" ""
done
offers stat sta
offers "" no
for command in "${commands[@]}"; do
	[ "$command" = header ] && continue # one prefix, no options but --help
	mapfile -t options < <("$m" "$command" --help | grep -oE '^ {2,6}(-., )?--[a-z-]+=?' |
		grep -oE -- '--[a-z-]+=?')
	[ ${#options[@]} -ge 1 ] || fail "$command: where are the options?"
	for option in "${options[@]}"; do
		has "$option" "$command" --
	done
done
offers --since-mark stat --si
offers --interval= stat --in
has_not --sort= list --

# values, with "=" as readline splits it and without
offers "text json" stat --format =
offers json stat --format = j
offers json diff -f j
offers "live blocks peak allocs rate growth name" stat --sort =
offers peak stat -s p
offers "" stat --interval =
has library run --by =
touch "$work/a report" "$work/b.json"
offers "$work/a report" stat --output = "$work/a"
offers "$work/b.json" stat -o "$work/b"
has "$work/a report" diff "$work/"
has "$work/b.json" diff "$work/"
offers "$work/b.json" diff a.json "$work/b"

# processes come from `memhook list`
start
has "$pid" stat ""
has "$pid" stat --sort = live ""
has "$pid" stat -s live ""
offers "$pid" verify "$pid"
has "$pid" mark ""
has_not "$pid" diff ""
has "$pid" record ""
has "$pid" record -o file ""
has bash record -o file -- bas
has "$work/b.json" report "$work/"
has_not "$pid" header ""
stop
has_not "$pid" stat ""

# a program, and then what is its own
has bash run bas
has bash run --by = none bas
has bash run -- bas
has "$work/b.json" run cat "$work/b"
has_not --follow run cat --fo
has --follow run --fo
offers "" nothing ""

# by readline itself, when there is a terminal to be had
if has_terminal; then
	printf '%s\n' "PS1='> '" ". '$top_srcdir/completions/memhook'" \
		"bind 'set bell-style none'" "PATH=$(dirname "$m"):\$PATH" > "$work/rc"
	{ printf 'memhook ver\t--for\tjs\t 77777777 > %s\n' "$work/typed"; sleep 1; echo exit; } |
		timeout 60 script -qec "bash --noprofile --rcfile $work/rc -i" /dev/null > "$work/out" 2>&1
	tr -d '\r' < "$work/out" | grep -q 'verify --format=json  *77777777' ||
		fail "not so under readline"
else
	echo "no terminal is to be had here: not tried under readline"
fi
exit $failed
