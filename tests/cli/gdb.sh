#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook owners and memhook block in gdb: of a process, of core files, of what
# was stripped.  memhook stat is what the owners are compared with.
# shellcheck disable=SC2154 # the program says what live, freed ... are
# shellcheck source-path=SCRIPTDIR
: "${MEMHOOK_LIBRARY:?}" "${MEMHOOK_ARCHIVE:?}" "${top_builddir:?}" "${CC:=cc}"
gdb=${GDB:-gdb}
[ "$($gdb -nx -batch -ex 'python print(6 * 7)' 2> /dev/null)" = 42 ] || {
	echo "no gdb with Python"
	exit 77
}
. "${top_srcdir:?}/tests/cli/debugged.sh"

# begin PROGRAM ARGUMENT...: start it; $live, $freed ... as it says
begin() {
	start "$@"
	eval "$(tr ' ' '\n' < said)"
}
# ask FILE... -- COMMAND...: what gdb says, in ./out
ask() {
	local files=() commands=() c
	while [ "$1" != -- ]; do
		files+=("$1")
		shift
	done
	shift
	for c; do
		commands+=(-ex "echo <$c>\\n" -ex "$c")
	done
	timeout 300 "$gdb" -nx -q -batch -iex 'set auto-load off' -iex 'set width 0' \
		-ex "source $top_srcdir/tools/memhook-gdb.py" "${commands[@]}" "${files[@]}" \
		< /dev/null > out 2>&1
	if grep -Eq 'ptrace: (Operation not permitted|Function not implemented)' out; then
		echo "gdb may not look at processes here"
		exit 77
	fi
}
# answer COMMAND: what it said to that, in ./answer
answer() {
	awk -v c="<$1>" '/^<.*>$/ { on = $0 == c; next } on' out > answer
}
# said WHAT COMMAND PATTERN: ... has a line like that
said() {
	answer "$2"
	grep -q -- "$3" answer || fail "$1: $2 does not say '$3': $(head -5 answer)"
}
table() {
	sed -n '/^OWNER/,/^total/p' "$1"
}
# same_table WHAT: gdb's owners in ./out are those of memhook stat in ./seen
same_table() {
	answer "memhook owners"
	table answer > have
	table seen > want
	grep -q '^total' want || fail "$1: memhook stat has no table: $(head -3 seen)"
	diff want have > differ || fail "$1: not the owners of memhook stat: $(cat differ)"
}
blocks() {
	local what=$1
	said "$what" "memhook block $live" "^$live is a live block"
	said "$what" "memhook block $live" '^  size  *1000$'
	said "$what" "memhook block $live" '^  owner  *db (named)$'
	said "$what" "memhook block $freed" "^$freed is a freed block"
	said "$what" "memhook block $freed" '^  size  *48$'
	said "$what" "memhook block $aligned" 'malloc, aligned to 4096$'
	said "$what" "memhook block $large+3000000" "3000000 bytes into the live block $large"
	said "$what" "memhook block $large+3000000" '^  owner  *cache (named)$'
	said "$what" "memhook block $live+1003" "3 bytes behind the end of the live block $live"
	said "$what" "memhook block $freed+16" "16 bytes into the freed block $freed"
	said "$what" "memhook block $zero" "^$zero is a live block"
	said "$what" "memhook block $zero" '^  size  *0$'
	said "$what" "memhook block $zero" '^  owner  *nobody'
	said "$what" "memhook block $zero+40" "40 bytes behind the end of the live block $zero"
	said "$what" "memhook block $here" 'not in a block'
}
questions() {
	queries=(
		"memhook owners" "memhook block $live" "memhook block $freed"
		"memhook block $aligned" "memhook block $large+3000000"
		"memhook block $live+1003" "memhook block $freed+16" "memhook block $here"
		"memhook block $zero" "memhook block $zero+40"
	)
}

