#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook report: what the page is made of, names that would be markup, spoiled
# recordings; and that nothing is loaded.  How it looks and behaves in a browser:
# tests/real/report.sh.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"

# made FILE CODE: CODE prints lines, with report(ms, {name: bytes}) and delta()
made() {
	python3 - "$2" <<'END' > "$work/$1" || fail "$1 could not be made"
import json, sys
SEVEN = ["live_bytes", "live_blocks", "peak_bytes", "alloc_bytes", "alloc_calls",
         "free_bytes", "free_calls"]
def numbers(n):
    return dict(zip(SEVEN, [n, 1, n, 2 * n, 2, n, 1]))
def report(ms, owners, pid=7, by="none", **more):
    rows = [{"id": i, "name": name, "kind": "named", "state": "active", **numbers(n)}
            for i, (name, n) in enumerate(owners.items())]
    totals = {k: sum(r[k] for r in rows) for k in SEVEN}
    return {"schema": "memhook/1", "pid": pid, "ppid": 1, "command": "made",
            "mode": "jemalloc", "by": by, "time_unix_ms": 10 ** 12 + ms, "uptime_ms": ms,
            "consistent": True, "exact": True, "mismatched": 0, "foreign_ignored": 0,
            "unseen_calls": 0, "unseen_bytes": 0, "totals": totals, "owners": rows,
            "process": {"rss_bytes": 5 * totals["live_bytes"], "max_rss_bytes": 0,
                        "cookie_bytes": 16 * len(rows), "memhook_bytes": 9}, **more}
def delta(since, ms, pid=7, **changes):
    return {"schema": "memhook-delta/1", "pid": pid, "since_unix_ms": 10 ** 12 + since,
            "time_unix_ms": 10 ** 12 + ms, "uptime_ms": ms, **changes}
def line(o):
    print(json.dumps(o))
exec(sys.argv[1])
END
}
# page NAME EXPRESSION: of the last page, as `page`, and its data, as `data`
page() {
	python3 - "$work/page.html" "$2" <<'END' > "$work/out" 2>&1 || fail "$1: not so: $2"
import base64, hashlib, html.parser, json, re, sys
page = open(sys.argv[1], encoding="utf-8").read()
class Parts(html.parser.HTMLParser):
    """The elements, and the texts of scripts and styles, as a browser sees them."""
    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.tags, self.texts, self.open = [], [], None
        self.feed(page)
        self.close()
    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open = len(self.texts) if tag in ("script", "style") else None
        if self.open is not None:
            self.texts.append([tag, dict(attributes), ""])
    def handle_endtag(self, tag):
        self.open = None
    def handle_data(self, text):
        if self.open is not None:
            self.texts[self.open][2] += text
parts = Parts()
blocks = [t for t in parts.texts if t[1].get("type") == "application/json"]
assert len(blocks) == 1, "there is no one block of data"
data = json.loads(blocks[0][2])
def hashes(tag):
    return ["'sha256-" + base64.b64encode(hashlib.sha256(t[2].encode()).digest()).decode() + "'"
            for t in parts.texts if t[0] == tag and "type" not in t[1]]
def policy():
    (content,) = [a["content"] for t, a in parts.tags
                  if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    return dict((d.split()[0], d.split()[1:]) for d in content.split(";"))
def names(run=-1):
    return [o["name"] for o in data["runs"][run]["owners"]]
def at(steps, moment):
    value = 0
    for m, v in zip(steps[::2], steps[1::2]):
        if m <= moment:
            value = v
    return value
def live(moment, run=-1):
    return {o["name"]: at(o["live"], moment) for o in data["runs"][run]["owners"]}
def total(moment, run=-1):
    return sum(live(moment, run).values())
result = eval("(" + sys.argv[2] + ")")
if not result: print(data)
sys.exit(not result)
END
}
# makes NAME FILE [STATUS PATTERN]: the page of it
makes() {
	local got
	rm -f "$work/page.html"
	"$m" report -o "$work/page.html" "$work/$2" > "$work/out" 2>&1
	got=$?
	[ $got = "${3:-0}" ] || fail "$1: exit status $got"
	[ -z "${4:-}" ] || grep -Eq -- "$4" "$work/out" || fail "$1: not '$4'"
}
says_nothing() {
	[ ! -s "$work/out" ] || fail "$1: it said something"
}

check "help" 0 'Usage: memhook report' "$m" report --help
narrow "help"
check "no recording" 2 'which recording' "$m" report
check "two recordings" 2 'one recording' "$m" report a b
check "no such file" 1 'No such file' "$m" report -o "$work/page.html" "$work/none"
[ ! -e "$work/page.html" ] || fail "a page of nothing"

# A recording, and that the page is alone in the world.
made ok 'line(report(1000, {"db/cache": 100, "db/log": 5}))
line(delta(1000, 2000, owners={"0": {"live_bytes": 300, "peak_bytes": 300}},
           totals={"live_bytes": 305}, process={"rss_bytes": 77}))
line(delta(2000, 3000, owners={"1": None, "2": {**report(0, {"new": 8})["owners"][0], "id": 2}}))'
makes "a recording" ok
says_nothing "a recording"
page "numbers" 'live(0) == {"db/cache": 100, "db/log": 5, "new": 0}'
page "numbers" 'live(1) == {"db/cache": 300, "db/log": 5, "new": 0}'
page "numbers" 'live(2) == {"db/cache": 300, "db/log": 0, "new": 8}'
page "the process" '[m["process"]["rss_bytes"] for m in data["runs"][0]["moments"]] == [525, 77, 77]'
page "the process" 'data["runs"][0]["moments"][2]["process"]["memhook_bytes"] == 9'
page "one run" '[r["reports"] for r in data["runs"]] == [3] and data["spoiled"] == 0'
page "policy" 'policy()["default-src"] == ["\x27none\x27"]'
page "policy" 'len(hashes("script")) == 2 and policy()["script-src"] == hashes("script")'
page "policy" 'policy()["style-src"] == hashes("style") and "connect-src" not in policy()'
page "nothing is loaded" 'not any(key in ("src", "href", "srcset", "data", "action", "style",
	"background", "poster") or key.startswith("on")
	for tag, attributes in parts.tags for key in attributes)'
