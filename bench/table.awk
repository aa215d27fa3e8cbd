# SPDX-License-Identifier: BSD-2-Clause
# The tables of a run, for people: times, what is above 1.00, memory, scaling,
# instructions.  Comes after summary.awk.

function heading(title, unit,    c) {
	printf "%-16s %8s", title, unit
	for (c = 2; c <= column_count; c++)
		printf " %8s", column[c]
	printf "\n"
}

function times(    g, i, c, r) {
	heading("time", "ms")
	for (g = 1; g <= group_count; g++) {
		printf "%s\n", group[g]
		for (i = 1; i <= row_count; i++) {
			r = row[i]
			if (group_of[r] != group[g])
				continue
			printf "  %-14s %8.1f", r, nanoseconds(r, "jemalloc") / 1e6
			for (c = 2; c <= column_count; c++)
				printf " %8.3f", time_ratio(r, column[c])
			printf "\n"
		}
		printf "  %-14s %8s", "geometric mean", ""
		for (c = 2; c <= column_count; c++)
			printf " %8.3f", mean(group[g], column[c], "time")
		printf "\n"
	}
}

# Small programs are their files and libraries: nothing to compare.
function memory(    i, c, r) {
	heading("peak resident", "MiB")
	for (i = 1; i <= row_count; i++) {
		r = row[i]
		if (kib(r, "jemalloc") < 16384)
			continue
		printf "  %-14s %8.1f", r, kib(r, "jemalloc") / 1024
		for (c = 2; c <= column_count; c++)
			printf " %8.3f", kib_ratio(r, column[c])
		printf "\n"
	}
	if (!has["larger"] || !has["none"])
		return
	printf "\nThe same in MiB, beside the floor: jemalloc with 16 bytes more for each block\n"
	printf "(\"larger\").  Classes: what jemalloc's size classes make of those 16 bytes, by\n"
	printf "arithmetic, where nothing but blocks of known sizes is held.\n"
	printf "%-16s %8s %8s %8s %8s %8s\n", "", "plain", "floor", "none", "by floor", "classes"
	for (i = 1; i <= row_count; i++) {
		r = row[i]
		if (kib(r, "jemalloc") < 16384)
			continue
		printf "  %-14s %8.1f %8.1f %8.1f %8.3f %8s\n", r, kib(r, "jemalloc") / 1024,
		       kib(r, "larger") / 1024, kib(r, "none") / 1024,
		       kib(r, "none") / kib(r, "larger"), by_classes(r)
	}
}

# jemalloc's: 16 apart up to 128, then four for each power of two.
function size_class(n,    step) {
	if (n <= 8)
		return 8
	step = 16
	while (n > 8 * step)
		step *= 2
	return int((n + step - 1) / step) * step
}

# Read from the row's command: loops held THREADS N LOW HIGH; as many bytes of
# each power of two for powers-held.
function by_classes(r,    line, w, n, plain, more, powers) {
	while ((getline line < workloads) > 0) {
		if (split(line, w, " ") < 8 || w[2] != r || w[4] != "loops")
			continue
		if (w[5] == "held") {
			for (n = w[8]; n <= w[9]; n++) {
				plain += size_class(n)
				more += size_class(n + 16)
			}
		} else if (w[5] == "powers-held") {
			for (n = 16; n <= 8192; n *= 2) {
				plain++
				more += size_class(n + 16) / n
			}
		}
	}
	close(workloads)
	return plain ? sprintf("%.3f", more / plain) : ""
}

function scalings(    i, c, r, any, name) {
	for (i = 1; i <= row_count; i++) {
		r = row[i]
		if (!scaling(r, "jemalloc"))
			continue
		if (!any++)
			heading(threads " threads by 1", "jemalloc")
		name = r
		sub(/:[0-9]+$/, "", name)
		printf "  %-14s %8.3f", name, scaling(r, "jemalloc")
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

function remarks(    i, n, r, typical, worst) {
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
