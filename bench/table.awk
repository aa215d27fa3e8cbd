# SPDX-License-Identifier: BSD-2-Clause
# The tables of a run, for people: times, what is above 1.00, memory, scaling,
# instructions.  Comes after summary.awk.

function heading(title, unit,    c) {
	printf "%-18s %9s", title, unit
	for (c = 2; c <= column_count; c++)
		printf " %8s", column[c]
	printf "\n"
}

function times(    g, i, c, r) {
	heading("time", "jemalloc")
	for (g = 1; g <= group_count; g++) {
		printf "%s\n", group[g]
		for (i = 1; i <= row_count; i++) {
			r = row[i]
			if (group_of[r] != group[g])
				continue
			printf "  %-16s %6.1f ms", r, nanoseconds(r, "jemalloc") / 1e6
			for (c = 2; c <= column_count; c++)
				printf " %8.3f", time_ratio(r, column[c])
			printf "\n"
		}
		printf "  %-16s %9s", "geometric mean", ""
		for (c = 2; c <= column_count; c++)
			printf " %8.3f", mean(group[g], column[c], "time")
		printf "\n"
	}
}

# Small programs are their files and libraries: nothing to compare.
function memory(    i, c, r, n, sum) {
	heading("peak resident", "jemalloc")
	for (i = 1; i <= row_count; i++) {
		r = row[i]
		if (kib(r, "jemalloc") < 16384)
			continue
		printf "  %-16s %5.1f MiB", r, kib(r, "jemalloc") / 1024
		for (c = 2; c <= column_count; c++)
			printf " %8.3f", kib_ratio(r, column[c])
		printf "\n"
	}
	if (!has["larger"] || !has["none"])
		return
	printf "\nThe floor is jemalloc with 16 bytes more for each block (\"larger\").\n"
	printf "%-18s %9s %9s %9s\n", "above the floor", "floor", "none", "none / floor"
	for (i = 1; i <= row_count; i++) {
		r = row[i]
		if (kib(r, "jemalloc") < 16384)
			continue
		printf "  %-16s %5.1f MiB %5.1f MiB %9.3f\n", r, kib(r, "larger") / 1024,
		       kib(r, "none") / 1024, kib(r, "none") / kib(r, "larger")
	}
}

function scalings(    i, c, r, any) {
	for (i = 1; i <= row_count; i++) {
		r = row[i]
		if (!scaling(r, "jemalloc"))
			continue
		if (!any++)
			heading("2 threads by 1", "jemalloc")
		printf "  %-16s %9.3f", substr(r, 1, length(r) - 2), scaling(r, "jemalloc")
		for (c = 2; c <= column_count; c++)
			printf " %8.3f", scaling(r, column[c])
		printf "\n"
	}
}

function counted(    line, field, n, i) {
	while ((getline line < counts) > 0) {
		n = split(line, field, "\t")
		if (field[1] == "bytes")
			printf "\ninstructions a pair, by bytes\n"
		printf "  %-8s", field[1]
		for (i = 2; i <= n; i++)
			printf " %8s", field[i]
		printf "\n"
	}
	close(counts)
}

function remarks(    i, r, worst, typical, n) {
	for (i = 1; i <= row_count; i++) {
		n = spread(row[i])
		typical += n / row_count
		if (n >= worst) {
			worst = n
			r = row[i]
		}
	}
	printf "Medians of %d rounds, ratios to plain jemalloc: smaller is better.\n", rounds
	printf "%s.\n", machine
	printf "Half of jemalloc's own runs are within %.1f %% of its median, on average;\n", 100 * typical
	printf "within %.1f %% in the worst row, %s.\n", 100 * worst, r
	if (missing)
		printf "Not installed: %s.\n", missing
}

END {
	remarks()
	printf "\n"
	times()
	printf "\n"
	memory()
	printf "\n"
	scalings()
	counted()
	if (has["none"] && has["library"] && has["site"]) {
		printf "\nowners found, time by that of none:\n"
		for (g = 1; g <= group_count; g++)
			printf "  %-16s library %.3f, site %.3f\n", group[g],
			       mean(group[g], "library", "time") / mean(group[g], "none", "time"),
			       mean(group[g], "site", "time") / mean(group[g], "none", "time")
	}
}