page "nothing is loaded" 'not any(tag in ("link", "base", "iframe", "object", "embed", "img")
	for tag, attributes in parts.tags)'
page "nothing is loaded" 'not re.search(r"url\(|@import", parts.texts[0][2])'
page "nothing is loaded" 'not re.search(r"fetch\(|XMLHttp|import\(|innerHTML|\beval\(|\.html\(|https?:",
	[t[2] for t in parts.texts if t[0] == "script" and "type" not in t[1]][1])'
page "D3 and its licences" 'all(t in page for t in ("Mike Bostock", "Redistributions in binary form",
	"Vladimir Agafonkin", "this permission notice appear in all copies", "Raymond Hill", "Cynthia Brewer"))'
cp "$work/page.html" "$work/plain.html"

# Names that would be markup.
made evil 'for ms in 1000, 2000:
    line(report(ms, {"</script><script>alert(1)</script>": 50, "<!--<script>": 40,
        "<img src=x onerror=alert(1)>": 30, "\" onload=\"x": 20, "\u2028\u202e": 10,
        "__proto__": 9, "@DATA@": 8, "@SCRIPT@": 7, "&lt;b&gt;": 6}))'
makes "evil names" evil
page "evil names" 'names() == ["</script><script>alert(1)</script>", "<!--<script>",
	"<img src=x onerror=alert(1)>", "\" onload=\"x", "\u2028\u202e", "__proto__", "@DATA@",
	"@SCRIPT@", "&lt;b&gt;"]'
page "evil names" '"<" not in blocks[0][2]'
page "evil names" "sorted(t[0] for t in parts.tags) ==
	sorted(t[0] for t in (globals().update(page=open('$work/plain.html').read()) or Parts()).tags)"
mv "$work/evil" "$work/<script>alert(2)"
makes "an evil file" '<script>alert(2)'
page "an evil file" 'data["file"] == "<script>alert(2)" and "<script>alert" not in page'

# What memhook wrote by other means.
start
tell alloc db/cache 10 1000
"$m" stat -f json -o "$work/stat.json" "$pid"
"$m" stat -f json -i 0.02 -c 3 -o "$work/lines.json" "$pid"
stop
makes "a single report" stat.json
page "a single report" 'live(0)["db/cache"] == 10000 and len(data["runs"][0]["moments"]) == 1'
makes "stat --interval" lines.json
page "stat --interval" 'live(2)["db/cache"] == 10000 and data["runs"][0]["reports"] == 3'
"$m" run --interval=0.02 -o "$work/run.json" -- bash -c 'for i in {1..50}; do read -t 0.01; done < <(:); sleep 0.2'
makes "run --interval" run.json
page "run --interval" 'data["runs"][0]["exit"] == {"code": 0} and data["runs"][0]["reports"] > 1'
check "standard input" 0 '<!DOCTYPE html>' sh -c "'$m' report - < '$work/ok' | head -1"

