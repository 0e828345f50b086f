#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Paths come and go while they are used, by several hands at once.
#
# guest-timeout: 900

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# A kernel with all debugging does this slowly: boot_on.sh does it 100 times.
t_unbind() { unbind_rounds 8; }

# once H:C:T:L TIMES: delete and find it again, whoever else does so
churn() {
	local i

	for ((i = 0; i < $2; i++)); do
		down_delete "$1" 2>/dev/null || :
		up_delete "$1"
	done
}

t_delete_race() {
	local all pids=() p h

	mapfile -t all < <(hctls)
	policy round-robin
	fio_start
	# two on the same path, one on another
	for h in "${all[0]}" "${all[0]}" "${all[1]}"; do
		background churn "$h" 3
		pids+=("$bg_pid")
	done
	for p in "${pids[@]}"; do
		wait_for 300 gone "$p" || fail "a deletion or a scan hangs"
	done
	for h in "${all[@]}"; do
		[[ -d $(sdev "$h") ]] || up_delete "$h"
	done
	for h in "${all[@]}"; do
		wait_for 20 usable "$h" || fail "$h is $(state "$h")"
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
	is "paths" 4 "$(count $(hctls))"
}

look() {
	local d

	set +e
	trap - ERR
	while :; do
		for d in /dev/sd?; do read_block "${d#/dev/}"; done
		cat /sys/block/sd*/{mpath_*,multipath/*/mpath_*,delayed_removal_secs} \
			/sys/class/scsi_mpath_device/*/*
	done >/dev/null 2>&1
}
change() {
	local d

	set +e
	trap - ERR
	while :; do
		for d in /sys/class/scsi_mpath_device/*/iopolicy; do echo round-robin >$d; done
		for d in /sys/block/sd*/delayed_removal_secs; do echo 1 >$d; echo 0 >$d; done
		for d in /sys/block/sd*:*/mpath_{errors,retries}; do echo 0 >$d; done
	done >/dev/null 2>&1
}

# The last path goes, so that the disk does, while it is opened, read, shown,
# and while its paths are found again.
t_rescan_open() {
	local pids=() p h all

	mapfile -t all < <(hctls)
	background look
	background change
	for h in "${all[@]}"; do
		background churn "$h" 3
		pids+=("$bg_pid")
	done
	for p in "${pids[@]}"; do
		wait_for 300 gone "$p" || fail "a deletion or a scan hangs"
	done
	stop_tasks
	for h in "${all[@]}"; do
		[[ -d $(sdev "$h") ]] || up_delete "$h"
	done
	wait_for 20 have_paths 2 || fail "there are not two paths: $(heads)"
	is "read" none "$(errno_of read_block "$(head_disk)")"
	none_parked || fail "parked: $(parked)"
}

# all_at_once WHAT COMMAND H:C:T:L...: run a command for each path, together.
all_at_once() {
	local what=$1 command=$2 h p pids=()
	shift 2

	for h; do
		background "$command" "$h"
		pids+=("$bg_pid")
	done
	for p in "${pids[@]}"; do
		wait_for 20 gone "$p" || fail "$what hangs"
	done
}

# All paths unbound, and bound, by as many hands at once.
t_unbind_together() {
	local i all

	mapfile -t all < <(hctls)
	for i in {1..4}; do
		all_at_once "round $i: unbinding" down_unbind "${all[@]}"
		wait_for 10 no_heads || fail "round $i: the disk stays without paths"
		all_at_once "round $i: binding" up_unbind "${all[@]}"
		wait_for 20 have_paths 4 || fail "round $i: not one disk with four paths"
	done
	is "logical units" 1 "$(ls /sys/class/scsi_mpath_device | wc -l)"
	is "read" none "$(errno_of read_block "$(head_disk)")"
}

# It outlives its devices, as somebody has it open.
t_open_deleted() {
	local h all

	mapfile -t all < <(hctls)
	exec 9<"/dev/$(head_disk)"
	for h in "${all[@]}"; do down_delete "$h"; done
	wait_for 10 no_heads || fail "the disk stays"
	wait_for 10 no_units || fail "the logical unit stays"
	is "what is read from what was open" 0 \
		"$(dd bs=4k count=1 status=none <&9 2>/dev/null | wc -c)"
	exec 9<&-
	for h in "${all[@]}"; do up_delete "$h"; done
	wait_for 20 have_paths 2 || fail "not one disk with two paths"
	is "read" none "$(errno_of read_block "$(head_disk)")"
}
no_units() { ! compgen -G '/sys/class/scsi_mpath_device/*' >/dev/null; }

# The disk is open while its last path goes.
t_open() {
	local h all pid disk

	mapfile -t all < <(hctls)
	disk=$(head_disk)
	exec 9<"/dev/$disk"
	for h in "${all[@]}"; do
		background down_unbind "$h"
		wait_for 10 gone "$bg_pid" || fail "unbinding waits for whoever has the disk open"
	done
	wait_for 10 no_heads || fail "the disk stays"
	[[ ! -e /sys/block/$disk && ! -b /dev/$disk ]] || fail "the disk stays in sysfs or /dev"
	is "what is read from what was open" 0 \
		"$(dd bs=4k count=1 status=none <&9 2>/dev/null | wc -c)"

	for h in "${all[@]}"; do up_unbind "$h"; done
	wait_for 20 have_paths "${#all[@]}" || fail "no disk of all paths again"
	is "read from the new disk" none "$(errno_of read_block "$(head_disk)")"
	is "what is read from what was open" 0 \
		"$(dd bs=4k count=1 status=none <&9 2>/dev/null | wc -c)"
	exec 9<&-
	is "read from the new disk" none "$(errno_of read_block "$(head_disk)")"
}

# The same under I/O, which has to end.
t_last_path() {
	local h

	fio_start
	for h in $(hctls); do down_unbind "$h"; done
	wait_for 20 no_heads || fail "the disk stays"
	wait_for 20 gone "$fio_pid" || fail "I/O does not end"
	! wait "$fio_pid" || fail "I/O goes on without a path"
}

# Links cut, I/O parked, then the paths removed: nothing is left to wake it.
t_parked_removed() {
	local h all

	mapfile -t all < <(hctls)
	fio_start
	for h in "${all[@]}"; do down_link "$h"; done
	wait_for 20 some_parked || fail "nothing is parked"
	for h in "${all[@]}"; do
		background down_unbind "$h"
		wait_for 20 gone "$bg_pid" || fail "unbinding hangs"
	done
	wait_for 20 no_heads || fail "the disk stays"
	wait_for 20 gone "$fio_pid" || fail "parked I/O does not end"
	! wait "$fio_pid" || fail "I/O goes on without a path"
}

testcase t_unbind "rig_loop on 2" "A19, A14, A5: sd unbound and bound 8 times under I/O"
testcase t_delete_race "rig_loop on 4" "A14, A15: paths deleted and found by three hands under I/O"
testcase t_unbind_together "rig_loop on 4" \
	"A8, A11, A12: all paths unbound at once, and bound at once"
testcase t_open_deleted "rig_loop on 2" "A3: whoever closes the disk last may free all that is left"
testcase t_open "rig_loop on 4" "A6: removal does not wait for whoever has the disk open"
testcase t_last_path "rig_loop on 2" "A4: I/O ends when the last path goes"
testcase t_parked_removed "rig_loop on 2 abc2" "A4: parked I/O ends when the last path goes"
testcase t_rescan_open "rig_debug on 2" \
	"A8, A9, A11, A12, A15: the disk comes and goes while it is opened and looked at"

run_tests "$@"
