#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Port groups that change their state when nobody looks. Nothing here has the
# devices scanned again: the kernel has to find out by itself.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_explicit|t_bound
# guest-timeout: 600

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# The target decides alone which group serves.
rig_alua() {
	alua_type=1 rig_loop on 3
	echo 1 >$probe_secs
}
# The paths.
p1() { loop_hctl 1; }
p2() { loop_hctl 2; }
p3() { loop_hctl 3; }

# type H:C:T:L WORD: 1 implicit, 2 explicit, 3 both
type() { echo "$2" >"$backstore/alua/tpg$(loop_of "$1")/alua_access_type"; }
# Of all. What INQUIRY says is read when a device is found.
types() {
	local h all

	mapfile -t all < <(hctls)
	for h in "${all[@]}"; do
		type "$h" "$1"
		down_delete "$h"
		up_delete "$h"
		wait_for 20 usable "$h" || fail "$h is $(state "$h")"
	done
}

t_words() {
	local word

	is "seconds" 1 "$(<$probe_secs)"
	for word in "" x -1 3601 1s; do
		[[ $(errno_of store "$word" $probe_secs) == @(EINVAL|ERANGE) ]] ||
			fail "'$word' is taken"
	done
	echo 0 >$probe_secs
	echo 1 >$probe_secs
}

# With no I/O at all.
t_idle() {
	local state name

	while read -r state name; do
		alua $(p1) "$state"
		wait_for 30 state_is $(p1) "$name" || fail "$(p1) is $(state $(p1)), not $name"
	done <<-END
		1 non-optimized
		2 standby
		1 non-optimized
		3 unavailable
		0 optimized
	END
}

# A path gets no command while it is in standby, and so no unit attention.
t_comes_back() {
	local n s

	policy round-robin
	fio_start
	for s in 2 3; do
		alua $(p1) $s
		wait_for 30 unusable $(p1) || fail "$(p1) is still used"
		alua $(p1) 0
		wait_for 30 usable $(p1) || fail "$(p1) is $(state $(p1))"
		n=$(requests $(p1))
		wait_for 20 requests_above $(p1) $((n + 50)) || fail "no I/O on $(p1)"
	done
	# Two groups change places.
	alua $(p1) 2
	wait_for 30 state_is $(p1) standby
	alua $(p2) 2
	alua $(p1) 0
	wait_for 30 usable $(p1) || fail "$(p1) is $(state $(p1))"
	wait_for 30 state_is $(p2) standby || fail "$(p2) is $(state $(p2))"
	fio_alive
	alua $(p2) 0
	wait_for 30 usable $(p2) || fail "$(p2) is $(state $(p2))"
	fio_stop
	policy numa
}

# States are asked for often for 30 s, some 100 times, and then not less and less.
t_waits() {
	local n

	echo 3600 >$probe_secs
	alua $(p1) 2
	ask_state $(p1)
	wait_for 30 state_is $(p1) standby || fail "$(p1) is $(state $(p1))"
	n=$(requests $(p1))
	wait_for 120 requests_above $(p1) $((n + 130)) ||
		fail "$(($(requests $(p1)) - n)) questions"
	alua $(p1) 0
	wait_for 30 usable $(p1) || fail "$(p1) is $(state $(p1))"
	echo 1 >$probe_secs
}

# All groups in standby, and then one is not any more: I/O waits for it.
t_all_standby() {
	local h n

	fio_start
	for h in $(hctls); do alua "$h" 2; done
	wait_for 30 all_are standby || fail "not all paths are in standby"
	wait_for 10 some_parked || fail "no I/O waits"
	fio_alive
	alua $(p3) 0
	wait_for 30 usable $(p3) || fail "$(p3) is $(state $(p3))"
	n=$(disk_stat "$(head_disk)" 1)
	wait_for 20 disk_reads_above "$(head_disk)" $((n + 50)) || fail "I/O does not go on"
	fio_stop
	for h in $(hctls); do alua "$h" 0; done
	wait_for 30 all_are optimized || fail "not all paths are optimized"
}

# A target with explicit ALUA waits to be told which group is to serve.
t_explicit() {
	local h n

	types 3
	fio_start
	for h in $(hctls); do alua "$h" 2; done
	n=$(disk_stat "$(head_disk)" 1)
	wait_for 30 disk_reads_above "$(head_disk)" $((n + 100)) ||
		fail "no path has been activated"
	fio_stop
	ok_if "groups that serve" \
		"$(grep -l '^[01]$' "$backstore"/alua/tpg[123]/alua_access_state | wc -l) >= 1"
	for h in $(hctls); do alua "$h" 0; done
	wait_for 30 all_are optimized || fail "not all paths are optimized"
	types 1
}

# The other groups have been in standby for as long as one remembers when the
# last path is lost.
t_long_standby() {
	local h n

	types 3
	alua $(p2) 2
	alua $(p3) 2
	wait_for 30 state_is $(p2) standby || fail "$(p2) is $(state $(p2))"
	wait_for 30 state_is $(p3) standby || fail "$(p3) is $(state $(p3))"
	sleep 31
	fio_start
	down_state $(p1)
	n=$(disk_stat "$(head_disk)" 1)
	wait_for 30 disk_reads_above "$(head_disk)" $((n + 100)) ||
		fail "no path has been activated"
	fio_stop
	up_state $(p1)
	for h in $(hctls); do alua "$h" 0; done
	wait_for 30 all_are optimized || fail "not all paths are optimized"
	types 1
}

# It is not waited for ever.
t_bound() {
	local h start

	for h in $(hctls); do alua "$h" 3; done
	wait_for 30 all_are unavailable || fail "not all paths are unavailable"
	start=$EPOCHREALTIME
	is "read with all groups unavailable" EIO "$(errno_of read_block "$(head_disk)")"
	note "it took $(elapsed "$start") ms"
	for h in $(hctls); do alua "$h" 0; done
	wait_for 30 all_are optimized || fail "not all paths are optimized"
	is "read" none "$(errno_of read_block "$(head_disk)")"
}

testcase t_words rig_alua "multipath_probe_secs takes 0 to 3600"
testcase t_idle rig_alua "C13: an idle path's change is found"
testcase t_comes_back rig_alua "C15: a path comes back from standby by itself"
testcase t_waits rig_alua "C15: what is in standby for long is asked all the time"
testcase t_all_standby rig_alua "C15: I/O waits for a group to leave standby"
testcase t_explicit rig_alua "a group is activated when all are in standby"
testcase t_long_standby rig_alua "a group is activated when the last path is lost"
testcase t_bound rig_alua "C4: groups that stay unavailable are given up"

run_tests "$@"
