#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make fuzz: images of real segments to start from, then libFuzzer for SECONDS.
set -eu
: "${MEMHOOK_TOOL:?}" "${FUZZER:?}" "${SEED:?}"

corpus=${CORPUS:-tests/fuzz/corpus}
mkdir -p "$corpus"
for by in library none; do
	# a shell, a worker that ended, and the program that replaced the shell
	"$MEMHOOK_TOOL" run --follow --by=$by --output=/dev/null -- \
		bash -c '(:); exec sleep 600' &
	run=$!
	for _ in $(seq 500); do
		child=$(cat "/proc/$run/task/$run/children" 2> /dev/null)
		[ -n "$child" ] && "$MEMHOOK_TOOL" stat "${child%% *}" > /dev/null 2>&1 &&
			break
		sleep 0.01
	done
	for fd in "/proc/$run/fd"/*; do
		case $(readlink "$fd") in
		/memfd:memhook*) "$SEED" "$fd" > "$corpus/real-$by" ;;
		esac
	done
	kill "${child%% *}"
	wait $run || true
	[ -s "$corpus/real-$by" ]
done
exec "$FUZZER" -max_total_time="${SECONDS_TO_FUZZ:-60}" -max_len=262144 -timeout=20 \
	-rss_limit_mb=2048 -print_final_stats=1 "$corpus"
