#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Everything that the packages must pass before a release, row by row, with a
# table at the end.  An hour or two on two cores; the logs are in build-debian/full/.
#
#     packaging/full.sh [ROW]...       (as in: full.sh build 6 lintian)
#
# A row that this machine cannot run says SKIP and why.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$top/packaging/rows.sh"

case ${1:-} in
--help) sed -n '3,9s/^# \{0,1\}//p' "$0"; echo "$rows"; exit ;;
esac
need_chroots
# What was built of another commit proves nothing for this one.
full=$work/full
commit=$(git -C "$top" rev-parse HEAD)
if [ "$(cat "$full/commit" 2> /dev/null)" != "$commit" ]; then
	rm -rf "$full"
	mkdir -p "$full"
	echo "$commit" > "$full/commit"
fi
rm -f "$full"/*/failed # by an earlier run: tried anew
result=()
failed=0

# run NUMBER NAME TITLE: the function row_NAME, in a shell of its own
run() {
	local number=$1 name=$2 title=$3 begin=$SECONDS status verdict

	set +e # behind || or && the row's own -e would not count
	(set -e; cd "$top/packaging"; "row_$name") > "$full/$name.log" 2>&1
	status=$?
	set -e
	case $status in
	0) verdict=PASS ;;
	77) verdict=SKIP ;;
	*) verdict=FAIL failed=1; tail -n 15 "$full/$name.log" ;;
	esac
	result+=("$(printf '%2s  %-13s %s  %5d s  %s' "$number" "$name" "$verdict" \
		$((SECONDS - begin)) "$title")")
	echo "${result[-1]}"
	[ $verdict != SKIP ] || tail -n 1 "$full/$name.log"
}

while read -r number name title; do
	[ -n "$number" ] || continue
	if [ $# -gt 0 ] && [[ " $* " != *" $number "* && " $* " != *" $name "* ]]; then
		continue
	fi
	run "$number" "$name" "$title" < /dev/null
done <<< "$rows"

printf '\n%s\n' "The table:" "${result[@]}"
exit $failed
