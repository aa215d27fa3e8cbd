# SPDX-License-Identifier: BSD-2-Clause
# A run as a chart: a line for each row, a mark for each allocator, on a
# logarithmic scale of time by plain jemalloc's.  Its colours follow the
# reader's light or dark setting.  Comes after summary.awk.

function x(ratio,    r) {
	r = ratio < least ? least : ratio > most ? most : ratio
	return left + (log(r) - log(least)) / (log(most) - log(least)) * wide
}

function text(class, at, y, anchor, s) {
	printf "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
	       class, at, y, anchor, s
}

# Shapes as well as colours tell who is who.
function mark(c, at, y) {
	if (c == "none")
		printf "<circle class=\"none\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", at, y
	else if (c == "glibc")
		printf "<path class=\"glibc\" d=\"M%.1f %.1fl4.5 8h-9z\"/>\n", at, y - 5
	else if (c == "mimalloc")
		printf "<path class=\"mimalloc\" d=\"M%.1f %.1fl4.5 4.5l-4.5 4.5l-4.5 -4.5z\"/>\n", at, y - 4.5
	else
		printf "<rect class=\"tcmalloc\" x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"/>\n", at - 3.5, y - 3.5
}

function line_of(label, class, y, r, g,    c, i, v) {
	text(class, left - 10, y + 4, "end", label)
	for (i = shown; i >= 1; i--) {
		c = show[i]
		v = g ? mean(g, c, "time") : time_ratio(r, c)
		mark(c, x(v), y)
		if (c == "none")
			text(class == "mean" ? "mean" : "value", left + wide + 50, y + 4, "end",
			     sprintf("%.2f", v))
	}
}

END {
	least = 0.4; most = 4
	left = 150; wide = 560; step = 17; top = 78
	shown = 0
	for (i = split("none glibc mimalloc tcmalloc", all); i >= 1; i--)
		if (has[all[i]])
			show[++shown] = all[i]
	for (i = 1; i <= int(shown / 2); i++) {
		c = show[i]; show[i] = show[shown + 1 - i]; show[shown + 1 - i] = c
	}
	high = top + step * (row_count + 2.4 * group_count) + 14

	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" ", left + wide + 64, high
	printf "aria-label=\"Time of each workload under memhook, glibc, mimalloc and tcmalloc, divided by plain jemalloc's\">\n"
	printf "<style>\n"
	printf "text { font: 12px sans-serif; fill: #24292f }\n"
	printf ".title { font-size: 15px; font-weight: bold } .mean, .group { font-weight: bold }\n"
	printf ".scale { fill: #57606a } .value { font-variant-numeric: tabular-nums }\n"
	printf ".paper { fill: #ffffff } .grid { stroke: #d0d7de } .one { stroke: #24292f; stroke-width: 1.5 }\n"
	printf ".none { fill: #0969da } .glibc { fill: #9a6700 } .mimalloc { fill: #8250df } .tcmalloc { fill: #1a7f37 }\n"
	printf "@media (prefers-color-scheme: dark) {\n"
	printf "text { fill: #e6edf3 } .scale { fill: #9198a1 } .paper { fill: #0d1117 }\n"
	printf ".grid { stroke: #30363d } .one { stroke: #e6edf3 }\n"
	printf ".none { fill: #58a6ff } .glibc { fill: #d29922 } .mimalloc { fill: #bc8cff } .tcmalloc { fill: #3fb950 }\n"
	printf "}\n</style>\n"
	printf "<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n"
	text("title", 16, 24, "start", "Time by plain jemalloc's: smaller is better")
	text("scale", left + wide + 50, 24, "end", "a mark at an edge lies beyond it")

	at = 16
	for (i = 1; i <= shown; i++) {
		mark(show[i], at + 5, 44)
		text("key", at + 15, 48, "start", show[i] == "none" ? "memhook, every byte counted" : show[i])
		at += show[i] == "none" ? 205 : 90
	}
	n = split("0.5 0.7 1 1.4 2 2.8 4", tick, " ")
	for (i = 1; i <= n; i++) {
		printf "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n",
		       tick[i] == 1 ? "one" : "grid", x(tick[i]), x(tick[i]), top - 4, high - 10
		text("scale", x(tick[i]), top - 8, "middle", tick[i])
	}

	y = top + 12
	for (g = 1; g <= group_count; g++) {
		text("group", 16, y + 4, "start", group[g])
		y += step
		for (i = 1; i <= row_count; i++) {
			if (group_of[row[i]] != group[g])
				continue
			line_of(row[i], "row", y, row[i], "")
			y += step
		}
		line_of("geometric mean", "mean", y, "", group[g])
		y += step * 1.4
	}
	printf "</svg>\n"
}
