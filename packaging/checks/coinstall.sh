#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Multi-Arch: the packages of two architectures side by side, and what they
# share is the same to the byte.  What the foreign one recommends removes nothing.
#
#     packaging/checks/coinstall.sh SUITE FOLDER FOREIGN FOLDER
#
# FOLDER: where the packages of this architecture, and of FOREIGN, lie.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite} ours=${2:?a folder} foreign=${3:?an architecture} theirs=${4:?a folder}
need_chroots
arch=$(dpkg --print-architecture)
root=$(with coinstall "$suite" "$arch" gcc pkgconf libc6-dev)
trap 'discard "$root"' EXIT
cp "$ours"/{libmemhook1,libmemhook-dev,memhook}_*_"$arch".deb \
	"$theirs"/{libmemhook1,libmemhook-dev}_*_"$foreign".deb "$root/srv/"
cp "$top/debian/tests/consumer/app.c" "$root/srv/"

# shellcheck disable=SC2016
cache=$work/apt/$suite-$arch enter "$root" '
	foreign=$1
	dpkg --add-architecture $foreign
	apt-get update -q > /tmp/log 2>&1
	if apt-get install -s /srv/libmemhook*_$foreign.deb | grep ^Remv; then
		echo "FAIL: installing it removes packages"
		exit 1
	fi
	apt-get install -q -y --no-install-recommends /srv/*.deb > /tmp/log 2>&1 ||
		{ cat /tmp/log; exit 1; }
	dpkg-query -Wf "\${Package}:\${Architecture} \${Version}\n" "*memhook*"
	for deb in /srv/libmemhook*.deb; do
		dpkg-deb -x $deb /tmp/${deb##*_}
	done
	# gdb finds a library by its whole path, with the architecture in it.
	for shared in usr/share usr/include; do
		diff -r --exclude=auto-load /tmp/$(dpkg --print-architecture).deb/$shared \
			/tmp/$foreign.deb/$shared
	done
	cmp /tmp/*.deb/usr/share/gdb/auto-load/usr/lib/*/*
	cd /srv
	cc app.c $(pkg-config --cflags --libs memhook)
	./a.out
	echo "PASS: side by side with $foreign"' "$foreign"
