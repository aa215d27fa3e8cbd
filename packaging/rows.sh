# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The rows of full.sh: number in the acceptance list, name, title; and for each
# a function that returns 0, 77 (not possible here: the last line says why) or
# anything else.  Sourced by full.sh, which sets $full and runs each in a shell of its
# own, in packaging/.
# shellcheck disable=SC2034,SC2154 # $full, $work and $top are from there, $rows is for it

rows='
 1 build          full build in a clean chroot (2: of what Build-Depends names), tests
 3 any            architecture-dependent only; source only
 4 all            architecture-independent only
 5 profiles       nocheck and nodoc
 5 passthrough    pkg.memhook.passthrough: the same packages, without jemalloc
 6 reproducible   twice: other path, host, time zone, umask, parallelism
 7 lintian        -EviIL +pedantic of both suites, blhc (8), hardening (9), metadata (21)
10 contents       symbols, archive (11), no .la (12), notices
13 repository     apt install, literal lines, consumers, debian/tests, from it
14 piuparts       install, purge, nothing left
15 upgrade        a hooked program across upgrade, downgrade, remove, purge
16 autopkgtest    by autopkgtest itself
17 arm64          cross-built; run under qemu-user where that is installed
18 i386           cross-built, its tests run; and built natively
19 coinstall      libmemhook-dev of two architectures side by side
20 trixie         the next release
21 metadata       uscan by debian/watch; copyright and upstream/metadata, read
22 interposition  over real programs; documented failures (23)
24 tarball        make dist: configure, check, install, VPATH, passthrough
25 sbuild         as buildds build, with sbuild and schroot
25 reprotest      twice, by reprotest and all of its variations
25 reprepro       the .changes go into a reprepro archive
26 armhf          32-bit ARM with tests, under qemu-user
26 s390x          big-endian, with tests, under qemu-user
'

# source_for SUITE [OPTION]...: prints the .dsc, made once
source_for() {
	local folder=$full/source-$1

	if [ ! -d "$folder" ]; then
		./source.sh --suite="$1" "${@:2}" "$folder" > /dev/null
	fi
	echo "$folder"/*.dsc
}

# built NAME SUITE [OPTION of build.sh]...: prints the folder, built once.  A build
# that failed is not tried again by the next row: its log says why.
built() {
	local dsc folder=$full/$1

	if [ -f "$folder/failed" ]; then
		say "$1 could not be built: $folder/build.log"
		return 1
	fi
	if [ -z "$(find "$folder" -name '*.changes' 2> /dev/null)" ]; then
		dsc=$(source_for "$2")
		./build.sh --suite="$2" "$dsc" "$folder" "${@:3}" >&2 || {
			touch "$folder/failed"
			return 1
		}
	fi
	echo "$folder"
}
quick=(--options="nocheck parallel=2")

# The host's kernel must run programs of ARCH.
runs() {
	command -v arch-test > /dev/null && arch-test "$1" > /dev/null && return
	echo "$1 programs do not run here: apt install qemu-user-static binfmt-support arch-test"
	exit 77
}

row_build() {
	rm -rf "$full"/bookworm "$full"/source-*
	built bookworm bookworm
	grep -E '^# (TOTAL|PASS|SKIP|FAIL):' "$full/bookworm/build.log"
	grep -qE '^# PASS: +[1-9]' "$full/bookworm/build.log"
}

row_any() {
	built any bookworm "${quick[@]}" -- -us -uc -B
	built source bookworm "${quick[@]}" -- -us -uc -S -d
	ls "$full/source"/*_source.changes
}

row_all() {
	built all bookworm "${quick[@]}" -- -us -uc -A
	ls "$full/all"/libmemhook-doc_*_all.deb
}

row_profiles() {
	local folder

	folder=$(built nodoc bookworm --profiles="nocheck nodoc" \
		--options="nocheck nodoc parallel=2" -- -us -uc -b)
	if grep -E '^(Setting up check[: ]|Testsuite summary)' "$folder/build.log"; then
		echo "tests, or what they need, in spite of nocheck"
		return 1
	fi
	if find "$folder" -name 'libmemhook-doc_*' | grep .; then return 1; fi
	for deb in "$folder"/*.deb; do
		if dpkg-deb -c "$deb" | grep -E 'share/man/.*\.gz'; then return 1; fi
	done
}

row_passthrough() {
	local folder

	built bookworm bookworm
	folder=$(built passthrough bookworm --profiles=pkg.memhook.passthrough -- -us -uc -b)
	if grep '^Setting up libjemalloc' "$folder/build.log"; then return 1; fi
	grep -E '^# (TOTAL|PASS|SKIP|FAIL):' "$folder/build.log"
	checks/contents.sh "$(echo "$folder"/*.changes)" passthrough
	for deb in "$full"/bookworm/*.deb; do
		[ -f "$folder/${deb##*/}" ] || { echo "no ${deb##*/}"; return 1; }
	done
}

