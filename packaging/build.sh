#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Build a source package in a clean chroot, as a buildd does: only
# build-essential and what Build-Depends names, no network, not as root.
#
#     packaging/build.sh [OPTION]... FILE.dsc OUTPUT [-- OPTION...]
#
#     --suite=SUITE      bookworm (default) or trixie
#     --arch=ARCH        architecture of the chroot (foreign ones: qemu-user-static)
#     --host=ARCH        cross-build for ARCH
#     --profiles=LIST    DEB_BUILD_PROFILES
#     --options=LIST     DEB_BUILD_OPTIONS (default: parallel=2)
#     --place=FOLDER     where in the chroot to build (default: /build)
#     --env=NAME=VALUE   into the environment of the build; may be repeated
#     --umask=MASK       of the build (default: 022)
#     --then=COMMAND     in the tree, after the build (as `make check` of a cross-build)
#     -- OPTION...       to dpkg-buildpackage (default: -us -uc -sa -v0)
#
# OUTPUT gets what was built and build.log.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

suite=bookworm arch=$(dpkg --print-architecture) host='' profiles='' place=/build
options=parallel=2 mask=022 after=: variables=() dsc='' output='' more=(-us -uc -sa -v0)
while [ $# -gt 0 ]; do
	case $1 in
	--suite=*) suite=${1#*=} ;;
	--arch=*) arch=${1#*=} ;;
	--host=*) host=${1#*=} ;;
	--profiles=*) profiles=${1#*=} ;;
	--options=*) options=${1#*=} ;;
	--place=*) place=${1#*=} ;;
	--env=*) variables+=("${1#*=}") ;;
	--umask=*) mask=${1#*=} ;;
	--then=*) after=${1#*=} ;;
	--) shift; more=("$@"); break ;;
	--help) sed -n '3,20s/^# \{0,1\}//p' "$0"; exit ;;
	-*) die "unknown option $1; see --help" ;;
	*) if [ "$dsc" ]; then output=$1; else dsc=$1; fi ;;
	esac
	shift
done
[ "$output" ] || die "usage: $me [OPTION]... FILE.dsc OUTPUT; see --help"
[ -f "$dsc" ] || die "$dsc: no such file"
need_chroots

tar=$(base "$suite" "$arch")
root=$(unpack "build-$suite-$arch" "$tar")
trap 'discard "$root"' EXIT
cache=$work/apt/$suite-$arch
mkdir -p "$output" "$root/$place" "$root/source"
rm -f "$output"/build.log
files_of "$dsc" | xargs -d '\n' cp -t "$root/source"

# What Build-Depends names, and nothing else.
# shellcheck disable=SC2016 # the chroot's shell expands, here and below
prepare() {
	cache=$cache enter "$root" '
		host=$1 profiles=$2 place=$3
		useradd --create-home --home-dir /home/builder builder
		[ -z "$host" ] || dpkg --add-architecture "$host"
		apt-get update -q
		[ -z "$host" ] || apt-get install -q -y --no-install-recommends \
			"crossbuild-essential-$host"
		cd "$place"
		dpkg-source --extract /source/*.dsc package
		mv /source/*.orig.tar.* .
		apt-get build-dep -q -y --no-install-recommends ${host:+-a$host} \
			${profiles:+-P"$(echo $profiles | tr " " ,)"} ./package
		chown -R builder: "$place"' "$host" "$profiles" "$place"
}

# shellcheck disable=SC2016
build() {
	as=builder net=no enter "$root" '
		place=$1 mask=$2 host=$3 after=$4
		shift 4
		umask "$mask"
		cd "$place/package"
		export HOME=/home/builder
		while [ "$1" != -- ]; do export "$1"; shift; done
		shift
		dpkg-buildpackage ${host:+-a"$host"} "$@"
		eval "$after"' \
		"$place" "$mask" "$host" "$after" "DEB_BUILD_OPTIONS=$options" \
		"DEB_BUILD_PROFILES=$profiles" ${variables[@]+"${variables[@]}"} -- "${more[@]}"
}

say "$suite, ${host:+$host on }$arch${profiles:+, profiles $profiles} (log: $output/build.log)"
{ prepare && build; } > "$output/build.log" 2>&1 || {
	tail -n 40 "$output/build.log" >&2
	die "the build failed; all of it: $output/build.log"
}
find "$root/$place" -maxdepth 1 -type f -exec cp -p {} "$output/" \;
chown -R 0:0 "$output"
find "$output" -name '*.deb' ! -name '*-dbgsym_*' -printf '%f\n' | sort
