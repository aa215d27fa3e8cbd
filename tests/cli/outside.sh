#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A process is read from outside in whatever state it is: stopped, deadlocked,
# crashed, dead, in a jail, with other rights, with its descriptors closed, in
# another PID namespace; by its own user and by root.  And nothing is done to
# it: the reader runs under a filter that kills it if it tries.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${PATIENT:?}" "${DENY:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

work=$(mktemp -d)
chmod 755 "$work"
started=()
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[ ${#started[@]} = 0 ] || kill -9 "${started[@]}" 2> /dev/null
	rm -rf "$work"
}
trap cleanup EXIT
failed=0
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_FOREIGN MEMHOOK_SEGMENT
fail() {
	echo "FAIL: $*"
	sed 's/^/      /' "$work/out" 2> /dev/null | head -3
	failed=1
}

# Copies that every user may run.
cp "$MEMHOOK_TOOL" "$work/memhook"
cp "$PATIENT" "$work/patient"
cp "$DENY" "$work/deny"
cp "$MEMHOOK_LIBRARY" "$work/libmemhook.so.1"
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
root=$([ "$(id -u)" = 0 ] && echo yes)
[ -n "$root" ] && ! "${nobody[@]}" true 2> /dev/null && {
	echo "no setpriv here: nothing is tried as another user"
	root=
}

# start NAME COMMAND...: its first word of output, a pid, in $pid
start() {
	local name=$1
	shift
	: > "$work/pid"
	"$@" > "$work/pid" 2> "$work/err" < /dev/null &
	started+=($!)
	disown
	for _ in $(seq 3000); do
		[ -s "$work/pid" ] && break
		kill -0 "${started[-1]}" 2> /dev/null || break
		sleep 0.01
	done
	read -r pid < "$work/pid" || {
		sed 's/^/      /' "$work/err"
		echo "FAIL: $name did not start"
		exit 99
	}
}

# in_state LETTER: waits until $pid is
in_state() {
	for _ in $(seq 3000); do
		grep -qs "^State:.*$1" "/proc/$pid/status" && return
		sleep 0.01
	done
	return 1
}

# what is forbidden to a reader kills it
gentle=("$work/deny")
for call in kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal \
	ptrace process_madvise process_vm_writev memfd_create; do
	gentle+=("$call=SIGSYS")
done
gentle+=(--)
"${gentle[@]}" true || { echo "no seccomp filters here"; exit 77; }
# shellcheck disable=SC2016 # the inner shell expands
{ (ulimit -c 0; "${gentle[@]}" sh -c 'kill -0 $$'); } 2> "$work/out" &&
	fail "the filter does not filter: nothing is proved"

# reads NAME LATE READER...: the victim's bytes, and LATE blocks since
reads() {
	local name=$1 late=$2
	shift 2
	"$@" "${gentle[@]}" timeout 60 "$work/memhook" stat --format=json "$pid" \
		> "$work/out" 2>&1 < /dev/null || { fail "$name: not read"; return; }
	grep -q '"name":"victim".*"live_bytes":1000000,"live_blocks":10,' "$work/out" ||
		fail "$name: the victim's bytes are wrong"
	grep -q "\"name\":\"late\".*\"live_bytes\":${late}00000,\"live_blocks\":$late," \
		"$work/out" || [ "$late" = 0 ] || fail "$name: what came later is missing"
	grep -q '"consistent":true' "$work/out" || fail "$name: at rest, but not consistent"
}
# refused NAME PATTERN READER...: one line that says what to do
refused() {
	local name=$1 pattern=$2
	shift 2
	"$@" "${gentle[@]}" timeout 60 "$work/memhook" stat "$pid" > "$work/out" 2>&1 \
		< /dev/null
	[ $? = 1 ] || fail "$name: it was read"
	[ "$(wc -l < "$work/out")" = 1 ] || fail "$name: not one line"
	grep -Eq -- "$pattern" "$work/out" || fail "$name: no line matches '$pattern'"
}

# states of the process, as the same user
start plain "$work/patient" plain
reads "a running process" 1
start stop "$work/patient" stop
in_state T
reads "a stopped process" 0
in_state T || fail "the stopped process was woken"
start deadlock "$work/patient" deadlock
reads "a deadlocked process" 0
start crash "$work/patient" crash
reads "a crashed process" 0
start zombie "$work/patient" zombie
in_state Z || fail "no zombie: nothing is proved"
reads "a dead worker nobody waited for" 0
# shellcheck disable=SC2016 # the inner shells expand
start "a lone zombie" sh -c 'sh -c "until grep -q sleep /proc/\$PPID/comm; do
	sleep 0.01; done" & echo $!; exec sleep 600'
in_state Z
refused "a zombie without counters" 'has ended, and its counters with it'

# no memfd: private memory, and everything else works
for how in EPERM ENOSYS; do
	none=("$work/deny" "memfd_create=$how" --)
	start "no memfd, $how" "${none[@]}" env LD_PRELOAD="$work/libmemhook.so.1" \
		bash -c 'echo $$; kill -STOP $$'
	refused "no memfd, $how" 'got no memfd when it started .*seccomp'
	"${none[@]}" env LD_PRELOAD="$work/libmemhook.so.1" \
		MEMHOOK_REPORT="$work/$how.json" ls / > "$work/out" 2>&1 ||
		fail "no memfd, $how: ls failed"
	grep -q '"live_bytes":' "$work/$how.json" 2> /dev/null ||
		fail "no memfd, $how: no report at exit"
	env MEMHOOK_LIBRARY="$work/libmemhook.so.1" "${none[@]}" \
		"$work/memhook" run -- sh -c 'exit 7' > "$work/out" 2>&1
	[ $? = 7 ] || fail "run, no memfd, $how: not the status of CMD"
	grep -q '^memhook run: no shared memory for the counters' "$work/out" ||
		fail "run, no memfd, $how: does not say why"
	[ "$(wc -l < "$work/out")" = 1 ] || fail "run, no memfd, $how: not one line"
done
for topic in api fork threads; do
	"${none[@]}" "${top_builddir:?}/tests/contract/$topic" > "$work/out" 2>&1 || {
		fail "no memfd: tests/contract/$topic"
		cat "$work/out"
	}
done

# its descriptors are closed, and new threads come after that
start close "$work/patient" close
ls -l "/proc/$pid/fd" > "$work/out"
grep -q memfd "$work/out" && fail "the descriptor is still there: nothing is proved"
reads "all descriptors closed" 1
if [ -n "$root" ]; then
	# root's own ways taken away: what is left is the process's memory
	reads "all descriptors closed, through its memory" 1 setpriv \
		--bounding-set=-sys_admin,-checkpoint_restore \
		--inh-caps=-sys_admin,-checkpoint_restore
fi
[ -n "$root" ] || exit $failed

# other users, other rights
start close "${nobody[@]}" "$work/patient" close
reads "closed, another user's, as root" 1
reads "closed, as its own user" 1 "${nobody[@]}"
start hide "${nobody[@]}" "$work/patient" hide
reads "closed and hidden, as root" 0
refused "closed and hidden, as its own user" 'permission denied.*as root' "${nobody[@]}"
start plain "$work/patient" plain
refused "root's, as nobody" 'permission denied: it belongs to another user' "${nobody[@]}"
start drop "$work/patient" drop
reads "gave up its rights, as root" 1
refused "gave up its rights, as its new user" 'gave up rights.*as root' "${nobody[@]}"
mkdir "$work/jail"
start chroot "$work/patient" chroot "$work/jail"
reads "in a jail" 1

# more rights than its caller: the environment is not believed
cp "$work/patient" "$work/secure"
chown 65534:65534 "$work/secure"
chmod 4755 "$work/secure"
exec 9< /dev/null
start setuid env MEMHOOK_SEGMENT="9:$(stat -L -c %i /dev/fd/9)" MEMHOOK_BY=library \
	"$work/secure" plain
if grep -q '^Uid:.*65534' "/proc/$pid/status"; then
	reads "a setuid program, as root" 1
	grep -q '"by":"none"' "$work/out" || fail "a setuid program believed MEMHOOK_BY"
	refused "a setuid program, as its user" 'permission denied.*as root' "${nobody[@]}"
else
	echo "setuid has no effect here: not tried"
fi

# a FIFO by the segment's name in a mount namespace: opening it would block
# shellcheck disable=SC2016 # the inner shell expands
if unshare --mount sh -c 'mount -t tmpfs none "$1"' - "$work/jail" 2> /dev/null; then
	start "a FIFO" unshare --mount sh -c 'mount -t tmpfs none "$1" && cd "$1" &&
		mkdir old && mkfifo memfd:memhook && pivot_root . old && cd / &&
		exec 5<> /memfd:memhook 6< /memfd:memhook 5>&- && echo $$ &&
		kill -STOP $$' - "$work/jail"
	[ "$(readlink "/proc/$pid/fd/6")" = /memfd:memhook ] ||
		fail "no FIFO by that name: nothing is proved"
	refused "a FIFO by the segment's name" 'not hooked'
else
	echo "no mount namespaces here: not tried"
fi

# in another PID namespace: there it is number 1
apart=(unshare --pid --fork --kill-child --mount-proc)
"${apart[@]}" true 2> /dev/null || {
	echo "no PID namespaces here: not tried"
	exit $failed
}
# child_of PID: once it is there
child_of() {
	pid=
	for _ in $(seq 3000); do
		pid=$(cat "/proc/$1/task/$1/children" 2> /dev/null)
		[ -n "$pid" ] && break
		sleep 0.01
	done
	pid=${pid%% *}
}
start "a PID namespace" "${apart[@]}" "$work/patient" plain
[ "$pid" = 1 ] || fail "not in a namespace of its own: nothing is proved"
child_of "${started[-1]}"
reads "in another PID namespace" 1
start "a jail in a namespace" "${apart[@]}" "$work/patient" chroot "$work/jail"
child_of "${started[-1]}"
reads "in a jail in another PID namespace" 1

# two of one number in one run: each is shown its own
# shellcheck disable=SC2016 # the inner shell expands
env MEMHOOK_LIBRARY="$work/libmemhook.so.1" "$work/memhook" run --follow -o "$work/r" -- \
	sh -c '"$@" sleep 600 & echo $!; "$@" tail -f /dev/null & echo $!; wait' - \
	"${apart[@]}" > "$work/pids" &
started+=($!)
disown
for program in sleep tail; do
	for _ in $(seq 3000); do
		outer=$(sed -n "$([ $program = sleep ] && echo 1 || echo 2)p" "$work/pids")
		[ -n "$outer" ] && break
		sleep 0.01
	done
	started+=("$outer")
	child_of "$outer"
	for _ in $(seq 3000); do
		[ "$(cat "/proc/$pid/comm")" = $program ] &&
			"$work/memhook" stat --format=json "$pid" > "$work/out" 2>&1 && break
		sleep 0.01
	done
	grep -q "\"command\":\"$program\"" "$work/out" ||
		fail "two of number 1 in one run: not what $program has"
done
exit $failed
