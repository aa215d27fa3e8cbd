#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench: the hook against plain jemalloc and other allocators, all of them
# preloaded, interleaved in one run; medians as ratios to plain jemalloc.
set -eu
usage() {
	cat <<- 'end'
	usage: bench.sh [OPTION...]
	  --rounds=N         how often each row is run in each column (5)
	  --rows=REGEX       rows of workloads.txt, by group or name (all)
	  --threads=N        the rows with two threads, with N of them; and with one
	  --columns=A,B      columns besides jemalloc (all that are installed)
	  --json=FILE        results for programs (bench-results.json)
	  --svg=FILE         chart (bench-results.svg)
	  --text=FILE        the tables as well as on standard output
	  --instructions=no  leave out the counts of callgrind
	  --list             say which rows and columns there are

	Columns: glibc, mimalloc, tcmalloc; larger, which is jemalloc with 16 bytes
	more for each block; the hook by its owners: none, library, site; on, which
	is none with --check=on.
	end
}

rounds=${BENCH_ROUNDS:-5} pattern=${BENCH_ROWS:-.} wanted=${BENCH_COLUMNS:-}
threads=${BENCH_THREADS:-2}
json=bench-results.json svg=bench-results.svg text='' instructions=yes list=no
for option; do
	case $option in
	--rounds=*) rounds=${option#*=} ;;
	--rows=*) pattern=${option#*=} ;;
	--threads=*) threads=${option#*=} ;;
	--columns=*) wanted=${option#*=} ;;
	--json=*) json=${option#*=} ;;
	--svg=*) svg=${option#*=} ;;
	--text=*) text=${option#*=} ;;
	--instructions=no) instructions=no ;;
	--list) list=yes ;;
	--help) usage; exit ;;
	*) echo "bench: '$option' is no option: --help has them" >&2; exit 2 ;;
	esac
done
case $rounds in
''|*[!0-9]*|0) echo "bench: '$rounds' is no number of rounds" >&2; exit 2 ;;
esac
case $threads in
''|*[!0-9]*|[01]) echo "bench: '$threads' is no number of threads, from 2" >&2; exit 2 ;;
esac
: "${BENCH:?the folder of the programs}" "${MEMHOOK_LIBRARY:?the hook to measure}"
BENCH_SOURCE=$(cd "$(dirname "$0")" && pwd)
export BENCH BENCH_SOURCE

# name, what is preloaded, owners by, checks
all_columns="jemalloc|libjemalloc.so.2|
glibc|libc.so.6|
mimalloc|libmimalloc.so.2|
tcmalloc|libtcmalloc_minimal.so.4|
larger|$BENCH/.libs/larger.so libjemalloc.so.2|
none|$MEMHOOK_LIBRARY|none
library|$MEMHOOK_LIBRARY|library
site|$MEMHOOK_LIBRARY|site
on|$MEMHOOK_LIBRARY|none|on"

BENCH_WORK=$(mktemp -d)
export BENCH_WORK
trap 'rm -rf "$BENCH_WORK"' EXIT
raw=$BENCH_WORK/raw
say() { echo "bench: $*" >&2; }

columns=()
missing=
while IFS='|' read -r name preload by check; do
	case ,jemalloc,${wanted:-$name}, in
	*",$name,"*) ;;
	*) continue ;;
	esac
	if LD_PRELOAD=$preload /bin/true 2>&1 | grep -q 'cannot be preloaded'; then
		missing="$missing $name"
	else
		columns+=("$name|$preload|$by|$check")
	fi
done <<< "$all_columns"
for name in ${wanted//,/ }; do
	case $all_columns in
	*"$name|"*) ;;
	*) say "there is no column '$name': --help has them"; exit 2 ;;
	esac
done
case $missing in
*jemalloc*) say "libjemalloc.so.2 is missing: apt install libjemalloc2"; exit 77 ;;
esac

# with_threads: the row and the line for that many; 1: not one of theirs
workloads=$BENCH_SOURCE/workloads.txt
with_threads() {
	local words
	case $row in
	*:1) grep -q " ${row%:1}:2 " "$workloads" || return 1 ;;
	*:2)
		read -ra words <<< "$line"
		words[2]=$threads row=${row%:2}:$threads line=${words[*]}
		;;
	*) return 1 ;;
	esac
}

