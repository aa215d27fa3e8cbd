# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Is what /proc/PID says of a process said of its program?  Where an emulator runs
# the program it is said of the emulator: its file, its memory.
proc_is_true() {
	[ "$(readlink "/proc/$$/exe")" = "$(readlink -f "$BASH")" ] && return
	echo "not tried: here /proc says of a process what is so of $(readlink "/proc/$$/exe")"
	return 1
}
