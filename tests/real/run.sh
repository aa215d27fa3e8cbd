#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make check-real: real programs, unmodified, give the same output and exit
# status with the hook and without it, and their reports add up.
#
#     run.sh [NAME...]      all of them, or these
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CHECK_REPORT:?}" "${top_srcdir:?}"
: "${top_builddir:?}" "${CC:=cc}" "${CXX:=c++}"
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
unset LD_PRELOAD

work=$(mktemp -d)
servers=
# shellcheck disable=SC2154
trap 'for p in $servers; do kill "$p" 2> /dev/null; done; rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0 skipped=0
here=$top_srcdir/tests/real

verdict() { # verdict WORD NAME [WHY]
	printf '%-5s %s%s\n' "$1" "$2" "${3:+: $3}"
	case $1 in
	PASS) passed=$((passed + 1)) ;;
	FAIL) failed=$((failed + 1)) ;;
	SKIP) skipped=$((skipped + 1)) ;;
	esac
}

# have NAME PROGRAM PACKAGE: is the program there?
have() {
	command -v "$2" > /dev/null && return 0
	verdict SKIP "$1" "apt install $3"
	return 1
}

# Allocations of all processes in the report.
calls() {
	grep -o '"totals":{[^}]*}' report.json | grep -o '"alloc_calls":[0-9]*' |
		awk -F: '{ n += $2 } END { print n }'
}

# same NAME COMMAND...: once without, once with the hook
same() {
	local name=$1 plain hooked
	shift
	"$@" > plain.out 2> plain.err < /dev/null
	plain=$?
	rm -f report.json
	"$MEMHOOK_TOOL" run $FOLLOW --format=json --output=report.json -- "$@" \
		> hooked.out 2> hooked.err < /dev/null
	hooked=$?
	if [ $plain != $hooked ]; then
		verdict FAIL "$name" "exit status $plain without, $hooked with the hook"
		tail -5 hooked.err
	elif ! cmp -s plain.out hooked.out; then
		verdict FAIL "$name" "another output"
		diff plain.out hooked.out | head -5
	elif grep '^memhook: ' hooked.err | grep -qv mismatched; then
		verdict FAIL "$name" "$(grep -m1 '^memhook: ' hooked.err)"
	elif ! "$CHECK_REPORT" report.json 2> report.err; then
		verdict FAIL "$name" "$(cat report.err)"
	else
		verdict PASS "$name" "$(calls) allocations"
	fi
}
FOLLOW=

