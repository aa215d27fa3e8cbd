#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook top in a terminal of tmux's: keys, sizes, ends, and that the
# terminal is given back.
# shellcheck disable=SC2317 # what until_ok calls
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CC:=cc}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

# shellcheck source=tests/cli/tmux.sh
. "$top_srcdir/tests/cli/tmux.sh"
# shellcheck source=tests/cli/terminal.sh
. "$top_srcdir/tests/cli/terminal.sh"

# A program that does as it is told, line by line: "NAME BYTES" allocates,
# "NAME 0" frees all that it has.
cat > "$work/victim.c" <<'END'
#include <memhook.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	static struct {
		char name[64];
		void *blocks[64];
		int n;
	} owners[16];
	char line[128], name[64];
	unsigned long size;
	int i, n = 0;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%63s %lu", name, &size) != 2)
			return 9;
		for (i = 0; i < n && strcmp(owners[i].name, name); i++)
			;
		if (i == n)
			strcpy(owners[n++].name, name);
		if (size) {
			MEMHOOK_SCOPE(memhook_owner_create(name));
			owners[i].blocks[owners[i].n++] = malloc(size);
		} else {
			while (owners[i].n)
				free(owners[i].blocks[--owners[i].n]);
			memhook_owner_retire(memhook_owner_create(name));
		}
	}
	return 0;
}
END
$CC -std=gnu11 -fno-builtin -I"$top_srcdir/include" -o "$work/victim" "$work/victim.c" \
	-Wl,--no-as-needed "$MEMHOOK_LIBRARY" || exit 99

# start NAME: a victim, told what to do through the descriptor $tell.  Nobody
# waits for it, so that it is a zombie in the end.
start() {
	rm -f "$work/pipe" "$work/pid"
	mkfifo "$work/pipe"
	# shellcheck disable=SC2016 # the inner shell expands
	sh -c '"$1" < "$2" & echo $! > "$3"; exec sleep 1000' - "$1" "$work/pipe" \
		"$work/pid" > /dev/null &
	victims+=("$!")
	exec {tell}> "$work/pipe"
	until_ok test -s "$work/pid" || { echo "no victim"; exit 1; }
	victim=$(cat "$work/pid")
	victims+=("$victim")
	printf '%s\n' "db/cache 100000" "db/log 50000" "net/rx 200000" >&"$tell"
}
holds() {
	"$MEMHOOK_TOOL" stat --format=json "$victim" 2> /dev/null | grep -q "$1"
}

m=$MEMHOOK_TOOL
check() {
	local name=$1 status=$2 pattern=$3 got
	shift 3
	"$@" > "$work/out" 2>&1
	got=$?
	[ $got = "$status" ] || { echo "FAIL: $name: status $got, not $status"; failed=1; }
	grep -Eq -- "$pattern" "$work/out" ||
		{ echo "FAIL: $name: no '$pattern' in: $(cat "$work/out")"; failed=1; }
}
check "--help" 0 'interval' "$m" top --help
check "no terminal" 2 'not a terminal: use memhook stat' "$m" top
[ "$(wc -l < "$work/out")" = 1 ] || { echo "FAIL: more than one line"; failed=1; }
check "--interval" 2 'from 0.1 to 3600' "$m" top --interval=0
check "--interval" 2 'from 0.1 to 3600' "$m" top --interval=nan
check "--sort" 2 'name, live' "$m" top --sort=colour
check "--filter" 2 'up to' "$m" top --filter="$(printf %0100d 1)"
check "no number" 2 'no process number' "$m" top 12x
check "two processes" 2 'one process' "$m" top 1 2
check "no such option" 2 'Usage' "$m" top --wings

start "$work/victim"
until_ok holds '"net/rx"' || { echo "the victim does not run"; exit 1; }

# A shell that tells what became of the program, and of the terminal.
if [ $failed = 0 ] && ! has_terminal; then
	echo "no terminal is to be had here (/dev/pts)"
	exit 77
fi
tm new-session -d -s top -x 80 -y 24 "PS1='\$ ' exec bash --norc --noprofile" ||
	{ echo "tmux does not start here"; exit 1; }
