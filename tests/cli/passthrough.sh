#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# memhook run of the build that counts nothing: says so in one line, and runs.
set -eu
: "${MEMHOOK_TOOL:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = passthrough ] || {
	echo "for the build without jemalloc"
	exit 77
}

"$MEMHOOK_TOOL" --version | grep -q '(passthrough)'
status=0
said=$("$MEMHOOK_TOOL" run -- sh -c 'echo out; exit 5' 2>&1) || status=$?
[ "$status" = 5 ]
[ "$said" = "memhook run: this memhook was built --without-jemalloc and counts nothing
out" ]
if "$MEMHOOK_TOOL" stat $$ 2> /dev/null; then exit 1; fi
for command in "stat $$" "mark $$" "verify $$" list; do
	status=0
	# shellcheck disable=SC2086 # two words
	said=$("$MEMHOOK_TOOL" $command 2>&1) || status=$?
	[ "$status" = 1 ]
	[ "$said" = "memhook ${command%% *}: this memhook was built --without-jemalloc and counts nothing" ]
done
