#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The bridge: in every report its parts add up to the resident memory, and of
# an idle program less than 5 % of it is "other"; running, stopped, killed and
# at its end.
set -u
ulimit -c 0
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CHECK_REPORT:?}" "${CC:=cc}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
# shellcheck source=tests/cli/proc.sh
. "${top_srcdir:?}/tests/cli/proc.sh"
proc_is_true || exit 77

work=$(mktemp -d)
pids=
# shellcheck disable=SC2317 # called by the trap
finish() {
	for pid in $pids; do
		kill -9 "$pid" 2> /dev/null
	done
	wait 2> /dev/null
	rm -rf "$work"
}
trap finish EXIT
failed=0
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_SEGMENT
fail() {
	echo "FAIL: $*"
	failed=1
}

# Says "ready" when it has done what its argument names, and waits.
cat > "$work/prog.c" << 'END_C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *keep[200000];

static void *use(void *arg)
{
	size_t i;
	void *p[100];

	for (i = 0; i < 100; i++)
		p[i] = memset(malloc(50 * i + 1), 1, 50 * i + 1);
	for (i = 0; i < 100; i++)
		free(p[i]);
	if (arg)
		pause();
	return NULL;
}

static void threads(int n, int stay)
{
	pthread_t t[16];
	int i;

	for (i = 0; i < n; i++) {
		pthread_create(&t[i % 16], NULL, use, stay ? t : NULL);
		if (!stay)
			pthread_join(t[i % 16], NULL);
	}
}

