#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook run --check, --guard-rate, --oom-report, and what the library says of
# their variables.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CC:=cc}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
unset LD_PRELOAD MEMHOOK_BY MEMHOOK_REPORT MEMHOOK_CHECK MEMHOOK_GUARD_RATE MEMHOOK_OOM_REPORT
ulimit -c 0
m=$MEMHOOK_TOOL

cat > "$work/misuse.c" << 'END'
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static void limit(void)
{
	struct rlimit few = { (rlim_t)1 << 20, (rlim_t)1 << 20 };

	setrlimit(RLIMIT_AS, &few);
}

static void want(size_t size)
{
	limit();
	free(malloc(size));
	free(malloc(size));
}

int main(int argc, char **argv)
{
	char *volatile p = malloc(48), *volatile q;
	volatile char behind;
	long i;

	if (argc < 2)
		return 9;
	if (strcmp(argv[1], "overflow") == 0) {
		p[48] ^= 1; /* not 1: the canary may have that */
		free(p);
	} else if (strcmp(argv[1], "read") == 0) {
		free(p);
		return p[5];
	} else if (strcmp(argv[1], "want") == 0) {
		want((size_t)1 << 30);
	} else if (strcmp(argv[1], "limits") == 0) { /* are there any? */
		limit();
		return mmap(NULL, 1 << 25, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) != MAP_FAILED;
	} else if (strcmp(argv[1], "guarded") == 0) {
		/* the byte behind it is nobody's, and there but for guarded ones */
		for (i = 0; i < 500000; i++) {
			q = malloc(96);
			behind = q[96];
			free(q);
		}
		return 4;
	}
	return 0;
}
END
$CC -O0 -w -o "$work/misuse" "$work/misuse.c" || exit 99

# shellcheck source=tests/cli/check.sh
. "${top_srcdir:?}/tests/cli/check.sh"
lines() {
	local n
	n=$(grep -c "$1" "$2")
	[ "$n" = "$3" ] || { echo "FAIL: $4: $n lines with '$1', not $3"; failed=1; }
}

# bad values: the tool refuses them, the library says so and goes on
check "bad --check" 2 '^memhook.*--check=max: it is off, on or strict' "$m" run --check=max true
check "bad --guard-rate" 2 'a number from 1' "$m" run --guard-rate=0 true
check "bad --guard-rate" 2 'a number from 1' "$m" run --guard-rate=1x true
check "--check without a value" 2 'Usage' "$m" run --check
check "record takes it" 2 'off, on or strict' "$m" record --check=max -- true
check "bad MEMHOOK_CHECK" 0 '^memhook: MEMHOOK_CHECK is neither off, on nor strict' \
	env MEMHOOK_CHECK=max LD_PRELOAD="$MEMHOOK_LIBRARY" /bin/true
lines memhook: "$work/out" 1 "bad MEMHOOK_CHECK"
check "bad MEMHOOK_GUARD_RATE" 0 '^memhook: MEMHOOK_GUARD_RATE is no number' \
	env MEMHOOK_GUARD_RATE=-1 LD_PRELOAD="$MEMHOOK_LIBRARY" /bin/true
lines memhook: "$work/out" 1 "bad MEMHOOK_GUARD_RATE"

# levels: without a word, an abort, a fault; the owner is the program
check "off" 0 'exited with status 0' "$m" run --check=off -- "$work/misuse" overflow
lines 'overflow found' "$work/out" 0 off
check "on" 134 'overflow found in free\(\): pointer 0x[0-9a-f]+, 48 bytes, owner "misuse"' \
	"$m" run --check=on -- "$work/misuse" overflow
# some processors say neither how nor which byte of a page; abort/strict is exact there
check "strict" 139 '(read|use) after free: pointer .*, 48 bytes, owner "misuse"(, byte 5)?, allocated at misuse\+0x' \
	"$m" run --check=strict -- "$work/misuse" read
check "the variable" 134 'overflow found' \
	env MEMHOOK_CHECK=on "$m" run -- "$work/misuse" overflow
check "the option wins" 0 'exited with status 0' \
	env MEMHOOK_CHECK=on "$m" run --check=off -- "$work/misuse" overflow

# children that are not hooked do not find our variables
check "variables leave" 1 'exited with status 1' "$m" run --check=on --guard-rate=9 --oom-report -- \
	sh -c 'env | grep -E "^MEMHOOK_(CHECK|GUARD_RATE|OOM)"'

# one in so many, in production
check "guarded" 139 'overflow: pointer .*, 96 bytes, owner "misuse"(, byte 0 behind its end)?, allocated at misuse' \
	"$m" run --guard-rate=500 -- "$work/misuse" guarded
check "not guarded" 4 'exited with status 4' "$m" run -- "$work/misuse" guarded

"$work/misuse" limits || {
	echo "not tried: --oom-report, since RLIMIT_AS limits nothing here"
	exit $failed
}
# who has the memory when it runs out: once, and where it was asked for
check "out of memory" 0 'out of memory: 1073741824 bytes could not be had, called from misuse\+0x[0-9a-f]+; who has it:$' \
	"$m" run --oom-report -- "$work/misuse" want
lines 'out of memory' "$work/out" 1 "out of memory"
(cd "$work" && check "in a file" 0 'exited with status 0' "$m" run --oom-report=who -- ./misuse want) || failed=1
lines 'out of memory' "$work/who" 1 "in a file"
lines '^misuse  *48 B' "$work/who" 1 "its table"
lines 'out of memory' "$work/out" 0 "not on standard error"
ln -s "$work/other" "$work/link"
check "a link" 0 'the file of MEMHOOK_OOM_REPORT cannot be written' \
	"$m" run --oom-report="$work/link" -- "$work/misuse" want
[ ! -e "$work/other" ] || { echo "FAIL: a link was followed"; failed=1; }
exit $failed
