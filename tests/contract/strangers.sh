#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What processes meet: glibc's inner malloc, plug-ins that bind deeply, auditors
# of the loader, handlers that allocate, compilers that free by size, wide
# vectors, programs of other C libraries and other word sizes.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${CC:=cc}" "${CXX:=c++}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
unset MEMHOOK_FOREIGN
# shellcheck source=tests/contract/check.sh
. "$top_srcdir/tests/contract/check.sh"
build() {
	local compiler=$1
	shift
	"$compiler" -D_GNU_SOURCE -fno-builtin -w -g -I"$top_srcdir/include" "$@" || exit 99
}
# shellcheck disable=SC2054 # commas of the linker
hook=(-Wl,--no-as-needed "$MEMHOOK_LIBRARY" "-Wl,-rpath,${MEMHOOK_LIBRARY%/*}")

# glibc's own malloc by its inner name: to us its blocks are foreign
cat > "$work/inner.c" <<'END_C'
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

int main(int argc, char **argv)
{
	void *page = __libc_memalign(4096, 10), *p = __libc_malloc(100);

	__libc_free(__libc_malloc(10));
	free(argc > 1 && argv[1][0] == 'p' ? page : p);
	puts("passed over");
	return 0;
}
END_C
build "$CC" "$work/inner.c" -o "$work/inner" "${hook[@]}"
for block in block page; do
	check "__libc_malloc, $block" 134 'foreign pointer.*MEMHOOK_FOREIGN=ignore' \
		"$work/inner" $block
	check "__libc_malloc, $block, ignored" 0 '^passed over' \
		env MEMHOOK_FOREIGN=ignore "$work/inner" $block
done

# a plug-in that binds to libc before it binds to us
cat > "$work/deep.c" <<'END_C'
#include <stdlib.h>

void *deep_make(size_t n) { return malloc(n); }
void deep_free(void *p) { free(p); }
END_C
cat > "$work/host.c" <<'END_C'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <memhook.h>

int main(int argc, char **argv)
{
	void *deep = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND), *p;
	void *(*make)(size_t) = dlsym(deep, "deep_make");
	void (*release)(void *) = dlsym(deep, "deep_free");
	struct memhook_block b = { .size = sizeof(b) };

	p = make(100);
	memhook_inspect(p, &b);
	release(p); /* its own by its own: no matter of ours */
	printf("ours: %d\n", b.state == MEMHOOK_BLOCK_LIVE);
	fflush(stdout);
	free(make(100));
	puts("passed over");
	return 0;
}
END_C
build "$CC" -shared -fPIC "$work/deep.c" -o "$work/deep.so"
build "$CC" "$work/host.c" -o "$work/host" "${hook[@]}"
check "RTLD_DEEPBIND" 134 'foreign pointer' "$work/host" "$work/deep.so"
grep -q '^ours: 0' "$work/out" || fail "RTLD_DEEPBIND does not bind deeply here"
check "RTLD_DEEPBIND, ignored" 0 '^passed over' env MEMHOOK_FOREIGN=ignore "$work/host" \
	"$work/deep.so"

# an auditor has a libc, and a malloc, of its own
cat > "$work/audit.c" <<'END_C'
#include <link.h>
#include <stdlib.h>
#include <string.h>

unsigned la_version(unsigned version)
{
	char *volatile p = malloc(1000);

	memset(p, 1, 1000);
	free(p);
	free(strdup("of the auditor"));
	return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie)
{
	free(malloc(100));
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}
END_C
cat > "$work/watched.c" <<'END_C'
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memhook.h>

static memhook_owner owner;
static void *from_handler;

/* Not while malloc runs, or it would be the program's fault. */
static void handle(int signal)
{
	free(strdup("of the handler"));
	from_handler = realloc(malloc(10), 33);
}

int main(void)
{
	struct memhook_stats s = { .size = sizeof(s) };
	memhook_owner was;
	void *p;

	dlsym(RTLD_DEFAULT, "no_such_name_anywhere");
	dlerror();
	owner = memhook_owner_create("watched");
	was = memhook_enter(owner);
	p = malloc(100);
	signal(SIGUSR1, handle);
	raise(SIGUSR1);
	dlopen("/no/such/library.so", RTLD_NOW);
	memhook_leave(was);
	free(from_handler);
	memhook_stats(owner, &s);
	printf("hooked %d, at least 133 bytes ever: %d\n", memhook_active(),
	       s.alloc_bytes >= 133 && s.live_bytes >= 100);
	free(p);
	return 0;
}
END_C
build "$CC" -shared -fPIC "$work/audit.c" -o "$work/audit.so"
build "$CC" "$work/watched.c" -o "$work/watched" "${hook[@]}"
check "a handler that allocates" 0 'hooked 1, at least 133 bytes ever: 1' "$work/watched"
# The loader gives thread-locals their room before it knows of us: ask for more.
more=GLIBC_TUNABLES=glibc.rtld.optional_static_tls=8192
check "LD_AUDIT" 0 'hooked 1, at least 133 bytes ever: 1' \
	env $more LD_AUDIT="$work/audit.so" "$work/watched"