# Several runs in one file; owners of one name are one.
made runs 'line(report(1000, {"a": 1})); line(report(1000, {"b": 2}, pid=8))
two = report(2000, {"b": 2, "c": 3}, pid=8)
two["owners"][1]["name"] = "b"
line(two)'
makes "two runs" runs
page "two runs" '[r["pid"] for r in data["runs"]] == [7, 8] and live(0, 0) == {"a": 1}'
page "two of one name" 'live(0, 1) == {"b": 2} and live(1, 1) == {"b": 5}'

# The workers of a run: each by itself, and all processes together.
made workers 'def worker(pid, ms, owners, state="running"):
    w = {**report(ms, owners, pid), "command": "child", "state": state, "uptime_ms": ms - 500}
    w["owners"][0]["kind"] = "site"
    return w
line(report(1000, {"m": 10}, workers=[]))
line(report(2000, {"m": 10}, workers=[worker(11, 2000, {"x": 5, "y": 6})]))
line(delta(2000, 3000, workers={"11": {"time_unix_ms": 10 ** 12 + 3000, "uptime_ms": 2500,
    "totals": {"live_bytes": 40}, "owners": {"0": {"live_bytes": 34}}},
    "12": {**worker(12, 3000, {"z": 100}),
           "owners": {"0": worker(12, 3000, {"z": 100})["owners"][0]}}}))
named = worker(11, 4000, {"x": 70, "y": 70}, "ended")
named["owners"][0].update(function="f", file="a.c", line=3)
line(report(4000, {"m": 1}, workers=[named, worker(12, 4000, {"z": 1}, "gone"),
    worker(13, 4000, {"w": 8}, "ended"), {"no": "report"}], exit={"code": 0}))'
makes "workers" workers
says_nothing "workers"
page "workers" '[(r["role"], r["pid"]) for r in data["runs"]] ==
	[("all", 7), ("main", 7), ("worker", 12), ("worker", 11), ("worker", 13)]'
page "all processes" '[live(i, 0) for i in range(4)] == [
	{"made (pid 7)": m, "child (pid 11)": a, "child (pid 12)": b, "child (pid 13)": 0}
	for m, a, b in ((10, 0, 0), (10, 11, 0), (10, 40, 100), (1, 0, 0))]'
page "all processes" '{o["kind"] for o in data["runs"][0]["owners"]} == {"process"}'
page "the main one" '[live(i, 1) for i in range(4)] == [{"m": n} for n in (10, 10, 10, 1)]
	and data["runs"][1]["workers"] == 3 and data["runs"][1]["exit"] == {"code": 0}'
page "a worker" '[live(i, 3) for i in range(2)] == [{"f (a.c:3)": 5, "y": 6}, {"f (a.c:3)": 34, "y": 6}]
	and len(data["runs"][3]["moments"]) == 2'
page "a worker" '[m["process"]["rss_bytes"] for m in data["runs"][3]["moments"]] == [55, 55]'
page "one that no snapshot saw" 'live(0, 4) == {"w": 8} and len(data["runs"][4]["moments"]) == 1'
made single 'line({**report(9, {"m": 10}), "exit": {"code": 0}, "workers": [
    {**report(9, {"x": 5}, pid=8), "state": "ended"}]})'
makes "a report with workers" single
page "a report with workers" 'live(0, 0) == {"made (pid 7)": 10, "made (pid 8)": 5}'
made crowd 'line(report(1, {"m": 1}, workers=[{**report(1, {"x": 9 + i}, pid=10 + i),
    "state": "running"} for i in range(500)]))'
makes "many workers" crowd
page "many workers" 'len(data["runs"]) == 102 and data["runs"][1]["workers"] == 500
	and data["runs"][2]["pid"] == 509 and total(0, 0) == 1 + sum(range(9, 509))'

