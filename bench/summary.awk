# SPDX-License-Identifier: BSD-2-Clause
# From "GROUP ROW COLUMN NANOSECONDS KIB", a line for each run, to medians.  The
# files that come with this one, table, json and chart, say what becomes of them.
# The first column, plain jemalloc, is what the others are divided by.

BEGIN {
	row_count = split(rows, row)
	column_count = split(columns, column)
	for (i = 1; i <= column_count; i++)
		has[column[i]] = 1
}

{
	key = $2 SUBSEP $3
	group_of[$2] = $1
	if (!($1 in group_seen)) {
		group_seen[$1] = 1
		group[++group_count] = $1
	}
	taken[key]++
	time_run[key, taken[key]] = $4
	kib_run[key, taken[key]] = $5
}

# The middle one of runs[key, 1...n]; of an even number the two in the middle.
function median(runs, key,    n, i, k, v, sorted) {
	n = taken[key]
	for (i = 1; i <= n; i++) {
		v = runs[key, i]
		for (k = i - 1; k >= 1 && sorted[k] > v; k--)
			sorted[k + 1] = sorted[k]
		sorted[k + 1] = v
	}
	return (sorted[int((n + 1) / 2)] + sorted[int(n / 2) + 1]) / 2
}

function nanoseconds(r, c) { return median(time_run, r SUBSEP c) }
function kib(r, c) { return median(kib_run, r SUBSEP c) }
function time_ratio(r, c) { return nanoseconds(r, c) / nanoseconds(r, column[1]) }
function kib_ratio(r, c) { return kib(r, c) / kib(r, column[1]) }

# Geometric mean over the rows of a group; kind: "time" or "kib".
function mean(g, c, kind,    i, n, sum) {
	for (i = 1; i <= row_count; i++) {
		if (group_of[row[i]] != g)
			continue
		n++
		sum += log(kind == "time" ? time_ratio(row[i], c) : kib_ratio(row[i], c))
	}
	return exp(sum / n)
}

# How far plain jemalloc's own runs lie apart: half of them are within it.
function spread(r,    key, n, i, m, v, away) {
	key = r SUBSEP column[1]
	n = taken[key]
	m = median(time_run, key)
	for (i = 1; i <= n; i++) {
		v = time_run[key, i] - m
		spread_run[key, i] = v < 0 ? -v : v
	}
	return median(spread_run, key) / m
}

# Time with all threads by time with one, where a row is there with both; 0: not.
function scaling(r, c,    base) {
	base = r
	if (!sub(":" threads "$", ":1", base) || !(base in group_of))
		return 0
	return nanoseconds(r, c) / nanoseconds(base, c)
}
