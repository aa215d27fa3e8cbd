#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cookie.c for all inputs, by cbmc: with words of 8 bytes and of 4.
set -u
: "${top_srcdir:?}"
cbmc=${CBMC:-cbmc}
command -v "$cbmc" > /dev/null || {
	echo "no cbmc (Debian has it since trixie): tests/proof/cookie tries the borders"
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
# The headers of the other word size, as far as cookie.h has use for them.
mkdir -p "$work/include/gnu"
: > "$work/include/gnu/stubs.h"
ln -s "/usr/include/$(${CC:-cc} -print-multiarch)/bits" "$work/include/bits"
ln -s "/usr/include/$(${CC:-cc} -print-multiarch)/sys" "$work/include/sys"

properties=$(sed -n 's/^PROPERTY \([a-z_]*\)(.*/\1/p' "$top_srcdir/tests/proof/cookie.c")
for model in --LP64 --ILP32; do
	for property in $properties; do
		if ! "$cbmc" $model -D PROOF -I "$top_srcdir/src" -I "$work/include" \
			--function "$property" "$top_srcdir/tests/proof/cookie.c" \
			"$top_srcdir/src/bins.c" \
			> "$work/log" 2>&1; then
			echo "FAIL: $model $property"
			grep -E 'FAILURE|error' "$work/log" | head -5
			failed=1
			continue
		fi
		echo "$model $property: $(grep -c "\[$property\.assertion.*SUCCESS" \
			"$work/log") proved for all inputs, $(grep -c ': SUCCESS$' \
			"$work/log") with those that C itself asks for"
	done
done
exit $failed
