#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Paths sleep, each on its own when there is nothing to do, or all with the
# system. No I/O is lost, and each path is afterwards what it was.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_under_load|t_suspend_lost
# guest-timeout: 500

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

#
# Each on its own. Hosts 0 and 3 are optimized.
#
h0=0:0:0:0 h1=1:0:0:0 h2=2:0:0:0 h3=3:0:0:0

rpm_status() { cat "$(sdev "$1")/power/runtime_status"; }
rpm_is() { [[ $(rpm_status "$1") == "$2" ]]; }

# A path that sleeps is stopped: it fails commands until it is started again.
may_sleep() {
	local h

	for h; do echo 1 >"$(sdev $h)/scsi_disk/$h/manage_runtime_start_stop"; done
	may_idle "$@"
}
# It is only said to sleep.
may_idle() {
	local h

	for h; do
		[[ -e $(sdev $h)/power/autosuspend_delay_ms ]] || skip "no runtime PM"
		echo 0 >"$(sdev $h)/power/autosuspend_delay_ms"
		echo auto >"$(sdev $h)/power/control"
		wait_for 30 rpm_is $h suspended || fail "$h is $(rpm_status $h)"
	done
}
# One that is awake, or will be, stays so.
no_sleep() {
	local h

	for h; do echo 100000 >"$(sdev $h)/power/autosuspend_delay_ms"; done
}
wake() {
	local h

	for h; do
		echo on >"$(sdev $h)/power/control"
		wait_for 30 rpm_is $h active || fail "$h is $(rpm_status $h)"
	done
}

t_sleepers() {
	local n h

	n=$(failovers)
	dd if=/dev/urandom of="$tmp/data" bs=64k count=4 status=none
	may_sleep $h0 $h1 $h2 $h3
	is "state of a path that sleeps" optimized "$(state $h0)"
	no_sleep $h0 $h1 $h2 $h3
	dd if="$tmp/data" of=/dev/sda bs=64k seek=3 oflag=direct conv=notrunc status=none
	is "the path with the I/O" active "$(rpm_status $h0)"
	for h in $h1 $h2 $h3; do is "$h" suspended "$(rpm_status $h)"; done
	# I/O that goes to the next path wakes it.
	set_off $h0 1
	cmp "$tmp/data" <(dd if=/dev/sda bs=64k skip=3 count=4 iflag=direct status=none) ||
		fail "the data are not there"
	is "the path with the I/O" active "$(rpm_status $h3)"
	for h in $h1 $h2; do is "$h" suspended "$(rpm_status $h)"; done
	set_off $h0 0
	# A path that is lost is not missed if the one that is left sleeps.
	may_sleep $h0 $h3
	no_sleep $h3
	inject $h0 "2 -1 0x28 f 0 0 0 0 0"
	cmp "$tmp/data" <(dd if=/dev/sda bs=64k skip=3 count=4 iflag=direct status=none) ||
		fail "the data are not there"
	is "left of the rule" 0 "$(rule_left $h0 2 0x28)"
	is "failovers" $((n + 1)) "$(failovers)"
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	wake $h0 $h1 $h2 $h3
	is "failovers" $((n + 1)) "$(failovers)"
	is "parked" 0 "$(parked)"
}
set_off() { echo "$2" >"/sys/block/$(disk_of "$1")/mpath_disabled"; }

# I/O that does not want to wait for a path to wake up may be told so, but not
# that the path is bad.
t_nowait() {
	local n

	n=$(failovers)
	may_sleep $h0 $h3
	fio --name=nowait --filename=/dev/sda --ioengine=libaio --direct=1 --nowait=1 --rw=read \
		--bs=4k --size=4k --disk_util=0 >"$tmp/nowait" 2>&1 ||
		grep -q "Resource temporarily unavailable" "$tmp/nowait" || fail "$(<"$tmp/nowait")"
	is "failovers" "$n" "$(failovers)"
	is "read" none "$(errno_of read_block sda)"
	wake $h0 $h3
}

