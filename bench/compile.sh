#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The C++ compiler proper, which g++ starts, on a source that bench.sh's folder
# has after the preprocessor: the headers of this machine, read once.
set -eu
: "${BENCH:?}" "${BENCH_WORK:?}" "${BENCH_SOURCE:?}" "${CXX:=g++}"

compiler=$($CXX -print-prog-name=cc1plus)
[ -x "$compiler" ] || { echo "$CXX has no cc1plus" >&2; exit 77; }
source=$BENCH_WORK/compile.ii
[ -s "$source" ] || $CXX -std=c++17 -E "$BENCH_SOURCE/containers.cc" > "$source"
exec "$BENCH/measure" wall "$compiler" -quiet -fpreprocessed -std=c++17 -fsyntax-only -o /dev/null \
	"$source"
