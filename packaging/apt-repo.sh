#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Make a signed apt repository, a folder of plain files for any web server or
# for file:, from packages that were built.
#
#     packaging/apt-repo.sh [--suite=SUITE] [--key=KEY] OUTPUT CHANGES...
#
#     --suite=SUITE   bookworm (default) or trixie
#     --key=KEY       the secret key of your own keyring that signs.  Without it
#                     a key is made for this repository alone and thrown away:
#                     good for tests, and for a repository that is never added to.
#
# OUTPUT gets dists/, pool/, memhook-archive-keyring.gpg and memhook.sources,
# with which a user adds it; URI= in the environment is what the latter names
# (default: file:OUTPUT).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

suite=bookworm key='' output='' changes=()
for arg; do
	case $arg in
	--suite=*) suite=${arg#*=} ;;
	--key=*) key=${arg#*=} ;;
	--help) sed -n '3,17s/^# \{0,1\}//p' "$0"; exit ;;
	-*) die "unknown option $arg; see --help" ;;
	*) if [ "$output" ]; then changes+=("$arg"); else output=$arg; fi ;;
	esac
done
[ ${#changes[@]} -gt 0 ] || die "usage: $me [OPTION]... OUTPUT CHANGES...; see --help"
for tool in apt-ftparchive gpg; do
	command -v $tool > /dev/null || die "$tool is not installed:" \
		"xargs apt-get install < $top/packaging/packages.txt"
done

mkdir -p "$output/pool"
output=$(cd "$output" && pwd)
for file in "${changes[@]}"; do
	files_of "$file" | grep -Ev '\.(changes|buildinfo)$' | xargs -d '\n' cp -pt "$output/pool"
done

cd "$output"
mapfile -t architectures < <(find pool -name '*_*.deb' | sed 's/.*_\(.*\)\.deb/\1/' |
	grep -vx all | sort -u)
dists=dists/$suite
rm -rf "$dists"
for arch in "${architectures[@]}"; do
	binary=$dists/main/binary-$arch
	mkdir -p "$binary"
	apt-ftparchive --arch "$arch" packages pool > "$binary/Packages"
	gzip -9kn "$binary/Packages"
done
mkdir -p "$dists/main/source"
apt-ftparchive sources pool > "$dists/main/source/Sources"
gzip -9kn "$dists/main/source/Sources"
release=()
for field in Origin=memhook Label=memhook "Suite=$suite" "Codename=$suite" \
	"Architectures=${architectures[*]}" Components=main; do
	release+=(-o "APT::FTPArchive::Release::$field")
done
apt-ftparchive "${release[@]}" release "$dists" > Release.new
mv Release.new "$dists/Release"

if [ -z "$key" ]; then
	GNUPGHOME=$(mktemp -d)
	export GNUPGHOME
	trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
	key="memhook repository <memhook@localhost>"
	gpg --batch --quiet --passphrase '' --quick-generate-key "$key" ed25519 sign never \
		2> /dev/null
fi
gpg --batch --yes --quiet --local-user "$key" --clearsign \
	--output "$dists/InRelease" "$dists/Release"
gpg --batch --yes --quiet --local-user "$key" --detach-sign --armor \
	--output "$dists/Release.gpg" "$dists/Release"
gpg --batch --yes --quiet --output memhook-archive-keyring.gpg --export "$key"
printf '%s\n' 'Types: deb deb-src' "URIs: ${URI:-file:$output}" "Suites: $suite" \
	'Components: main' 'Signed-By: /usr/share/keyrings/memhook-archive-keyring.gpg' \
	> memhook.sources
say "$output: $suite, ${architectures[*]}, signed by $(gpg --with-colons --list-keys "$key" |
	awk -F: '$1 == "fpr" { print $10; exit }')"
