#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sbuild and schroot, which buildds use: another user, no home, their own
# environment, and all tests.
#
#     packaging/checks/sbuild.sh SUITE FILE.dsc
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite} dsc=${2:?a .dsc file}
need_chroots
arch=$(dpkg --print-architecture)
tar=$(base "$suite")
root=$(with sbuild "$suite" "$arch" sbuild schroot mount)
trap 'discard "$root"' EXIT
mkdir -p "$root/srv/base" "$root/srv/source"
tar -C "$root/srv/base" -xf "$tar"
files_of "$dsc" | xargs -d '\n' cp -t "$root/srv/source"
printf '%s\n' "[$suite-$arch-sbuild]" type=directory directory=/srv/base profile=sbuild \
	groups=sbuild root-groups=sbuild > "$root/etc/schroot/chroot.d/$suite"

enter "$root" '
	echo "127.0.0.1 localhost builder" > /etc/hosts
	useradd --create-home --groups sbuild builder
	mkdir /srv/out
	chown builder: /srv/out'
# shellcheck disable=SC2016
as=builder enter "$root" '
	cd /srv/out
	export HOME=/home/builder DEB_BUILD_OPTIONS=parallel=2
	sbuild --dist="$1" --arch-all --source --no-run-lintian /srv/source/*.dsc > log 2>&1 || {
		tail -n 60 *_$2.build log
		exit 1
	}
	grep -E "^# (TOTAL|PASS|SKIP|FAIL|ERROR):" *_$2.build
	grep -qE "^# PASS: +[1-9]" *_$2.build
	grep -E "^Status: successful" *_$2.build
	ls *.deb *.changes' "$suite" "$arch"