t_under_load() {
	local h i before

	policy round-robin
	fio_start
	for i in 1 2 3; do
		for h in $h0 $h3; do
			set_off $h 1
			wait_for 20 path_idle $h || fail "I/O stays on $h"
			may_sleep $h
			fio_alive
			before=$(requests $h)
			set_off $h 0
			wait_for 30 requests_above $h $((before + 50)) || fail "no I/O on $h"
		done
	done
	# They may sleep whenever there is nothing for them, be it for a moment.
	wait_for 120 disk_reads_above sda $(($(disk_stat sda 1) + 300)) || fail "no I/O"
	wake $h0 $h3
	fio_stop
	# What waited in the queue of a path that is switched off has left it.
	is "refused" 0 "$(head_attr mpath_refused)"
	policy numa
}

# A path falls asleep before it has told its size: it is woken to do so.
t_sleeper_size() {
	inject $h0 "2 1 0x25 1 0 0 0 0 0"
	inject $h0 "2 1 0x9e 1 0 0 0 0 0"
	ask_state $h0
	wait_for 20 has_no_size || fail "the size is $(</sys/block/sda:0/size)"
	may_idle $h0
	uninject $h0 2 0x25
	uninject $h0 2 0x9e
	wait_for 30 usable $h0 || fail "$h0 is $(state $h0)"
	wake $h0
}
has_no_size() { (($(</sys/block/sda:0/size) == 0)); }

# The last path that serves is lost, the group in standby sleeps: it is told to
# serve nevertheless.
t_standby_sleeps() {
	local a b d n

	a=$(loop_hctl 1) b=$(loop_hctl 2) d=$(head_disk)
	echo 3 >"$backstore/alua/tpg1/alua_access_type"
	echo 3 >"$backstore/alua/tpg2/alua_access_type"
	echo 1 >$probe_secs
	alua $b 2
	ask_state $b
	wait_for 30 state_is $b standby || fail "$b is $(state $b)"
	may_idle $b
	fio_start
	reads_go_on
	is "the path in standby" suspended "$(rpm_status $b)"
	n=$(head_attr mpath_refused)
	down_state $a
	reads_go_on
	ok_if "the group serves" "$(<"$backstore/alua/tpg2/alua_access_state") < 2"
	is "refused" "$n" "$(head_attr mpath_refused)"
	up_state $a
	fio_stop
	wake $b
	echo 0 >$probe_secs
	check_paths
}

#
# With the system
#

# suspend [TIMES]
suspend() {
	local how=mem i before

	[[ -w /sys/power/state && -w /sys/power/pm_test ]] || skip "no system suspend"
	grep -qw mem /sys/power/state || how=freeze
	# How deep does not matter as nothing is put to sleep below the devices.
	echo devices >/sys/power/pm_test
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	for ((i = 0; i < ${1:-1}; i++)); do
		before=$(suspends)
		echo $how >/sys/power/state || fail "suspend: $(dmesg | grep PM: | tail -n 5)"
		ok_if "the system was suspended" "$(suspends) == before + 1"
	done
	echo none >/sys/power/pm_test
}
suspends() { cat /sys/power/suspend_stats/success; }

reads_go_on() {
	local d

	d=$(head_disk)
	wait_for 30 disk_reads_above $d $(($(disk_stat $d 1) + 200)) ||
		fail "no more reads"
	fio_alive
}

check_paths() {
	local h

	for h in $(hctls); do
		wait_for 20 usable $h || fail "$h is $(state $h)"
	done
	none_parked || fail "parked: $(parked)"
}

# Under I/O, and at rest.
suspend_io() {
	local refused h n

	refused=$(head_attr mpath_refused)
	policy round-robin
	suspend
	fio_start
	suspend 2
	reads_go_on
	for h in "$@"; do
		n=$(requests $h)
		wait_for 30 requests_above $h $((n + 30)) ||
			fail "no I/O on $h, which is $(state $h)"
	done
	fio_stop
	is "I/O refused" "$refused" "$(head_attr mpath_refused)"
	policy numa
}
t_suspend_debug() {
	suspend_io $h0 $h3
	wait_for 20 state_is $h0 optimized || fail "$h0 is $(state $h0)"
	wait_for 20 state_is $h1 non-optimized || fail "$h1 is $(state $h1)"
	wait_for 20 state_is $h2 standby || fail "$h2 is $(state $h2)"
	wait_for 20 state_is $h3 optimized || fail "$h3 is $(state $h3)"
}
t_suspend_loop() {
	suspend_io $(loop_hctl 1) $(loop_hctl 2)
	check_paths
}