# --- a process, and what gdb dumps of it; one page of rows, and several ---
for owners in 0 300; do
	begin "$DEBUGGED" wait $owners
	"$MEMHOOK_TOOL" stat "$pid" > seen
	questions
	ask -p $pid -- "${queries[@]}" "memhook owners 1" "generate-core-file gcore"
	blocks "a process"
	same_table "a process"
	said "COUNT" "memhook owners 1" '^total'
	[ "$(table answer | wc -l)" = 3 ] || fail "memhook owners 1: $(cat answer)"
	stop
	ask "$DEBUGGED" gcore -- "${queries[@]}"
	blocks "generate-core-file"
	same_table "generate-core-file"
done

# --- guarded blocks: their pages tell, also those that nobody can read ---
export MEMHOOK_CHECK=strict
begin "$DEBUGGED" wait
questions
ask -p $pid -- "${queries[@]}" "memhook block $live-16" "memhook block $live-32" \
	"memhook block $aligned+8192" "generate-core-file gcore"
blocks "guarded"
said "guarded" "memhook block $live-32" "32 bytes before the live block $live"
said "guarded" "memhook block $aligned+8192" "0 bytes behind the end of the live block $aligned"
stop
# Addresses that are kept for guarded blocks are none of it: 64 GiB.
[ "$(du -m gcore | cut -f 1)" -lt 4000 ] || fail "guarded: gdb's core file is $(du -h gcore)"
ask "$DEBUGGED" gcore -- "${queries[@]}"
blocks "guarded, generate-core-file"
unset MEMHOOK_CHECK

# --- core files by the kernel ---
ulimit -c unlimited
# dump FILTER PROGRAM ARGUMENT...: ./core, with this coredump_filter
dump() {
	rm -f core core.*
	(echo "$1" > /proc/self/coredump_filter && exec timeout 300 "${@:2}") > said 2> errors
	eval "$(grep -h '^live=' said | tr ' ' '\n')"
	set -- core*
	[ -f "$1" ] && { [ "$1" = core ] || mv "$1" core; }
}
pattern=$(cat /proc/sys/kernel/core_pattern)
if ! dump 0x33 "$DEBUGGED" twice 2> /dev/null; then
	echo "no core files here (core_pattern: $pattern): tried on gdb's own"
	exit $failed
fi
grep -q "double free in free(): pointer $freed, 48 bytes, owner \"db\"" errors ||
	fail "double free: $(cat errors)"
questions
ask "$DEBUGGED" core -- "${queries[@]}" bt 'frame function free_again' \
	'memhook block hidden' 'memhook block main' 'memhook block' \
	'memhook block nothing' 'memhook owners 1x'
blocks "a core file"
said "a core file" "memhook owners" '^db  *6.1 KiB  *3  *6.1 KiB  *5$'
said "a core file" "memhook owners" '^total .*  *9  .*'
said "a double free" "bt" ' in free_again '
said "a double free" "memhook block hidden" "^$freed is a freed block"
said "bad input" "memhook block main" 'not in a block'
said "bad input" "memhook block" '^usage: memhook block ADDRESS'
said "bad input" "memhook block nothing" 'nothing is no address: No symbol'
said "bad input" "memhook owners 1x" '^usage: memhook owners'
with=$(stat -c %s core)

# Without shared memory in it the cookies are still there.
dump 0x31 "$DEBUGGED" twice
questions
ask "$DEBUGGED" core -- "${queries[@]}"
said "no shared memory" "memhook owners" 'not in this core file: .*coredump_filter'
said "no shared memory" "memhook block $live" "^$live is a live block"
said "no shared memory" "memhook block $live" '^  owner  *number [0-9]* '
without=$(stat -c %s core)
[ $((with - without)) -lt 1000000 ] || fail "a core file grows by $((with - without))"

