#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make fuzz-api: libFuzzer over the whole API, from the inputs of api.txt and
# what earlier runs left in $CORPUS.  GATHER=1 writes what is new, and short,
# back into api.txt.
set -eu
: "${FUZZER:?}" "${SEEDS:?}"

corpus=${CORPUS:-tests/fuzz/corpus-api}
mkdir -p "$corpus"
n=0
while IFS= read -r line; do
	n=$((n + 1))
	printf '%s' "$line" > "$corpus/seed-$n"
done < "$SEEDS"
"$FUZZER" -max_total_time="${SECONDS_TO_FUZZ:-60}" -max_len=600 -timeout=60 \
	-rss_limit_mb=4096 -only_ascii=1 -print_final_stats=1 "$corpus"
[ -n "${GATHER:-}" ] || exit 0
rm -rf "$corpus.min"
mkdir "$corpus.min"
"$FUZZER" -merge=1 -max_len=200 -only_ascii=1 "$corpus.min" "$corpus"
for file in "$corpus.min"/*; do
	LC_ALL=C grep -q '[^ -~]' "$file" || [ "$(wc -l < "$file")" != 0 ] ||
		{ cat "$file"; echo; }
done | LC_ALL=C sort -u > "$SEEDS"
wc -l "$SEEDS"
