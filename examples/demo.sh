#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make demo: who owns the memory of python3 while it runs SQLite and Debian's
# apt (a C++ library) inside one process?
set -eu
memhook=${1:?the tool}
python=/usr/bin/python3
[ -x "$python" ] || { echo "demo: apt install python3 python3-apt" >&2; exit 1; }

exec "$memhook" run --by=library -- "$python" -c '
import json, sqlite3, apt_pkg
apt_pkg.init()
versions = [str(v) + "." + str(v * 7 % 97) for v in range(20000)]
import functools
versions.sort(key=functools.cmp_to_key(apt_pkg.version_compare))
db = sqlite3.connect(":memory:")
db.execute("create table package (name text primary key, version text, size int)")
db.executemany("insert into package values (?, ?, ?)",
	((f"package-{i}", v, len(v) * i) for i, v in enumerate(versions)))
rows = db.execute("select name, version, size from package order by size").fetchall()
text = json.dumps(rows)
print(len(rows), "packages,", len(text), "bytes of JSON")
'