# A process that the tool may read, by its pid file or by looking.
wait_for_port() {
	local i
	for ((i = 0; i < 100; i++)); do
		(: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null && return 0
		sleep 0.1
	done
	return 1
}

do_python() {
	[ -x /usr/bin/python3 ] || { verdict SKIP python3 "apt install python3"; return; }
	same "python3, json and sqlite3" /usr/bin/python3 -c \
		'import json, sqlite3; print(json.dumps([i * i for i in range(50000)])[-20:])'
	if /usr/bin/python3 -c 'import apt_pkg' 2> /dev/null; then
		same "python3 with apt_pkg (C++)" /usr/bin/python3 -c \
			'import apt_pkg; apt_pkg.init(); print(apt_pkg.version_compare("1.2", "1.10"), apt_pkg.VERSION)'
	else
		verdict SKIP "python3 with apt_pkg" "apt install python3-apt"
	fi
	if ! /usr/bin/python3 -c 'import test.test_list' 2> /dev/null; then
		verdict SKIP "python3's own tests" "apt install libpython3.11-testsuite"
		return
	fi
	for t in test_list test_dict test_json test_re test_struct test_zlib test_queue \
		test_threading_local test_ctypes test_array test_bytes test_set test_heapq; do
		same "python3 -m unittest test.$t" /usr/bin/python3 -m unittest -q "test.$t"
	done
}

do_perl() {
	have perl perl perl || return
	same "perl, sort and hashes" perl -e \
		'my %h; $h{$_ % 977} .= $_ for 1 .. 200000; print join ",", map { length $h{$_} } sort { $a <=> $b } keys %h'
	same "perl, Storable and regexes" perl -MStorable=freeze,thaw -e \
		'my $d = thaw(freeze([map { { n => $_, s => "x" x $_ } } 1 .. 800])); my $s = join "", map { $_->{s} } @$d; print length($s), " ", scalar(() = $s =~ /xxx/g)'
	same "perl, threads" perl -Mthreads -e \
		'my @t = map { my $n = $_; threads->create(sub { my @a = map { $_ x 10 } 1 .. 20000; scalar @a + $n }) } 1 .. 4; print join ",", map { $_->join } @t'
}

do_git() {
	have git git git || return
	FOLLOW=--follow
	# This repository; a tarball has none, and makes one of its sources.
	if ! git clone -q --no-hardlinks "$top_srcdir" origin 2> /dev/null; then
		git init -q -b main origin
		(cd origin && git config user.name t && git config user.email t@example.org &&
			cp -r "$top_srcdir/src" "$top_srcdir/include" . && git add . &&
			git commit -qm one && for i in 1 2 3 4 5; do
				echo "$i" >> src/block.c && git commit -qam "$i"; done)
	fi
	same "git clone" sh -c 'rm -rf clone; git clone -q --no-local origin clone && git -C clone log --format=%H'
	same "git gc" sh -c 'cd clone && git gc -q --aggressive && git fsck --full 2>&1 | tail -1; git log --stat | md5sum'
	FOLLOW=
}

do_sqlite() {
	have sqlite3 sqlite3 sqlite3 || return
	cat > script.sql <<-'END'
		create table t (id integer primary key, name text, n real);
		with recursive c(i) as (select 1 union all select i + 1 from c where i < 100000)
			insert into t select i, 'name-' || (i * 7919 % 100003), i / 3.0 from c;
		create index by_name on t (name);
		select count(*), sum(n), max(name) from t;
		select name, n from t where name like 'name-99%' order by name limit 5;
		create virtual table f using fts5(body);
		insert into f select name || ' of ' || n from t limit 20000;
		select count(*) from f where f match 'name';
		select json_group_array(id) from (select id from t limit 10);
	END
	same "sqlite3, 100,000 rows" sqlite3 :memory: '.read script.sql'
}

do_compilers() {
	FOLLOW=--follow
	if have gcc gcc gcc; then
		{
			echo '#include <stdio.h>'
			for ((i = 0; i < 3000; i++)); do
				echo "int f$i(int a, int b) { int s = $i; for (int i = 0; i < a; i++) s += (i ^ b) * $i; return s > b ? s : b; }"
			done
		} > large.c
		same "gcc -O2, 3,000 functions" sh -c 'gcc -O2 -S -o - large.c | md5sum'
	fi
	if have g++ g++ g++; then
		cat > large.cc <<-'END'
			#include <algorithm>
			#include <functional>
			#include <iostream>
			#include <map>
			#include <memory>
			#include <regex>
			#include <string>
			#include <unordered_map>
			#include <variant>
			#include <vector>
			int main()
			{
				std::map<std::string, std::vector<std::variant<int, std::string>>> m;
				for (int i = 0; i < 100; i++)
					m[std::to_string(i % 7)].push_back(i);
				std::regex r("[0-9]+");
				std::cout << m.size() << std::regex_match("12", r) << "\n";
			}
		END
		same "g++ -O2, templates" sh -c 'g++ -O2 -S -o - large.cc | md5sum'
	fi
	FOLLOW=
}

do_redis() {
	have redis redis-server redis-server && have redis redis-benchmark redis-tools || return
	local port=$((20000 + $$ % 20000)) pid
	mkdir -p redis
	"$MEMHOOK_TOOL" run --format=json --output=redis.json -- redis-server --port $port \
		--bind 127.0.0.1 --save '' --dir redis --daemonize no > redis.log 2>&1 &
	pid=$!
	servers="$servers $pid"
	wait_for_port $port || { verdict FAIL redis-server "did not start"; tail -3 redis.log; return; }
	redis-benchmark -h 127.0.0.1 -p $port -q -n 100000 -r 100000 -t set,get,lpush,sadd \
		> bench.out 2>&1 || { verdict FAIL redis-benchmark "$(tail -1 bench.out)"; return; }
	redis-cli -h 127.0.0.1 -p $port dbsize > dbsize
	redis-cli -h 127.0.0.1 -p $port bgsave > /dev/null
	sleep 1
	redis-cli -h 127.0.0.1 -p $port shutdown nosave 2> /dev/null
	wait $pid || { verdict FAIL redis-server "exit status $?"; return; }
	if "$CHECK_REPORT" redis.json && [ "$(cat dbsize)" -gt 10000 ]; then
		verdict PASS "redis-server under redis-benchmark" "$(cat dbsize) keys"
	else
		verdict FAIL "redis-server under redis-benchmark"
	fi
}

do_nginx() {
	have nginx nginx nginx-light || return
	local port=$((40000 + $$ % 20000)) pid
	mkdir -p www/logs
	head -c 20000 /dev/zero | tr '\0' x > www/index.html
	cat > www/nginx.conf <<-END
		daemon off; worker_processes 2; pid www.pid; error_log logs/error.log;
		events { worker_connections 256; }
		http { access_log off; client_body_temp_path b; proxy_temp_path p;
			fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; gzip on;
			gzip_types text/html;
			server { listen 127.0.0.1:$port http2; location / { root $work/www; } }
			server { listen 127.0.0.1:$((port + 1)); location / { root $work/www; } } }
	END
	chmod -R a+rX "$work"
	"$MEMHOOK_TOOL" run --format=json --output=nginx.json -- "$(command -v nginx)" \
		-p "$work/www" -c "$work/www/nginx.conf" > nginx.log 2>&1 &
	pid=$!
	servers="$servers $pid"
	wait_for_port $((port + 1)) || { verdict FAIL nginx "did not start"; tail -3 nginx.log; return; }
	if have wrk wrk wrk; then
		wrk -t2 -c20 -d3s "http://127.0.0.1:$((port + 1))/index.html" > wrk.out 2>&1
		grep -q 'Requests/sec' wrk.out && ! grep -q 'Non-2xx' wrk.out ||
			verdict FAIL wrk "$(tail -1 wrk.out)"
	fi
	if have h2load h2load nghttp2-client; then
		FOLLOW=--follow
		same "h2load (links jemalloc)" sh -c \
			"h2load -n200 -c2 http://127.0.0.1:$port/index.html | grep succeeded"
		FOLLOW=
	fi
	kill -QUIT "$(cat www/www.pid)"
	wait $pid || { verdict FAIL nginx "exit status $?"; return; }
	if "$CHECK_REPORT" nginx.json && ! grep -q '"workers":\[\]' nginx.json; then
		verdict PASS "nginx under wrk" "$(sed -n 's/Requests.sec: *//p' wrk.out) requests/s"
	else
		verdict FAIL "nginx under wrk" "report"
	fi
}

do_dig() {
	have dig dig dnsutils || return
	same "dig, no server" dig +short +time=1 +tries=1 @127.0.0.1 -p 1 example.org
}

do_plugins() {
	$CC -O1 -o host "$here/host.c" -ldl &&
		$CXX -O1 -shared -fPIC -o plugin.so "$here/plugin.cc" ||
		{ verdict FAIL "C host with a C++ plug-in" "does not build"; return; }
	same "C host with a C++ plug-in" ./host ./plugin.so
	if $CXX -O0 -o both "$here/both.cc" -I"$top_srcdir/include" \
		-L"$top_builddir/.libs" -Wl,-rpath,"$top_builddir/.libs" \
		-Wl,--no-as-needed -lmemhook -ljemalloc 2> link.err; then
		if [ "$(./both)" = "active 1, sum 4950" ]; then
			verdict PASS "C++ linked -lmemhook -ljemalloc"
		else
			verdict FAIL "C++ linked -lmemhook -ljemalloc" "$(./both 2>&1 | tail -1)"
		fi
	else
		verdict SKIP "C++ linked -lmemhook -ljemalloc" "apt install libjemalloc-dev"
	fi
}

# A script of its own, which needs a subject to tell what to hold.
do_prometheus() {
	have prometheus promtool prometheus || return
	if "$here/prometheus.sh" > prometheus.out 2>&1; then
		verdict PASS "prometheus scrapes memhook export" "$(tail -1 prometheus.out)"
	else
		verdict FAIL "prometheus scrapes memhook export"
		cat prometheus.out
	fi
}

# A systemd of its own runs the exporter's unit.
do_systemd() {
	have systemd-nspawn systemd-nspawn systemd-container || return
	"$here/systemd.sh" > systemd.out 2>&1
	case $? in
	0) verdict PASS "systemd runs the exporter's unit" "$(tail -1 systemd.out)" ;;
	77) verdict SKIP "systemd runs the exporter's unit" "$(tail -1 systemd.out)" ;;
	*)
		verdict FAIL "systemd runs the exporter's unit"
		cat systemd.out
		;;
	esac
}

# The test that decodes the profile asks Go's pprof as well, where there is one.
do_pprof() {
	have pprof go golang-go || return
	if "$here/../cli/pprof.sh" > pprof.out 2>&1; then
		verdict PASS "go tool pprof reads what memhook pprof writes"
	else
		verdict FAIL "go tool pprof reads what memhook pprof writes"
		cat pprof.out
	fi
}

all='python perl git sqlite compilers redis nginx dig plugins prometheus systemd pprof'
# shellcheck disable=SC2048 # words
for name in ${*:-$all}; do
	"do_$name"
done
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
