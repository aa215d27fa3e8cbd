#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The contract's programs, linked without the library and run under
# LD_PRELOAD.
set -u
: "${MEMHOOK_LIBRARY:?}" "${top_builddir:?}"
failed=0
for name in aligned children cxx heap interchange loading malloc threads; do
	LD_PRELOAD=$MEMHOOK_LIBRARY "$top_builddir/tests/contract/$name-plain" || failed=1
done
exit $failed
