#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# No warning from groff, and a page that names it for every public function.
set -u
: "${top_srcdir:?}"
command -v groff > /dev/null || { echo "groff is not installed"; exit 77; }
cd "$top_srcdir" || exit 1
failed=0

fail() {
	echo "$*"
	failed=1
}

# The page itself, or the one that its `.so` line leads to.
page_of() {
	to=$(sed -n 's|^\.so man3/||p' "man/$1.3")
	echo "man/${to:-$1.3}"
}

for page in man/*.[137]; do
	if grep -q '^\.so ' "$page"; then
		target=man/$(sed -n 's|^\.so man3/||p' "$page")
		[ -f "$target" ] || fail "$page: no $target"
		continue
	fi
	said=$(groff -man -ww -Tutf8 -z "$page" 2>&1)
	[ -z "$said" ] || fail "$said"
done

# The map has the names; what is not packed with it, the header has.
if [ -f src/libmemhook.map ]; then
	names=$(sed -n 's/^[[:space:]]*\(memhook_[a-z_]*\);.*/\1/p' src/libmemhook.map)
else
	names=$(sed -n 's/^[a-z].*[ *]\(memhook_[a-z_]*[a-z]\)(.*/\1/p' include/memhook.h)
fi
[ "$(echo "$names" | wc -w)" -gt 10 ] || fail "where are the public names?"
for name in $names MEMHOOK_SCOPE; do
	if [ ! -f "man/$name.3" ]; then
		fail "no page for $name"
	elif ! grep -q "^\.BI* .*$name *(" "$(page_of "$name")"; then
		fail "$(page_of "$name"): no synopsis of $name"
	fi
done
exit $failed