row_reproducible() {
	local one two file root differ=0

	one=$(built same-1 bookworm "${quick[@]}")
	two=$(NODE=other built same-2 bookworm --options="nocheck parallel=5" \
		--place=/srv/other/place --umask=002 --env=TZ=Asia/Kathmandu --env=LC_ALL=C)
	for file in "$one"/*.deb "$one"/*.dsc "$one"/*.tar.*; do
		cmp "$file" "$two/${file##*/}" || differ=1
	done
	[ $differ = 0 ] && echo "the same: $(find "$one" -name '*.deb' | wc -l) packages"
	root=$(with diffoscope bookworm "$(dpkg --print-architecture)" diffoscope-minimal)
	# shellcheck disable=SC2064
	trap "discard '$root'" EXIT
	for file in one two; do
		mkdir "$root/srv/$file"
		cp -t "$root/srv/$file" "${!file}"/*.deb "${!file}"/*.dsc "${!file}"/*.tar.*
	done
	enter "$root" 'cd /srv && diffoscope --exclude-directory-metadata=yes one two' || differ=1
	return $differ
}

row_lintian() {
	built bookworm bookworm
	built trixie trixie "${quick[@]}"
	checks/lintian.sh bookworm "$(echo "$full"/bookworm/*.changes)" "$full/bookworm/build.log"
	checks/lintian.sh trixie "$(echo "$full"/bookworm/*.changes)"
	checks/lintian.sh trixie "$(echo "$full"/trixie/*.changes)" "$full/trixie/build.log"
}

row_contents() {
	built bookworm bookworm
	checks/contents.sh "$(echo "$full"/bookworm/*.changes)"
}

# repository SUITE: prints it; bookworm's has the next version, too
repository() {
	local next folder=$full/repo-$1 changes=("$full/$1"/*.changes)

	built "$1" "$1" > /dev/null
	changes=("$full/$1"/*.changes)
	if [ "$1" = bookworm ]; then
		[ -d "$full/next" ] || {
			./source.sh --suite="$1" --next "$full/source-next" > /dev/null
			next=$(echo "$full"/source-next/*.dsc)
			./build.sh --suite="$1" "${quick[@]}" "$next" "$full/next" >&2
		}
		changes+=("$full"/next/*.changes)
	fi
	rm -rf "$folder"
	./apt-repo.sh --suite="$1" "$folder" "${changes[@]}" >&2
	echo "$folder"
}

row_repository() {
	local suite folder

	for suite in bookworm trixie; do
		folder=$(repository $suite)
		./try-repo.sh --suite=$suite "$folder"
	done
}

row_piuparts() {
	local root tar folder

	folder=$(built bookworm bookworm)
	tar=$(base bookworm "$(dpkg --print-architecture)" apt)
	root=$(with piuparts bookworm "$(dpkg --print-architecture)" piuparts)
	# shellcheck disable=SC2064 # now
	trap "discard '$root'" EXIT
	gzip -1 < "$tar" > "$root/srv/fresh.tar.gz"
	cp "$folder"/*memhook*_*.deb "$root/srv/"
	rm -f "$root"/srv/*dbgsym*
	# shellcheck disable=SC2016
	enter "$root" 'cd /srv
		piuparts -d bookworm -b fresh.tar.gz --no-eatmydata --mirror "$1 main" \
			--warn-on-leftovers-after-purge *.deb' "$(mirror)"
}

row_upgrade() {
	local folder

	folder=$(repository bookworm)
	checks/upgrade.sh bookworm "$folder"
}

row_autopkgtest() {
	local root folder

	folder=$(built bookworm bookworm)
	root=$(with autopkgtest bookworm "$(dpkg --print-architecture)" autopkgtest dpkg-dev)
	# shellcheck disable=SC2064
	trap "discard '$root'" EXIT
	files_of "$(echo "$folder"/*.changes)" | xargs -d '\n' cp -t "$root/srv"
	# shellcheck disable=SC2016
	cache=$work/apt/bookworm-$(dpkg --print-architecture) enter "$root" '
		cd /srv
		autopkgtest --apt-upgrade libmemhook_*.changes -- null'
}

row_arm64() {
	built arm64 bookworm --host=arm64 --profiles="cross nocheck" "${quick[@]}" -- -us -uc -B
	runs arm64
	rm -rf "$full/arm64-repo"
	./apt-repo.sh "$full/arm64-repo" "$full"/arm64/*.changes
	./try-repo.sh --arch=arm64 --only=build-link "$full/arm64-repo"
}

row_i386() {
	# The tests that are programs; scripts hook others, which are amd64's there.
	# shellcheck disable=SC2016 # make expands
	local programs='\$(contract_tests) \$(other_tests) \$(static_tests)'

	runs i386
	built i386 bookworm --host=i386 --profiles=cross \
		--then="make -j2 check TESTS=\"$programs\"" -- -us -uc -B
	built i386-native bookworm --arch=i386 -- -us -uc -B
	grep -E '^# (TOTAL|PASS|SKIP|FAIL|ERROR):' "$full"/i386*/build.log
}