see "a shell" '^\$'
keys "stty -g > $work/before; echo saved" Enter
see "modes" '^saved'
# run [VARIABLE=VALUE...] ARGUMENT...: top in the terminal.  bash would repair
# the modes after a program that died; sh does not.
run() {
	local variables=() sh="sh -c '\"\$@\"; exit \$?' -"
	[ -z "${direct-}" ] || sh=
	while [[ ${1-} == *=* && $1 != -* ]]; do
		variables+=("$1")
		shift
	done
	rm -f "$work/modes"
	keys "clear; env ${variables[*]} $sh $m top $*; s=\$?; " \
		"stty -g > $work/modes; echo status:\$s" Enter
}
given_back() {
	[ -z "$2" ] || see "$1" "^status:$2\$"
	until_ok is '#{alternate_on}#{cursor_flag}#{keypad_cursor_flag}' 010 ||
		fail "$1: the screen was not given back"
	[ -z "$2" ] || cmp "$work/before" "$work/modes" ||
		fail "$1: the modes were not given back"
}

run 999999999
see "no such process" 'process 999999999: no such process'
see "no such process" 'status:1$'
run TERM=nonsense "$victim"
see "an unknown terminal" "'nonsense' is not known"
run TERM=dumb "$victim"
see "a dumb terminal" 'cannot move its cursor'
run "$victim < /dev/null"
see "no keys" 'standard input is not a terminal'

leave() {
	keys Q
	given_back "$1" 0
}

