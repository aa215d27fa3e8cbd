#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make check-sanitize: the unit tests under AddressSanitizer and
# UndefinedBehaviorSanitizer, and the library itself, by other names over the
# sanitizer's own malloc, driven by the operations of fuzz/: under those two,
# and under ThreadSanitizer.
#
#     HOOK_SOURCES, MODEL_SOURCES, UNIT_name, CC, FLAGS, LIBS: from the Makefile
set -eu
: "${CC:=cc}" "${FLAGS:?}" "${LIBS:?}" "${HOOK_SOURCES:?}" "${MODEL_SOURCES:?}" "${top_srcdir:?}"
operations=${OPERATIONS:-200000}
objects=tests/sanitize/objects
mkdir -p "$objects"
read -r -a flags <<< "$FLAGS -g -O1 -fno-omit-frame-pointer"
read -r -a libs <<< "$LIBS"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=die_after_fork=0:halt_on_error=1:allocator_may_return_null=1:suppressions=$top_srcdir/tests/sanitize/thread.supp

# What the library replaces gets other names: the sanitizer keeps its own.
renamed=()
for name in malloc calloc realloc reallocarray free cfree free_sized free_aligned_sized \
	aligned_alloc memalign posix_memalign valloc pvalloc malloc_usable_size strdup \
	strndup wcsdup mallinfo mallinfo2 mallopt malloc_trim malloc_stats malloc_info; do
	renamed+=("-D$name=hooked_$name")
done

# whole NAME SANITIZERS: the library and the model, one program
whole() {
	local name=$1 sanitize=$2 file list=("$objects/interpose.c")
	sed 's/alias("malloc")/alias("hooked_malloc")/' "$top_srcdir/src/interpose.c" \
		> "$objects/interpose.c"
	for file in $HOOK_SOURCES $MODEL_SOURCES; do
		case $file in
		*/backend-*.c | */interpose.c | *.h | *.cc) continue ;;
		esac
		list+=("$top_srcdir/$file")
	done
	# shellcheck disable=SC2086 # a list
	$CC "${flags[@]}" -fno-builtin -DSANITIZED $sanitize -c \
		"$top_srcdir/tests/fuzz/operations.c" -o "$objects/$name-main.o"
	# shellcheck disable=SC2086
	$CC "${flags[@]}" $sanitize -c "$top_srcdir/tests/sanitize/backend.c" \
		-o "$objects/$name-backend.o"
	# shellcheck disable=SC2086
	$CC "${flags[@]}" -fno-builtin -DSANITIZED $sanitize "${renamed[@]}" \
		-fexceptions -o "tests/sanitize/$name" "${list[@]}" "$objects/$name-main.o" \
		"$objects/$name-backend.o" -pthread -lm
}

echo "== the library over the sanitizer's malloc: address, undefined"
whole whole-address "-fsanitize=address,undefined -fno-sanitize-recover=all"
tests/sanitize/whole-address "$operations"
tests/sanitize/whole-address "$top_srcdir/tests/fuzz/api.txt"
echo "== the same: thread"
whole whole-thread "-fsanitize=thread"
# its shadow memory wants addresses that are not too random
setarch "$(uname -m)" -R tests/sanitize/whole-thread "$operations"

for name in maps oom reader rollup symbolize top tree; do
	echo "== unit/$name: address, undefined"
	sources=UNIT_$name list=()
	for file in ${!sources}; do
		case $file in
		*.c) list+=("$top_srcdir/$file") ;;
		esac
	done
	$CC "${flags[@]}" -fno-builtin -fsanitize=address,undefined -fno-sanitize-recover=all \
		-o "tests/sanitize/unit-$name" "${list[@]}" "${libs[@]}" -pthread
	CK_FORK=${CK_FORK:-yes} "tests/sanitize/unit-$name"
done