check "LD_AUDIT, preloaded" 0 '^hello' \
	env $more LD_AUDIT="$work/audit.so" LD_PRELOAD="$MEMHOOK_LIBRARY" sh -c 'echo hello'
timeout 60 env LD_AUDIT="$work/audit.so" "$work/watched" > "$work/out" 2>&1 ||
	grep -q 'static TLS block' "$work/out" || fail "LD_AUDIT: no word of why"

# what compilers make of C++: wide arrays, frees by size
cat > "$work/wide.cc" <<'END_CC'
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

typedef double eight __attribute__((vector_size(64)));
struct alignas(64) wide { eight d; };
struct with_destructor {
	wide w;
	~with_destructor() { w = wide(); }
};
// How far into its memory an array begins is the compiler's to say: on ARM 8 bytes.
struct measured : with_destructor {
	static std::uintptr_t memory;
	static void *operator new[](std::size_t size, std::align_val_t align)
	{
		void *p = ::operator new[](size, align);

		memory = (std::uintptr_t)p;
		return p;
	}
	static void operator delete[](void *p, std::align_val_t align)
	{
		::operator delete[](p, align);
	}
};
std::uintptr_t measured::memory;
extern "C" void free_sized(void *, std::size_t);

int main()
{
	measured *one = new measured[1];
	const std::uintptr_t begin = (std::uintptr_t)one - measured::memory;

	delete[] one;
	for (int n = 1; n < 200; n++) {
		wide *plain = new wide[n]();
		with_destructor *counted = new with_destructor[n];
		std::vector<wide> v(n);
		std::string s(n * 10, 'x');

		if ((std::uintptr_t)plain % 64 || ((std::uintptr_t)counted - begin) % 64 ||
		    (std::uintptr_t)v.data() % 64)
			return 1;
		delete[] plain;
		delete[] counted;
		free_sized(std::malloc(s.size()), s.size());
	}
	std::puts("aligned");
	return 0;
}
END_CC
for flags in "-std=c++17" "-std=c++17 -O3 -fsized-deallocation"; do
	# shellcheck disable=SC2086 # a list
	build "$CXX" $flags "$work/wide.cc" -o "$work/wide" "${hook[@]}"
	check "wide arrays, $flags" 0 '^aligned' "$work/wide"
done
case $("$CC" -dumpmachine) in
x86_64-*)
	build "$CXX" -std=c++17 -O2 -mavx512f "$work/wide.cc" -o "$work/wide" "${hook[@]}"
	if grep -qw avx512f /proc/cpuinfo; then
		check "AVX-512 arrays" 0 '^aligned' "$work/wide"
	else
		echo "no AVX-512 here: not tried"
	fi
	;;
esac
grep -q 'mismatch' "$work/out" && fail "what the compiler pairs is called a mismatch"

# other C libraries, other words: said before the start
echo 'int main(void) { return 0; }' > "$work/main.c"
build "$CC" "$work/main.c" -o "$work/musl" -Wl,-dynamic-linker,/lib/ld-musl-x86_64.so.1
check "a program of musl's" 126 'uses musl, not glibc' "$MEMHOOK_TOOL" run -- "$work/musl"

# The other word size of x86: exit(7).  The kernel may run it, the loader has no part in it.
exit_of_i386() {
	printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0\124\200\4\10'
	printf '\64\0\0\0\0\0\0\0\0\0\0\0\64\0\40\0\1\0\0\0\0\0\0\0'
	printf '\1\0\0\0\0\0\0\0\0\200\4\10\0\200\4\10\140\0\0\0\140\0\0\0'
	printf '\5\0\0\0\0\20\0\0\61\300\100\263\7\315\200\0\0\0\0\0'
}
exit_of_x86_64() {
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0\1\0\0\0\170\0\100\0\0\0\0\0'
	printf '\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\100\0\70\0\1\0\0\0\0\0\0\0'
	printf '\1\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\100\0\0\0\0\0\0\0\100\0\0\0\0\0'
	printf '\204\0\0\0\0\0\0\0\204\0\0\0\0\0\0\0\0\20\0\0\0\0\0\0'
	printf '\270\74\0\0\0\277\7\0\0\0\17\5'
}
case $("$CC" -dumpmachine) in
x86_64-*)
	other=i386 loaders=(/lib/ld-linux.so.2 /lib32/ld-linux.so.2)
	exit_of_i386
	;;
i?86-*)
	other=x86_64 loaders=(/lib64/ld-linux-x86-64.so.2)
	exit_of_x86_64
	;;
*) exit $failed ;;
esac > "$work/other"
chmod +x "$work/other"
check "$other" 126 'another architecture' "$MEMHOOK_TOOL" run -- "$work/other"
if "$work/other"; [ $? = 7 ]; then
	check "a child of $other" 7 'exited with status 7' "$MEMHOOK_TOOL" run \
		--follow -- sh -c "$work/other"
else
	echo "no programs of $other here: not tried"
fi
# one that the loader knows: it says that it passes our library over
for loader in "${loaders[@]}"; do
	[ -x "$loader" ] || continue
	check "a loader of $other" 0 'wrong ELF class' \
		env LD_PRELOAD="$MEMHOOK_LIBRARY" "$loader" --list "$loader"
done
exit $failed
