#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook run, stat and header, as a user meets them.
# shellcheck disable=SC2016 # the inner shells expand
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CC:=cc}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN

# shellcheck source=tests/cli/check.sh
. "${top_srcdir:?}/tests/cli/check.sh"
lines() {
	local n
	n=$(wc -l < "$work/out")
	[ "$n" = "$1" ] || { echo "FAIL: $2: $n lines, not $1"; failed=1; }
}
m=$MEMHOOK_TOOL

# help, version, bad usage
check "--help" 0 '^Usage: memhook COMMAND' "$m" --help
check "--version" 0 '^memhook [0-9.]+ \(jemalloc\)' "$m" --version
check "no command" 2 '^Usage:' "$m"
check "unknown command" 2 "unknown command 'fly'" "$m" fly
lines 1 "unknown command"
check "run --help" 0 '--follow' "$m" run --help
check "stat --help" 0 'Usage: memhook stat' "$m" stat --help
check "unknown option" 2 'Usage' "$m" run --wings -- true
check "bad --by" 2 'library, thread, site or none' "$m" run --by=colour true
for by in library thread site none; do
	check "--by=$by" 0 'exited with status 0' "$m" run --by=$by true
done
check "--through of a path" 2 'without their folders' "$m" run --through=/lib/x true
check "--through of nothing" 2 'or none' "$m" run --through= true
check "bad --format" 2 'text or json' "$m" run --format=xml true
check "no program" 2 'which program' "$m" run

# exit statuses, like env(1)'s
check "status of CMD" 7 'exited with status 7' "$m" run -- sh -c 'exit 7'
check "killed" 137 'killed by signal 9, SIGKILL' "$m" run -- sh -c 'kill -9 $$'
check "aborted" 134 'SIGABRT' "$m" run -- sh -c 'kill -6 $$'
check "not found" 127 'No such file' "$m" run -- "$work/nothing"
lines 1 "not found"
check "not found on PATH" 127 'No such file' "$m" run -- no-such-program-anywhere
touch "$work/plain"
check "not executable" 126 'Permission denied' "$m" run -- "$work/plain"
check "a folder" 126 'directory' "$m" run -- "$work/"

# what cannot be hooked is said before it starts
printf '#!/bin/sh\ntouch %s/started\n' "$work" > "$work/script"
chmod +x "$work/script"
check "a script" 126 "is a script.*memhook run -- /bin/sh $work/script" \
	"$m" run -- "$work/script"
lines 1 "a script"
[ ! -e "$work/started" ] || { echo "FAIL: the script was started"; failed=1; }
check "a script, --follow" 0 'exited with status 0' "$m" run --follow -- "$work/script"
[ -e "$work/started" ] || { echo "FAIL: --follow did not start the script"; failed=1; }
printf 'int main(void){return 0;}\n' > "$work/s.c"
if $CC -static -o "$work/static" "$work/s.c" 2> /dev/null; then
	check "a static program" 126 'linked statically' "$m" run -- "$work/static"
fi
if [ "$(id -u)" = 0 ]; then
	cp /bin/true "$work/setuid"
	chown 1:1 "$work/setuid" && chmod 4755 "$work/setuid"
	check "a setuid program" 126 'other rights' "$m" run -- "$work/setuid"
fi

# output
check "output that cannot be written" 1 'cannot write /nonexistent/f' \
	"$m" run -o /nonexistent/f -- sh -c "touch $work/began"
[ ! -e "$work/began" ] || { echo "FAIL: CMD was started in spite of it"; failed=1; }
check "to a file" 0 '^hello$' "$m" run -o "$work/r.json" -f json -- sh -c 'echo hello'
lines 1 "to a file"
"$CHECK_REPORT" "$work/r.json" || failed=1
check "full disk" 1 'could not be written' "$m" run -o /dev/full -- true
"$m" run -- ls / > /dev/null 2> "$work/text"
awk 'length > 80 { bad = 1 } END { exit bad }' "$work/text" ||
	{ echo "FAIL: the table is wider than 80 columns"; failed=1; }
grep -q '= resident (RSS)' "$work/text" || { echo "FAIL: no bridge to RSS"; failed=1; }

