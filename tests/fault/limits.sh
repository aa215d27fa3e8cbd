#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Narrow places, from none at all to enough: resource limits, and cgroups where
# one can be made.  The operations of fuzz/ go on and are counted exactly,
# whatever is refused; or the program says that it cannot even start.
# shellcheck disable=SC2317 # clean() is called by trap
set -u
: "${top_builddir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
# shellcheck source=tests/cli/proc.sh
. "${top_srcdir:?}/tests/cli/proc.sh"
proc_is_true || exit 77 # what runs the program would be limited
export MALLOC_CONF=narenas:1 # calls.sh says why
program=$top_builddir/tests/fuzz/operations
work=$(mktemp -d)
cgroups=()
clean() {
	local c
	for c in "${cgroups[@]}"; do
		rmdir "$c"
	done
	rm -rf "$work"
}
trap clean EXIT
failed=0 went=0 ended=0

# try NAME COMMAND...: a shell that narrows things, then runs the program
try() {
	local name=$1 status
	shift
	timeout 120 "$@" 2>&1 < /dev/null | cat > "$work/out" # ulimit -f counts files
	status=${PIPESTATUS[0]}
	if [ "$status" = 0 ]; then
		went=$((went + 1))
	elif [ "$status" = 127 ] || grep -q 'error while loading' "$work/out"; then
		: # not even the loader
	elif [ "$status" = 134 ] && grep -q '^memhook: no memory for' "$work/out"; then
		ended=$((ended + 1))
	else
		echo "FAIL: $name: exit status $status"
		head -3 "$work/out"
		failed=1
	fi
}
under() {
	# shellcheck disable=SC2016 # the inner shell expands
	try "ulimit $1 $2" env MODEL_FAULTS=1 bash -c \
		'ulimit "$1" "$2" && shift 2 && exec "$@"' - "$1" "$2" \
		"$program" 8000 "$3" 2
}
# (jemalloc 5.3.0 crashes where it has no memory for its first arena: -v 20000.)
for kib in 15000 18000 50000 80000 110000 140000 170000 200000 230000 260000 300000 400000 \
	600000 1000000 1048576 1100000 2000000; do
	under -v $kib 1
	under -d $kib 2
done
for files in 3 4 5 6 8 12 16 64 1000; do
	under -n $files 3
done
for blocks in 0 1 100 1000000 100000000; do
	under -f $blocks 4
done
for kib in 64 128 256 1024 unlimited; do
	under -s $kib 5
done
for tasks in 1 100; do
	under -u $tasks 6
done
[ $went -gt 30 ] || { echo "FAIL: only $went got anywhere"; failed=1; }
echo "limits: $went went on, $ended said that they cannot start"

# A cgroup of either version, with the least that the program can live in.
in_cgroup() {
	local kind=$1 file=$2 value=$3 top=$4 c
	c=$top/memhook-fault-$$
	if ! mkdir "$c" 2> /dev/null || ! echo "$value" > "$c/$file" 2> /dev/null; then
		echo "no cgroup for $kind can be made in $top: not tried"
		[ ! -d "$c" ] || rmdir "$c"
		return
	fi
	cgroups+=("$c")
	# shellcheck disable=SC2016 # the inner shell expands
	try "cgroup: $file $value" env MODEL_FAULTS=1 sh -c \
		'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' - "$c" \
		"$program" 100000 7 8
	echo "cgroup: $file = $value tried"
	rmdir "$c" && unset 'cgroups[-1]'
}
mount_of() {
	awk -v what="$1" '$3 == "cgroup" && $4 ~ "(^|,)" what "(,|$)" { print $2; exit }' \
		/proc/mounts
}
top=$(mount_of memory)
if [ -n "$top" ]; then
	in_cgroup memory memory.limit_in_bytes 128M "$top"
else
	in_cgroup memory memory.max 128M \
		"$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)"
fi
top=$(mount_of pids)
in_cgroup pids pids.max 4 "${top:-$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)}"
exit $failed
