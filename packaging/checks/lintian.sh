#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# lintian of a suite, everything turned on: not one tag.  blhc: every compiler
# call had the flags.  hardening-check: and they had an effect.  Without BUILD.LOG the
# packages are another release's, whose overrides may be of tags that are no more.
#
#     packaging/checks/lintian.sh SUITE FILE.changes [BUILD.LOG]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite} changes=${2:?a .changes file} log=${3:-}
need_chroots
root=$(with lint "$suite" "$(dpkg --print-architecture)" lintian blhc devscripts)
trap 'discard "$root"' EXIT
mkdir "$root/packages"
files_of "$changes" | xargs -d '\n' cp -t "$root/packages"
[ -z "$log" ] || cp "$log" "$root/packages/build.log"

# shellcheck disable=SC2016
net=no enter "$root" '
	cd /packages
	status=0
	lintian --version
	[ -f build.log ] || set -- --suppress-tags alien-tag
	lintian -EviIL +pedantic --show-overrides "$@" *.changes > tags 2>&1 || status=1
	grep -E "^O:" tags || :
	if grep -E "^[EWIPXC]:" tags; then
		echo "FAIL: lintian has something to say"
		status=1
	fi
	if [ -f build.log ]; then
		blhc --all --debian build.log || { echo "FAIL: blhc"; status=1; }
	fi
	for deb in libmemhook1_*.deb memhook_*.deb; do
		dpkg-deb -x $deb unpacked
	done
	# Two that Debian does not turn on, or has for arm64 alone.
	less=--nocfprotection
	if hardening-check --help | grep -q nobranchprotection; then
		less="$less --nobranchprotection"
	fi
	for file in unpacked/usr/lib/*/libmemhook.so.1.*.* unpacked/usr/bin/memhook; do
		hardening-check $less $file || { echo "FAIL: hardening-check"; status=1; }
	done
	exit $status'
