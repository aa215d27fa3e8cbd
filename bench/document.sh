#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Put what was measured into a document, between the lines that name the file:
#
#     document.sh DOCUMENT FILE...
#
#     <!-- FILE -->
#     ...
#     <!-- end -->
set -eu
[ $# -ge 2 ] || { echo "usage: document.sh DOCUMENT FILE..." >&2; exit 2; }
document=$1
shift
new=$(mktemp)
trap 'rm -f "$new"' EXIT
for file; do
	awk -v file="$file" '
		$0 == "<!-- " file " -->" {
			print
			print ""
			while ((got = getline line < file) > 0) {
				line = "    " line
				sub(/ +$/, "", line)
				print line
			}
			if (got < 0)
				exit failed = 1
			print ""
			inside = found = 1
		}
		$0 == "<!-- end -->" { inside = 0 }
		!inside
		END { exit failed || !found || inside }' "$document" > "$new" ||
		{ echo "$document: no place for $file, or no such file" >&2; exit 1; }
	cp "$new" "$document"
done
