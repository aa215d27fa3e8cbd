#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench: bare loops and C++ containers under plain jemalloc, glibc and the
# hook, interleaved in one run; medians as ratios to jemalloc, smaller is better.
#
#     BENCH=bench MEMHOOK_LIBRARY=.../libmemhook.so.1 bench.sh [ROUNDS]
set -eu

rounds=${1:-${ROUNDS:-7}}
: "${BENCH:?the folder of the programs}" "${MEMHOOK_LIBRARY:?the hook to measure}"
: "${RESULTS:=bench-results.json}"
: "${JEMALLOC:=libjemalloc.so.2}"

rows='pairs-small:1 pairs-small:2 pairs-medium:1 pairs-medium:2 pairs-large:1
	pairs-large:2 live-set:1 live-set:2 trees:1 trees:2 growth:1 growth:2
	remote-free:2 strings:1 strings:2'
columns='jemalloc glibc none library site'
times=$(mktemp)
trap 'rm -f "$times"' EXIT

if LD_PRELOAD=$JEMALLOC /bin/true 2>&1 | grep -q 'cannot be preloaded'; then
	echo "bench: $JEMALLOC is missing: apt install libjemalloc2" >&2
	exit 77
fi

one() {
	local program=$BENCH/loops
	[ "$2" = strings ] && program=$BENCH/containers
	case $1 in
	jemalloc) LD_PRELOAD=$JEMALLOC "$program" "$2" "$3" ;;
	glibc) "$program" "$2" "$3" ;;
	*) MEMHOOK_BY=$1 LD_PRELOAD=$MEMHOOK_LIBRARY "$program" "$2" "$3" ;;
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

# The hook by its owners: none is the default, library and site are automatic.
sort -k1,1 -k2,2 -k3,3n "$times" | awk -v rows="$rows" -v columns="$columns" \
	-v results="$RESULTS" '
	{ key = $1 " " $2; v[key, n[key]++] = $3 }
	function median(key) { return v[key, int(n[key] / 2)] }
	function ratio(row, column) { return median(row " " column) / median(row " jemalloc") }
	function json(sep, name, value) { printf "%s\"%s\":%.3f", sep, name, value > results }
	END {
		count = split(rows, row)
		width = split(columns, column)
		printf "%-16s %12s", "loop:threads", "jemalloc ms"
		for (c = 2; c <= width; c++)
			printf " %8s", column[c]
		printf "\n"
		printf "{\"unit\":\"time / time of jemalloc\",\"rows\":[" > results
		for (i = 1; i <= count; i++) {
			r = row[i]
			printf "%-16s %12.1f", r, median(r " jemalloc") / 1e6
			printf "%s\n{\"row\":\"%s\",\"jemalloc_ns\":%d",
			       (i == 1 ? "" : ","), r, median(r " jemalloc") > results
			for (c = 2; c <= width; c++) {
				printf " %8.2f", ratio(r, column[c])
				json(",", column[c], ratio(r, column[c]))
				mean[c] += log(ratio(r, column[c])) / count
			}
			printf "\n"
			printf "}" > results
		}
		printf "%-16s %12s", "geometric mean", ""
		printf "],\"geometric_mean\":{" > results
		for (c = 2; c <= width; c++) {
			printf " %8.2f", exp(mean[c])
			json((c == 2 ? "" : ","), column[c], exp(mean[c]))
		}
		printf "\n"
		printf "}}\n" > results
		printf "\nowners found: library / none %.3f, site / none %.3f\n",
		       exp(mean[4] - mean[3]), exp(mean[5] - mean[3])
		# Two threads charge one owner here (nobody): time with two / with one.
		printf "1 -> 2 threads, pairs-small: jemalloc %.2f, none %.2f\n",
		       median("pairs-small:2 jemalloc") / median("pairs-small:1 jemalloc"),
		       median("pairs-small:2 none") / median("pairs-small:1 none")
	}'
