#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# No warning from groff, and a page for every public function.
set -u
: "${top_srcdir:?}"
command -v groff > /dev/null || exit 77
failed=0
cd "$top_srcdir" || exit 1
for page in man/*.[137]; do
	if grep -q '^\.so man3/' "$page"; then
		target=man/$(sed -n 's|^\.so man3/||p' "$page")
		[ -f "$target" ] || { echo "$page: no $target"; failed=1; }
		continue
	fi
	said=$(groff -man -ww -Tutf8 -z "$page" 2>&1)
	[ -z "$said" ] || { echo "$said"; failed=1; }
done
for name in $(sed -n 's/^	\(memhook_[a-z_]*\);.*/\1/p' src/libmemhook.map | grep -v je_); do
	[ -f "man/$name.3" ] || { echo "no page for $name"; failed=1; }
done
exit $failed
