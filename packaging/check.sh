#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The quick part of what packages must pass, for every submission: build in a
# clean chroot with all tests, lintian and blhc, what is inside, a signed
# repository, and a user who installs from it and builds programs.
#
#     packaging/check.sh [--suite=SUITE]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

suite=bookworm
for arg; do
	case $arg in
	--suite=*) suite=${arg#*=} ;;
	--help) sed -n '3,7s/^# \{0,1\}//p' "$0"; exit ;;
	*) die "unknown option $arg; see --help" ;;
	esac
done
cd "$top/packaging"
./deb.sh --suite="$suite"
changes=$(echo "$work/$suite"/*.changes)
grep '^# \(TOTAL\|PASS\|SKIP\|FAIL\)' "$work/$suite/build.log"
checks/lintian.sh "$suite" "$changes" "$work/$suite/build.log"
checks/contents.sh "$changes"
rm -rf "$work/repo-$suite"
./apt-repo.sh --suite="$suite" "$work/repo-$suite" "$changes"
./try-repo.sh --suite="$suite" "$work/repo-$suite"
say "all passed"
