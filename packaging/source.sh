#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The source package of HEAD (or of a release tarball) for one suite: upstream's
# part without debian/, debian/ laid over it, and a changelog entry that says
# for which suite this was rebuilt.
#
#     packaging/source.sh [--suite=SUITE] [--orig=TARBALL] [--next] OUTPUT
#
#     --suite=SUITE    bookworm (default), trixie, or none: as debian/changelog says
#     --orig=TARBALL   take upstream's part from a release, not from HEAD
#     --next           the next rebuild for that suite, to try upgrades with
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

suite=bookworm orig='' next=no output=''
for arg; do
	case $arg in
	--suite=*) suite=${arg#*=} ;;
	--orig=*) orig=${arg#*=} ;;
	--next) next=yes ;;
	--help) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit ;;
	-*) die "unknown option $arg; see --help" ;;
	*) output=$arg ;;
	esac
done
[ "$output" ] || die "usage: $me [OPTION]... OUTPUT, a folder; see --help"

cd "$top"
git rev-parse --git-dir > /dev/null 2>&1 || die "not a git clone: dpkg-buildpackage" \
	"in an unpacked release builds the packages, too"
git diff --quiet HEAD || say "what is not committed is left out: this is HEAD"
mkdir -p "$output"
output=$(cd "$output" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

git archive --prefix=tree/ HEAD | tar -C "$build" -xf -
tree=$build/tree
changelog=$tree/debian/changelog
name=$(dpkg-parsechangelog -l "$changelog" -S Source)
version=$(dpkg-parsechangelog -l "$changelog" -S Version)
upstream=${version%-*}
tarball=${name}_$upstream.orig.tar.gz

# The entry's date follows from that of the one below it, so that each rebuild is
# the same rebuild.
add_entry() {
	local words

	words=$(suite_words "$suite")$1
	{
		echo "$name ($version${words#* }) ${words% *}; urgency=medium"
		printf '\n  * Rebuild for %s.\n\n' "${words% *}"
		echo " -- $(dpkg-parsechangelog -l "$changelog" -S Maintainer)  $(date -uR \
			-d "@$(($(dpkg-parsechangelog -l "$changelog" -S Timestamp) + 60))")"
		echo
		cat "$changelog"
	} > "$build/changelog"
	mv "$build/changelog" "$changelog"
}

if [ "$orig" ]; then
	cp "$orig" "$build/$tarball"
	mkdir "$build/release"
	tar -C "$build/release" --strip-components=1 -xf "$orig"
	rm -rf "$build/release/debian"
	mv "$tree/debian" "$build/release/"
	tree=$build/release changelog=$build/release/debian/changelog
else
	git archive --prefix="$name-$upstream/" HEAD -- . ':(exclude)debian' |
		gzip -9n > "$build/$tarball"
fi
[ "$suite" = none ] || add_entry 1
[ $next = no ] || add_entry 2
(cd "$build" && dpkg-source --build "$tree") > "$build/log" 2>&1 || {
	cat "$build/log" >&2
	die "dpkg-source failed"
}
cp "$build"/*.dsc "$build"/*.tar.* "$output/"
basename "$output"/"${name}"_*.dsc
