#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the hook takes in memory, start-up and fork, beside plain jemalloc: real
# programs' peak RSS, bare loads beside their floor, starts, 1,000 short
# commands, fork and _exit.  Interleaved, medians.
#
#     BENCH=bench MEMHOOK_LIBRARY=.../libmemhook.so.1 memory.sh [PART...]
#
# "padded" is plain jemalloc with 16 bytes added to each request: what a prefix
# costs whoever writes it.  Parts: programs floor startup script fork; by default
# all of them.  As root it runs at real-time priority, since its times are short.
set -eu

: "${BENCH:?the folder of the programs}" "${MEMHOOK_LIBRARY:?the hook to measure}"
: "${JEMALLOC:=libjemalloc.so.2}" "${ROUNDS:=5}" "${STARTS:=1000}"
export MEMHOOK_LIBRARY
parts=${*:-programs floor startup script fork}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if LD_PRELOAD=$JEMALLOC /bin/true 2>&1 | grep -q 'cannot be preloaded'; then
	echo "memory.sh: $JEMALLOC is missing: apt install libjemalloc2" >&2
	exit 77
fi
first=
chrt -f 20 true 2> /dev/null && first='chrt -f 20'

# ROUNDS COMMAND...
compare() {
	$first "$BENCH/spawn" -q -n "$1" bare= "jemalloc=$JEMALLOC" "hook=$MEMHOOK_LIBRARY" \
		"padded=$BENCH/.libs/pad.so:$JEMALLOC" -- "${@:2}"
}

row() { # NAME COMMAND...
	command -v "${2##*/}" > /dev/null || [ -x "$2" ] || {
		echo "$1: no $2" >&2
		return 0
	}
	compare "$ROUNDS" "${@:2}" | awk -v name="$1" '
		$1 == "peak" { printf "%-16s %10d %10d %10d %10d %9.3f %11.3f\n", name,
				      $4, $7, $10, $13, $10 / $7, $10 / $13 }'
}

programs() {
	printf '%-16s %10s %10s %10s %10s %9s %11s\n' 'peak RSS, KiB' bare jemalloc hook \
		padded hook/je hook/padded
	cat > "$work/load.py" <<-'END'
		import json, re
		d = {i: {"name": "n%d" % i, "tags": [str(j) for j in range(i % 7)]} for i in range(60000)}
		text = json.dumps(d)
		for k, v in json.loads(text).items():
		    d[int(k)]["copy"] = v
		words = re.findall(r"n\d+", text)
		print(len(d), len(set(words)))
	END
	{
		echo 'create table t(a integer primary key, b text, c text);'
		echo 'with recursive n(i) as (select 1 union all select i+1 from n where i<200000)'
		echo "insert into t select i, 'row ' || i, hex(i*7919) from n;"
		echo 'create index tb on t(b); create index tc on t(c);'
		echo 'select count(*), sum(length(b)) from t where c > 5 group by substr(b,5,2);'
	} > "$work/load.sql"
	cat > "$work/load.cc" <<-'END'
		#include <algorithm>
		#include <iostream>
		#include <map>
		#include <regex>
		#include <string>
		#include <unordered_map>
		#include <vector>
		int main()
		{
			std::map<std::string, std::vector<int>> m;
			std::unordered_map<int, std::string> u;
			std::regex r("a(b|c)*d");
			for (int i = 0; i < 100; i++) {
				m[std::to_string(i)].push_back(i);
				u[i] = std::to_string(i);
			}
			std::cout << m.size() << std::regex_match("abcd", r) << u.size() << "\n";
		}
	END
	cat > "$work/load.awk" <<-'END'
		BEGIN { for (i = 0; i < 300000; i++) { a["k" i] = "value " i * 7; n += length(a["k" i]) }
			for (k in a) if (substr(k, 2) % 3 == 0) delete a[k]; print n, length(a) }
	END
	cat > "$work/load.pl" <<-'END'
		my %h; for my $i (0 .. 150000) { $h{"key $i"} = { n => $i, list => [1 .. $i % 5] } }
		my $n = 0; for my $k (sort keys %h) { $n += scalar @{$h{$k}{list}} } print "$n\n";
	END
	cat > "$work/redis.sh" <<-'END'
		cd "$(dirname "$0")" || exit 1
		redis-server --port 0 --unixsocket r.sock --save '' --daemonize no \
			--enable-debug-command yes > /dev/null &
		server=$!
		unset LD_PRELOAD
		until redis-cli -s r.sock ping > /dev/null 2>&1; do sleep 0.1; done
		redis-cli -s r.sock debug populate 200000 key 60 > /dev/null
		redis-benchmark -s r.sock -n 40000 -r 40000 -q -t set,lpush,hset > /dev/null
		redis-cli -s r.sock shutdown nosave > /dev/null 2>&1
		wait "$server"
	END
	row python3 python3 -S "$work/load.py"
	row sqlite3 sqlite3 :memory: ".read $work/load.sql"
	row 'g++ (cc1plus)' g++ -std=c++17 -O1 -c -o "$work/load.o" "$work/load.cc"
	row gawk gawk -f "$work/load.awk"
	row mawk mawk -f "$work/load.awk"
	row perl perl "$work/load.pl"
	command -v redis-server > /dev/null && row redis-server sh "$work/redis.sh"
}

