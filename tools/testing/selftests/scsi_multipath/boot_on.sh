#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# SCSI built in, multipath turned on by the kernel's command line.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-timeout: 300

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

t_mode() {
	! scsi_is_module || skip "SCSI is a module"
	[[ $(</proc/cmdline) == *scsi_mod.multipath=on* ]] || skip "not on the command line"
	is "multipath" on "$(scsi_mode)"
}

t_io() {
	local h

	! scsi_is_module || skip "SCSI is a module"
	is "disk" sda "$(head_disk)"
	policy round-robin
	fio_start
	for h in $(hctls); do
		down_link "$h"
		wait_for 20 unusable "$h" || fail "$h is still used"
		up_link "$h"
		wait_for 20 usable "$h" || fail "$h has not come back"
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
}

t_unbind() {
	! scsi_is_module || skip "SCSI is a module"
	unbind_rounds 100
}

testcase t_mode rig_none "built in: scsi_mod.multipath=on on the command line"
testcase t_io "rig_loop on 2" "built in: I/O while paths are lost"
testcase t_unbind "rig_loop on 2" "A19: sd unbound and bound 100 times under I/O"

run_tests "$@"