# A forked child has its own: one block less, and not its parent's.
dump 0x33 "$DEBUGGED" worker 300
questions
ask "$DEBUGGED" core -- "${queries[@]}"
said "a worker" "memhook owners" '^db  *5.1 KiB  *2  *6.1 KiB  *5$'
said "a worker" "memhook owners" '^owner 299  *10.0 KiB  *1  *10.0 KiB  *1$'
said "a worker" "memhook block $live" "^$live is a freed block"

# --- stripped: the library, and a static program without unused sections ---
mkdir lib
strip -o lib/libmemhook.so.1 "$MEMHOOK_LIBRARY"
strip -o stripped "$DEBUGGED"
[ "$(nm lib/libmemhook.so.1 2> /dev/null | wc -l)" = 0 ] || fail "not stripped"
dump 0x33 env LD_LIBRARY_PATH="$work/lib" ./stripped abort 300
questions
LD_LIBRARY_PATH=$work/lib ask ./stripped core -- "${queries[@]}" "info sharedlibrary"
said "stripped" "info sharedlibrary" "$work/lib/libmemhook.so.1"
blocks "stripped"
said "stripped" "memhook owners" '^db  *6.1 KiB  *3  *6.1 KiB  *5$'
said "stripped" "memhook owners" '^owner 299  *10.0 KiB  *1  *10.0 KiB  *1$'
if [ -f "$MEMHOOK_ARCHIVE" ]; then
	$CC -static -s -fno-builtin -I "$top_srcdir/include" -Wl,--gc-sections -o static \
		"$top_srcdir/tests/cli/debugged.c" "$MEMHOOK_ARCHIVE" -lm -pthread ||
		fail "cannot link a static program"
	dump 0x33 ./static abort
	questions
	ask ./static core -- "${queries[@]}"
	blocks "static"
	said "static" "memhook owners" '^db  *6.1 KiB  *3  *6.1 KiB  *5$'
fi

# --- call sites have names ---
line=$(grep -n 'malloc(777)' "$top_srcdir/tests/cli/debugged.c" | cut -d: -f1)
dump 0x33 env MEMHOOK_BY=site "$DEBUGGED" abort
ask "$DEBUGGED" core -- "memhook owners" "memhook block kept[3]"
said "call sites" "memhook owners" '^OWNER (call site)'
said "call sites" "memhook owners" "^unclaimed (debugged.c:$line)  *777 B "
said "call sites" "memhook block kept[3]" "called in  *unclaimed (debugged.c:$line)"

# --- nothing of ours, nothing at all ---
ask "$DEBUGGED" -- "memhook owners"
said "no process" "memhook owners" 'There is no process and no core file'
sleep 1000 &
pid=$!
ask -p $pid -- "memhook owners" "memhook block 4096"
said "another program" "memhook owners" 'libmemhook is not in this program'
said "another program" "memhook block 4096" 'libmemhook is not in this program'
stop

# --- where gdb finds it ---
unset MAKEFLAGS MFLAGS MAKELEVEL
make -s -C "$top_builddir" install-nodist_gdbDATA DESTDIR="$work/root" > log 2>&1 ||
	cat log
library=$(readlink -f "$MEMHOOK_LIBRARY")
script=$(find "$work/root" -name "$(basename "$library")-gdb.py")
case $script in
"$work"/root/*/gdb/auto-load/*) ;;
*) fail "installed for another library: $(find "$work/root" -type f)" ;;
esac
mkdir -p "auto$(dirname "$library")"
cp "$script" "auto$library-gdb.py"
begin "$DEBUGGED" wait
"$MEMHOOK_TOOL" stat "$pid" > seen
timeout 300 "$gdb" -nx -q -batch -iex "set auto-load scripts-directory $work/auto" \
	-iex "add-auto-load-safe-path $work/auto" -ex 'echo <memhook owners>\n' \
	-ex "memhook owners" -p $pid < /dev/null > out 2>&1
same_table "loaded by itself"
stop
exit $failed
