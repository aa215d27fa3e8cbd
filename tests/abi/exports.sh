#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the shared library shows: the map's names with a version, malloc and
# its family and the operators without one, and nothing else.
set -eu
: "${top_srcdir:?}" "${MEMHOOK_LIBRARY:?}" "${NM:=nm}" "${READELF:=readelf}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
	echo "FAIL: $*"
	failed=1
}

sed -n 's/^	\(memhook_[a-z_]*\);.*/\1@@MEMHOOK_1/p' "$top_srcdir/src/libmemhook.map" \
	| grep -v je_ > "$work/wanted"
if [ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ]; then
	tr -s ' \n' '\n' >> "$work/wanted" <<'END'
malloc calloc realloc reallocarray free cfree free_sized free_aligned_sized
aligned_alloc memalign posix_memalign valloc pvalloc malloc_usable_size
strdup strndup wcsdup mallinfo mallinfo2 mallopt malloc_trim malloc_stats
malloc_info dlclose _exit _Exit malloc_conf malloc_message
END
	case $($READELF -h "$MEMHOOK_LIBRARY") in *ELF64*) z=m ;; *) z=j ;; esac
	for new in _Znw$z _Zna$z; do
		# shellcheck disable=SC2086 # no spaces in names
		printf '%s\n' $new ${new}RKSt9nothrow_t ${new}St11align_val_t \
			${new}St11align_val_tRKSt9nothrow_t
	done >> "$work/wanted"
	for delete in _ZdlPv _ZdaPv; do
		# shellcheck disable=SC2086
		printf '%s\n' $delete ${delete}RKSt9nothrow_t ${delete}$z \
			${delete}St11align_val_t ${delete}${z}St11align_val_t \
			${delete}St11align_val_tRKSt9nothrow_t
	done >> "$work/wanted"
fi
sort -u "$work/wanted" > "$work/want"
$NM -D --defined-only --with-symbol-versions "$MEMHOOK_LIBRARY" |
	awk '$2 != "A" { print $3 }' | sort -u > "$work/have"
diff "$work/want" "$work/have" > "$work/diff" || {
	fail "exported names (< wanted, > found):"
	cat "$work/diff"
}

$READELF -d "$MEMHOOK_LIBRARY" > "$work/dynamic"
grep -q 'NEEDED.*libstdc++' "$work/dynamic" && fail "needs libstdc++"
grep -q 'SONAME.*\[libmemhook\.so\.1\]' "$work/dynamic" || fail "SONAME"
grep -Eq 'BIND_NOW|NOW' "$work/dynamic" || fail "not bound at start"
grep -q 'NODELETE' "$work/dynamic" || fail "can be unloaded"
if [ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ]; then
	# Not by the flag STATIC_TLS, which some linkers forget.
	$READELF -r "$MEMHOOK_LIBRARY" > "$work/relocations"
	grep -Eq 'TPOFF|TPREL' "$work/relocations" || fail "no TLS: where is it?"
	grep -Eq 'DTPMOD|TLSDESC|TLS_DESC' "$work/relocations" &&
		fail "TLS is not initial-exec"
fi
exit $failed
