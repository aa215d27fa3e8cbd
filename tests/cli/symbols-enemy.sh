#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Names of call sites when the files are not what they were, or were made to
# hurt: a file that is not the one that was loaded gives no names, and one that
# kills its reader costs its own names alone.
# shellcheck disable=SC1091,SC2034,SC2154 # symbols-lib.sh has the rest
set -u
: "${MEMHOOK_TOOL:?}" "${SITES:?}" "${CC:=cc}" "${CXX:=c++}" "${top_srcdir:?}"
[ "${MEMHOOK_MODE:-jemalloc}" = jemalloc ] || exit 77
. "$top_srcdir/tests/cli/symbols-lib.sh"
. "$top_srcdir/tests/cli/proc.sh"

build pie -g -O2
build plain -g -O0
build noid -g -O2 -Wl,--build-id=none

# --- another file lies there now ---
cp pie replaced
ask ./replaced
check_all "before it was replaced" plain
cp plain replaced.new && mv replaced.new replaced
look
hasnt "replaced" plain '"function"'
has "replaced" plain '"object":"'"$work/replaced"'"'
rm replaced
look
hasnt "removed" plain '"function"'
cp noid touched
ask ./touched
check_all "without build-id" plain
touch touched
look
hasnt "without build-id, touched since" plain '"function"'
ask_as noid "$(build_id pie)"
hasnt "lost its build-id" plain '"function"'
ask_as pie -
hasnt "got a build-id" plain '"function"'

# --- a library that was unloaded, and another one at its address ---
for name in alpha beta; do
	echo "#include <stdlib.h>
	void *$name(void) { return malloc(1000); } /* $name */" > $name.c
	$CC -g -O0 -fno-builtin -shared -fPIC -o $name.so $name.c || exit 99
done
cat > host.c << 'END'
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
static void *use(const char *path, const char *function)
{
	void *library = dlopen(path, RTLD_NOW);
	void *(*f)(void) = (void *(*)(void))dlsym(library, function);

	if (!f())
		return 0;
	dlclose(library);
	return (void *)f;
}
int main(void)
{
	void *alpha = use("./alpha.so", "alpha"), *beta = use("./beta.so", "beta");

	printf("%s\n", alpha == beta ? "same address" : "other address");
	fflush(stdout);
	for (;;)
		pause();
}
END
$CC -o host host.c -ldl || exit 99
start "" env LD_PRELOAD="$MEMHOOK_LIBRARY" MEMHOOK_BY=site ./host
grep -q "same address" started ||
	echo "not tried: here a library does not come to lie where an unloaded one lay"
look
for name in alpha beta; do
	has "unloaded" "$name.so+0x[0-9a-f]*" \
		"\"function\":\"$name\",\"file\":\"[^\"]*$name.c\",\"line\":2,\"live_bytes\":1000,"
done

# --- hostile paths and files ---
# One that blocked would cost a minute; of more than three, all that follow.
mkfifo fifo fifo2 fifo3 fifo4
ln -s loop loop
head -c 5000 /dev/zero > zeros
head -c 700 pie > short
start_sites <<- END
	fifo $work/fifo 10 -
	fifo2 $work/fifo2 10 -
	fifo3 $work/fifo3 10 -
	fifo4 $work/fifo4 10 -
	zero /dev/zero 10 -
	folder $work 10 -
	loop $work/loop 10 -
	zeros $work/zeros 10 -
	short $work/short 10 $(build_id pie)
	self /proc/self/exe 10 -
	nothing $work/../../nothing 10 -
	relative pie 10 -
	zero-offset $work/pie 0 $(build_id pie)
	far $work/pie ffffffffffff $(build_id pie)
	good $work/pie $(offset pie plain) $(build_id pie)
END
look
for name in fifo zero folder loop zeros short self nothing relative zero-offset far; do
	hasnt "hostile" $name '"function"'
done
has "beside hostile ones" good '"function":"plain_c"'

# Debug information spoiled: whatever comes of it, the report does.
spoil() {
	perl -e 'my ($file, $seed) = @ARGV;
		srand $seed;
		open my $f, "+<", $file or die;
		for (1 .. 400) {
			seek $f, 2000 + int rand((-s $file) - 2000), 0;
			print $f chr int rand 256;
		}' "$@"
}
for seed in $(seq "${SPOILED:-40}"); do
	cp pie spoiled
	spoil spoiled "$seed"
	ask_as spoiled "$(build_id pie)" pie
	has "spoiled, seed $seed" plain '"live_bytes":100,'
done

# --- the network is not asked ---
cp pie unknown && strip unknown
coproc listener {
	exec python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
input()
s.setblocking(False)
try:
	s.accept()
	print("asked", flush=True)
except BlockingIOError:
	print("quiet", flush=True)'
}
# Copies: bash forgets its own when the other end has ended.
exec {from}<&"${listener[0]}" {to}>&"${listener[1]}"
read -r port <&"$from"
export DEBUGINFOD_URLS=http://127.0.0.1:$port DEBUGINFOD_CACHE_PATH=$work/cache
ask ./unknown
unset DEBUGINFOD_URLS
has "without debug information" plain '"function":"plain_c"'
echo >&"$to"
read -r answer <&"$from"
[ "$answer" = quiet ] || fail "debuginfod: $answer"

# --- an upgraded program that still runs is named from what it runs ---
cp "$SITES" program
pretender=./program
if proc_is_true; then
	start=$(nm program | awk '$3 == "main" { print $1 }')
	start_sites <<< "main $work/program $(printf %x $((0x$start + 5))) $(build_id program)"
	cp pie program.new && mv program.new program
	look
	has "replaced while it runs" main '"function":"main"'
fi

[ "$(id -u)" = 0 ] || exit "$failed"
# --- as root: what the process's user may read, and its root ---
chmod 755 "$work"
cp "$SITES" program && chmod 755 program
cp pie secret && chmod 600 secret
cp pie open && chmod 644 open
start_sites setpriv --reuid=65534 --regid=65534 --clear-groups < <(
	echo "secret $work/secret $(offset pie plain) $(build_id pie)"
	echo "open $work/open $(offset pie plain) $(build_id pie)"
)
look
hasnt "a file of root's" secret '"function"'
has "a file of everybody's" open '"function":"plain_c","file"'

root=$work/root
id=$(build_id pie)
debug=$root/usr/lib/debug/.build-id/${id:0:2}
mkdir -p "$debug" "$root/opt" "$root/lib"
cp pie "$root/opt/pie" && strip "$root/opt/pie"
objcopy --only-keep-debug pie "$debug/${id:2}.debug"
ln -s /opt/pie "$root/lib/pie" # in its root, nowhere in ours
start_sites < <(./pie | sed "s| [^ ]* | /lib/pie |; s|\$| $id|")
look
check_all "in another root"
# dwz, which comes with debhelper, as Debian's packages use it.
if command -v dwz > /dev/null; then
	build two -g -O2 -fno-inline-small-functions
	objcopy --only-keep-debug two two.debug
	mkdir "$root/usr/lib/debug/.dwz"
	shared=/usr/lib/debug/.dwz/shared.debug
	dwz -m "$root$shared" -M $shared "$debug/${id:2}.debug" two.debug || fail "dwz"
	look
	check_all "shared by dwz, in another root"
fi

exit "$failed"