# More than a page can show: it still adds up.
made many 'line(report(1000, {f"o{i}": 1000 + i for i in range(1000)}))
line(report(2000, {f"o{i}": 2000 - i for i in range(1000)}))'
makes "many owners" many
page "many owners" 'len(names()) == 401 and data["runs"][0]["owners"][-1]["others"] == 600'
page "many owners" 'total(0) == sum(1000 + i for i in range(1000))'
page "many owners" 'total(1) == sum(2000 - i for i in range(1000))'
made often 'for i in range(3001):
    line(report(1000 + i, {"up": i, "even": i // 2 * 2, "late": i > 2998 and 5 or 0}))'
makes "many moments" often
page "many moments" 'data["runs"][0]["reports"] == 3001 and data["runs"][0]["stride"] == 8'
page "many moments" '360 <= len(data["runs"][0]["moments"]) <= 721'
page "many moments" 'all(live(n)["up"] == m["time"] - 10**12 - 1000 and live(n)["even"] ==
	live(n)["up"] // 2 * 2 for n, m in enumerate(data["runs"][0]["moments"]))'
page "the last one" 'live(len(data["runs"][0]["moments"]) - 1) == {"up": 3000, "even": 3000, "late": 5}'

# Cut off anywhere: what is before is there, and something is said unless it
# was between two lines.
size=$(wc -c < "$work/ok")
first=$(head -1 "$work/ok" | wc -c)
for cut in 1 100 $((first - 2)) $((first + 1)) $((first + 50)) $((size - 2)); do
	head -c "$cut" "$work/ok" > "$work/cut"
	if [ "$cut" -lt $((first - 1)) ]; then
		makes "cut at $cut" cut 1 'nothing in it to show: .* ends in the middle'
		[ ! -e "$work/page.html" ] || fail "cut at $cut: a page"
	else
		makes "cut at $cut" cut 0 '1 place left out: it ends in the middle'
		page "cut at $cut" 'live(0)["db/cache"] == 100 and data["spoiled"] == 1'
	fi
done

# Spoiled in the middle: lost is what builds on it, up to the next whole one.
made spoiled 'line(report(1000, {"a": 1}))
line(delta(1000, 2000, owners={"0": {"live_bytes": 2}}))
print("{\"schema\":\"memhook-delta/1\",\"pid\":7,\"own")
line(delta(3000, 4000, owners={"0": {"live_bytes": 4}}))
line(report(5000, {"a": 5})); print("\0\0\0"); print("[1,2]"); print("null"); print("\xff")
line(delta(4000, 6000, owners={"0": {"live_bytes": 6}}))
line(report(7000, {"a": 7})); line(delta(7000, 8000, pid=9)); line(report(9000, {"a": 9}))
line(delta(9000, 9500, owners={"0": {"live_bytes": -1}}))
line(delta(9500, 9600, owners={"0": {"live_bytes": 1}})); line(report(9700, {"a": 10}))'
makes "spoiled" spoiled 0 '10 places left out'
page "spoiled" '[total(i) for i in range(len(data["runs"][0]["moments"]))] == [1, 2, 5, 7, 9, 10]'

# Nothing of it is a report: one line, and no page.
printf '' > "$work/empty"
head -c 100000 /dev/urandom > "$work/noise"
printf '{}\n{"schema":"memhook/2"}\n' > "$work/other"
python3 -c 'print("[" * 100000)' > "$work/deep"
python3 -c 'print("{\"a\":" * 100000)' > "$work/deeper"
made first 'line(delta(1000, 2000, owners={"0": {"live_bytes": 2}}))'
made owners 'r = report(1000, {"a": 1}); r["owners"] = {"0": r["owners"][0]}; line(r)'
made number 'r = report(1000, {"a": 1}); r["owners"][0]["live_bytes"] = 2 ** 70; line(r)'
for bad in empty noise other deep deeper first owners number; do
	makes "$bad" "$bad" 1 'nothing in it to show: '
	lines 1 "$bad"
	[ ! -e "$work/page.html" ] || fail "$bad: a page"
done
made patches 'line(report(1000, {"a": 1})); line(delta(1000, 2000, owners=5))
line(report(3000, {"a": 1})); line(delta(3000, 4000, owners={"0": None, "1": 5}))
line(report(5000, {"a": 1})); line(delta(5000, 6000, totals=None))
line(report(7000, {"a": 1})); line(delta(7000, 8000, process=[1], owners={"0": {"name": "b"}}))'
makes "patches" patches 0 '3 places left out'
page "patches" 'live(4) == {"a": 0, "b": 1}'

# Where the page goes.
check "itself" 2 'would overwrite it' "$m" report -o "$work/ok" "$work/ok"
[ "$(wc -c < "$work/ok")" = "$size" ] || fail "the recording is gone"
check "full" 1 'No space' "$m" report -o /dev/full "$work/ok"
check "a folder" 1 'cannot write' "$m" report -o "$work" "$work/ok"
exit $failed
