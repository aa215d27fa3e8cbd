# shellcheck shell=bash disable=SC2034 # what it sets is for the scripts
# SPDX-License-Identifier: BSD-2-Clause
# What the scripts on tests/cli/debugged share; they source it.
set -u
: "${MEMHOOK_TOOL:?}" "${DEBUGGED:?}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

top_srcdir=$(readlink -f "$top_srcdir")
work=$(mktemp -d)
work=$(readlink -f "$work")
pid=
trap 'rm -rf "$work"; [ -z "$pid" ] || kill -9 $pid 2> /dev/null' EXIT
cd "$work" || exit 99
unset DEBUGINFOD_URLS LD_PRELOAD MEMHOOK_BY
failed=0
fail() {
	echo "FAIL: $*"
	failed=1
}

stop() {
	[ -z "$pid" ] || kill -9 "$pid" 2> /dev/null
	[ -z "$pid" ] || wait "$pid" 2> /dev/null
	pid=
}
# start PROGRAM ARGUMENT...: $pid, and what it says in ./said; the last one stops
start() {
	stop
	: > said
	"$@" > said 2> errors &
	pid=$!
	for _ in $(seq 6000); do
		grep -q . said && return
		kill -0 $pid 2> /dev/null || break
		sleep 0.01
	done
	echo "$* did not start"
	cat errors
	exit 99
}
