#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is in the packages: the shared library shows no jemalloc and needs no
# libstdc++, the archive defines only public names and ours, no .la, the notice
# of jemalloc in both packages that contain it.
#
#     packaging/checks/contents.sh FILE.changes [passthrough]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

changes=${1:?a .changes file} mode=${2:-jemalloc}
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
failed=0
fail() {
	echo "FAIL: $*"
	failed=1
}
for deb in "$(dirname "$changes")"/{libmemhook1,libmemhook-dev,memhook}_*.deb; do
	dpkg-deb -x "$deb" "$unpacked"
done
library=$(echo "$unpacked"/usr/lib/*/libmemhook.so.1)
archive=$(echo "$unpacked"/usr/lib/*/libmemhook.a)

# The tests of the tree, on what is packed.
for test in exports archive; do
	status=0
	env top_srcdir="$top" MEMHOOK_MODE="$mode" MEMHOOK_LIBRARY="$library" \
		MEMHOOK_ARCHIVE="$archive" "$top/tests/abi/$test.sh" || status=$?
	[ $status = 0 ] || [ $status = 77 ] || fail "tests/abi/$test.sh"
done
if nm -D "$library" | grep -i 'je_'; then fail "jemalloc shows"; fi
if readelf -d "$library" | grep 'NEEDED.*libstdc'; then fail "libstdc++ is needed"; fi
if find "$unpacked" -name '*.la' | grep .; then fail "a libtool archive"; fi
for package in libmemhook1 libmemhook-dev; do
	notice=$unpacked/usr/share/doc/$package/jemalloc.txt
	if [ "$mode" = jemalloc ]; then
		grep -q 'Jason Evans' "$notice" || fail "$package lacks jemalloc's notice"
	elif [ -e "$notice" ]; then
		fail "$package has a notice of a jemalloc that is not in it"
	fi
done
[ -f "$unpacked/usr/share/man/man1/memhook.1.gz" ] || fail "no memhook(1)"
file=$(readlink -f "$library")
script=$unpacked/usr/share/gdb/auto-load${file#"$(readlink -f "$unpacked")"}-gdb.py
if [ "$mode" = jemalloc ]; then
	[ -f "$script" ] || fail "gdb finds no script for ${file##*/}"
elif [ -e "$script" ]; then
	fail "a script for gdb, which has nothing to show"
fi
[ $failed = 0 ] && echo "PASS: contents ($mode)"
exit $failed
