#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Make a private copy of Debian's jemalloc: one object in which every global
# name but malloc_conf and malloc_message begins with memhook_je_.
#
#     private-jemalloc.sh ARCHIVE OUTPUT.o        CC, AR, NM, OBJCOPY from the environment
#
# The list of names comes from the archive itself, so a newer jemalloc's new
# names follow.  The C++ member goes: its operators are ours (operators.c).
# malloc_conf and malloc_message stay as they are: programs set them.
set -eu

archive=$1
output=$2
work=$output.tmp
: "${CC:=cc}" "${AR:=ar}" "${NM:=nm}" "${OBJCOPY:=objcopy}"

rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

$OBJCOPY -D "$archive" "$work/all.a"
for member in $($AR t "$work/all.a" | grep '^jemalloc_cpp\.'); do
	$AR dD "$work/all.a" "$member"
done

$NM -g -P "$work/all.a" 2>/dev/null |
	awk '$2 ~ /^[TDBRVWC]$/ && $1 !~ /^(je_|_Z|DW\.ref\.|malloc_conf)/ &&
	     $1 != "malloc_message" { print $1 " memhook_je_" $1 }' |
	sort -u > "$work/names"
for name in malloc calloc realloc free memalign sdallocx mallctl; do
	grep -q "^$name memhook_je_$name\$" "$work/names" || {
		echo "$archive does not define $name: is it jemalloc's?" >&2
		exit 1
	}
done

# Where its memory lies is ours to note (src/ranges.h), which mutexes there are
# (src/backend-fork.c), and that no text of an error is allocated.
for call in mmap mmap64 munmap sbrk madvise strerror_r pthread_mutex_init; do
	echo "$call memhook_je_$call"
done > "$work/calls"

$OBJCOPY -D --redefine-syms="$work/names" --redefine-syms="$work/calls" "$work/all.a"
# shellcheck disable=SC2086 # CC may carry options, as in "gcc -m32"
$CC -nostdlib -no-pie -r -o "$work/one.o" -Wl,--whole-archive "$work/all.a"
{
	awk '{ print $2 }' "$work/names"
	printf '%s\n' malloc_conf malloc_message
} > "$work/keep"
mkdir -p "$(dirname "$output")"
$OBJCOPY -D --keep-global-symbols="$work/keep" "$work/one.o" "$output"