# A system suspends with paths that sleep already.
t_suspend_sleepers() {
	may_sleep $h0 $h3
	suspend
	is "read" none "$(errno_of read_block sda)"
	wake $h0 $h3
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	wait_for 20 usable $h3 || fail "$h3 is $(state $h3)"
}

# The path whose link is down stays lost, those in standby stay there.
t_suspend_lost() {
	local a b n

	a=$(loop_hctl 1) b=$(loop_hctl 2)
	policy round-robin
	fio_start
	down_link $a
	wait_for 30 unusable $a || fail "$a is $(state $a)"
	suspend
	reads_go_on
	unusable $a || fail "$a is $(state $a) with its link down"
	up_link $a
	wait_for 30 usable $a || fail "$a is $(state $a)"
	alua $b 2
	wait_for 30 state_is $b standby || fail "$b is $(state $b)"
	suspend
	reads_go_on
	wait_for 20 state_is $b standby || fail "$b is $(state $b)"
	wait_for 20 state_is $a optimized || fail "$a is $(state $a)"
	n=$(path_ios $b)
	reads_go_on
	is "I/O on the path in standby" "$n" "$(path_ios $b)"
	up_standby $b
	wait_for 30 usable $b || fail "$b is $(state $b)"
	fio_stop
	check_paths
	policy numa
}

# I/O waits all the while. What an administrator has taken offline the kernel
# takes for running after a suspend, whoever uses it, so it is the links that go.
t_suspend_parked() {
	local h d

	d=$(head_disk)
	echo 600 >/sys/block/$d/delayed_removal_secs
	fio_start
	for h in $(hctls); do down_link $h; done
	wait_for 30 some_parked || fail "no I/O waits"
	wait_for 30 disk_has $d 8 || fail "not all I/O waits"
	suspend
	fio_alive
	some_parked || fail "I/O does not wait any more"
	for h in $(hctls); do up_link $h; done
	reads_go_on
	fio_stop
	echo 0 >/sys/block/$d/delayed_removal_secs
	check_paths
}
# All that fio can have under way, which waits for its verification now and then
disk_has() { (($(xargs <"/sys/block/$1/inflight" | tr ' ' +) >= $2 / 2)); }

# One offline, then all.
t_suspend_offline() {
	local a b d h

	a=$(loop_hctl 1) b=$(loop_hctl 2) d=$(head_disk)
	policy round-robin
	fio_start
	down_state $a
	suspend
	reads_go_on
	note "$a, offline before, is $(<"$(sdev $a)/state") after, and $(state $a)"
	up_state $a
	wait_for 20 usable $a || fail "$a is $(state $a)"
	echo 600 >/sys/block/$d/delayed_removal_secs
	down_state $a
	down_state $b
	wait_for 30 some_parked || fail "no I/O waits"
	suspend
	fio_alive
	for h in $a $b; do
		note "$h, offline before, is $(<"$(sdev $h)/state") after, and $(state $h)"
		up_state $h
	done
	reads_go_on
	fio_stop
	echo 0 >/sys/block/$d/delayed_removal_secs
	check_paths
	policy numa
}

testcase t_sleepers "rig_debug on 4" "a path that sleeps is woken by its I/O, the others sleep on"
testcase t_nowait "rig_debug on 4" "B11: to have to wait for a path is no failure of it"
testcase t_under_load "rig_debug on 4" "paths sleep and wake up under I/O"
testcase t_sleeper_size "rig_debug on 2" "D11: a path that sleeps is asked for its size"
testcase t_standby_sleeps "rig_loop on 2" \
	"C15: a group that sleeps is activated if no other is left"
testcase t_suspend_debug "rig_debug on 4" "the system is suspended under I/O (scsi_debug)"
testcase t_suspend_loop "rig_loop on 2" "the system is suspended under I/O (tcm_loop)"
testcase t_suspend_lost "rig_loop on 2" "the system is suspended with a path lost or in standby"
testcase t_suspend_parked "rig_loop on 2" "the system is suspended with I/O parked"
testcase t_suspend_offline "rig_loop on 2" "the system is suspended with paths offline"
testcase t_suspend_sleepers "rig_debug on 4" "the system is suspended with paths that sleep"

run_tests "$@"
