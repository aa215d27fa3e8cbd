#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook export: both formats are well formed whatever owners are called, sums
# are those of memhook stat, with --max-owners as well; HTTP; bad input.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"

parser=$top_srcdir/tests/cli/export.py
# metrics NAME EXPRESSION...: of the output, which was of this format
format=text
metrics() {
	local name=$1
	shift
	python3 "$parser" "$work/out" $format "$@" > "$work/metrics" 2>&1 ||
		{ fail "$name"; tail -3 "$work/metrics"; }
}
# same_as_stat NAME: all numbers of $pid
same_as_stat() {
	"$m" stat -f json -o "$work/stat.json" "$pid" || fail "$1: no report"
	python3 "$parser" "$work/out" $format --same "$work/stat.json" \
		2> "$work/metrics" || { fail "$1: not as memhook stat"; tail -3 "$work/metrics"; }
}

start
tell alloc db/cache 10 1000
tell alloc db/log 5 100
tell alloc gone 1 200000
tell free gone
tell alloc 'quo"te\s' 2 11
tell alloc other 1 5

for format in text openmetrics; do
	check "$format" 0 "^memhook_owner_live_bytes" "$m" export -e --once -f $format "$pid"
	same_as_stat "$format"
	metrics "$format" \
		"v('memhook_owner_live_bytes', owner='db/cache') == 10000" \
		"v('memhook_owner_peak_bytes', owner='gone') > 100000" \
		"v('memhook_owner_live_blocks', owner='quo\"te\\\\s') == 2" \
		"v('memhook_owner_live_bytes', owner='other', kind='named') == 5" \
		"v('memhook_owner_live_bytes', owner='other', kind='other') == 0" \
		"v('memhook_process_owners') == 6" \
		"v('memhook_process_resident_bytes', comm='subject') > 10000" \
		"v('memhook_process_consistent') == v('memhook_process_exact') == 1" \
		"v('memhook_exporter_processes_read') == 1" \
		"v('memhook_exporter_scrape_duration_seconds') > 0" \
		"v('memhook_exporter_cpu_seconds_total') > 0" \
		"v('memhook_exporter_resident_bytes') > 10000"
done
format=text
parts="sum_of('memhook_process_resident_part_bytes') == v('memhook_process_resident_bytes')"
check "--once" 0 . "$m" export --once "$pid"
metrics "parts" "$parts" "v('memhook_process_resident_part_bytes', part='stack') == 0" \
	"v('memhook_process_resident_part_bytes', part='live') == v('memhook_process_live_bytes')"
check "--explain" 0 . "$m" export --once --explain "$pid"
metrics "--explain" "$parts" \
	"v('memhook_process_resident_part_bytes', part='stack') > 0" \
	"v('memhook_process_resident_part_bytes', part='file') > 10000"

# Few rows, and nothing lost: those with the highest peaks, the others in one
check "--max-owners" 0 . "$m" export --once --max-owners=2 "$pid"
metrics "--max-owners" \
	"[x['owner'] for x in rows('memhook_owner_live_bytes')] == ['db/cache', 'gone', 'other']" \
	"v('memhook_owner_live_bytes', kind='other') == 500 + 2 * 11 + 5" \
	"v('memhook_owner_peak_bytes', kind='other') >= 500 + 22 + 5" \
	"v('memhook_process_owners') == 6 and v('memhook_process_owners_summed') == 4"
metrics "--max-owners" "all(sum_of('memhook_owner_' + k) == v('memhook_process_' + k) > 0
	for k in ('live_bytes', 'live_blocks', 'allocated_bytes_total', 'allocations_total',
		  'freed_bytes_total', 'frees_total'))"

# An owner that ends takes nothing along from what was ever counted
check "before an end" 0 . "$m" export --once "$pid"
calls=$(sed -n 's/^memhook_process_allocations_total.* //p' "$work/out")
tell retire gone
tell alloc fresh1 1 40
tell alloc fresh2 1 50
tell alloc fresh3 1 60
check "after an end" 0 . "$m" export --once "$pid"
metrics "after an end" \
	"v('memhook_process_allocations_total') == $calls + 3" \
	"sum_of('memhook_owner_allocations_total') == $calls + 3" \
	"not rows('memhook_owner_live_bytes', owner='gone')"
"$m" stat -f json "$pid" | grep -q "\"totals\":{[^}]*\"alloc_calls\":$((calls + 3))," &&
	fail "no row was used again: this proves nothing"

