# SPDX-License-Identifier: BSD-2-Clause
"""pprof.py REPORT PROFILE: does a profile, as protoc --decode writes it, say what
the report in JSON does?  "live" as the third argument: with addresses, too."""
import collections
import json
import os
import re
import sys


def parse(lines):
    """A message: lists by the name of the field."""
    message = collections.defaultdict(list)
    for line in lines:
        line = line.strip()
        if line == "}":
            break
        if line.endswith("{"):
            message[line[:-2]].append(parse(lines))
            continue
        name, value = line.split(": ", 1)
        message[name].append(json.loads(value))  # a number, a string, true
    return message


def one(message, field):
    return message[field][0] if message[field] else 0


report = json.load(open(sys.argv[1]))
profile = parse(iter(open(sys.argv[2])))
live = sys.argv[3:] == ["live"]
strings = profile["string_table"]
failed = 0


def check(what, have, want):
    global failed
    if have != want:
        print("FAIL: %s: %s, not %s" % (what, have, want))
        failed = 1


def text(message, field):
    return strings[one(message, field)]


def by_id(field):
    table = {one(m, "id"): m for m in profile[field]}
    check("identifiers of " + field, sorted(table), list(range(1, len(table) + 1)))
    check("how many of " + field, len(table), len(profile[field]))
    return table


mappings, locations, functions = map(by_id, ("mapping", "location", "function"))
check("the first string", strings[0], "")
check("no string twice", len(set(strings)), len(strings))
check("sample types",
      [(text(t, "type"), text(t, "unit")) for t in profile["sample_type"]],
      [("alloc_objects", "count"), ("alloc_space", "bytes"),
       ("inuse_objects", "count"), ("inuse_space", "bytes")])
check("default", strings[one(profile, "default_sample_type")], "inuse_space")
check("time", one(profile, "time_nanos") // 10**9 >= report["time_unix_ms"] // 1000, True)
check("period", (one(profile, "period"), text(one(profile, "period_type"), "unit")),
      (1, "bytes"))
check("comment", re.search(r"pid (\d+)", strings[profile["comment"][0]]).group(1),
      str(report["pid"]))
first = text(profile["mapping"][0], "filename")
check("the first mapping", os.path.basename(first), report["command"])
processes = [report] + report.get("workers", [])
check("samples", len(profile["sample"]), sum(len(r["owners"]) for r in processes))
found = {}
for sample in profile["sample"]:
    at = locations[one(sample, "location_id")]
    line = one(at, "line")
    function = functions[one(line, "function_id")]
    mapping = mappings.get(one(at, "mapping_id"), collections.defaultdict(list))
    labels = {text(m, "key"): text(m, "str") for m in sample["label"]}
    check("values", len(sample["value"]), 4)
    if mapping:
        start, end = one(mapping, "memory_start"), one(mapping, "memory_limit")
        check("inside of its mapping", start <= one(at, "address") < end, True)
        check("has a bias", start > 0, live)
    offset = one(at, "address") - one(mapping, "memory_start")
    found[labels.get("pid"), text(function, "name"), one(line, "line"), offset] = (
        tuple(sample["value"]), text(function, "filename"), text(mapping, "filename"),
        text(mapping, "build_id"), labels.get("library"), labels.get("state"))
counts = "alloc_calls", "alloc_bytes", "live_blocks", "live_bytes"
for r in processes:
    pid = str(r["pid"]) if len(processes) > 1 else None
    for o in r["owners"]:
        site = o["kind"] == "site"
        want = (tuple(o[k] for k in counts), o.get("file", "") if site else "",
                o.get("object", ""), o.get("build_id", ""),
                os.path.basename(o["object"]) if "object" in o else None,
                "retired" if o["state"] == "retired" else None)
        name = o.get("function", o["name"]) if site else o["name"]
        key = pid, name, o.get("line", 0) if site else 0, o.get("offset", 0)
        check("owner " + o["name"], found.get(key), want)
sys.exit(failed)
