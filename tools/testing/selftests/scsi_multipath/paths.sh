#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Paths fail, by each means there is, and come back, under verified I/O.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_all_but_one|t_timeout
# guest-timeout: 900

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# Sets total.
total_requests() {
	local h counter sum=0

	for h; do get_counter "$h" iorequest_cnt; sum=$((sum + counter)); done
	total=$sum
}
total_above() { local total n=$1; shift; total_requests "$@"; ((total > n)); }

# Take away and bring back each path of the disk by means $1.
each_path() {
	local means=$1 hctl other others n own all failovers total

	policy round-robin
	fio_start
	all=$(hctls)
	failovers=$(failovers)
	for hctl in $all; do
		others=()
		for other in $all; do [[ $other == "$hctl" ]] || others+=("$other"); done

		"down_$means" "$hctl"
		wait_for 20 unusable "$hctl" || fail "$hctl is still used"
		# What was on its way to it comes to an end first.
		total_requests "${others[@]}"
		n=$total
		wait_for 20 total_above $((n + 100)) "${others[@]}" ||
			fail "no I/O on the other paths"
		own=$(path_ios "$hctl")
		total_requests "${others[@]}"
		n=$total
		wait_for 20 total_above $((n + 100)) "${others[@]}" ||
			fail "no I/O on the other paths"
		is "I/O on $hctl" "$own" "$(path_ios "$hctl")"

		"up_$means" "$hctl"
		wait_for 30 usable "$hctl" || fail "$hctl has not come back"
		own=$(requests "$hctl")
		wait_for 20 requests_above "$hctl" $((own + 20)) ||
			fail "$hctl gets no I/O any more"
		fio_alive
	done
	fio_stop
	is "paths" "$(wc -w <<<"$all")" "$(hctls | wc -l)"
	wait_for 5 none_parked || fail "parked: $(parked)"
	seen_failovers=$(($(failovers) - failovers))
	note "failovers: $seen_failovers"
}

t_state() { each_path state; }
t_delete() { each_path delete; }
t_unbind() { each_path unbind; }
t_relink() { each_path relink; }
t_standby() { each_path standby; }
t_unavailable() { each_path unavailable; }
t_link() {
	each_path link
	ok_if "each cut has failed a bio over" "$seen_failovers >= 4"
}

# All paths but the last at once, then this one and back the others.
t_all_but_one() {
	local all last h n

	policy round-robin
	fio_start
	mapfile -t all < <(hctls)
	last=${all[-1]}
	unset 'all[-1]'
	down_state "${all[0]}"
	down_link "${all[1]}"
	down_delete "${all[2]}"
	for h in "${all[@]}"; do
		wait_for 20 unusable "$h" || fail "$h is still used"
	done
	n=$(requests "$last")
	wait_for 20 requests_above "$last" $((n + 200)) || fail "no I/O on the last path"
	up_state "${all[0]}"
	up_link "${all[1]}"
	up_delete "${all[2]}"
	for h in "${all[@]}"; do
		wait_for 30 usable "$h" || fail "$h has not come back"
		n=$(requests "$h")
		wait_for 20 requests_above "$h" $((n + 20)) || fail "$h gets no I/O any more"
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
}

# All links cut for three seconds: nothing fails, all waits.
# How often the log has said that since it was marked.
mark='paths.sh: all paths are lost'
times_said() {
	dmesg | awk -v mark="$mark" -v what="$1" 'index($0, mark) { n = 0 }
		index($0, what) { n++ } END { print n + 0 }'
}

t_all_for_3s() {
	local h n

	echo "$mark" >/dev/kmsg
	fio_start
	for h in $(hctls); do down_link "$h"; done
	wait_for 20 some_parked || fail "nothing is parked"
	for h in $(hctls); do unusable "$h" || fail "$h is used"; done
	sleep 3
	fio_alive
	n=$(disk_stat "$(head_disk)" 1)
	for h in $(hctls); do up_link "$h"; done
	wait_for 20 disk_reads_above "$(head_disk)" "$n" || fail "I/O does not go on"
	wait_for 20 all_are optimized || fail "not all paths have come back"
	fio_stop
	ok_if "I/O has waited, and not much longer than it had to" \
		"fio_stall >= 3000 && fio_stall < 15000"
	none_parked || fail "parked: $(parked)"
	is "times that the log says that it began" 1 "$(times_said 'no usable path')"
	is "times that the log says that it is over" 1 "$(times_said 'a path is usable again')"
}

# Paths blinking in turn, so that often there is none: nothing may be stranded.
t_blink() {
	local h round

	policy round-robin
	fio_start
	for round in {1..4}; do
		for h in $(hctls); do down_link "$h"; done
		for h in $(hctls); do up_link "$h"; done
		wait_for 30 all_are optimized || fail "not all paths have come back in round $round"
		fio_alive
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
}