# the last state survives, and workers are there
"$m" run -f json -o "$work/k.json" -- bash -c 'x=$(printf %0100000d 1); kill -9 $$'
"$CHECK_REPORT" "$work/k.json" '"signal":9' || failed=1
"$m" run -f json -o "$work/w.json" -- bash -c '(x=$(printf %010000d 1); exit 3); exit 0'
"$CHECK_REPORT" "$work/w.json" '"workers":[' || failed=1
grep -q '"workers":\[\]' "$work/w.json" && { echo "FAIL: the worker is missing"; failed=1; }

# environment: ours reaches CMD, and is gone afterwards; the user's stays
check "--through reaches CMD" 0 '^MEMHOOK_THROUGH=libx,liby$' \
	"$m" run --through=libx,liby --output="$work/e" -- sh -c \
	"tr '\\0' '\\n' < /proc/\$\$/environ"
check "our variables leave" 0 '^none$' "$m" run --through=libx -o "$work/e" -- sh -c \
	'env | grep -E "^(MEMHOOK_(SEGMENT|BY|THROUGH|FOLLOW)|LD_PRELOAD)=" || echo none'
# An empty library of the user's own.
echo 'int users_own;' > "$work/u.c"
$CC -shared -fPIC -o "$work/users.so" "$work/u.c"
check "the user's preload stays" 0 "^LD_PRELOAD=$work/users.so\$" \
	env LD_PRELOAD="$work/users.so" "$m" run -o "$work/e" -- sh -c 'env'
check "exec'ed programs are not hooked" 0 '^0$' "$m" run -o "$work/e" -- \
	sh -c 'sh -c "grep -c libmemhook /proc/\$\$/maps; true"'
check "but with --follow" 0 '^[1-9]' "$m" run --follow -o "$work/e" -- \
	sh -c 'sh -c "grep -c libmemhook /proc/\$\$/maps; true"'

# The program that `run` with this pid started, once it is that program.
child_of() {
	local i child
	for ((i = 0; i < 100; i++)); do
		child=$(cat "/proc/$1/task/$1/children" 2> /dev/null)
		child=${child%% *}
		if [ -n "$child" ] && [ "$(cat "/proc/$child/comm")" = sleep ] &&
			"$m" stat "$child" > /dev/null 2>&1; then
			echo "$child"
			return
		fi
		sleep 0.1
	done
}

# signals: TERM is passed on
"$m" run -o "$work/t" -- sleep 60 &
pid=$!
child_of $pid > /dev/null
kill -TERM $pid
wait $pid
[ $? = 143 ] || { echo "FAIL: SIGTERM was not passed on"; failed=1; }

# stat
"$m" run -o "$work/t" -- sleep 60 &
pid=$!
child=$(child_of $pid)
check "stat" 0 'is running' "$m" stat "$child"
check "stat json" 0 '"schema":"memhook/1"' "$m" stat --format=json "$child"
kill -STOP "$child"
check "stat of a stopped process" 0 'is running' "$m" stat "$child"
kill -CONT "$child"
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
	cp "$m" "$work/tool" && chmod 755 "$work" "$work/tool"
	check "stat of another user's process" 1 'another user' \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$work/tool" stat "$child"
fi
kill "$child"
wait $pid
check "stat of the dead" 1 'no such process' "$m" stat "$child"
check "stat of the unhooked" 1 'not hooked' "$m" stat $$
lines 1 "stat of the unhooked"
check "stat of no number" 2 'no process number' "$m" stat abc
check "stat of nothing" 2 'which process' "$m" stat

# header
"$m" header inc_ > "$work/inc_malloc.h"
cat > "$work/h.c" <<'END'
#include "inc_malloc.h"
#include "inc_malloc.h"
int main(void)
{
	char *p = inc_strdup("x"), *q = inc_malloc(10);

	q = inc_lalloc(0, q, 10, 20);
	inc_free(inc_realloc(p, 20));
	return inc_lalloc(0, q, 20, 0) != 0;
}
END
if ! $CC -std=gnu11 -Wall -Wextra -Werror -o "$work/h" "$work/h.c" || ! "$work/h"; then
	echo "FAIL: the header does not work"
	failed=1
fi
check "header without prefix" 2 'Usage' "$m" header
check "header with a bad prefix" 2 'no prefix' "$m" header '1-x'
exit $failed
