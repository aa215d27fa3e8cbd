#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The installed packages over programs of Debian that nobody wrote for them,
# jemalloc's own users among them, and the failures that are documented: of
# two mallocs the first one wins, and dlopen is too late.
#
#     packaging/checks/interposition.sh SUITE REPOSITORY
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../lib.sh"

suite=${1:?a suite} repository=${2:?a repository}
need_chroots
arch=$(dpkg --print-architecture)
root=$(with programs "$suite" "$arch" python3 python3-apt nghttp2 bind9-dnsutils \
	git sqlite3 perl g++ pkgconf libjemalloc-dev)
trap 'discard "$root"' EXIT
repository_for "$root" "$repository"
cp -r "$top/debian/tests/consumer" "$top/examples/plugin-host" "$top/tests/real" "$root/srv/"

# shellcheck disable=SC2016
cache=$work/apt/$suite-$arch enter "$root" '
	apt-get update -q > /tmp/log 2>&1
	apt-get install -q -y --no-install-recommends libmemhook-dev memhook > /tmp/log 2>&1 ||
		{ cat /tmp/log; exit 1; }
	failed=0
	# same NAME COMMAND...: hooked, it prints what it prints without
	same() {
		name=$1
		shift
		"$@" > /tmp/plain 2>&1 < /dev/null && plain=0 || plain=$?
		memhook run --format=json --output=/tmp/report -- "$@" > /tmp/hooked 2>&1 \
			< /dev/null && hooked=0 || hooked=$?
		if [ $plain = $hooked ] && cmp -s /tmp/plain /tmp/hooked &&
			grep -q "\"mode\":\"jemalloc\"" /tmp/report; then
			echo "PASS: $name"
		else
			echo "FAIL: $name: status $plain without, $hooked with"
			diff /tmp/plain /tmp/hooked | head -n 5
			failed=1
		fi
	}
	is() { # is WHAT WANTED GOT
		[ "$2" = "$3" ] && echo "PASS: $1" || { echo "FAIL: $1: $3"; failed=1; }
	}
	cd /srv
	git init -q /tmp/tree && cd /tmp/tree && cp -r /srv/consumer . && git add . &&
		git -c user.name=n -c user.email=e commit -q -m m
	same python3 /usr/bin/python3 -c "import json; print(json.dumps(list(range(9999))))"
	same "python3 with apt_pkg (C++)" /usr/bin/python3 -c \
		"import apt_pkg; apt_pkg.init(); print(len(list(apt_pkg.Cache(None).packages)))"
	same "h2load (linked to jemalloc)" h2load --version
	nghttpd --no-tls --address=127.0.0.1 --htdocs=/srv/consumer 8899 &
	server=$!
	for i in $(seq 100); do
		memhook run --output=/tmp/report -- h2load --requests=10 --clients=1 \
			http://127.0.0.1:8899/app.c > /tmp/hooked 2>&1 || :
		grep -q "10 succeeded" /tmp/hooked && break
		sleep 0.1
	done
	kill $server
	is "h2load, 10 requests on the loopback" "10 succeeded" \
		"$(grep -o "10 succeeded" /tmp/hooked || cat /tmp/hooked)"
	same dig dig -v
	same git git log --stat
	same sqlite3 sqlite3 :memory: "with recursive n(i) as (select 1 union all select i+1 from n limit 20000) select sum(i), count(distinct i) from n"
	same perl perl -e "my %h = map { \$_ => \"x\" x \$_ } 1 .. 2000; print scalar(keys %h)"
	cd /srv/plugin-host
	cc -o host host.c $(pkg-config --cflags --libs memhook)
	cc -shared -fPIC -o c.so plugin-c.c
	c++ -shared -fPIC -o cxx.so plugin-cxx.cc
	./host ./c.so ./cxx.so > /dev/null && echo "PASS: C host, C++ plug-in" || failed=1
	cd /srv/consumer
	c++ -o both app.cc $(pkg-config --cflags --libs memhook) -ljemalloc
	is "-lmemhook -ljemalloc, C++" "memhook_active() = 1, 2 blocks" "$(./both)"

	# what does not work, and says so
	cc -o late app.c $(pkg-config --cflags memhook) -Wl,--no-as-needed -ljemalloc -lmemhook
	is "-ljemalloc -lmemhook: inert" "memhook_active() = 0, 0 bytes" "$(./late || :)"
	printf "#include <dlfcn.h>\n#include <stdio.h>\nint main(void)\n{\n%s\n}\n" \
		"if (!dlopen(\"libmemhook.so.1\", RTLD_NOW)) puts(dlerror()); return 0;" > open.c
	cc -o open open.c
	./open > said
	grep -q "static TLS" said && echo "PASS: dlopen: $(cat said)" ||
		{ echo "FAIL: dlopen: $(cat said)"; failed=1; }
	exit $failed'
