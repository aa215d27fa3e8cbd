#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench: bare loops under plain jemalloc, glibc and the hook, interleaved
# in one run; medians as ratios to jemalloc, smaller is better.
#
#     LOOPS=bench/loops MEMHOOK_LIBRARY=.../libmemhook.so.1 bench.sh [ROUNDS]
set -eu

rounds=${1:-${ROUNDS:-7}}
: "${LOOPS:?the loops program}" "${MEMHOOK_LIBRARY:?the hook to measure}"
: "${RESULTS:=bench-results.json}"
: "${JEMALLOC:=libjemalloc.so.2}"

rows='pairs-small:1 pairs-small:2 pairs-medium:1 pairs-medium:2 pairs-large:1
	pairs-large:2 live-set:1 live-set:2 trees:1 trees:2 growth:1 growth:2
	remote-free:2'
columns='jemalloc glibc hook library'
times=$(mktemp)
trap 'rm -f "$times"' EXIT

if LD_PRELOAD=$JEMALLOC /bin/true 2>&1 | grep -q 'cannot be preloaded'; then
	echo "bench: $JEMALLOC is missing: apt install libjemalloc2" >&2
	exit 77
fi

one() {
	case $1 in
	jemalloc) LD_PRELOAD=$JEMALLOC "$LOOPS" "$2" "$3" ;;
	glibc) "$LOOPS" "$2" "$3" ;;
	hook) LD_PRELOAD=$MEMHOOK_LIBRARY "$LOOPS" "$2" "$3" ;;
	library) MEMHOOK_BY=library LD_PRELOAD=$MEMHOOK_LIBRARY "$LOOPS" "$2" "$3" ;;
	esac
}

for ((i = 1; i <= rounds; i++)); do
	[ -t 2 ] && printf '\rround %d of %d' "$i" "$rounds" >&2
	for row in $rows; do
		for column in $columns; do
			echo "$row $column $(one "$column" "${row%:*}" "${row#*:}")"
		done
	done
done > "$times"
[ -t 2 ] && printf '\r                  \r' >&2

sort -k1,1 -k2,2 -k3,3n "$times" | awk -v rows="$rows" -v results="$RESULTS" '
	{ key = $1 " " $2; v[key, n[key]++] = $3 }
	function median(key) { return v[key, int(n[key] / 2)] }
	function ratio(row, column) { return median(row " " column) / median(row " jemalloc") }
	END {
		count = split(rows, row)
		printf "%-16s %12s %8s %8s %8s\n", "loop:threads", "jemalloc ms",
		       "glibc", "hook", "library"
		printf "{\"unit\":\"time / time of jemalloc\",\"rows\":[" > results
		for (i = 1; i <= count; i++) {
			r = row[i]
			printf "%-16s %12.1f %8.2f %8.2f %8.2f\n", r,
			       median(r " jemalloc") / 1e6, ratio(r, "glibc"),
			       ratio(r, "hook"), ratio(r, "library")
			printf "%s\n{\"row\":\"%s\",\"jemalloc_ns\":%d,\"glibc\":%.3f,\"hook\":%.3f,\"library\":%.3f}",
			       (i == 1 ? "" : ","), r, median(r " jemalloc"),
			       ratio(r, "glibc"), ratio(r, "hook"), ratio(r, "library") > results
			g += log(ratio(r, "glibc")); h += log(ratio(r, "hook"))
			l += log(ratio(r, "library"))
		}
		printf "%-16s %12s %8.2f %8.2f %8.2f\n", "geometric mean", "",
		       exp(g / count), exp(h / count), exp(l / count)
		printf "],\"geometric_mean\":{\"glibc\":%.3f,\"hook\":%.3f,\"library\":%.3f}}\n",
		       exp(g / count), exp(h / count), exp(l / count) > results
		# Two threads charge one owner here (nobody): time with two / with one.
		printf "\n1 -> 2 threads, pairs-small: jemalloc %.2f, hook %.2f\n",
		       median("pairs-small:2 jemalloc") / median("pairs-small:1 jemalloc"),
		       median("pairs-small:2 hook") / median("pairs-small:1 hook")
	}'
