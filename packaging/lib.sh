# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the scripts of packaging/ share: the mirror, chroots, messages.
# Sourced; `me` is the caller's name.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=${0##*/}
work=${MEMHOOK_WORK:-$top/build-debian}
umask 022
shopt -s inherit_errexit
export LC_ALL=C.UTF-8

say() { printf '%s: %s\n' "$me" "$*" >&2; }
die() {
	say "$@"
	exit 1
}

# The Debian mirror that this machine itself uses: no name of one is written
# down in the tree.
mirror() {
	local uri

	[ -n "${MEMHOOK_MIRROR:-}" ] && { echo "$MEMHOOK_MIRROR"; return; }
	# $(REPO_URI) is apt's to expand, not the shell's
	# shellcheck disable=SC2016
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' | head -n 1)
	[ -n "$uri" ] || die "apt knows no Debian mirror: run 'apt-get update' first," \
		"or set MEMHOOK_MIRROR=http://..."
	echo "$uri"
}

# Chroots need root, mount and namespaces; say so before anything is begun.
need_chroots() {
	local tool

	[ "$(id -u)" = 0 ] || die "needs root, for chroots: try sudo"
	for tool in mmdebstrap unshare chroot apt-ftparchive gpg; do
		command -v $tool > /dev/null || die "$tool is not installed:" \
			"xargs apt-get install < $top/packaging/packages.txt"
	done
	unshare --mount --pid --fork --ipc --uts true 2> /dev/null ||
		die "no mount namespaces here (a container without CAP_SYS_ADMIN?):" \
			"packages cannot be built in a clean chroot"
}

# base SUITE [ARCH [VARIANT]]: prints the tar file of a fresh system, made
# once a week.  VARIANT buildd has build-essential, apt little more than apt.
base() {
	local suite=$1 arch=${2:-$(dpkg --print-architecture)} variant=${3:-buildd}
	local tar=$work/chroots/$suite-$arch-$variant.tar

	if [ -z "$(find "$tar" -mtime -7 2> /dev/null)" ]; then
		mkdir -p "$work/chroots"
		say "a fresh $suite ($arch, $variant)"
		mmdebstrap --quiet --variant="$variant" --mode=root --architectures="$arch" \
			"$suite" "${tar%.tar}.new.tar" "$(mirror)" >&2 ||
			die "mmdebstrap could not make $suite for $arch"
		mv "${tar%.tar}.new.tar" "$tar"
	fi
	echo "$tar"
}

# unpack NAME TAR: prints the folder of a throwaway chroot
unpack() {
	local root=$work/chroots/$1.$$

	rm -rf --one-file-system "$root"
	mkdir -p "$root"
	tar -C "$root" -xf "$2"
	printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	printf 'force-unsafe-io\n' > "$root/etc/dpkg/dpkg.cfg.d/fast"
	echo "$root"
}

discard() { rm -rf --one-file-system "$1"; }

# enter ROOT COMMAND [ARG]...: run a shell COMMAND as root in ROOT, in
# namespaces of its own, so that whatever it mounts or starts ends with it.
#     net=no     without network, but for the loopback
#     as=USER    as USER
#     cache=DIR  apt's downloads, kept for the next chroot; one at a time has them
enter() {
	local root=$1 lock=() unshared=(--mount --pid --fork --kill-child --ipc --uts)

	shift
	[ "${net:-yes}" = yes ] || unshared+=(--net)
	if [ "${cache:-}" ]; then
		mkdir -p "$cache"
		lock=(flock "$cache")
	fi
	# The inner shell expands, not this one.
	# shellcheck disable=SC2016
	nice ${lock[@]+"${lock[@]}"} unshare "${unshared[@]}" /bin/sh -euc '
		root=$1 net=$2 as=$3 cache=$4
		shift 4
		hostname "${NODE:-builder}"
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		if [ "$cache" ]; then
			mkdir -p "$cache/partial"
			mount --bind "$cache" "$root/var/cache/apt/archives"
		fi
		[ "$net" = yes ] || perl -MSocket -e "
			socket(S, AF_INET, SOCK_DGRAM, 0) or die;
			\$r = pack(q(a16s), q(lo), 1);
			ioctl(S, 0x8914, \$r) or die;"
		set -- /bin/sh -euc "$@"
		[ -z "$as" ] || set -- setpriv --reuid="$as" --regid="$as" --init-groups "$@"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
	' sh "$root" "${net:-yes}" "${as:-}" "${cache:-}" "$1" sh "${@:2}" < /dev/null
}

# files_of FILE: a .dsc or .changes and the files that it names, beside it
files_of() {
	echo "$1"
	awk -v dir="$(dirname "$1")" '/^Files:/ { f = 1; next } /^[^ ]/ { f = 0 }
		f { print dir "/" $NF }' "$1"
}

# How a suite calls a rebuild of the package for it: distribution, suffix.
suite_words() {
	case $1 in
	bookworm) echo "bookworm-backports ~bpo12+" ;;
	trixie) echo "trixie-backports ~bpo13+" ;;
	*) die "no such suite: $1 (bookworm or trixie)" ;;
	esac
}

# with NAME SUITE ARCH PACKAGE...: prints a throwaway chroot that has them
with() {
	local tar root name=$1 suite=$2 arch=$3

	shift 3
	tar=$(base "$suite" "$arch" apt)
	root=$(unpack "$name-$suite-$arch" "$tar")
	# shellcheck disable=SC2016
	cache=$work/apt/$suite-$arch enter "$root" '
		apt-get update -q
		apt-get install -q -y --no-install-recommends "$@"' "$@" \
		> "$root/install.log" 2>&1 || {
		cat "$root/install.log" >&2
		discard "$root"
		die "$suite, $arch: $* cannot be installed"
	}
	echo "$root"
}

# repository_for ROOT REPOSITORY: as a user adds it, from /srv/repo
repository_for() {
	mkdir -p "$1/srv/repo"
	cp -r "$2/." "$1/srv/repo/"
	sed 's|^URIs: .*|URIs: file:/srv/repo|' "$2/memhook.sources" \
		> "$1/etc/apt/sources.list.d/memhook.sources"
	cp "$2/memhook-archive-keyring.gpg" "$1/usr/share/keyrings/"
}
