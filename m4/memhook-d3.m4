# SPDX-License-Identifier: BSD-2-Clause
# D3, the single file of Debian's node-d3, becomes part of the pages that
# memhook report makes.
AC_DEFUN([MEMHOOK_WITH_D3], [
	AC_ARG_WITH([d3],
		[AS_HELP_STRING([--with-d3=FILE],
			[d3.min.js, version 5 or later (default: of Debian's node-d3)])],
		[D3=$withval],
		[D3=/usr/share/nodejs/d3/dist/d3.min.js])
	AS_IF([test ! -r "$D3"],
		[AC_MSG_ERROR([D3 is needed (Debian: node-d3; elsewhere --with-d3=FILE): no $D3])])
	AC_SUBST([D3])
])
