#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Part of run.sh, which has looked whether there is a Prometheus: the real Prometheus scrapes memhook export and answers from
# it; promtool finds nothing to say about metrics, rule and alert; every query
# of the Grafana dashboard is one; a strict reader of OpenMetrics takes it all.
set -u
: "${MEMHOOK_TOOL:?}" "${SUBJECT:?}" "${top_srcdir:?}"
# shellcheck source-path=SCRIPTDIR/../..
. "$top_srcdir/tests/cli/subject.sh"
contrib=$top_srcdir/contrib

start
tell alloc db/cache 10 1000
tell alloc db/log 5 100
tell alloc 'quo"te\s' 2 11

check "rules" 0 'SUCCESS: 1 rules found' promtool check rules "$contrib/prometheus/memhook.rules.yml"
check "alert" 0 'SUCCESS' promtool test rules "$contrib/prometheus/memhook.test.yml"
"$m" export --once > "$work/metrics" || fail "--once"
promtool check metrics < "$work/metrics" > "$work/out" 2>&1 || fail "promtool check metrics"
lines 0 "promtool check metrics"
if /usr/bin/python3 -c 'import prometheus_client' 2> /dev/null; then
	"$m" export --once --format=openmetrics > "$work/metrics" || fail "--once"
	/usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
families = {f.name: f for f in read(sys.stdin.read())}
live = families["memhook_owner_live_bytes"]
assert live.type == "gauge" and live.unit == "bytes" and len(live.samples) > 3
assert families["memhook_process"].type == "info"' < "$work/metrics" > "$work/out" 2>&1 ||
		fail "the reader of python3-prometheus-client"
else
	fail "apt install python3-prometheus-client"
fi

watch "$m" export --listen=127.0.0.1:0
until_so grep -q http: "$work/err"
address=$(sed -n 's,.*http://\(.*\)/metrics,\1,p' "$work/err")
cat > "$work/prometheus.yml" <<END
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ "$(realpath "$contrib")/prometheus/memhook.rules.yml" ]
scrape_configs:
  - job_name: memhook
    static_configs: [ targets: [ "$address" ] ]
END
port=$((20000 + $$ % 20000))
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
	--web.listen-address=127.0.0.1:$port > "$work/prometheus.log" 2>&1 &
children+=($!)
ask() {
	promtool query instant "http://127.0.0.1:$port" "$1" > "$work/out" 2>&1
}
# says QUERY PATTERN
says() {
	ask "$1" && grep -Eq -- "$2" "$work/out"
}
up() {
	says 'up{job="memhook"}' '=> 1 @'
}
until_so up
up || tail -5 "$work/prometheus.log"
until_so says 'memhook_owner_live_bytes{owner="db/cache"}' "pid=\"$pid\".* => 10000 @"
until_so says "sum(memhook_owner_live_bytes{pid=\"$pid\"}) - sum(memhook_process_live_bytes{pid=\"$pid\"})" '=> 0 @'
until_so says "memhook_owner_live_blocks{pid=\"$pid\",owner=~\"quo.*\"}" 'owner="quo\\"te\\\\s".* => 2 @'
until_so says "count(memhook_owner_live_bytes{pid=\"$pid\"})" '=> 5 @'
tell alloc db/cache 5 1000
until_so says "increase(memhook_owner_allocated_bytes_total{owner=\"db/cache\"}[1m]) > 4000" db/cache
until_so says "memhook_exporter_processes_read" '=> [1-9]'
# that it is a counter it can only know from OpenMetrics' own type
cat > "$work/dashboard.py" <<'END'
import json, re, sys, urllib.parse, urllib.request

def get(path, **query):
    url = "http://127.0.0.1:%s/api/v1/%s?%s" % (sys.argv[1], path, urllib.parse.urlencode(query))
    with urllib.request.urlopen(url, timeout=60) as f:
        answer = json.load(f)
    assert answer["status"] == "success", answer
    return answer["data"]

meta = get("metadata")
assert meta["memhook_owner_allocated_bytes"][0]["type"] == "counter", meta
assert meta["memhook_owner_live_bytes"][0]["unit"] == "bytes"
target = get("targets")["activeTargets"][0]
assert target["health"] == "up" and not target["lastError"], target
rules = get("rules")["groups"][0]["rules"]
assert rules[0]["health"] == "ok", rules
dashboard = json.load(open(sys.argv[2]))
names = [v["name"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
queries = empty = 0
def fill(expr):
    # as Grafana does: a scrape a second, and what is on show
    expr = expr.replace("$__rate_interval", "1m").replace("$__range", "2s")
    for name in names:
        expr = expr.replace("$" + name, ".*")
    assert "$" not in expr, expr
    return expr
def found(what, result):
    global queries, empty
    queries += 1
    empty += not result
    if not result:
        print("empty:", what)
for v in dashboard["templating"]["list"]:
    if v["type"] == "query":
        match, label = re.fullmatch(r"label_values\((.*), (\w+)\)", v["query"]["query"]).groups()
        found(v["name"], get("label/%s/values" % label, **{"match[]": fill(match)}))
for panel in dashboard["panels"]:
    for t in panel.get("targets", []):
        expr = fill(t["expr"])
        found(expr, get("query", query=expr)["result"])
print(queries, "queries,", empty, "empty")
sys.exit(empty != 0 or queries < 15)
END
# Somebody grows, and by and by each query finds something.
# shellcheck disable=SC2317 # until_so calls it
dashboard() {
	tell alloc db/cache 1 1000
	/usr/bin/python3 "$work/dashboard.py" "$port" "$contrib/grafana/memhook.json" > "$work/out" 2>&1
}
until_so dashboard
dashboard || fail "the dashboard"
queries=$(tail -1 "$work/out")
kill "$reader"
watched
[ "$status" = 0 ] || fail "SIGTERM: exit status $status"
[ $failed = 0 ] && echo "the dashboard's $queries"
exit $failed
