#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who takes the release tarball and no Debian package: all of the tree is in it;
# configure, check, install and use it, out of the tree, and the passthrough.
#
#     packaging/checks/tarball.sh SUITE
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite}
need_chroots
tar=$(base "$suite")
root=$(unpack "tarball-$suite" "$tar")
trap 'discard "$root"' EXIT
mkdir "$root/srv/tree"
git -C "$top" archive HEAD | tar -C "$root/srv/tree" -xf -
cp "$top/debian/tests/consumer/app.c" "$root/srv/"

# shellcheck disable=SC2016
cache=$work/apt/$suite-$(dpkg --print-architecture) enter "$root" '
	apt-get update -q
	cd /srv/tree
	apt-get build-dep -q -y --no-install-recommends ./
	./bootstrap --no-install && ./configure > /dev/null && make -s dist' > "$root/log" 2>&1 || {
	tail -n 30 "$root/log"
	die "make dist failed"
}
missing=$(comm -23 <(git -C "$top" ls-tree -r --name-only HEAD | grep -vx .gitignore | sort) \
	<(tar -tf "$root"/srv/tree/libmemhook-*.tar.gz | sed 's|^[^/]*/||' | sort))
[ -z "$missing" ] || die "make dist leaves out: $missing"
# Not one tool of autoconf from here on.
# shellcheck disable=SC2016
enter "$root" '
	apt-get remove -q -y autoconf automake libtool > /dev/null 2>&1
	mkdir /srv/release /srv/beside /srv/passthrough
	tar -C /srv/release --strip-components=1 -xf /srv/tree/libmemhook-*.tar.gz
	go() {
		"$@" > /srv/log 2>&1 || {
			grep "^FAIL:" /srv/log
			grep -l "^:test-result: FAIL" tests/*.trs tests/*/*.trs |
				sed "s/trs$/log/" | xargs -r tail -n 20
			tail -n 20 /srv/log
			echo "FAIL: $*"
			exit 1
		}
		grep -hE "^# (TOTAL|PASS|FAIL):" /srv/log || :
	}
	cd /srv/beside
	go ../release/configure
	go make -j2 check
	echo "PASS: out of the tree"
	cd /srv/passthrough
	go ../release/configure --without-jemalloc
	go make -j2 check
	echo "PASS: passthrough, out of the tree"
	cd /srv/release
	go ./configure
	go make -j2 check
	go make install
	ldconfig
	cc -o /srv/app /srv/app.c $(PKG_CONFIG_PATH=/usr/local/lib/pkgconfig \
		pkg-config --cflags --libs memhook)
	/srv/app
	/usr/local/bin/memhook run -- true
	go make uninstall
	if find /usr/local -name "*memhook*" | grep .; then exit 1; fi
	echo "PASS: in the tree, installed, used, uninstalled"'
