#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# SCSI built in, a wrong word for multipath on the kernel's command line.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=once
# guest-timeout: 120

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

t_word() {
	[[ $(</proc/cmdline) == *scsi_mod.multipath=once* ]] || skip "not on the command line"
	is "multipath" off "$(scsi_mode)"
	log_says "multipath takes off, on or always, not 'once'" ||
		fail "the kernel does not say so"
}

t_plain() {
	[[ $(</proc/cmdline) == *scsi_mod.multipath=once* ]] || skip "not on the command line"
	is "disks" "sda sdb" "$(echo $(sd_names))"
	is "heads" "" "$(heads)"
	is "read" none "$(errno_of read_block sda)"
}

testcase t_word rig_none "D4: built in: a wrong word on the command line is refused"
testcase t_plain "rig_debug off 2" "D4: built in: paths are plain disks then"

run_tests "$@"
