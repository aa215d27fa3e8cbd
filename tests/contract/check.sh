#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A command that may end badly; replaced.sh and strangers.sh source it.
: "${work:?}"
# shellcheck disable=SC2034 # who sources it ends with `failed`

fail() {
	echo "FAIL: $*"
	head -5 "$work/out"
	failed=1
}
# check NAME STATUS TEXT COMMAND...
check() {
	local name=$1 status=$2 text=$3 got
	shift 3
	{ timeout 120 "$@" < /dev/null; } > "$work/out" 2>&1 # and what bash says of it
	got=$?
	[ "$got" = "$status" ] || fail "$name: exit status $got, not $status"
	grep -Eq -- "$text" "$work/out" || fail "$name: no line matches '$text'"
}
