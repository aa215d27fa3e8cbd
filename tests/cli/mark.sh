#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memhook mark and stat --since-mark: who grew; and folders, links and files
# that somebody else put where a mark should be.
# shellcheck source-path=SCRIPTDIR
. "${top_srcdir:?}/tests/cli/subject.sh"

marks=$XDG_RUNTIME_DIR/memhook
start
tell alloc db/cache 10 1000
tell alloc other 3 7
check "no mark" 1 "^memhook stat: process $pid has no mark: .*memhook mark $pid" \
	"$m" stat --since-mark "$pid"
lines 1 "no mark"
check "mark" 0 "^marked subject \(pid $pid\): [0-9.]+ [KM]iB live" "$m" mark "$pid"
file=$(echo "$marks"/*)
[ "$(stat -c %a "$marks") $(stat -c %a "$file")" = "700 600" ] ||
	fail "others may read the mark"
tell alloc db/log 20 1000
tell free other
check "--since-mark" 0 '^db/log +0 B +19\.5 KiB +\+19\.5 KiB +\+20 +\+20$' \
	"$m" stat --since-mark "$pid"
narrow "--since-mark"
grep -Eq '^other +21 B +0 B +-21 B +-3 +0$' "$work/out" || fail "the one that shrank"
[ "$(awk '/^OWNER/ { getline; print $1 }' "$work/out")" = db/log ] ||
	fail "not sorted by growth"
check "--since-mark, rollup" 0 '^db/ +9\.7 KiB +29\.2 KiB' "$m" stat -m --rollup "$pid"
check "--since-mark, json" 0 '"schema":"memhook/1"' "$m" stat --since-mark -f json "$pid"
json "--since-mark, json" 'owner(j[0], "db/log")["change"]["live_bytes"] == 20000'
json "--since-mark, json" 'j[0]["change"]["live_bytes"] == 20000 - 21 and adds_up(j[0])'
# a later mark takes its place
"$m" mark "$pid" > /dev/null || fail "a second mark"
check "the second mark" 0 '^total +[0-9.]+ [KM]iB +[0-9.]+ [KM]iB +0 B +0 +0$' \
	"$m" stat -m "$pid"
[ "$(find "$marks" -type f | wc -l)" = 1 ] || fail "something was left beside the mark"

# spoiled, and of an older process or boot
cp "$file" "$work/good"
spoil() {
	cp "$work/bad" "$file"
	check "$1" 1 "^memhook stat: .*$2" "$m" stat -m "$pid"
	lines 1 "$1"
}
: > "$work/bad"
spoil "an empty mark" 'spoiled .it is empty'
head -c 100 "$work/good" > "$work/bad"
spoil "half a mark" 'spoiled'
sed 's/"started":[0-9]*/"started":1/' "$work/good" > "$work/bad"
spoil "an older process" 'only an older process'
sed 's/"boot_id":"[^"]*/"boot_id":"x/' "$work/good" > "$work/bad"
spoil "an older boot" 'only an older process'
sed 's/"started":[0-9]*,/"/;s/"boot_id"/boot_id"/' "$work/good" > "$work/bad"
spoil "no key" 'only an older process|spoiled'
rm "$file"
ln -s "$work/good" "$file"
check "a link for a mark" 1 'has no mark' "$m" stat -m "$pid"
"$m" mark "$pid" > /dev/null || fail "a mark in place of a link"
{ [ -f "$file" ] && [ ! -L "$file" ] && cmp -s "$work/good" "$work/good"; } ||
	fail "the link is there still"
grep -q '"db/log"' "$work/good" || fail "written through the link"
rm "$file"
mkfifo "$file"
check "a pipe for a mark" 1 'has no mark' "$m" stat -m "$pid"
rm "$file"

# folders that are not this user's alone
chmod 777 "$marks"
check "a folder for all" 1 "not a folder of this user's alone" "$m" mark "$pid"
chmod 700 "$marks"
mv "$marks" "$work/elsewhere"
ln -s "$work/elsewhere" "$marks"
check "a link for the folder" 1 "not a folder of this user's alone" "$m" mark "$pid"
rm "$marks"
touch "$marks"
check "a file for the folder" 1 "not a folder" "$m" mark "$pid"
rm "$marks"
# no runtime folder, or one that is not ours to use: among the temporary files
mkdir -m 777 "$work/tmp" "$work/open"
for runtime in "" relative "$work/nothing" "$work/open"; do
	check "XDG_RUNTIME_DIR='$runtime'" 0 marked \
		env XDG_RUNTIME_DIR="$runtime" TMPDIR="$work/tmp" "$m" mark "$pid"
	[ -d "$work/tmp/memhook-$(id -u)" ] || fail "XDG_RUNTIME_DIR='$runtime': no folder"
	check "XDG_RUNTIME_DIR='$runtime'" 0 '^total' \
		env XDG_RUNTIME_DIR="$runtime" TMPDIR="$work/tmp" "$m" stat -m "$pid"
	rm -r "$work/tmp/memhook-$(id -u)"
done
chmod 500 "$XDG_RUNTIME_DIR"
[ "$(id -u)" = 0 ] || check "no right to write" 1 'this user|cannot keep' "$m" mark "$pid"
chmod 700 "$XDG_RUNTIME_DIR"

# another process's mark is not its own; what has ended is swept up
"$m" mark "$pid" > /dev/null
old=$pid
stop
start
check "another process" 1 'has no mark' "$m" stat -m "$pid"
"$m" mark "$pid" > /dev/null
[ -z "$(find "$marks" -name "mark-$old-*")" ] || fail "a mark of the dead was kept"
stop
check "vanished" 1 'no such process' "$m" mark "$pid"
check "vanished" 1 'no such process' "$m" stat -m "$pid"
check "not hooked" 1 'not hooked' "$m" mark $$
lines 1 "not hooked"
check "no number" 2 'no process number' "$m" mark x
check "nothing" 2 'which process' "$m" mark
check "two" 2 'one process' "$m" mark 1 2
check "unknown option" 2 'Usage' "$m" mark --wings
check "--help" 0 '^Usage: memhook mark' "$m" mark --help
exit $failed