# what is shown
run --interval=0.1 "$victim"
see "headline" "^victim \(pid $victim\)  by none  up .* every 0.1 s\$"
see "totals" '^live 34[0-9]K \(0\)  RSS [0-9.]+M  blocks .* exact'
see "a group" '^- db/ +146K +2 +146K'
see "an owner" '^    cache +97.7K +1 +97.7K +1 +[0-9]'
see "keys at the bottom" '^h help'
ordered "by live" '^- net/' '^- db/'
while IFS= read -r line; do # characters, not bytes as some awks count
	[ ${#line} -le 80 ] || fail "wider than 80 columns"
done < <(screen)

# sort
keys n
see "by name" '^sorted by name'
ordered "by name" '^- db/' '^- net/'
keys r
see "reversed" 'reversed'
ordered "reversed" '^- net/' '^- db/'
keys r '>'
see "the next column" '^sorted by live'
keys '<' '<'
see "round the end" '^sorted by growth'
keys b
ordered "by blocks" '^- db/' '^- net/'
keys t
see "no tree" '^db/cache +97.7K'
keys t l

# change, reset, pause
echo "db/cache 100000" >&"$tell"
see "change" '^- db/ .* \+97.7K '
see "change of all" '^live .* \(\+97.7K\)'
keys z
unsee "reset" '\+97.7K'
keys Space
see "pause" 'PAUSED'
echo "db/log 1000000" >&"$tell"
until_ok holds 1050000 || fail "the victim did not allocate"
sleep 0.5
shows '^    log +48.8K' || fail "pause: the numbers went on"
keys Space
see "go on" '^    log +1.00M .* \+977K'
echo "db/log 0" >&"$tell"
see "what is gone" '^    log \(gone\) +0B .* -48.8K'
keys z
unsee "what is gone after a reset" 'gone'
keys +
see "as fast as it gets" 'every 0.1 s'
keys -
see "slower" 'every 0.2 s'
keys +
see "faster" 'every 0.1 s'

# moving, folding
echo "db/log 50000" >&"$tell"
see "all is back" '^- db/ +244K'
keys Home Enter
unsee "fold" '^    cache'
see "fold" '^\+ db/ +244K'
see "the other group is not folded" '^    rx'
keys Enter
see "unfold" '^    cache'
keys f
see "fold all" '^\+ net/ +195K'
keys f
see "unfold all" '^    rx'
keys Home Left
see "fold with Left" '^\+ db/'
keys Right
see "unfold with Right" '^- db/'

# filter
keys / l o g
see "while it is typed" '^Filter: log_'
unsee "while it is typed" '^- net/'
keys BSpace BSpace BSpace n E t Enter
see "filter" '"nEt": 1 of [0-9]+ owners, 195K'
see "a group of the filter" '^- net/'
unsee "filter" '^- db/'
keys Escape
see "filter cleared" '^- db/'

# help
keys h
see "help" '^memhook top: keys'
keys x
see "help closed" '^OWNER'

# sizes
for size in "40 10" "20 5" "9 2" "1 1" "200 60" "80 24"; do
	read -r columns lines <<< "$size"
	tm resize-window -t top -x "$columns" -y "$lines"
	until_ok is '#{pane_width} #{pane_height}' "$size" || fail "tmux is not $size"
	if [ "$lines" -ge 5 ]; then
		see "$size: title" '^victim \(pid'
		see "$size: header" '^OWNER'
	fi
	if [ "$columns" -ge 40 ]; then
		see "$size: rows" '^- db/ +244K'
	fi
	keys h
	[ "$lines" -lt 5 ] || see "$size: help" '^memhook top: keys'
	keys x Down Up '>' '<'
done
see "the old size again" '^h help .* z reset'
keys q
given_back "quit" 0
shows '^OWNER' && fail "quit: the table is still there"

# options
run --sort=name --reverse --filter=/ "$victim"
see "options" '^sorted by name  reversed'
see "options" '"/": 3 of'
leave "options"

# the list
run --interval=0.1
see "list" '^Hooked processes'
keys / v i c t i m Enter
see "list, filter" "^ +$victim victim +none"
until_ok above "PID" "$victim" && keys g
# others may run programs of that name: choose ours
for ((i = 0; i < 100; i++)); do
	keys Enter
	until_ok shows '^OWNER' || break
	shows "\(pid $victim\)" && break
	keys BSpace
	until_ok shows '^Hooked processes' || break
	keys Down
done
see "ours" "\(pid $victim\)"
keys Escape
see "Escape leads back" '^Hooked processes'
keys Enter
see "again" "\(pid $victim\)"
keys q
see "q leads back" '^Hooked processes'
keys q
given_back "list" 0

# Colours where there are some, bars where they can be shown.
coloured() {
	tm capture-pane -e -p -t top | grep -q $'\e\[[0-9;]*3[0-7][;m]'
}
run TERM=screen --interval=0.1 "$victim"
see "blocks" '▁'
coloured || fail "no colours"
leave "colours"
run TERM=screen NO_COLOR=1 "$victim"
see "NO_COLOR" '^OWNER'
coloured && fail "NO_COLOR: colours"
leave "NO_COLOR"
for term in xterm linux vt100; do
	run TERM=$term LC_ALL=C --interval=0.1 "$victim"
	see "$term" '^- db/ +244K.* _+$'
	keys Down Enter h q
	[ $term != vt100 ] || ! coloured || fail "vt100: colours"
	leave "$term"
	keys clear Enter # these have one screen: the next is not to find this one's
	unsee "$term, cleared" '^- db/'
done

# signals
child() {
	local tty
	tty=$(tm display-message -p -t top '#{pane_tty}')
	pgrep -t "${tty#/dev/}" -x memhook
}
for signal in "TERM 143" "HUP 129" "ABRT 134" "SEGV 139"; do
	read -r signal status <<< "$signal"
	run "$victim"
	see "SIG$signal" '^OWNER'
	until_ok child > /dev/null && kill "-$signal" "$(child)"
	given_back "SIG$signal" "$status"
done
direct=1 run "$victim" # bash is to see that it stopped, not that sh did
see "stop" '^OWNER'
keys C-z
given_back "stopped" 148
keys fg Enter
see "goes on" '^OWNER'
keys C-c
given_back "Ctrl-C" "" # bash ends the line: it sees that SIGINT was the cause

# Names that a terminal would obey.
evil=$work/$'v\e]0;obeyed\a\e[31mred'
cp "$work/victim" "$evil"
main_victim=$victim main_tell=$tell
export MEMHOOK_BY=library
start "$evil"
unset MEMHOOK_BY
until_ok holds '"net/rx"' || fail "the evil victim does not run"
run "$victim"
see "an evil command" '^v\?\]0;obeyed\?\?\[31mred \(pid'
is '#{pane_title}' obeyed && fail "the title was set"
leave "an evil command"
run
see "an evil list" '^Hooked'
keys / o b e y Enter
see "an evil list" ' v\?\]0;obe[^ ]*\?\[31mred '
leave "an evil list"
exec {tell}>&-

# Call sites by name, and as they are.
export MEMHOOK_BY=site
start "$work/victim"
unset MEMHOOK_BY
until_ok holds '"net/rx"' || fail "the victim by site does not run"
run "$victim"
see "call sites" ' _IO_fil'
unsee "call sites" ' libc.*\+0x'
leave "call sites"
run --no-symbols "$victim"
see "--no-symbols" ' libc.*\+0x'
unsee "--no-symbols" ' _IO_fil'
leave "--no-symbols"
exec {tell}>&-
victim=$main_victim tell=$main_tell

# It dies while it is shown.
run --interval=0.1 "$victim"
see "alive" '^- db/ +244K'
kill -KILL "$victim"
see "dead" '^It has ended .* these are its last numbers'
shows '^- db/ +244K' || fail "dead: the last numbers are gone"
shows 'RSS [0-9]' || fail "dead: the last RSS is gone"
keys f
see "a key after the end" '^\+ db/ +244K'
keys q
given_back "after the end" 0
exit $failed
