# SPDX-License-Identifier: BSD-2-Clause
# A run for programs.  Comes after summary.awk.

function quoted(s) {
	gsub(/["\\]/, "", s)
	return "\"" s "\""
}

function list(words,    n, i, word, out) {
	n = split(words, word)
	for (i = 1; i <= n; i++)
		out = out (i > 1 ? "," : "") quoted(word[i])
	return "[" out "]"
}

# kind: what by_column() gives for each column
function value(kind, r, c) {
	if (kind == "time")
		return sprintf("%.4f", time_ratio(r, c))
	if (kind == "rss")
		return sprintf("%.4f", kib_ratio(r, c))
	if (kind == "scaling")
		return sprintf("%.4f", scaling(r, c))
	return sprintf("%.4f", mean(r, c, kind == "mean_time" ? "time" : "kib"))
}

function by_column(kind, r,    c, out) {
	for (c = 1; c <= column_count; c++)
		out = out (c > 1 ? "," : "") quoted(column[c]) ":" value(kind, r, column[c])
	return "{" out "}"
}

END {
	printf "{\"schema\":\"memhook-bench/1\",\"rounds\":%d,\"threads\":%d,\"machine\":%s,\n", rounds, threads, quoted(machine)
	printf " \"unit\":\"median, divided by that of plain jemalloc\",\n"
	printf " \"columns\":%s,\"missing\":%s,\n \"rows\":[", list(columns), list(missing)
	for (i = 1; i <= row_count; i++) {
		r = row[i]
		printf "%s\n  {\"row\":%s,\"group\":%s,\"jemalloc_ns\":%d,\"jemalloc_kib\":%d,\"spread\":%.4f,",
		       (i > 1 ? "," : ""), quoted(r), quoted(group_of[r]),
		       nanoseconds(r, "jemalloc"), kib(r, "jemalloc"), spread(r)
		printf "\n   \"time\":%s,\n   \"rss\":%s", by_column("time", r), by_column("rss", r)
		if (scaling(r, "jemalloc"))
			printf ",\n   \"threads_by_one\":%s", by_column("scaling", r)
		printf "}"
	}
	printf "],\n \"geometric_mean\":{"
	for (g = 1; g <= group_count; g++)
		printf "%s\n  %s:{\"time\":%s,\n   \"rss\":%s}", (g > 1 ? "," : ""), quoted(group[g]),
		       by_column("mean_time", group[g]), by_column("mean_rss", group[g])
	printf "},\n \"instructions\":{"
	while ((getline line < counts) > 0) {
		n = split(line, field, "\t")
		if (field[1] == "bytes") {
			split(line, name, "\t")
			continue
		}
		printf "%s\n  %s:{", (lines++ ? "," : ""), quoted(field[1])
		for (i = 2; i <= n; i++)
			printf "%s%s:%s", (i > 2 ? "," : ""), quoted(name[i]), field[i]
		printf "}"
	}
	printf "}}\n"
}
