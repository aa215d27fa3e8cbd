#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A command as a user meets it; run.sh and checks.sh source it.
: "${work:?}"
# shellcheck disable=SC2034 # who sources it ends with `failed`

# check NAME STATUS PATTERN COMMAND...: exit status, and a line of all output
check() {
	local name=$1 status=$2 pattern=$3 got
	shift 3
	"$@" > "$work/out" 2>&1 < /dev/null
	got=$?
	if [ $got != "$status" ]; then
		echo "FAIL: $name: exit status $got, not $status"
		sed 's/^/      /' "$work/out" | head -5
		failed=1
	elif ! grep -Eq -- "$pattern" "$work/out"; then
		echo "FAIL: $name: no line matches '$pattern'"
		sed 's/^/      /' "$work/out" | head -5
		failed=1
	fi
}