static void blocks(int n, size_t size)
{
	int i;

	for (i = 0; i < n; i++)
		keep[i] = memset(malloc(size), 1, size);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char *p;
	int i;

	if (strcmp(what, "threads") == 0)
		threads(16, 1);
	if (strcmp(what, "ended") == 0)
		threads(5000, 0);
	if (strcmp(what, "small") == 0)
		blocks(200000, 33);
	if (strcmp(what, "freed") == 0) {
		blocks(20000, 1000);
		for (i = 0; i < 20000; i++)
			free(keep[i]);
	}
	if (strcmp(what, "waiting") == 0) {
		blocks(20, 100000);
		for (i = 0; i < 20; i++)
			free(keep[i]);
	}
	if (strcmp(what, "untouched") == 0)
		keep[0] = malloc((size_t)256 << 20);
	if (strcmp(what, "mapped") == 0) {
		/* As the allocator maps its own: these may become one region. */
		for (i = 0; i < 8; i++) {
			p = mmap(NULL, 3 << 20, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
			memset(p, 1, 3 << 20);
			keep[i] = memset(malloc(3 << 20), 1, 3 << 20);
		}
		p = mmap(NULL, 5 << 20, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		memset(p, 1, 5 << 20);
	}
	/* An event a while later: what was published is of this state. */
	usleep(300000);
	for (i = 0; i < 4; i++)
		free(malloc(40000));
	puts("ready");
	fflush(stdout);
	if (argc > 2)
		raise(atoi(argv[2]));
	while (argc < 3)
		pause();
	return 0;
}
END_C
$CC -O1 -fno-builtin -pthread -o "$work/prog" "$work/prog.c" || exit 99

# idle NAME COMMAND...: started, idle, then stopped
idle() {
	local name=$1 pid state i looks=0
	shift
	: > "$work/out"
	LD_PRELOAD=$MEMHOOK_LIBRARY "$@" > "$work/out" 2> /dev/null < /dev/null &
	pid=$!
	pids="$pids $pid"
	# Idle: it has slept at ten looks in a row.
	for ((i = 0; i < 10;)); do
		state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2> /dev/null)
		[ -n "$state" ] || { fail "$name ended"; return; }
		if [ "$state" = S ] && { [ "$1" != "$work/prog" ] || [ -s "$work/out" ]; }; then
			i=$((i + 1))
		else
			i=0
		fi
		[ $((looks += 1)) -lt 2400 ] || { fail "$name is never idle"; return; }
		sleep 0.05
	done
	"$MEMHOOK_TOOL" stat --format=json "$pid" > "$work/$name.json"
	"$CHECK_REPORT" --idle "$work/$name.json" || fail "$name: running"
	kill -STOP "$pid"
	"$MEMHOOK_TOOL" stat --format=json "$pid" > "$work/$name-stopped.json"
	"$CHECK_REPORT" --idle "$work/$name-stopped.json" || fail "$name: stopped"
	"$MEMHOOK_TOOL" stat "$pid" > "$work/$name.txt"
	grep -q '^  = resident (RSS) ' "$work/$name.txt" || fail "$name: no last line"
	grep -q '^.\{81\}' "$work/$name.txt" && fail "$name: more than 80 columns"
	kill -9 "$pid"
}

# number NAME KEY: a number of the process
number() {
	sed -n "s/.*\"$2\":\(-\{0,1\}[0-9]*\).*/\1/p" "$work/$1.json" | tail -1
}

# between NAME KEY LEAST MOST, in KiB
between() {
	local n
	n=$(number "$1" "$2")
	[ "${n:-0}" -ge $(($3 * 1024)) ] || fail "$1: $2 is $n, below $3 KiB"
	[ "${n:-0}" -le $(($4 * 1024)) ] || fail "$1: $2 is $n, above $4 KiB"
}

idle sleep sleep 1000
for what in threads ended small freed untouched mapped; do
	idle "$what" "$work/prog" "$what"
done
MEMHOOK_CHECK=on idle waiting "$work/prog" waiting
for python in /usr/bin/python3 "$(command -v python3)"; do
	[ -x "$python" ] && ! head -c 2 "$python" | grep -q '#!' &&
		idle python "$python" -c 'import json, time; time.sleep(1000)'
done
if command -v redis-server > /dev/null; then
	idle redis redis-server --port 0 --unixsocket "$work/redis" --save ''
fi

# Where it must appear.
between threads stack_bytes 100 4096
between small allocator_rounding_bytes 2000 4000    # 33 + 16 in 64
for what in threads small freed untouched mapped; do
	between $what allocator_unsplit_bytes 0 300
done
between freed allocator_quarantine_bytes 0 0
between waiting allocator_quarantine_bytes 1950 2500
grep -q '^  freed blocks in quarantine  *[12]\.[0-9] MiB$' "$work/waiting.txt" ||
	fail "the quarantine has no line"
grep -q 'in quarantine' "$work/freed.txt" && fail "a line for no quarantine"
between freed allocator_dirty_bytes 1000 30000
between untouched allocator_not_resident_bytes -340000 -260000
between mapped anonymous_bytes 24576 26000
between mapped shared_bytes 5120 5200
between mapped heap_rss_bytes 24576 28000
grep -q '"files":\[{"name":"/' "$work/sleep.json" || fail "no files"

# At the end: its own last look; when it is killed, ours, or what there is.
run() {
	local name=$1
	shift
	"$MEMHOOK_TOOL" run --format=json --output="$work/$name.json" -- "$@" \
		> /dev/null 2> "$work/err"
}
run exited "$work/prog" small 0
"$CHECK_REPORT" --idle "$work/exited.json" || fail "at exit"
between exited allocator_rounding_bytes 2000 4000
run aborted "$work/prog" small 6
"$CHECK_REPORT" "$work/aborted.json" '"signal":6' || fail "aborted"
run workers sh -c "sh -c 'echo; exit 0' & wait; (echo; exit 0); exit 0"
"$CHECK_REPORT" "$work/workers.json" || fail "with workers"
run sampled sh -c 'sleep 4; kill -9 $$'
"$CHECK_REPORT" --idle "$work/sampled.json" '"signal":9' || fail "killed, seen before"
run unseen "$work/prog" '' 9
"$CHECK_REPORT" "$work/unseen.json" '"signal":9' || fail "killed at once"
"$MEMHOOK_TOOL" run -o "$work/unseen.txt" -- "$work/prog" '' 9 > /dev/null
grep -q 'not known' "$work/unseen.txt" || grep -q '= resident' "$work/unseen.txt" ||
	fail "neither known nor not known"
exit $failed
