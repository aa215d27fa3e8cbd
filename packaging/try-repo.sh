#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a user does, on a fresh system with nothing but apt: add the repository,
# the literal `apt install libmemhook-dev` and `cc app.c $(pkg-config --cflags
# --libs memhook)`.  Then C++, static, and each of debian/tests against the
# installed packages.
#
#     packaging/try-repo.sh [--suite=SUITE] [--arch=ARCH] REPOSITORY
#
#     --only=TEST    of debian/tests only this one
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

suite=bookworm arch=$(dpkg --print-architecture) only='' repository=''
for arg; do
	case $arg in
	--suite=*) suite=${arg#*=} ;;
	--arch=*) arch=${arg#*=} ;;
	--only=*) only=${arg#*=} ;;
	--help) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit ;;
	-*) die "unknown option $arg; see --help" ;;
	*) repository=$arg ;;
	esac
done
[ -f "$repository/memhook.sources" ] || die "usage: $me REPOSITORY," \
	"a folder that apt-repo.sh made; see --help"
need_chroots

tar=$(base "$suite" "$arch" apt)
root=$(unpack "user-$suite-$arch" "$tar")
trap 'discard "$root"' EXIT
cache=$work/apt/$suite-$arch
mkdir -p "$root/srv/app"
repository_for "$root" "$repository"
cp "$top"/debian/tests/consumer/app.* "$root/srv/app/"
cp -r "$top/debian/tests" "$root/srv/tests"

say "$suite, $arch: apt install libmemhook-dev"
# shellcheck disable=SC2016
cache=$cache enter "$root" '
	apt-get update -q
	cd /srv/app
	set -x
	apt install -q -y libmemhook-dev
	cc app.c $(pkg-config --cflags --libs memhook)
	./a.out' > "$root/log" 2>&1 || { cat "$root/log" >&2; die "the literal lines failed"; }
tail -n 1 "$root/log"

# What debian/tests/control asks for, and each test that it names.
# shellcheck disable=SC2016
cache=$cache enter "$root" '
	cd /srv/tests
	sed -n "s/^Depends: //p" control | tr -d " " | tr "," "\n" | sort -u |
		xargs apt-get install -q -y --no-install-recommends > /srv/log 2>&1 ||
		{ cat /srv/log; exit 1; }
	status=0
	for test in ${1:-$(sed -n "s/^Tests: //p" control)}; do
		rm -rf /tmp/test
		mkdir -m 777 /tmp/test
		if AUTOPKGTEST_TMP=/tmp/test ./$test > /srv/log 2>&1; then
			echo "PASS: debian/tests/$test"
		else
			cat /srv/log
			echo "FAIL: debian/tests/$test"
			status=1
		fi
	done
	exit $status' "$only"
