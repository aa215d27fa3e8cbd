#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Many owners and threads: the segment's memory follows what is used of it, and
# reading adds nothing to the process, be it by its descriptor or, when that
# is closed, by its memory.  ALL=1 prints the table of doc/SEGMENT.md.
set -u
: "${MEMHOOK_TOOL:?}" "${CROWD:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 $pid; rm -rf "$work"' EXIT
failed=0
fail() {
	echo "FAIL: $*"
	failed=1
}
# what the segment takes, in KiB, whoever mapped it
segment() {
	local fd
	for fd in "/proc/$pid/fd"/*; do
		case $(readlink "$fd") in
		/memfd:memhook*) echo $(($(stat -L -c '%b * %B' "$fd") / 1024)) ;;
		esac
	done
}
# what of shared memory the process has touched, or a reader for it
touched() {
	awk '/^RssShmem/ { print $2 }' "/proc/$pid/status"
}
# Where pages are swapped out, memory does not tell them from holes.
tells_holes=$(awk '/^Swap(Total|Free)/ { print $2 }' /proc/meminfo | uniq | wc -l)
# root's own way through the mappings taken away
plainly=()
if [ "$(id -u)" = 0 ]; then
	less=-sys_admin,-checkpoint_restore
	plainly=(setpriv "--bounding-set=$less" "--inh-caps=$less")
	"${plainly[@]}" true 2> /dev/null || plainly=()
fi
# report COMMAND...: its processor time in ms
report() {
	local TIMEFORMAT='%U %S'
	{ time "$@" "$MEMHOOK_TOOL" stat --format=json "$pid" > "$work/out"; } 2>&1 |
		awk '{ print ($1 + $2) * 1000 }'
}
# crowd OWNERS THREADS [close]
crowd() {
	: > "$work/pid"
	"$CROWD" "$@" > "$work/pid" &
	pid=$!
	disown
	for _ in $(seq 6000); do
		[ -s "$work/pid" ] && return
		sleep 0.01
	done
}

# each owner, and what it holds
counted() {
	[ "$(grep -o '"name":"crowd/[0-9]*"' "$work/out" | sort -u | wc -l)" = "$owners" ] ||
		fail "$owners owners, $threads threads: not all are there"
	[ "$(grep -c "\"live_bytes\":${threads}00,\"live_blocks\":$threads," "$work/out")" \
		-ge "$owners" ] || fail "$owners owners, $threads threads: wrong numbers"
}

try() {
	local owners=$1 threads=$2 before after had has took limit
	crowd "$owners" "$threads"
	before=$(segment) had=$(touched)
	took=$(report)
	after=$(segment) has=$(touched)
	[ "$before" -lt "$after" ] || [ "$had" -lt "$has" ] &&
		fail "$owners owners, $threads threads: read, it grew from $before, $had" \
			"to $after, $has"
	counted
	# 128 + 64 bytes an owner, 40 an owner and thread, in whole pages, and
	# a shard for the main thread, one for all, a few tables
	limit=$((owners * 192 / 1024 + (threads + 2) * (owners * 40 / 1024 + 12) + 128))
	[ "$before" -le $limit ] ||
		fail "$owners owners, $threads threads: $before KiB, more than $limit"
	printf '%6d owners %3d threads  %6d KiB  %s ms\n' "$owners" "$threads" \
		"$before" "$took"
	kill -9 "$pid"
	crowd "$owners" "$threads" close
	had=$(touched)
	report "${plainly[@]}" > "$work/took"
	has=$(touched)
	if [ "$tells_holes" != 1 ] || ! "$CROWD" holes "$pid"; then
		echo "not tried: read by its memory, nothing is added: holes cannot be told"
	elif [ "$had" -lt "$has" ]; then
		fail "$owners owners, $threads threads: its memory grew from $had to $has"
	fi
	counted
	kill -9 "$pid"
	pid=
}

# With 32 bits (the class in the ELF header) there is room for 8,192 owners.
most=10000
[ "$(od -An -tu1 -j4 -N1 "$CROWD")" -ne 1 ] || most=8000
if [ -n "${ALL:-}" ]; then
	for owners in 10 100 1000 "$most"; do
		for threads in 1 8 64; do
			try "$owners" "$threads"
		done
	done
else
	try 10 1
	try 1000 8
	try "$most" 64
fi
exit $failed
