#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Build the packages of HEAD in a clean chroot: build-debian/SUITE/ has them.
#
#     packaging/deb.sh [--suite=SUITE] [OPTION of build.sh]...
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

suite=bookworm options=()
for arg; do
	case $arg in
	--suite=*) suite=${arg#*=} ;;
	--help) sed -n '3,5s/^# \{0,1\}//p' "$0"; exit ;;
	*) options+=("$arg") ;;
	esac
done
need_chroots
suite_words "$suite" > /dev/null
rm -rf "${work:?}/$suite"
dsc=$("$top/packaging/source.sh" --suite="$suite" "$work/$suite/source")
"$top/packaging/build.sh" --suite="$suite" ${options[@]+"${options[@]}"} \
	"$work/$suite/source/$dsc" "$work/$suite"
say "the packages are in $work/$suite"