share() {
	local h i=0

	mapfile -t share_hctls < <(hctls)
	for h in "${share_hctls[@]}"; do share_before[i++]=$(requests "$h"); done
	fio_start
	i=$(disk_stat "$(head_disk)" 1)
	wait_for 60 disk_reads_above "$(head_disk)" $((i + 600)) || fail "no progress"
	fio_stop
	share=()
	for i in "${!share_hctls[@]}"; do
		share[i]=$(($(requests "${share_hctls[i]}") - share_before[i]))
	done
	note "commands on ${share_hctls[*]}: ${share[*]}"
}

t_round_robin() {
	local n min max

	policy round-robin
	share
	read -r min max < <(printf '%s\n' "${share[@]}" | sort -n | sed -n '1p;$p' | xargs)
	ok_if "all paths have much the same share" "min > 100 && (max - min) * 10 <= max"
}

t_numa() {
	local n used=0

	policy numa
	share
	for n in "${share[@]}"; do ((n < 20)) || used=$((used + 1)); done
	is "paths used" 1 $used
}

t_switch_policy() {
	local i

	fio_start
	for i in {1..50}; do
		policy round-robin
		policy numa
	done
	fio_stop
}

# C3, C8: a path that gets worse is left, though it was the one that is cached.
t_nonoptimized() {
	local all h n i

	policy numa
	mapfile -t all < <(hctls)
	fio_start
	for i in 0 1 2; do
		alua "${all[i]}" 1
		ask_state "${all[i]}"
		wait_for 20 state_is "${all[i]}" non-optimized ||
			fail "${all[i]} is $(state "${all[i]}")"
	done
	total_requests "${all[@]:0:3}"
	n=$total
	i=$(requests "${all[3]}")
	wait_for 20 requests_above "${all[3]}" $((i + 200)) || fail "no I/O on the optimized path"
	total_requests "${all[@]:0:3}"
	ok_if "no I/O on non-optimized paths" "$total - n < 20"

	# None better left: the others have to do.
	alua "${all[3]}" 2
	ask_state "${all[3]}"
	wait_for 20 state_is "${all[3]}" standby || fail "${all[3]} is $(state "${all[3]}")"
	total_requests "${all[@]:0:3}"
	n=$total
	wait_for 20 total_above $((n + 200)) "${all[@]:0:3}" ||
		fail "no I/O on the non-optimized paths"
	for h in "${all[@]}"; do
		alua "$h" 0
		ask_state "$h"
		wait_for 20 state_is "$h" optimized || fail "$h is $(state "$h")"
	done
	fio_stop
}

# C1: the preferred bit is no state of its own, but tells among equals.
t_preferred() {
	local all n

	policy round-robin
	mapfile -t all < <(hctls)
	echo 1 >"$backstore/alua/tpg$(loop_of "${all[2]}")/preferred"
	ask_state "${all[2]}"
	wait_for 10 is_preferred "${all[2]}" || fail "the preferred bit has not arrived"
	state_is "${all[2]}" optimized || fail "${all[2]} is $(state "${all[2]}")"
	share
	ok_if "the preferred path takes the I/O" \
		"share[2] > 500 && share[0] < 20 && share[1] < 20 && share[3] < 20"
	echo 0 >"$backstore/alua/tpg$(loop_of "${all[2]}")/preferred"
	ask_state "${all[2]}"
}
is_preferred() { (($(<"$(sdev "$1")/preferred_path") == 1)); }

# C4: a transition is waited for.
t_transitioning() {
	local h all n used

	mapfile -t all < <(hctls)
	policy round-robin
	fio_start
	# Sense data tell of it, and the other paths do not wait for its end.
	h=${all[1]}
	alua "$h" 15 || skip "LIO does not hold a transition"
	wait_for 20 state_is "$h" transitioning || fail "$h is $(state "$h")"
	used=$(requests "$h") n=$(disk_stat "$(head_disk)" 1)
	wait_for 30 disk_reads_above "$(head_disk)" $((n + 300)) || fail "no I/O on other paths"
	state_is "$h" transitioning || fail "$h is $(state "$h")"
	ok_if "no I/O on a path in transition" "$(requests "$h") - used < 20"
	alua "$h" 0
	wait_for 30 state_is "$h" optimized || fail "$h is $(state "$h")"

	# Now all of them are: I/O waits.
	for h in "${all[@]}"; do alua "$h" 15; done
	wait_for 20 all_are transitioning || fail "not all paths are in transition"
	wait_for 20 some_parked || fail "no I/O waits"
	fio_alive
	n=$(disk_stat "$(head_disk)" 1)
	for h in "${all[@]}"; do alua "$h" 0; done
	wait_for 30 disk_reads_above "$(head_disk)" $((n + 50)) || fail "I/O does not go on"
	for h in "${all[@]}"; do
		ask_state "$h"
		wait_for 30 state_is "$h" optimized || fail "$h is $(state "$h")"
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
	policy numa
}