# A process may write what it likes into its segment: names of any bytes, some
# of them the same when they are valid
named() {
	exec env LD_PRELOAD="$MEMHOOK_LIBRARY" python3 -c '
import ctypes, os, sys
lib = ctypes.CDLL(None)
lib.memhook_owner_create.restype = ctypes.c_uint64
lib.memhook_owner_create.argtypes = [ctypes.c_char_p]
lib.memhook_enter.restype = ctypes.c_uint64
lib.memhook_enter.argtypes = [ctypes.c_uint64]
lib.malloc.argtypes = [ctypes.c_size_t]
lib.malloc.restype = ctypes.c_void_p
names = [b"a\nb", b"c\\nd", b"\"", b"back\\", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf",
	 b"\xfe\xff", b"\xf4\x90\x80\x80", b"\xc3\xa9t\xc3\xa9", b"\xf0\x9f\x98\x80",
	 b"tab\tcr\r\x01\x7f", b"}", b"#", b" ", b"{x=\"y\"} 1", b"\xe2\x80\xa8"]
for i in range(len(names)):
	owner = lib.memhook_owner_create(b"name-%02d" % i)
	outer = lib.memhook_enter(owner)
	lib.malloc(1000)
	lib.memhook_enter(outer)
[fd] = [int(fd) for fd in os.listdir("/proc/self/fd")
	if os.path.islink("/proc/self/fd/" + fd)
	and os.readlink("/proc/self/fd/" + fd).startswith("/memfd:memhook")]
table = os.pread(fd, 8 << 20, 0)
start = table.index(b"name-00\0")
for i, name in enumerate(names):
	at = table.index(b"name-%02d\0" % i, start)
	os.pwrite(fd, name.ljust(10, b"\0"), at)
print(len(names), flush=True)
sys.stdin.read()'
}
mkfifo "$work/names"
named < "$work/names" > "$work/ready" 2>&1 &
children+=($!)
exec {names}> "$work/names"
until_so grep -qx 17 "$work/ready"
cp "$work/ready" "$work/out"
[ "$(cat "$work/ready")" = 17 ] || fail "no names"
saved=$pid
pid=${children[-1]}
for format in text openmetrics; do
	check "names" 0 . "$m" export --once --explain -f $format --max-owners=1000 "$pid"
	same_as_stat "names"
	metrics "a newline" \
		"v('memhook_owner_live_bytes', owner='a\\nb') == 1000" \
		"v('memhook_owner_live_bytes', owner='c\\\\nd') == 1000" \
		"v('memhook_owner_live_bytes', owner='\"') == 1000" \
		"v('memhook_owner_live_bytes', owner='back\\\\') == 1000" \
		"v('memhook_owner_live_bytes', owner='{x=\"y\"} 1') == 1000" \
		"v('memhook_owner_live_bytes', owner='\\u00e9t\\u00e9') == 1000" \
		"v('memhook_owner_live_bytes', owner='\\ufffd\\ufffd') == 3000" \
		"v('memhook_owner_live_bytes', owner=3 * '\\ufffd') == 1000"
done
format=text
exec {names}>&-
pid=$saved

# Bad input; --output in one step, or not at all
check "--help" 0 '^Usage: memhook export' "$m" export --help
check "no address" 2 'listen=nowhere: it is an address' "$m" export --listen=nowhere
for address in :9797 127.0.0.1 127.0.0.1: 127.0.0.1:x 127.0.0.1:65536 1:9797 ::1:9797 \
	'[::1' '[::1]' '[]:9797' '[127.0.0.1]:9797' 256.0.0.1:9797 127.0.0.1:-1 ''; do
	check "--listen=$address" 2 'it is an address' "$m" export --listen="$address"
	lines 1 "--listen=$address"
done
check "--max-owners=0" 2 'a number from 1 on' "$m" export --once --max-owners=0
check "--max-owners=x" 2 'a number from 1 on' "$m" export --once --max-owners=x
check "--format" 2 'format=json: it is text or openmetrics' "$m" export --once -f json
check "--format, no --once" 2 'format goes with --once' "$m" export -f text
check "--output, no --once" 2 'output goes with --once' "$m" export -o "$work/x"
check "both" 2 'listen and --once do not go' "$m" export --once --listen=127.0.0.1:0
check "an option" 2 '^Usage' "$m" export --nothing
check "no process" 2 "'x' is no process number" "$m" export --once x
check "not hooked" 1 "process $$: not hooked" "$m" export --once $$ "$pid" -o "$work/a.prom"
cp "$work/a.prom" "$work/out"
metrics "not hooked" \
	"v('memhook_exporter_processes_unreadable') == 1" \
	"v('memhook_exporter_processes_read') == 1"
check "twice" 0 . "$m" export --once "$pid" "$pid" "0$pid"
metrics "twice" "v('memhook_exporter_processes_read') == 1"

