#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two target port groups that change places, and what the target prefers.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-timeout: 300

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# The target alone decides which group serves: of one with explicit ALUA the
# kernel might activate a group while both are in standby.
rig_groups() {
	alua_type=1 rig_loop on 2
	echo 1 >$probe_secs
}
p1() { loop_hctl 1; }
p2() { loop_hctl 2; }
group() { echo "$backstore/alua/tpg$(loop_of "$1")"; }

# serves H:C:T:L: I/O goes there, and nowhere else once what is under way is done
serves() {
	local other n

	other=$(p1)
	[[ $other != "$1" ]] || other=$(p2)
	n=$(requests "$1")
	wait_for 60 requests_above "$1" $((n + 30)) || fail "no I/O on $1, which is $(state "$1")"
	wait_for 60 idle_for "$other" "$1" || fail "I/O stays on $other, which is $(state "$other")"
	fio_alive
}
# Has the one path been given nothing while the other one was given 30 commands?
# A probe of the idle one's state is no I/O.
idle_for() {
	local n m

	n=$(path_ios "$1") m=$(requests "$2")
	wait_for 60 requests_above "$2" $((m + 30)) || fail "no I/O on $2"
	(($(path_ios "$1") == n))
}
prefers() { # H:C:T:L, all others not
	local h

	for h in $(p1) $(p2); do
		echo $([[ $h == "$1" ]] && echo 1 || echo 0) >"$(group $h)/preferred"
	done
	# A target does not say that its preference has changed.
	ask_state "$(p1)"
	for h in $(p1) $(p2); do
		wait_for 20 preference_is $h $([[ $h == "$1" ]] && echo 1 || echo 0) ||
			fail "preferred: $h is not as it should be"
	done
}
preference_is() { [[ $(<"$(sdev "$1")/preferred_path") == "$2" ]]; }

t_preferred() {
	local n policy

	n=$(failovers)
	fio_start
	for policy in queue-depth numa round-robin; do
		policy $policy
		prefers $(p1)
		serves $(p1)
		prefers $(p2)
		serves $(p2)
	done
	is "state" optimized "$(state $(p2))"
	# It is a tie-break, no more.
	alua $(p2) 1
	wait_for 30 state_is $(p2) non-optimized || fail "$(p2) is $(state $(p2))"
	serves $(p1)
	alua $(p2) 0
	ask_state $(p2)
	wait_for 30 state_is $(p2) optimized || fail "$(p2) is $(state $(p2))"
	serves $(p2)
	# It is of no use if there is no other path.
	down_state $(p2)
	serves $(p1)
	up_state $(p2)
	serves $(p2)
	prefers nobody
	policy round-robin
	n=$(requests $(p1))
	wait_for 20 requests_above $(p1) $((n + 50)) || fail "no I/O on $(p1)"
	n=$(requests $(p2))
	wait_for 20 requests_above $(p2) $((n + 50)) || fail "no I/O on $(p2)"
	fio_stop
	policy numa
}

# swap STATE ROUNDS: the group that is optimized and the one that is in STATE
# change places, by two writes in a row
swap() {
	local i from to next start

	policy round-robin
	alua $(p2) "$1"
	fio_start
	serves $(p1)
	from=$(p1) to=$(p2)
	for ((i = 0; i < $2; i++)); do
		start=$EPOCHREALTIME
		if ((i % 2)); then
			alua $to 0
			alua $from "$1"
		else
			alua $from "$1"
			alua $to 0
		fi
		serves $to
		((i > 1)) || note "round $i took $(elapsed $start) ms"
		next=$from from=$to to=$next
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
	for h in $(p1) $(p2); do alua $h 0; done
	wait_for 30 all_are optimized || fail "not all paths are optimized"
	policy numa
}

# A command that finds its group changed is told so, and tried again there. LIO has
# a group in transition for a moment, though: who comes just then, goes elsewhere.
t_nonoptimized() {
	local n

	n=$(failovers)
	swap 1 20
	n=$(($(failovers) - n))
	note "$n failovers in 20 rounds"
	ok_if "failovers between groups that both serve" "n < 20"
}

# What is under way, 12 at most, may find both groups in standby.
t_standby() {
	local n

	n=$(failovers)
	swap 2 20
	n=$(($(failovers) - n))
	note "$n failovers in 20 rounds"
	ok_if "failovers" "n <= 20 * 2 * 12"
	is "errors for want of a path" 0 "$(head_attr mpath_refused)"
}

# The same with a target that takes its time, and both groups at it at once.
t_transitioning() {
	local i from to next h pids n

	policy round-robin
	for h in $(p1) $(p2); do echo 500 >"$(group $h)/trans_delay_msecs"; done
	alua $(p2) 2
	n=$(head_attr mpath_refused)
	fio_start
	serves $(p1)
	from=$(p1) to=$(p2)
	for i in {1..5}; do
		background alua $from 2
		pids=$bg_pid
		background alua $to 0
		wait_for 30 gone $bg_pid || fail "the target does not end"
		wait_for 30 gone $pids || fail "the target does not end"
		serves $to
		next=$from from=$to to=$next
	done
	fio_stop
	is "errors for want of a path" "$n" "$(head_attr mpath_refused)"
	none_parked || fail "parked: $(parked)"
	for h in $(p1) $(p2); do
		echo 0 >"$(group $h)/trans_delay_msecs"
		alua $h 0
	done
	wait_for 30 all_are optimized || fail "not all paths are optimized"
	policy numa
}

# A group that gets no I/O because another one is better becomes as good, and its
# target tells nobody but those who ask there.
t_rises() {
	policy round-robin
	alua $(p2) 1
	wait_for 30 state_is $(p2) non-optimized || fail "$(p2) is $(state $(p2))"
	fio_start
	serves $(p1)
	alua $(p2) 0
	wait_for 30 state_is $(p2) optimized || fail "$(p2) is $(state $(p2))"
	fio_stop
	policy numa
}

testcase t_preferred rig_groups "C1: I/O follows the group that the target prefers"
testcase t_nonoptimized rig_groups "two groups swap optimized and non-optimized"
testcase t_standby rig_groups "two groups swap optimized and standby"
testcase t_transitioning rig_groups "C4: two groups swap, and both take their time"
testcase t_rises rig_groups "C13: a group becomes optimized while another one is busy"

run_tests "$@"
