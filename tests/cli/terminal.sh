# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# May a test open a terminal?  Not where /dev/pts is not mounted, as in a bare chroot.
has_terminal() {
	script -qec true /dev/null < /dev/null > /dev/null 2>&1
}
