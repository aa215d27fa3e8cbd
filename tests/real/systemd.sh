#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Part of run.sh: a systemd of its own, in a container over this machine's files,
# runs memhook-export.service with all that shuts it in.  It must read processes
# of other users, also one that has closed its descriptors, and end when told to.
# Exit status 77: no such container is to be had here.
set -u
: "${MEMHOOK_TOOL:?}" "${MEMHOOK_LIBRARY:?}" "${top_builddir:?}"
skip() {
	echo "$*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "only root may start containers"
[ -d /sys/fs/cgroup/systemd ] || [ -f /sys/fs/cgroup/cgroup.controllers ] || skip "no cgroups"

work=$(mktemp -d)
# The container's groups stay behind in ours.
groups=()
while IFS=: read -r _ name path; do
	case $name in
	name=systemd) bases=("/sys/fs/cgroup/systemd$path") ;;
	"") bases=("/sys/fs/cgroup$path" "/sys/fs/cgroup/unified$path") ;;
	*) continue ;;
	esac
	for base in "${bases[@]}"; do
		[ -e "${base%/}/payload" ] || groups+=("${base%/}/payload" "${base%/}/supervisor")
	done
done < /proc/self/cgroup
# shellcheck disable=SC2317 # the trap calls it
finish() {
	umount -l "$work/root" 2> /dev/null
	umount -l "$work/store" 2> /dev/null
	[ ${#groups[@]} = 0 ] || find "${groups[@]}" -depth -type d -exec rmdir {} + 2> /dev/null
	rm -rf "$work"
}
trap finish EXIT
mkdir "$work/store" "$work/root" "$work/share"
mount -t tmpfs none "$work/store" 2> /dev/null || skip "no mounts"
mkdir "$work/store/upper" "$work/store/work"
mount -t overlay none -o "lowerdir=/,upperdir=$work/store/upper,workdir=$work/store/work" \
	"$work/root" 2> /dev/null || skip "no overlay of the root folder"

# Nothing of this machine's own services; /etc and /usr are its.
root=$work/root
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/fstab
install -D -m 755 "$MEMHOOK_TOOL" "$root/opt/memhook/memhook"
install -m 755 "$MEMHOOK_LIBRARY" "$root/opt/memhook/libmemhook.so.1"
sed 's#^ExecStart=[^ ]*/memhook#ExecStart=/opt/memhook/memhook#' \
	"$top_builddir/contrib/systemd/memhook-export.service" \
	> "$root/etc/systemd/system/memhook-export.service"
grep -q '^ExecStart=/opt/memhook/memhook' "$root/etc/systemd/system/memhook-export.service" ||
	{ echo "where is the unit's ExecStart?"; exit 1; }
cat > "$root/etc/systemd/system/all.service" <<'END'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/opt/memhook/all
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=200
END
cat > "$root/opt/memhook/all" <<'END'
#!/bin/bash
exec > /opt/share/said 2>&1
export MEMHOOK_LIBRARY=/opt/memhook/libmemhook.so.1
until_so() {
	for _ in {1..300}; do
		"$@" > /dev/null 2>&1 && return
		sleep 0.2
	done
	echo "never so: $*"
}
systemd-run -q --unit=one -p User=nobody -E MEMHOOK_LIBRARY="$MEMHOOK_LIBRARY" \
	/opt/memhook/memhook run --output=/dev/null -- sleep 600
systemd-run -q --unit=two -p DynamicUser=yes -E MEMHOOK_LIBRARY="$MEMHOOK_LIBRARY" \
	/opt/memhook/memhook run --output=/dev/null -- \
	/usr/bin/python3 -c 'import os, time; os.closerange(3, 4096); time.sleep(600)'
systemctl start memhook-export || journalctl --no-pager -u memhook-export
scrape() {
	/usr/bin/python3 -c 'import urllib.request as u
print(u.urlopen("http://127.0.0.1:9797/metrics", timeout=30).read().decode())' > /opt/share/metrics
}
both() {
	scrape && grep -q '^memhook_process_live_bytes{.*comm="sleep"} [1-9]' /opt/share/metrics &&
		grep -q '^memhook_process_live_bytes{.*comm="python3"} [1-9]' /opt/share/metrics
}
until_so both
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' \
	"/proc/$(systemctl show -p MainPID --value memhook-export)/status" > /opt/share/status
systemctl show -p NRestarts,ActiveState memhook-export > /opt/share/before
systemd-analyze --no-pager security memhook-export | tail -1 > /opt/share/exposure
systemctl stop memhook-export
systemctl show -p Result,ExecMainStatus memhook-export > /opt/share/after
END
chmod 755 "$root/opt/memhook/all"
mkdir -p "$root/opt/share"
timeout 400 systemd-nspawn -q -D "$root" --private-network --register=no --keep-unit \
	--bind="$work/share:/opt/share" -M "memhook-$$" /lib/systemd/systemd --unit=all.service \
	< /dev/null > "$work/console" 2>&1
[ -f "$work/share/said" ] || skip "no container starts here: $(tail -1 "$work/console")"

failed=0
says() {
	grep -Eq -- "$2" "$work/share/$1" 2> /dev/null || {
		echo "FAIL: $1 does not say '$2': $(tail -5 "$work/share/$1")"
		failed=1
	}
}
cat "$work/share/said"
[ ! -s "$work/share/said" ] || failed=1
says metrics '^memhook_exporter_processes_refused 0$'
says metrics '^memhook_exporter_processes_unreadable 0$'
says before '^ActiveState=active'
says before '^NRestarts=0'
says status '^Uid:.[1-9]'
says status '^CapEff:.0000000000080004$'
says status '^NoNewPrivs:.1'
says status '^Seccomp:.2'
says after '^Result=success'
says after '^ExecMainStatus=0'
[ $failed = 0 ] && sed 's/^[^O]*Overall exposure level for/exposure of/' "$work/share/exposure"
exit $failed