# scsi_debug: hosts 0 and 3 are optimized, 1 is not, 2 is standby.
t_hosts() {
	local n1 n2 n3

	policy round-robin
	wait_for 10 state_is 1:0:0:0 non-optimized
	wait_for 10 state_is 2:0:0:0 standby
	fio_start
	n1=$(requests 1:0:0:0) n2=$(requests 2:0:0:0) n3=$(requests 3:0:0:0)
	wait_for 30 requests_above 3:0:0:0 $((n3 + 100)) || fail "no I/O on host 3"
	ok_if "no I/O on the non-optimized path" "$(requests 1:0:0:0) - n1 < 10"

	echo -1 >$debug_driver/add_host
	wait_for 20 state_is 3:0:0:0 gone || fail "host 3 is still there"
	down_state 0:0:0:0
	wait_for 30 requests_above 1:0:0:0 $((n1 + 100)) ||
		fail "no I/O on the non-optimized path, though none is better"
	ok_if "no I/O on the standby path" "$(requests 2:0:0:0) - n2 < 10"
	echo 1 >$debug_driver/add_host
	wait_for 20 usable 3:0:0:0 || fail "host 3 is $(state 3:0:0:0)"
	wait_for 30 requests_above 3:0:0:0 100 || fail "no I/O on the new host"
	up_state 0:0:0:0
	wait_for 20 usable 0:0:0:0 || fail "host 0 is $(state 0:0:0:0)"
	fio_stop
	ok_if "no I/O on the standby path" "$(requests 2:0:0:0) - n2 < 10"
	none_parked || fail "parked: $(parked)"
}

# A command that is not answered is tried again once it is aborted. If no try is
# answered, another path takes it, and only then.
t_timeout() {
	local h n used

	policy numa
	fio_start
	for h in 0:0:0:0 3:0:0:0; do
		echo 1 >"$(sdev $h)/timeout"
		n=$(requests $h)
		! wait_for 1 requests_above $h $((n + 10)) || used=$h
	done
	[[ -n $used ]] || fail "neither host 0 nor 3 is used"
	n=$(timeouts "$used")
	inject "$used" "0 -1 0x2a"
	wait_for 20 rule_used_up "$used" 0 0x2a || fail "no command was swallowed"
	wait_for 20 timeouts_above "$used" "$n" || fail "nothing timed out"
	n=$(failovers)
	inject "$used" "0 1 0x2a"
	wait_for 60 failovers_above "$n" || fail "nothing was failed over"
	uninject "$used" 0 0x2a
	# sd gives up on a disk that leaves media commands unanswered.
	! state_is "$used" offline || up_state "$used"
	wait_for 40 both_usable || fail "hosts 0 and 3 are $(state 0:0:0:0) and $(state 3:0:0:0)"
	fio_stop
	none_parked || fail "parked: $(parked)"
	for h in 0:0:0:0 3:0:0:0; do echo 30 >"$(sdev $h)/timeout"; done
}
timeouts_above() { (($(timeouts "$1") > $2)); }
failovers_above() { (($(failovers) > $1)); }
both_usable() { usable 0:0:0:0 && usable 3:0:0:0; }

testcase t_state "rig_loop on 4" "B9: each path set offline and running"
testcase t_link "rig_loop on 4" "C16: each path's link cut and restored"
testcase t_delete "rig_loop on 4" "A14: each path deleted and found again"
testcase t_unbind "rig_loop on 4" "A14: sd unbound from each path and bound"
testcase t_relink "rig_loop on 4" "each path's LUN unmapped at the target and mapped"
testcase t_standby "rig_loop on 4" "C3: each path's port group put in standby and back"
testcase t_unavailable "rig_loop on 4" "C3: each path's port group made unavailable and back"
testcase t_all_but_one "rig_loop on 4" "all paths but one lost at once"
testcase t_all_for_3s "rig_loop on 4" "B9, D19: all paths lost for three seconds"
testcase t_blink "rig_loop on 4" "A4, B9: all paths come and go, no bio is stranded"
testcase t_round_robin "rig_loop on 4" "round-robin spreads I/O evenly"
testcase t_numa "rig_loop on 4" "numa keeps to one path of several equals"
testcase t_switch_policy "rig_loop on 4" "C6, C12: the policy changes under I/O"
testcase t_nonoptimized "rig_loop on 4" \
	"C3, C8: a non-optimized path is used when there is no better one"
testcase t_preferred "rig_loop on 4" "C1: the preferred path is used among equals"
testcase t_transitioning "rig_loop on 4" "C4: I/O waits for the end of a transition"
testcase t_hosts "rig_debug on 4" "C3: hosts removed and added; a standby path gets no I/O"
testcase t_timeout "rig_debug on 4" "B16: a command that times out goes to another path"

run_tests "$@"
