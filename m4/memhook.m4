# SPDX-License-Identifier: BSD-2-Clause

# MEMHOOK_WITH_JEMALLOC
# ---------------------
# --with-jemalloc[=DIR] or --without-jemalloc.  Sets memhook_mode, and for
# mode jemalloc the archives JEMALLOC_PIC (for the .so) and JEMALLOC_STATIC
# (for the .a).
AC_DEFUN([MEMHOOK_WITH_JEMALLOC], [
AC_ARG_WITH([jemalloc],
	[AS_HELP_STRING([--with-jemalloc@<:@=DIR@:>@],
		[build the hook over the jemalloc archives in DIR or where the
		compiler finds them (default)])
AS_HELP_STRING([--without-jemalloc],
		[build the passthrough, which replaces and counts nothing])],
	[], [with_jemalloc=yes])
AS_CASE([$with_jemalloc],
	[no], [memhook_mode=passthrough],
	[yes], [memhook_mode=jemalloc
		JEMALLOC_PIC=`$CC $CFLAGS -print-file-name=libjemalloc_pic.a`
		JEMALLOC_STATIC=`$CC $CFLAGS -print-file-name=libjemalloc.a`],
	[memhook_mode=jemalloc
		JEMALLOC_PIC=$with_jemalloc/libjemalloc_pic.a
		JEMALLOC_STATIC=$with_jemalloc/libjemalloc.a])
AS_IF([test $memhook_mode = jemalloc], [
	for memhook_archive in "$JEMALLOC_PIC" "$JEMALLOC_STATIC"; do
		AC_MSG_CHECKING([for $memhook_archive])
		AS_IF([test -f "$memhook_archive"], [AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			AC_MSG_ERROR([$memhook_archive was not found.
It comes with Debian's package libjemalloc-dev: apt install libjemalloc-dev
(or --with-jemalloc=DIR where the archives are elsewhere,
or --without-jemalloc for the passthrough, which counts nothing)])])
	done
], [AC_DEFINE([MEMHOOK_PASSTHROUGH], [1], [Define when nothing is replaced.])])
AC_SUBST([JEMALLOC_PIC])
AC_SUBST([JEMALLOC_STATIC])
])

# MEMHOOK_LIBRARY_NAME
# --------------------
# What the tool preloads: the bare SONAME where the loader looks by itself
# (it takes the right architecture's copy), else the whole path.
AC_DEFUN([MEMHOOK_LIBRARY_NAME], [
memhook_prefix=$prefix
test "x$memhook_prefix" = xNONE && memhook_prefix=$ac_default_prefix
memhook_exec_prefix=$exec_prefix
test "x$memhook_exec_prefix" = xNONE && memhook_exec_prefix=$memhook_prefix
memhook_libdir=`prefix=$memhook_prefix; exec_prefix=$memhook_exec_prefix
	eval "echo $libdir"`
# libdir may be ${exec_prefix}/lib, and exec_prefix ${prefix}.
memhook_libdir=`prefix=$memhook_prefix; eval "echo $memhook_libdir"`
AS_CASE([$memhook_libdir],
	[/lib|/lib/*|/usr/lib|/usr/lib/*], [MEMHOOK_PRELOAD=libmemhook.so.1],
	[MEMHOOK_PRELOAD=$memhook_libdir/libmemhook.so.1])
AC_SUBST([MEMHOOK_PRELOAD])
])

# MEMHOOK_SANITIZERS: flags for address and undefined behaviour, where a
# program that has them also runs.
AC_DEFUN([MEMHOOK_SANITIZERS], [
	AC_MSG_CHECKING([for sanitizers])
	memhook_had_cflags=$CFLAGS
	memhook_flags='-fsanitize=address,undefined -fno-sanitize-recover=all'
	CFLAGS="$CFLAGS $memhook_flags"
	AC_RUN_IFELSE([AC_LANG_PROGRAM()], [], [memhook_flags=], [memhook_flags=])
	CFLAGS=$memhook_had_cflags
	AC_MSG_RESULT([${memhook_flags:-none}])
	AC_SUBST([SANITIZERS], [$memhook_flags])
])
