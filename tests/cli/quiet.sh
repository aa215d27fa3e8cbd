#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Whoever is read does not notice: strace sees no signal sent, nothing traced,
# nothing written into another process by any command that reads.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"

trace=(strace -f -qq -o "$work/trace")
command -v strace > /dev/null || { echo "strace is not installed"; exit 77; }
"${trace[@]}" true 2> /dev/null || { echo "nothing may be traced here"; exit 77; }

noise='^[0-9]+ +(kill|tkill|tgkill|ptrace|pidfd_send_signal|pidfd_open|rt_(tg)?sigqueueinfo|process_vm_writev|process_madvise|setpriority|sched_set[a-z]*)\('
# what is looked for is found when it is there
"${trace[@]}" bash -c 'kill -0 $$'
grep -Eq "$noise" "$work/trace" || fail "a signal is not seen: nothing would be proved"

start
tell alloc owner 10 1000
tell fork worker 5 100
children+=("${answer%% *}")
# quiet COMMAND...: it reads that process, and nothing reaches any process
quiet() {
	"${trace[@]}" "$m" "$@" > "$work/out" 2>&1 || fail "memhook $*: exit status $?"
	grep -q "\"/proc/$pid/" "$work/trace" || fail "memhook $*: did it read the process?"
	grep -E "$noise" "$work/trace" > "$work/out" && fail "memhook $* is not quiet"
	# its memory and its segment are opened to be read alone
	grep -E "\"/proc/($pid|[0-9]+/(fd|map_files)).*O_(WRONLY|RDWR)" "$work/trace" \
		> "$work/out" && fail "memhook $* opens it for writing"
}
tell busy 2
quiet stat "$pid"
quiet stat --format=json --rollup --limit=1 "$pid"
quiet stat --interval=0.1 --count=3 "$pid"
tell rest
quiet mark "$pid"
quiet stat --since-mark "$pid"
quiet verify "$pid"
quiet export --once
quiet list
kill -STOP "$pid"
quiet stat "$pid"
grep -q '^State:.T' "/proc/$pid/status" || fail "it was stopped, and is no more"
kill -CONT "$pid"
exit $failed
