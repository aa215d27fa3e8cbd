# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For tests of what is seen on a screen: a terminal of tmux's, keys to it, and
# what it shows.  Victims are processes that end with the test.
# shellcheck disable=SC2317,SC2034 # trap and until_ok call, the test uses
command -v tmux > /dev/null || { echo "tmux is not installed"; exit 77; }

work=$(mktemp -d)
failed=0
victims=()
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN MEMHOOK_SEGMENT TMUX NO_COLOR
export LC_ALL=C.UTF-8 TMUX_TMPDIR=$work
# A server of our own, by its name and by its folder; no other is touched.
tm() {
	tmux -u -L memhook-top-$$ -f /dev/null "$@"
}
finish() {
	tm kill-server 2> /dev/null
	for pid in "${victims[@]}"; do
		kill "$pid" 2> /dev/null
	done
	rm -rf "$work"
}
trap finish EXIT

screen() {
	tm capture-pane -p -t top
}
fail() {
	echo "FAIL: $*"
	screen 2> /dev/null | sed 's/^/      |/'
	failed=1
}

# until_ok COMMAND...: as soon as it succeeds; 30 s at most
until_ok() {
	local i
	for ((i = 0; i < 600; i++)); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}
shows() {
	screen | grep -Eq -- "$1"
}
hides() {
	! shows "$1"
}
# see NAME PATTERN: a line of the screen, soon; unsee: none, soon
see() {
	until_ok shows "$2" || fail "$1: no line matches '$2'"
}
unsee() {
	until_ok hides "$2" || fail "$1: a line matches '$2'"
}
# above FIRST SECOND: the lines are in this order
above() {
	screen | awk -v a="$1" -v b="$2" '$0 ~ a && !x { x = NR } $0 ~ b && !y { y = NR }
		END { exit !(x && y && x < y) }'
}
ordered() {
	until_ok above "$2" "$3" || fail "$1: '$2' is not above '$3'"
}
keys() {
	tm send-keys -t top "$@"
}
is() {
	[ "$(tm display-message -p -t top "$1")" = "$2" ]
}