ln "$work/a.prom" "$work/old.prom"
(umask 027 && "$m" export --once --output="$work/a.prom" "$pid") || fail "--output"
[ "$(stat -c %a "$work/a.prom")" = 640 ] || fail "--output: mode $(stat -c %a "$work/a.prom")"
[ "$work/a.prom" -ef "$work/old.prom" ] && fail "--output wrote into the old file"
[ "$(echo "$work"/a.prom*)" = "$work/a.prom" ] || fail "--output left $(echo "$work"/a.prom*)"
mkdir "$work/folder"
check "a folder" 1 'no regular file' "$m" export --once --output="$work/folder"
check "a pipe" 1 'no regular file' "$m" export --once --output="$work/names"
check "nowhere" 1 'cannot write .*No such file' "$m" export --once -o "$work/no/a.prom"
if [ -w /dev/full ]; then
	"$m" export --once "$pid" > /dev/full 2> "$work/out" && fail "/dev/full: status 0"
	grep -q 'cannot write to standard output: No space' "$work/out" || fail /dev/full
fi

# The server
serve() {
	: > "$work/err" # not the last one's line
	watch "$@"
	server=$reader
	until_so grep -q http: "$work/err"
	url=$(sed -n 's/^memhook export: //p' "$work/err")
	address=${url#http://}
	address=${address%/metrics}
}
stop
start
tell alloc db/cache 10 1000
tell alloc db/log 5 100
serve "$m" export --explain --listen=127.0.0.1:0
check "HTTP" 0 '^$' bash -c "python3 '$parser' '$url'; s=\$?; echo; exit \$s"
fetch() {
	python3 -c 'import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=60).read())' \
		"$url" > "$work/out"
}
fetch
same_as_stat "HTTP"
check "in use" 1 "cannot listen on $address: Address already in use" \
	"$m" export --listen="$address"
lines 1 "in use"

# a client that asks and does not read holds up nobody
python3 -c 'import socket, sys, time
host, port = sys.argv[1].split(":")
all = [socket.create_connection((host, int(port))) for i in range(20)]
for i, s in enumerate(all):
	s.send(b"GET /metrics HTTP/1.1\r\n" + (b"Host: x\r\n\r\n" if i % 2 else b""))
print(flush=True)
time.sleep(600)' "$address" > "$work/idle" &
children+=($!)
until_so test -s "$work/idle"
fetch || fail "twenty idle clients hold up the next one"
kill "${children[-1]}"

# processes that come and go while they are read
for ((i = 0; i < 20; i++)); do
	tell fork "worker$i" 1 10
	tell leave &
	fetch || fail "a process that ends meanwhile"
	python3 "$parser" "$work/out" text || fail "a process that ends meanwhile"
	wait $!
done

# the end of the processes, and its own
stop
fetch
metrics "all ended" "not rows('memhook_owner_live_bytes', pid=$pid)"
kill -TERM "$server"
wait "$server"
status=$?
[ $status = 0 ] || fail "SIGTERM: exit status $status"
[ "$(wc -l < "$work/err")" = 1 ] || { cat "$work/err"; fail "more than one line"; }


# One that is hooked, and told to look at itself: what it holds does not grow
start
# shellcheck disable=SC2016 # $$ is what the server will be
serve env LD_PRELOAD="$MEMHOOK_LIBRARY" bash -c \
	'exec "$0" export --listen=127.0.0.1:0 $$ "$1"' "$m" "$pid"
python3 -c 'import http.client, re, sys
def held():
	c.request("GET", "/metrics")
	data = c.getresponse().read()
	found = re.search(rb"memhook_process_live_bytes\{pid=\"%s\",comm=\"memhook\"\} (\d+)"
			  % sys.argv[2].encode(), data)
	return int(found[1])
host, port = sys.argv[1].split(":")
c = http.client.HTTPConnection(host, int(port), timeout=60)
n = [held() for i in range(200)]
print("live bytes of the server:", n[0], n[20], n[199])
sys.exit(n[0] < 1000 or n[199] - n[20] > 1000)' "$address" "$server" > "$work/out" 2>&1 ||
	fail "the server grows"
kill "$server"
watched

if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
	watch "$m" export --listen='[::1]:0'
	until_so grep -q 'http://\[::1\]:[1-9]' "$work/err"
	kill -INT "$reader"
	watched
	[ "$status" = 0 ] || fail "SIGINT: exit status $status"
fi

# what goes with it: the unit's command, and no metric that there is not
grep -q '^ExecStart=/.*/memhook export ' "$top_builddir/contrib/systemd/memhook-export.service" ||
	fail "the unit starts something else"
check "all metrics" 0 . "$m" export --once
metrics "dashboard and rule" "all(x in names for f in ('grafana/memhook.json',
	'prometheus/memhook.rules.yml') for x in __import__('re').findall('memhook_[a-z_]+',
	open('$top_srcdir/contrib/' + f).read()))"
exit $failed
