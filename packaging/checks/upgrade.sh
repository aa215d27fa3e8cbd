#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Install, upgrade, downgrade, remove and purge while a hooked program runs
# across all of it; it ends well and is reported, and nothing is left behind.
#
#     packaging/checks/upgrade.sh SUITE REPOSITORY      with two versions in it
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite} repository=${2:?a repository}
need_chroots
arch=$(dpkg --print-architecture)
root=$(with upgrade "$suite" "$arch" procps)
trap 'discard "$root"' EXIT
repository_for "$root" "$repository"

# shellcheck disable=SC2016
cache=$work/apt/$suite-$arch enter "$root" '
	say() { printf "%-10s %s\n" "$1:" "$(dpkg-query -Wf "\${Package} \${Version} " \
		libmemhook1 memhook libmemhook-dev 2> /dev/null)"; }
	files() { find / -xdev \( -path /proc -o -path /dev -o -path /tmp -o -path /srv \
		-o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/cache \
		-o -path /var/log \) -prune -o -print | sort; }
	apt-get update -q > /dev/null
	new=$(apt-cache madison libmemhook1 | awk "\$3 ~ /^[0-9]/ { print \$3 }" | sort -u | tail -n 1)
	old=$(apt-cache madison libmemhook1 | awk "\$3 ~ /^[0-9]/ { print \$3 }" | sort -u | head -n 1)
	[ "$old" != "$new" ] || { echo "there is only one version: $old"; exit 1; }
	go() {
		apt-get install -q -y --no-install-recommends --allow-downgrades \
			libmemhook1=$1 libmemhook-dev=$1 memhook=$1 > /tmp/log 2>&1 ||
			{ cat /tmp/log; exit 1; }
	}
	runs() { kill -0 $run && memhook stat --format=json $program > /tmp/stat &&
		grep -q "\"schema\":\"memhook/1\"" /tmp/stat; }

	files > /tmp/before
	go $old
	say installed
	memhook run --format=json --output=/tmp/report -- sh -c \
		"while [ ! -e /tmp/stop ]; do sleep 0.2; done; exit 3" &
	run=$!
	for i in $(seq 100); do
		program=$(cat /proc/$run/task/$run/children)
		program=${program% }
		[ -n "$program" ] && memhook stat $program > /dev/null 2>&1 && break
		sleep 0.1
	done
	runs
	go $new
	say upgraded
	runs
	go $old
	say downgraded
	runs
	apt-get remove -q -y memhook libmemhook1 libmemhook-dev > /tmp/log 2>&1
	say removed
	kill -0 $run
	kill -0 $program
	grep -q "libmemhook.so.*(deleted)" /proc/$program/maps
	apt-get purge -q -y memhook libmemhook1 libmemhook-dev > /tmp/log 2>&1
	say purged
	touch /tmp/stop
	status=0
	wait $run || status=$?
	[ $status = 3 ] || { echo "FAIL: the program ended with $status"; exit 1; }
	grep -q "\"code\":3" /tmp/report || { echo "FAIL: no report of it"; exit 1; }
	files > /tmp/after
	# what they depended on stays, as apt does it
	sort -u /var/lib/dpkg/info/*.list > /tmp/owned
	comm -13 /tmp/before /tmp/after | comm -23 - /tmp/owned > /tmp/left
	[ ! -s /tmp/left ] || { cat /tmp/left; echo "FAIL: files were left"; exit 1; }
	comm -23 /tmp/before /tmp/after > /tmp/gone
	[ ! -s /tmp/gone ] || { cat /tmp/gone; echo "FAIL: files are gone"; exit 1; }
	echo "PASS: one program across install, upgrade, downgrade, remove and purge"'
