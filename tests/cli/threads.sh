#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# By thread, from outside: threads are called what they call themselves now,
# also by a process that is stopped; those that ended keep their last name.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CC:=cc}" "${CHECK_REPORT:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2> /dev/null; rm -rf "$work"' EXIT
failed=0
fail() { echo "FAIL: $*"; failed=1; }

cat > "$work/prog.c" <<'END'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *work(void *name)
{
	void *block;

	pthread_setname_np(pthread_self(), "before");
	block = malloc(5000);
	memset(block, 1, 5000);
	pthread_setname_np(pthread_self(), name);
	if (strcmp(name, "brief"))
		pause();
	return block;
}

int main(void)
{
	static char *const names[] = { "reader", "pool", "pool", "brief" };
	pthread_t t[4];
	char c;
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, work, names[i]);
	pthread_join(t[3], NULL);
	usleep(200000);
	if (write(1, "ready\n", 6) == 6 && read(0, &c, 1) < 0)
		return 1;
	return 0;
}
END
$CC -O1 -o "$work/prog" "$work/prog.c" -pthread || exit 99
mkfifo "$work/in" "$work/out"
MEMHOOK_BY=thread LD_PRELOAD=$MEMHOOK_LIBRARY "$work/prog" \
	< "$work/in" > "$work/out" &
pid=$!
exec 8> "$work/in" 9< "$work/out"
read -r -t 60 ready <&9 && [ "$ready" = ready ] || exit 99
kill -STOP "$pid"
"$MEMHOOK_TOOL" stat --format=json --output="$work/report" "$pid" || fail "stat"
"$CHECK_REPORT" "$work/report" || fail "the report"
"$MEMHOOK_TOOL" stat "$pid" > "$work/text"
kill -CONT "$pid"

count() { grep -Ec -- "$1" "$work/text"; }
[ "$(count '^reader \([0-9]+\) +4\.8 KiB ')" = 1 ] || fail "reader"
[ "$(count '^pool \([0-9]+\) +4\.8 KiB ')" = 2 ] || fail "two in the pool"
[ "$(count '^brief \(retired\) +4\.8 KiB ')" = 1 ] || fail "one has ended"
[ "$(count '^before')" = 0 ] || fail "an old name"
grep -q "\"tid\":$pid," "$work/report" || fail "the first thread's number"
[ $failed = 0 ] || cat "$work/text"
exit $failed
