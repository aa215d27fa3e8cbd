#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# redis-server under the allocator, redis-benchmark without it, over a socket
# in a folder of their own.  Time: that of redis-benchmark; memory: the server's.
set -eu
: "${BENCH:?}" "${BENCH_WORK:?}" "${BENCH_REQUESTS:=150000}"

for program in redis-server redis-cli redis-benchmark; do
	command -v $program > /dev/null || { echo "$program is not installed" >&2; exit 77; }
done
work=$(mktemp -d "$BENCH_WORK/redis.XXXXXX")
socket=$work/socket

"$BENCH/measure" wall redis-server --port 0 --unixsocket "$socket" --save '' \
	--appendonly no --dir "$work" --logfile "$work/log" > "$work/memory" &
server=$!
end() {
	redis-cli -s "$socket" shutdown nosave > /dev/null 2>&1 || :
	wait $server || :
	rm -rf "$work"
}
trap end EXIT
for ((i = 0; i < 1000; i++)); do
	[ "$(redis-cli -s "$socket" ping 2> /dev/null)" = PONG ] && break
	kill -0 $server 2> /dev/null || break
	sleep 0.01
done

start=$(date +%s%N)
timeout 60 redis-benchmark -s "$socket" -q -n "$BENCH_REQUESTS" -r 50000 -d 100 -P 16 -c 20 \
	-t set,get,lpush,sadd,hset,zadd > "$work/out" 2>&1 ||
	{ cat "$work/out" "$work/log" >&2; exit 1; }
took=$(($(date +%s%N) - start))
redis-cli -s "$socket" shutdown nosave > /dev/null 2>&1 || :
wait $server
read -r _ kb < "$work/memory"
echo "$took $kb"