# Blocks that are held, beside as many of 16 bytes more under plain jemalloc.
floor() {
	local size n sum
	printf '%-24s %10s %10s %8s\n' 'RSS of 64 MiB, KiB' floor hook 'hook/floor'
	for size in 16 32 48 64 80 96 112 128 160 192 224 240 256 512 1024 2048 4096 \
		8192 16384 65536; do
		n=$((64 * 1048576 / (size + 16)))
		for ((i = 0; i < ROUNDS; i++)); do
			sum="$(LD_PRELOAD=$JEMALLOC "$BENCH/resident" $((size + 16)) $n)"
			echo "$sum $(LD_PRELOAD=$MEMHOOK_LIBRARY "$BENCH/resident" $size $n)"
		done | sort -n | awk -v size=$size '
			{ a[NR] = $1; b[NR] = $2 }
			END { n = int((NR + 1) / 2)
			      printf "%-24d %10d %10d %8.4f\n", size, a[n], b[n], b[n] / a[n] }'
	done
}

startup() {
	echo "start and end of $BENCH/resident 100 1"
	compare "$STARTS" "$BENCH/resident" 100 1
	echo 'the same by memhook run'
	[ -x "${MEMHOOK_TOOL:-}" ] && $first "$BENCH/spawn" -q -n $((STARTS / 10)) bare= \
		"jemalloc=$JEMALLOC" "run=@$MEMHOOK_TOOL" -- "$BENCH/resident" 100 1
	return 0
}

script() {
	echo 'a shell script of 1,000 short commands'
	# shellcheck disable=SC2016 # for the inner shell
	compare 5 sh -c 'i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i + 1)); done'
}

forks() {
	local threads variant
	printf '%-24s %10s %10s %10s %8s %9s\n' 'fork and _exit, us' bare jemalloc hook \
		'hook/je' 'hook/bare'
	for threads in 0 64; do
		for ((i = 0; i < ROUNDS; i++)); do
			for variant in '' "$JEMALLOC" "$MEMHOOK_LIBRARY"; do
				LD_PRELOAD=$variant $first "$BENCH/forks" $threads
			done | tr '\n' ' '
			echo
		done | awk -v threads="$threads" '
			{ for (c = 1; c <= 3; c++) v[c, NR] = $c }
			function median(c,   i, j, t) {
				for (i = 2; i <= NR; i++)
					for (j = i; j > 1 && v[c, j] < v[c, j - 1]; j--) {
						t = v[c, j]; v[c, j] = v[c, j - 1]; v[c, j - 1] = t
					}
				return v[c, int((NR + 1) / 2)] / 1000
			}
			END { a = median(1); b = median(2); h = median(3)
			      printf "%-24s %10.0f %10.0f %10.0f %8.2f %9.2f\n",
				     threads " other threads", a, b, h, h / b, h / a }'
	done
}

for part in $parts; do
	case $part in
	programs | floor | startup | script) "$part" ;;
	fork) forks ;;
	*)
		echo "memory.sh: $part: no such part: programs floor startup script fork" >&2
		exit 2
		;;
	esac
done
