#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# reprotest: built twice, the second time with another user, home, path, kernel name,
# time, time zone, locale, umask, number of processors and order of files.
#
#     packaging/checks/reprotest.sh SUITE FILE.dsc
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite} dsc=${2:?a .dsc file}
need_chroots
arch=$(dpkg --print-architecture)
tar=$(base "$suite")
root=$(unpack "reprotest-$suite" "$tar")
trap 'discard "$root"' EXIT
files_of "$dsc" | xargs -d '\n' cp -t "$root/srv"

# shellcheck disable=SC2016
cache=$work/apt/$suite-$arch enter "$root" '
	apt-get update -q
	apt-get install -q -y --no-install-recommends reprotest diffoscope-minimal \
		faketime disorderfs locales-all sudo
	cd /srv
	dpkg-source --extract *.dsc tree
	apt-get build-dep -q -y --no-install-recommends -Pnocheck ./tree
	useradd --create-home builder' > "$root/log" 2>&1 || {
	tail -n 30 "$root/log"
	die "reprotest, or what a build needs, cannot be installed"
}
# Not by host and domain: a chroot may not make a user namespace for that, and
# full.sh's row "reproducible" has another host.  sudo wants its host to be this name.
# shellcheck disable=SC2016
NODE=localhost net=no enter "$root" '
	cd /srv
	vary="--vary=user_group.available+=builder:builder,-domain_host"
	# disorderfs is started by that user, whom the machine may not let near FUSE.
	if [ -c /dev/fuse ]; then
		mknod -m 666 fuse c 10 229
		mount --bind fuse /dev/fuse
		ln -sf /proc/self/mounts /etc/mtab
	else
		echo "no /dev/fuse here: order of files not varied"
		vary="$vary,-fileordering"
	fi
	echo "127.0.0.1 localhost" > /etc/hosts
	export DEB_BUILD_OPTIONS="nocheck parallel=2" DEB_BUILD_PROFILES=nocheck
	reprotest "$vary" ./*.dsc -- null > log 2>&1 || {
		cat log
		echo "FAIL: reprotest"
		exit 1
	}
	grep -A 40 "^=\+$\|Reproduction successful" log | tail -n 40'