# The command lines by row; the group in front of it.
rows=()
declare -A group clock command
while read -r g row c line; do
	case $g in
	''|\#*) continue ;;
	esac
	[ "$threads" = 2 ] || with_threads || continue
	[[ $row =~ $pattern || $g =~ $pattern ]] || continue
	rows+=("$row")
	group[$row]=$g clock[$row]=$c command[$row]=$line
done < "$workloads"
[ "${#rows[@]}" -gt 0 ] || { say "no row is called '$pattern': --list"; exit 2; }

if [ $list = yes ]; then
	for row in "${rows[@]}"; do
		printf '%-10s %-16s %s\n' "${group[$row]}" "$row" "${command[$row]}"
	done
	printf 'columns:'
	printf ' %s' "${columns[@]%%|*}"
	printf '%s\n' "${missing:+; not installed:$missing}"
	exit
fi

# run ROW PRELOAD BY CHECK: nanoseconds and KiB
run() {
	local words
	read -ra words <<< "${command[$1]}"
	local way=("$BENCH/measure" "${clock[$1]}")
	[ "${clock[$1]}" != script ] || way=()
	(cd "$BENCH_SOURCE" && PATH=$BENCH:.:$PATH BENCH_PRELOAD=$2 BENCH_BY=$3 \
		BENCH_CHECK=$4 \
		"${way[@]}" "${words[@]}")
}

# Programs that are not installed: once, before anything is measured.
present=()
for row in "${rows[@]}"; do
	if [ "${clock[$row]}" = own ] ||
	   run "$row" "" "" "" > "$BENCH_WORK/try" 2> "$BENCH_WORK/error"; then
		present+=("$row")
	else
		missing="$missing $row"
		say "$row is left out: $(tail -n 1 "$BENCH_WORK/error")"
	fi
done
[ "${#present[@]}" -gt 0 ] || exit 77

for ((i = 0; i < rounds; i++)); do
	n=0
	for row in "${present[@]}"; do
		n=$((n + 1))
		[ -t 2 ] && printf '\rround %d of %d: %3d %% %-20s' $((i + 1)) "$rounds" \
			$((100 * n / ${#present[@]})) "$row" >&2
		# no column always comes after the same one
		for ((k = 0; k < ${#columns[@]}; k++)); do
			column=${columns[(k + i) % ${#columns[@]}]}
			IFS='|' read -r name preload by check <<< "$column"
			result=$(run "$row" "$preload" "$by" "$check") ||
				{ say "$row under $name failed"; exit 1; }
			echo "${group[$row]} $row $name $result"
		done
	done
done > "$raw"
[ -t 2 ] && printf '\r%50s\r' '' >&2

: > "$BENCH_WORK/counts"
if [ $instructions = yes ] && [ "$pattern$threads" = .2 ]; then
	"$BENCH_SOURCE/instructions.sh" show > "$BENCH_WORK/counts" 2> "$BENCH_WORK/error" ||
		say "no instructions: $(tail -n 1 "$BENCH_WORK/counts")"
fi

# Both descriptions of a run; the second one is part of the document, too.
machine="$(nproc) processors, $(sed -n '/^model name/{s/.*: //p;q}' /proc/cpuinfo)"
order=$(printf '%s ' "${columns[@]%%|*}")
present_rows=$(printf '%s ' "${present[@]}")
for part in table json chart; do
	awk -v rows="$present_rows" -v columns="$order" -v missing="${missing# }" \
		-v rounds="$rounds" -v machine="$machine" -v counts="$BENCH_WORK/counts" \
		-v workloads="$workloads" -v threads="$threads" \
		-f "$BENCH_SOURCE/summary.awk" -f "$BENCH_SOURCE/$part.awk" "$raw" \
		> "$BENCH_WORK/$part"
done
cat "$BENCH_WORK/table"
[ -z "$text" ] || cp "$BENCH_WORK/table" "$text"
cp "$BENCH_WORK/json" "$json"
cp "$BENCH_WORK/chart" "$svg"
say "results are in $json and $svg"
