#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The OOM killer of a memory cgroup: it is named when it was the one, and not
# when somebody else sent SIGKILL.  Takes root and a cgroup of our own.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CHECK_REPORT:?}" "${VICTIM:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
skip() {
	echo "skipped: $*"
	exit 77
}

# A cgroup beside ours, 40 MiB large: version 1, else version 2.
make_cgroup() {
	local top
	top=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
	if [ -n "$top" ]; then
		cgroup=$top/memhook-test-$$
		mkdir "$cgroup" 2> /dev/null || skip "no cgroup can be made in $top"
		echo 41943040 > "$cgroup/memory.limit_in_bytes" || return 1
		echo 0 > "$cgroup/memory.swappiness"
		return 0
	fi
	top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$top" ] || skip "no cgroups are mounted here"
	cgroup=$top/memhook-test-$$
	mkdir "$cgroup" 2> /dev/null || skip "no cgroup can be made in $top"
	[ -f "$cgroup/memory.max" ] || {
		rmdir "$cgroup"
		skip "the memory of cgroups in $top is not limited"
	}
	echo 41943040 > "$cgroup/memory.max" || return 1
	[ ! -f "$cgroup/memory.swap.max" ] || echo 0 > "$cgroup/memory.swap.max"
}

# The last of what was in it may take a moment to leave.
# shellcheck disable=SC2317 # called at exit
remove_cgroup() {
	for _ in $(seq 100); do
		rmdir "$cgroup" 2> /dev/null && return
		sleep 0.1
	done
	echo "the cgroup $cgroup could not be removed"
}

cgroup=
work=$(mktemp -d)
trap 'rm -rf "$work"; [ -z "$cgroup" ] || [ ! -d "$cgroup" ] || remove_cgroup' EXIT
[ "$(id -u)" = 0 ] || skip "only root makes cgroups"
make_cgroup || skip "a cgroup cannot be limited here"
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN

failed=0
fail() {
	echo "FAIL: $*"
	sed 's/^/      /' "$work/out" | head -20
	failed=1
}
# run STATUS ARG...: memhook run, it and all that it starts in the cgroup
run() {
	local status=$1 got
	shift
	name=$*
	# shellcheck disable=SC2016 # the inner shell expands
	timeout 120 sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' - "$cgroup" \
		"$MEMHOOK_TOOL" run -o "$work/out" "$@" < /dev/null > /dev/null 2>&1
	got=$?
	[ $got = "$status" ] || fail "$name: exit status $got, not $status"
}
says() {
	grep -Eq -- "$1" "$work/out" || fail "$name: no line matches '$1'"
}
silent() {
	grep -Eq -- "$1" "$work/out" && fail "$name: a line matches '$1'"
}

# Does it kill here at all?  Without the tool first.
# shellcheck disable=SC2016
timeout 120 sh -c 'echo $$ > "$1/cgroup.procs" && exec "$2" devour' - "$cgroup" "$VICTIM"
[ $? = 137 ] || skip "a cgroup's limit does not kill here"

run 137 -- "$VICTIM" devour
says '^memhook: victim \(pid [0-9]+\) was killed by the OOM killer \(signal 9, SIGKILL\) after'
says '^victim +[3-9][0-9]\.[0-9] MiB '
silent 'other process'
run 137 -f json -- "$VICTIM" devour
"$CHECK_REPORT" "$work/out" '"exit":{"signal":9,"oom_killed":true}' || fail "$name: report"

# not everything that dies in this cgroup
run 137 -- "$VICTIM" signal 9
says 'was killed by signal 9, SIGKILL, after'
silent OOM
run 134 -- "$VICTIM" abort
silent OOM

# a worker, whose parent goes on
run 0 -- "$VICTIM" parent devour
says '^memhook: victim \(pid [0-9]+\) exited with status 0'
says '^  victim \([0-9]+\) .* gone$'
says '^The OOM killer ended 1 other process in this cgroup\.$'
exit $failed
