#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make check-real: recordings of redis-server and python3, and their pages in a
# headless Chromium.
#
#     report.sh [FOLDER]      the screenshots stay there
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${top_srcdir:?}"
export LC_ALL=C.UTF-8
unset LD_PRELOAD

for need in chromium redis-server redis-benchmark /usr/bin/python3; do
	command -v $need > /dev/null || { echo "SKIP  pages: $need is not there"; exit 0; }
done
work=$(mktemp -d)
server=
# shellcheck disable=SC2154
trap '[ -z "$server" ] || kill "$server" 2> /dev/null; rm -rf "$work"' EXIT
failed=0
shots=${1:-}
[ -z "$shots" ] || shots=$(realpath "$shots")
cd "$work" || exit 1

# look NAME: its recording becomes a page, which is used
look() {
	if "$MEMHOOK_TOOL" report "$1.jsonl" -o "$1.html" && "$top_srcdir/tests/real/browser.py" \
		"$1.html" ${shots:+"$shots"}; then
		printf 'PASS  page of %s: %s snapshots, %s bytes\n' "$1" "$(wc -l < "$1.jsonl")" \
			"$(wc -c < "$1.jsonl")"
	else
		echo "FAIL  page of $1"
		failed=1
	fi
}

cat > work.py << 'END'
import json, sqlite3, time
db = sqlite3.connect(":memory:")
db.execute("create table t(a)")
keep = []
for i in range(40):
    keep.append(json.loads("[" + ",".join('{"a":%d}' % j for j in range(2000)) + "]"))
    db.executemany("insert into t values(?)", [("x" * 100,)] * 1000)
    if i == 25:
        keep.clear()
    time.sleep(0.03)
END
for by in library site; do
	"$MEMHOOK_TOOL" record -i 0.1 --by=$by -o python3-$by.jsonl -- /usr/bin/python3 work.py ||
		{ echo "FAIL  python3: exit status $?"; failed=1; }
	look python3-$by
done

# Its processes, each by itself and all together.
cat > workers.py << 'END'
import os, time
keep = []
for n in range(3):
    if os.fork() == 0:
        for i in range(100): # seconds: a slow machine has to see each of them twice
            keep.append(bytearray((n + 1) * 20000))
            time.sleep(0.03)
        os._exit(0)
    time.sleep(0.15)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
END
"$MEMHOOK_TOOL" record -i 0.1 --by=site -o workers.jsonl -- /usr/bin/python3 workers.py ||
	{ echo "FAIL  workers: exit status $?"; failed=1; }
look workers

port=
for try in 17391 27391 37391; do
	(: < "/dev/tcp/127.0.0.1/$try") 2> /dev/null || { port=$try; break; }
done
"$MEMHOOK_TOOL" record -i 0.1 -o redis.jsonl -- redis-server --port "${port:?}" \
	--bind 127.0.0.1 --save '' --dir "$work" > redis.log 2>&1 &
recorder=$!
for _ in $(seq 300); do
	redis-cli -p "$port" ping 2> /dev/null | grep -q PONG && break
	sleep 0.1
done
server=$(redis-cli -p "$port" info server | tr -d '\r' | sed -n 's/^process_id://p')
redis-benchmark -p "$port" -n 20000 -r 10000 -q -t set,lpush,hset -d 200 > bench.log
redis-cli -p "$port" flushall > bench.log
redis-benchmark -p "$port" -n 5000 -r 5000 -q -t set,zadd > bench.log
# As an operator does it: a process that runs, for a while.
"$MEMHOOK_TOOL" record -i 0.05 -o redis-live.jsonl "$server" &
live=$!
for _ in $(seq 300); do
	[ -f redis-live.jsonl ] && [ "$(wc -l < redis-live.jsonl)" -ge 10 ] && break
	sleep 0.1
done
kill -INT $live
wait $live || { echo "FAIL  record of a running redis-server"; failed=1; }
redis-cli -p "$port" shutdown nosave
wait $recorder || { echo "FAIL  redis-server: exit status $?"; failed=1; }
server=
look redis
look redis-live
exit $failed
