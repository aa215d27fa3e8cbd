#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Call sites get names: with debug information, without, from a separate file,
# in JSON and in text.
# shellcheck disable=SC1091,SC2034,SC2154 # symbols-lib.sh has the rest
set -u
: "${MEMHOOK_TOOL:?}" "${SITES:?}" "${CC:=cc}" "${CXX:=c++}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
. "$top_srcdir/tests/cli/symbols-lib.sh"

# --- every kind of call site ---
build pie -g -O2
build exec -g -O2 -no-pie
build plain -g -O0
build noid -g -O2 -Wl,--build-id=none
build dwarf4 -g -gdwarf-4 -O2
objcopy --remove-section .debug_aranges pie noranges
for program in pie exec plain noid dwarf4 noranges; do
	ask "./$program"
	check_all "$program"
done
[ "$(readelf -h exec | grep -c 'EXEC (')" = 1 ] || fail "exec is no ET_EXEC"

# --- what is left when things are missing ---
cp pie nodebug && strip --strip-debug nodebug
ask ./nodebug
has "no debug information" plain '"function":"plain_c","function_offset":[0-9]'
has "no debug information" anonymous "\"function\":\"$(function_of anonymous)\""
hasnt "no debug information" plain '"line"'
cp pie stripped && strip stripped
ask ./stripped
has "dynamic symbols" plain '"function":"plain_c","function_offset":[0-9]'
# what lies before it is not its name
hasnt "a stripped static function" noreturn '"function"'
for name in $all; do
	hasnt "a symbol without a size" "$name" '"function":"unsized"'
done
text=$("$MEMHOOK_TOOL" stat "$pid")
grep -q '^plain_c+0x[0-9a-f]* (stripped) ' <<< "$text" || fail "text: no plain_c+0x"
grep -q '^noreturn  ' <<< "$text" || fail "text: its name is not kept"

# --- separate debug files ---
cp pie linked && objcopy --only-keep-debug linked linked.debug &&
	strip linked && objcopy --add-gnu-debuglink=linked.debug linked
ask ./linked
check_all "debuglink"
mkdir .debug && mv linked.debug .debug
ask ./linked
check_all "debuglink in .debug"
cp noid linked2 && objcopy --only-keep-debug linked2 linked2.debug &&
	strip linked2 && objcopy --add-gnu-debuglink=linked2.debug linked2
ask ./linked2
check_all "debuglink by checksum"
echo >> linked2.debug
ask ./linked2
hasnt "another checksum" plain '"line"'
build other -g -O2 -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567
cp other .debug/linked.debug
ask ./linked
hasnt "another build's debug file" plain '"line"'

# dwz, which comes with debhelper, moves what two have in common into a third.
if command -v dwz > /dev/null; then
	build one -g -O2
	build two -g -O2 -fno-inline-small-functions
	for program in one two; do
		objcopy --only-keep-debug $program $program.debug && strip $program &&
			objcopy --add-gnu-debuglink=$program.debug $program
	done
	dwz -m shared.debug one.debug two.debug || fail "dwz"
	ask ./one
	check_all "shared by dwz"
	rm shared.debug
	ask ./one
	hasnt "what was shared is missing" inlined '"function":"helper"'
fi

# --- text, options ---
ask ./pie
text=$("$MEMHOOK_TOOL" stat "$pid")
line=$(grep -n '"plain"' "$here/places.cc" | cut -d: -f1)
grep -q "^plain_c (places.cc:$line) " <<< "$text" || fail "text: no plain_c (file:line)"
awk 'length > 80 { bad = 1 } END { exit bad }' <<< "$text" || fail "wider than 80"
"$MEMHOOK_TOOL" stat --no-symbols --format=json "$pid" > out
hasnt "--no-symbols" plain '"function"'
has "--no-symbols" plain '"offset":[0-9]'

exit "$failed"
