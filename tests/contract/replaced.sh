#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Where the hook's malloc is not the one that is called: another allocator that
# was bound first, valgrind, the sanitizers.  What can be known before is said
# before the start; nothing crashes, and what is handed out can be freed.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${top_srcdir:?}" "${top_builddir:?}" "${CC:=cc}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
# shellcheck source=tests/contract/check.sh
. "$top_srcdir/tests/contract/check.sh"

cat > "$work/names.c" <<'END_C'
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <memhook.h>

void cfree(void *);
void free_sized(void *, size_t);
void free_aligned_sized(void *, size_t, size_t);

static int beyond(char *p)
{
	volatile char *q = p;

	return q[100];
}

int main(int argc, char **argv)
{
	char *p;

	(void)argv;
	free(strdup("a"));
	free(strndup("abc", 2));
	free(wcsdup(L"abc"));
	free(memhook_strdup("abc"));
	free(memhook_lalloc(NULL, NULL, 0, 10));
	p = pvalloc(10);
	free(p);
	p = reallocarray(malloc(10), 10, 10);
	p = realloc(p, 200);
	cfree(p);
	free_sized(malloc(10), 10);
	free_aligned_sized(aligned_alloc(64, 64), 64, 64);
	p = malloc(100);
	printf("active %d, read %d\n", memhook_active(), argc > 1 ? beyond(p) : 0);
	free(p);
	return 0;
}
END_C
build() {
	$CC -std=gnu11 -D_GNU_SOURCE -fno-builtin -w -g -I"$top_srcdir/include" \
		"$work/names.c" "$@" 2> "$work/out"
}
# shellcheck disable=SC2054 # commas of the linker
hook=(-Wl,--no-as-needed "$MEMHOOK_LIBRARY" "-Wl,-rpath,${MEMHOOK_LIBRARY%/*}")

build -o "$work/alone" "${hook[@]}" || exit 99
check "the hook alone" 0 '^active 1' "$work/alone"
build -o "$work/jemalloc" -Wl,--no-as-needed -ljemalloc "${hook[@]}" || exit 99
check "jemalloc comes first" 0 '^active 0' "$work/jemalloc"

for sanitizer in address thread; do
	build -o "$work/$sanitizer" -fsanitize=$sanitizer "${hook[@]}" || {
		echo "$CC has no -fsanitize=$sanitizer: not tried"
		continue
	}
	echo 'int main(void) { return 0; }' > "$work/without.c"
	$CC -fsanitize=$sanitizer -o "$work/without" "$work/without.c" || exit 99
	setarch "$(uname -m)" -R "$work/without" > "$work/out" 2>&1 || {
		echo "not even without the hook a program runs with $sanitizer: not tried"
		continue
	}
	# it is linked first; its shadow memory wants addresses that are not too random
	check "linked, $sanitizer" 0 '^active 0' setarch "$(uname -m)" -R "$work/$sanitizer"
	check "run, $sanitizer" 126 'built with .*Sanitizer' "$MEMHOOK_TOOL" run -- \
		"$work/$sanitizer"
done

mkdir "$work/bin" # by its name: it need not be installed
printf '#!/bin/sh\n' > "$work/bin/valgrind"
chmod +x "$work/bin/valgrind"
check "run -- valgrind" 126 'valgrind puts a malloc of its own' \
	env PATH="$work/bin:$PATH" "$MEMHOOK_TOOL" run -- valgrind true
command -v valgrind > /dev/null || {
	echo "no valgrind: the rest was not tried"
	exit $failed
}
check "valgrind, linked" 0 '^active 0' valgrind -q --error-exitcode=9 "$work/alone"
check "valgrind says so" 0 "^memhook: valgrind's malloc is in the place" \
	valgrind -q "$work/alone"
check "valgrind sees an overflow" 9 'Invalid read of size 1' \
	valgrind -q --error-exitcode=9 "$work/alone" overflow
check "valgrind, the hook kept" 0 '^active 1' valgrind -q --error-exitcode=9 \
	--soname-synonyms=somalloc=nouserintercepts "$work/alone"
# counted exactly all the same, and memcheck finds nothing in us
check "operations under valgrind" 0 ' operations in ' valgrind -q --error-exitcode=9 \
	--soname-synonyms=somalloc=nouserintercepts \
	"$top_builddir/tests/fuzz/operations" 4000 1 2
exit $failed
