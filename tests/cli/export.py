#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A strict reader of both formats, and what export.sh asks of it.

    export.py FILE text|openmetrics EXPRESSION...
    export.py FILE text|openmetrics --same STAT.json
    export.py http://ADDR:PORT

An expression sees `v(name, **labels)`, one value; `sum_of(name, **labels)`;
`rows(name, **labels)`, the labels of each; `names`.
"""
import http.client
import json
import re
import sys
import urllib.parse

SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')
SUFFIX = {"counter": "_total", "info": "_info", "gauge": ""}


def read_labels(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, "bad labels: " + text
        assert found[1] not in labels, "a label twice: " + text
        labels[found[1]] = re.sub(
            r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])
        at = found.end()
    return labels


class Metrics:
    """What a scrape says, after all that must hold for any was checked."""

    def __init__(self, data, openmetrics):
        text = data.decode("utf-8")  # strictly
        assert text.endswith("\n"), "the last line has no end"
        lines = text[:-1].split("\n")
        if openmetrics:
            assert lines.pop() == "# EOF", "no # EOF at the end"
        assert "# EOF" not in lines
        self.samples, self.openmetrics = {}, openmetrics
        self.family, self.families = None, {}
        for line in lines:
            if line.startswith("# "):
                self.metadata(*line[2:].split(" ", 2))
            else:
                self.sample(line)
        assert self.samples
        self.names = {name for name, _ in self.samples}
        for name, f in self.families.items():
            assert "TYPE" in f and f.get("HELP"), name + " lacks TYPE or HELP"

    def metadata(self, what, name, value):
        if name != self.family:
            assert name not in self.families, name + ": in two places"
            assert what == "TYPE", name + ": TYPE is not the first"
            self.family = name
            self.families[name] = {}
        f = self.families[name]
        assert what in ("TYPE", "HELP", "UNIT") and what not in f, what + " of " + name
        f[what] = value
        if what == "TYPE":
            assert value in SUFFIX and (self.openmetrics or value != "info"), value
        if what == "UNIT":
            assert self.openmetrics and name.endswith("_" + value), name
        if what == "HELP":
            assert '"' not in value and "\\" not in value, value

    def sample(self, line):
        found = SAMPLE.fullmatch(line)
        assert found, "bad line: " + line
        name, labels = found[1], read_labels(found[2] or "")
        kind = self.families[self.family]["TYPE"]
        suffix = SUFFIX[kind] if self.openmetrics else ""
        assert name == self.family + suffix, name + " in " + self.family
        assert kind != "counter" or name.endswith("_total"), name
        if kind == "gauge":
            assert not name.endswith("_total"), name
        key = name, tuple(sorted(labels.items()))
        assert key not in self.samples, "twice: " + line
        number = float(found[3]) if "." in found[3] else int(found[3])
        assert number >= 0 or name == "memhook_process_resident_part_bytes", line
        self.samples[key] = number

    def found(self, name, labels):
        wanted = set((k, str(x)) for k, x in labels.items())
        return [(dict(k[1]), x) for k, x in self.samples.items()
                if k[0] == name and wanted <= set(k[1])]

    def v(self, name, **labels):
        found = self.found(name, labels)
        assert len(found) == 1, (name, labels, found)
        return found[0][1]

    def sum_of(self, name, **labels):
        return sum(x for _, x in self.found(name, labels))

    def rows(self, name, **labels):
        return [row for row, _ in self.found(name, labels)]


SEVEN = {"live_bytes": "live_bytes", "live_blocks": "live_blocks",
         "peak_bytes": "peak_bytes", "alloc_bytes": "allocated_bytes_total",
         "alloc_calls": "allocations_total", "free_bytes": "freed_bytes_total",
         "free_calls": "frees_total"}


def same(m, stat):
    """Every number of a report of a process at rest."""
    pid, owners = stat["pid"], {}
    for o in stat["owners"]:
        owners.setdefault((o["name"], o["kind"]), []).append(o)
    for (name, kind), group in owners.items():
        for key, metric in SEVEN.items():
            got = m.v("memhook_owner_" + metric, pid=pid, owner=name, kind=kind)
            assert got == sum(o[key] for o in group), (name, key, got)
    for key, metric in SEVEN.items():
        assert m.v("memhook_process_" + metric, pid=pid) == stat["totals"][key], key
        if key != "peak_bytes":
            assert m.sum_of("memhook_owner_" + metric, pid=pid) == stat["totals"][key]
    published = stat["process"]["allocator_time_ms"] != 0
    for key in ("cookie", "memhook", "allocator_allocated", "allocator_active",
                "allocator_resident", "allocator_metadata", "allocator_cached",
                "allocator_quarantine", "allocator_dirty"):
        if key.startswith("allocator") and not published:
            assert not m.rows("memhook_process_%s_bytes" % key, pid=pid), key
            continue
        got = m.v("memhook_process_%s_bytes" % key, pid=pid)
        assert got == stat["process"][key + "_bytes"], (key, got)
    assert m.v("memhook_process_info", pid=pid, by=stat["by"], mode=stat["mode"]) == 1
    assert len(m.rows("memhook_owner_live_bytes", pid=pid)) == len(owners) + 1


TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
              "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
ACCEPTED = [
    (None, TEXT), ("*/*", TEXT), ("text/html", TEXT), ("", TEXT), (",;,=", TEXT),
    (PROMETHEUS, OPEN), ("application/openmetrics-text", OPEN),
    ("APPLICATION/openmetrics-text ; version=\"1.0.0\" , */*;q=0.1", OPEN),
    ("application/openmetrics-text; version=0.0.1, text/plain;q=0.5", TEXT),
    ("application/openmetrics-text; q=0", TEXT),
    ("text/plain, application/openmetrics-text; q=0.5", TEXT),
    ("text/plain;q=0.5,application/openmetrics-text;q=0.5", OPEN),
    ("application/openmetrics-textual", TEXT),
]


def ask(server, method="GET", path="/metrics", accept=None, body=None):
    server.request(method, path, body, {} if accept is None else {"Accept": accept})
    answer = server.getresponse()
    return answer, answer.read()


def over_http(url):
    where = urllib.parse.urlsplit(url)
    server = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    for accept, expected in ACCEPTED:
        answer, data = ask(server, accept=accept)
        assert answer.status == 200
        got = answer.getheader("Content-Type")
        assert got == expected, (accept, got)
        m = Metrics(data, expected == OPEN)
        assert m.v("memhook_exporter_processes_read") > 0
    before = m.v("memhook_exporter_scrapes_total")
    answer, data = ask(server, "HEAD", accept=PROMETHEUS)
    assert answer.status == 200 and data == b"", data[:50]
    assert int(answer.getheader("Content-Length")) > 1000
    assert answer.getheader("Content-Type") == OPEN
    answer, data = ask(server, path="/metrics?name=x")
    assert answer.status == 200
    assert Metrics(data, False).v("memhook_exporter_scrapes_total") == before + 2
    answer, data = ask(server, path="/metric")
    assert answer.status == 404 and b"/metrics" in data, data
    answer, data = ask(server, path="/")
    assert answer.status == 200 and b'href="metrics"' in data, data
    answer, data = ask(server, "POST", body=b"x" * 100000)
    assert answer.status == 405 and answer.getheader("Allow") == "GET, HEAD"
    answer, data = ask(server)
    assert answer.status == 200


def main():
    if sys.argv[1].startswith("http:"):
        over_http(sys.argv[1])
        return 0
    with open(sys.argv[1], "rb") as f:
        m = Metrics(f.read(), sys.argv[2] == "openmetrics")
    if len(sys.argv) == 5 and sys.argv[3] == "--same":
        with open(sys.argv[4], encoding="utf-8") as f:
            same(m, json.load(f))
        return 0
    seen = {"v": m.v, "sum_of": m.sum_of, "rows": m.rows, "names": m.names}
    for expression in sys.argv[3:]:
        assert eval("(" + expression + ")", seen), "not so: " + expression
    return 0


sys.exit(main())
