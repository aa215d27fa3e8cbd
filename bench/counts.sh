#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench-counts: why a row takes the time it takes, without a clock.
# Instructions, cache misses and mispredicted branches by callgrind, for plain
# jemalloc, the same with 16 bytes more for each block, and the hook.
#
#     BENCH=bench MEMHOOK_LIBRARY=.../libmemhook.so.1 counts.sh [REGEX [RESULTS.json]]
#
# A row that is told how often to work runs at N and 2 N, and the difference is
# what one of the N costs; programs are counted from start to end.  The caches
# are those of no machine in particular: 32 KiB and 1 MiB, as callgrind has two.
set -eu
pattern=${1:-.}
results=${2:-/dev/null}
: "${BENCH:?the folder of the programs}" "${MEMHOOK_LIBRARY:?the hook to measure}"
BENCH_SOURCE=$(cd "$(dirname "$0")" && pwd)
BENCH_WORK=$(mktemp -d)
export BENCH BENCH_SOURCE BENCH_WORK
trap 'rm -rf "$BENCH_WORK"' EXIT
say() { echo "bench-counts: $*" >&2; }
# Counting is in no hurry, whatever the clocks were given.
chrt -o -p 0 $$ > /dev/null 2>&1 || :

command -v valgrind > /dev/null || { say "valgrind is not installed"; exit 77; }
columns="jemalloc|libjemalloc.so.2|
larger|$BENCH/.libs/larger.so libjemalloc.so.2|
none|$MEMHOOK_LIBRARY|none"

# Scripts run "measure": here it counts.  Waiting for another thread is no work.
mkdir "$BENCH_WORK/bin"
ln -s "$BENCH"/{loops,containers} "$BENCH_WORK/bin"
cat > "$BENCH_WORK/bin/measure" << 'end'
#!/bin/sh
shift
while case $1 in *=*) ;; *) false ;; esac; do
	export "$1"
	shift
done
unset LD_PRELOAD MEMHOOK_BY
LD_PRELOAD=$BENCH_PRELOAD MEMHOOK_BY=$BENCH_BY
export LD_PRELOAD MEMHOOK_BY
valgrind --tool=callgrind --callgrind-out-file="$BENCH_OUT" \
	--cache-sim=yes --I1=32768,8,64 --D1=32768,8,64 --LL=1048576,16,64 \
	--branch-sim=yes \
	--toggle-collect=wait_until --collect-atstart=yes "$@" > "$BENCH_OUT.log" 2>&1 ||
	{ cat "$BENCH_OUT.log" >&2; exit 1; }
echo 0 0
end
chmod +x "$BENCH_WORK/bin/measure"

# count FILE PRELOAD BY COMMAND...: instructions, misses of level 1 and 2, branches
count() {
	local out=$1 preload=$2 by=$3
	shift 3
	(cd "$BENCH_SOURCE" && BENCH=$BENCH_WORK/bin PATH=$BENCH_WORK/bin:.:$PATH \
		BENCH_OUT=$out BENCH_PRELOAD=$preload BENCH_BY=$by "$@" > /dev/null)
	# Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim
	awk '/^(summary|totals):/ { print $2, $6 + $7, $9 + $10, $12 + $14; exit }' "$out"
}

# row ROW CLOCK COLUMN PRELOAD BY COMMAND...: a line, all of it for one of the N
row() {
	local row=$1 clock=$2 column=$3 preload=$4 by=$5 n=1 way=() from
	shift 5
	local words=("$@")
	from=$BENCH_WORK/$row.$column
	[ "$clock" = script ] || way=(measure "$clock")
	case $clock in
	own)
		n=$((words[3] / 200))
		[ $n -gt 1 ] || n=2
		words[3]=$n
		count "$from" "$preload" "$by" "${way[@]}" "${words[@]}" > "$from.one"
		words[3]=$((2 * n)) ;;
	*)
		BENCH_REQUESTS=3000
		export BENCH_REQUESTS
		echo 0 0 0 0 > "$from.one" ;;
	esac
	count "$from" "$preload" "$by" "${way[@]}" "${words[@]}" > "$from.two"
	paste -d ' ' "$from.one" "$from.two" | awk -v n="$n" -v row="$row" -v column="$column" \
		'{ print row, column, ($5 - $1) / n, ($6 - $2) / n, ($7 - $3) / n, ($8 - $4) / n }' \
		> "$from.result"
}

order=
jobs=0
while read -r g name clock line; do
	case $g in
	''|\#*) continue ;;
	esac
	[[ $name =~ $pattern || $g =~ $pattern ]] || continue
	order="$order $name"
	read -ra words <<< "$line"
	while IFS='|' read -r column preload by; do
		row "$name" "$clock" "$column" "$preload" "$by" "${words[@]}" < /dev/null &
		jobs=$((jobs + 1))
		[ $jobs -lt "$(nproc)" ] || { wait -n || say "$name under $column failed"; }
		[ -t 2 ] && printf '\r%-20s' "$name" >&2
	done <<< "$columns"
done < "$BENCH_SOURCE/workloads.txt"
wait
[ -t 2 ] && printf '\r%20s\r' '' >&2
[ -n "$order" ] || { say "no row is called '$pattern'"; exit 2; }

cat "$BENCH_WORK"/*.result | awk -v order="$order" -v results="$results" '
	BEGIN {
		while ((getline line < results) > 0) {
			if (match(line, /"row":"[^"]*"/))
				r = substr(line, RSTART + 7, RLENGTH - 8)
			if (line ~ /"time":/ && r != "" && match(line, /"none":[0-9.]*/)) {
				time[r] = sprintf("%.2f", substr(line, RSTART + 7, RLENGTH - 7))
				r = ""
			}
		}
	}
	{ for (i = 3; i <= 6; i++) v[$1, $2, i - 2] = $i }
	function short(r, c, k,    n) {
		if (!((r, c, k) in v))
			return "-"
		n = v[r, c, k]
		if (n < 0) # less than none: the first N had what the second had not
			n = 0
		if (n >= 1e9)
			return sprintf("%.2fG", n / 1e9)
		if (n >= 1e6)
			return sprintf(n < 1e8 ? "%.1fM" : "%.0fM", n / 1e6)
		if (n >= 1e4)
			return sprintf(n < 1e5 ? "%.1fk" : "%.0fk", n / 1e3)
		return sprintf(n < 100 ? "%.1f" : "%.0f", n)
	}
	# what is counted, and for whom
	BEGIN {
		split("instructions,misses of level 1,... of level 2,mispredicted", title, ",")
		who[1] = who[2] = "jemalloc larger none"
		who[3] = who[4] = "jemalloc none"
	}
	END {
		printf "%-14s %5s", "", ""
		for (k = 1; k <= 4; k++)
			printf k < 3 ? " %-20s" : " %-13s", title[k]
		printf "\n%-14s %5s", "", "time"
		for (k = 1; k <= 4; k++)
			printf " %6s%s %6s", "plain", k < 3 ? " larger" : "", "hook"
		printf "\n"
		n = split(order, row)
		for (i = 1; i <= n; i++) {
			printf "%-14s %5s", row[i], time[row[i]]
			for (k = 1; k <= 4; k++) {
				m = split(who[k], column, " ")
				for (c = 1; c <= m; c++)
					printf " %6s", short(row[i], column[c], k)
			}
			printf "\n"
		}
	}'