row_coinstall() {
	local folder foreign

	folder=$(built bookworm bookworm)
	foreign=$(built arm64 bookworm --host=arm64 --profiles="cross nocheck" "${quick[@]}" \
		-- -us -uc -B)
	checks/coinstall.sh bookworm "$folder" arm64 "$foreign"
}

row_trixie() {
	rm -rf "$full/trixie"
	built trixie trixie
	grep -E '^# (TOTAL|PASS|SKIP|FAIL):' "$full/trixie/build.log"
	dpkg-deb -f "$full"/trixie/libmemhook1_*.deb Static-Built-Using | grep jemalloc
}

row_metadata() { checks/metadata.sh bookworm "$(source_for bookworm)"; }

row_sbuild() { checks/sbuild.sh bookworm "$(source_for bookworm)"; }

row_reprotest() { checks/reprotest.sh bookworm "$(source_for bookworm)"; }

row_interposition() {
	local suite folder

	for suite in bookworm trixie; do
		folder=$(repository $suite)
		checks/interposition.sh $suite "$folder"
	done
}

row_tarball() { checks/tarball.sh bookworm; }

row_reprepro() {
	local root folder

	folder=$(built bookworm bookworm)
	root=$(with reprepro bookworm "$(dpkg --print-architecture)" reprepro)
	# shellcheck disable=SC2064
	trap "discard '$root'" EXIT
	mkdir -p "$root/srv/in" "$root/srv/archive/conf"
	files_of "$(echo "$folder"/*.changes)" | xargs -d '\n' cp -t "$root/srv/in"
	printf '%s\n' 'Codename: bookworm-backports' 'Components: main' \
		"Architectures: $(dpkg --print-architecture) source" \
		> "$root/srv/archive/conf/distributions"
	# shellcheck disable=SC2016
	enter "$root" '
		reprepro -b /srv/archive include bookworm-backports /srv/in/*.changes
		reprepro -b /srv/archive list bookworm-backports
		echo "deb [trusted=yes] file:/srv/archive bookworm-backports main" \
			> /etc/apt/sources.list.d/archive.list
		apt-get update -q
		apt-get install -q -y --no-install-recommends libmemhook-dev memhook
		memhook run -- true'
}

foreign() { # foreign ARCH
	runs "$1"
	built "$1" bookworm --arch="$1" -- -us -uc -B
	grep -E '^# (TOTAL|PASS|SKIP|FAIL|ERROR):' "$full/$1/build.log"
}
row_armhf() { foreign armhf; }
row_s390x() { foreign s390x; }
