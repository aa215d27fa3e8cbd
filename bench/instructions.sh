#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Instructions of a pair of malloc and free, without a clock.
#
#     instructions.sh             fail when the hook takes 2 % more than instructions.tsv says
#     instructions.sh update      write that table anew (make bench-instructions)
#     instructions.sh show        the same of all allocators that are installed
#
# A column or a size that is added to the table is measured from then on.
set -eu
: "${top_srcdir:?}" "${top_builddir:?}" "${MEMHOOK_LIBRARY:?}"
: "${CC:=cc}" "${PKG_CONFIG:=pkg-config}" "${MEMHOOK_CFLAGS=}"
here=$top_srcdir/bench
table=$here/instructions.tsv
pairs=$top_builddir/bench/pairs
count=10000
update='make bench-instructions writes the table anew'

skip() { echo "$*"; exit 77; }
fail() { echo "$*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v valgrind > /dev/null || skip "valgrind is not installed"
valgrind --tool=callgrind --callgrind-out-file="$work/try" true > "$work/log" 2>&1 ||
	skip "callgrind does not run here: $(tail -n 1 "$work/log")"

# What decides which instructions there are, as the table's last comment has it.
build() {
	local compiler version level=none flag
	version=$($PKG_CONFIG --modversion jemalloc)
	compiler=$(echo __GNUC__ __clang__ | $CC -E -P -)
	case $compiler in
	*' __clang__') compiler="gcc ${compiler%% *}" ;;
	*) compiler=clang ;;
	esac
	for flag in $MEMHOOK_CFLAGS; do
		case $flag in
		-O*) level=$flag ;;
		-fsanitize*|-fprofile*|--coverage) compiler="instrumented $compiler" ;;
		esac
	done
	echo "$(uname -m), $compiler, $level, jemalloc ${version%%_*}"
}

# count LIBRARY SIZE...: a line with the instructions of a pair for each size
count() {
	local library=$1 i before after
	shift
	rm -f "$work"/part*
	LD_PRELOAD=$library valgrind --tool=callgrind --callgrind-out-file="$work/part" \
		--toggle-collect=pairs --dump-after=pairs "$pairs" $count "$@" \
		> "$work/log" 2>&1 || { cat "$work/log"; fail "callgrind failed"; }
	if grep 'cannot be preloaded' "$work/log"; then
		fail "$library is not measured"
	fi
	# the parts are warm-up, once and twice COUNT pairs of the first size, and so on
	for ((i = 1; i <= 3 * $#; i += 3)); do
		before=$(sed -n 's/^summary: //p' "$work/part.$((i + 1))")
		after=$(sed -n 's/^summary: //p' "$work/part.$((i + 2))")
		awk "BEGIN { printf \"%.1f\\n\", ($after - $before) / $count }"
	done
}

# with NAME COMMAND...: the hook set up as a column is called
with() {
	local name=$1
	shift
	case $name in
	none|library|site) MEMHOOK_BY=$name "$@" ;;
	checks) MEMHOOK_CHECK=on "$@" ;;
	*) fail "$table: no column is called '$name': none, library, site, checks" ;;
	esac
}

# add NAME COMMAND...: another column
add() {
	{ echo "$1" && "${@:2}"; } > "$work/column"
	paste "$work/new" "$work/column" > "$work/next"
	mv "$work/next" "$work/new"
}

grep -v '^#' "$table" > "$work/old"
read -ra names < "$work/old"
names=("${names[@]:1}")
mapfile -t sizes < <(sed 1d "$work/old" | cut -f 1)
if [ "${#names[@]}" = 0 ] || [ "${#sizes[@]}" = 0 ]; then
	fail "$table: nothing in it"
fi
cut -f 1 "$work/old" > "$work/new"
expected=$(sed -n 's/^# for //p' "$table")
built=$(build)
mode=${1:-test}

if [ "$mode" = test ] && [ "$built" != "$expected" ]; then
	skip "the table is for $expected; this is $built"
fi
if [ "$mode" = show ]; then
	while read -r name library; do
		if LD_PRELOAD=$library /bin/true 2>&1 | grep -q 'cannot be preloaded'; then
			echo "$name is not installed" >&2
		else
			add "$name" count "$library" "${sizes[@]}"
		fi
	done <<- end
		jemalloc libjemalloc.so.2
		glibc
		mimalloc libmimalloc.so.2
		tcmalloc libtcmalloc_minimal.so.4
	end
fi
for name in "${names[@]}"; do
	add "$name" with "$name" count "$MEMHOOK_LIBRARY" "${sizes[@]}"
done
case $mode in
show)
	cat "$work/new"
	exit ;;
update)
	{ sed -n "/^#/s/^# for .*/# for $built/; /^#/p" "$table"; cat "$work/new"; } \
		> "$work/next"
	cp "$work/next" "$table"
	exit ;;
esac

# Both tables have the same shape: the new one was made of the old one's names.
awk -F '\t' -v update="$update" '
	NR == FNR { for (i = 1; i <= NF; i++) old[FNR, i] = $i; next }
	FNR == 1 { print; for (i = 2; i <= NF; i++) name[i] = $i; next }
	{ print }
	{
		for (i = 2; i <= NF; i++) {
			was = old[FNR, i]
			if ($i > was * 1.02)
				worse = worse sprintf("%s, %s bytes: %s instructions, were %s\n",
						      name[i], $1, $i, was)
			else if ($i < was * 0.98)
				better = better sprintf("%s, %s bytes: %s, were %s\n",
							name[i], $1, $i, was)
		}
	}
	END {
		if (better)
			printf "fewer instructions: %s\n%s", update, better
		if (worse) {
			printf "more instructions; if that is meant, %s:\n%s", update, worse
			exit 1
		}
	}' "$work/old" "$work/new"
