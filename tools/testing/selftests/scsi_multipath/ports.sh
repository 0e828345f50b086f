#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# With the queue-depth policy the commands of a target port count, of whatever
# logical unit they are.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_own
# guest-timeout: 200

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# disk_over H:C:T:L: the disk that it is a path of
disk_over() {
	local d path

	for d in $(heads); do
		for path in $(path_disks "$d"); do
			[[ $(path_hctl "$path") != "$1" ]] || { echo "$d"; return; }
		done
	done
	return 1
}
switch() { echo "$2" >"/sys/block/$(disk_of "$1")/mpath_disabled"; }
path_attr() {
	local value

	read -r value <"/sys/block/$(disk_of "$1")/$2" && echo "$value"
}
depth_is() { (($(path_attr "$1" mpath_port_depth) == $2)); }
depth_above() { (($(path_attr "$1" mpath_port_depth) > $2)); }
busy() { (($(path_attr "$1" mpath_queue_depth) > $2)); }
all_depths_are_0() { local h; for h; do depth_is "$h" 0 || return 1; done; }
set_policies() {
	local d

	for d in $(heads); do echo "$1" >"/sys/block/$d/device/iopolicy"; done
}

# From now on each command takes half a second, and so there is something to count.
slow() { wait_for 20 store 500000000 $debug_driver/ndelay 2>/dev/null || fail "ndelay"; }
fast() { wait_for 20 store 10000 $debug_driver/ndelay 2>/dev/null || fail "ndelay"; }

# load DISK: 16 commands are on their way for as long as this is let
load() {
	background fio --output=/dev/null --name=load --filename="/dev/$1" --ioengine=libaio \
		--direct=1 --rw=randread --bs=4k --iodepth=16 --size=4m --time_based \
		--runtime=600 --disk_util=0
}
end_load() {
	kill -TERM "$1"
	wait_for 60 gone "$1" || fail "the load does not end"
}

# What a disk's reads cost each of two paths.
reads_on() { # DISK H:C:T:L H:C:T:L
	local i a b

	a=$(requests "$2") b=$(requests "$3")
	for i in 1 2 3 4; do read_block "$1" $i || fail "a read of $1"; done
	echo $(($(requests "$2") - a)) $(($(requests "$3") - b))
}

# Two logical units behind the same two target ports, of which hosts 0 and 3 are
# the optimized ones.
rig_ports() {
	scsi_load on
	modprobe scsi_debug vpd_use_hostno=0 add_host=4 max_luns=2 dev_size_mb=16 ndelay=10000 ||
		fail "scsi_debug does not load"
	wait_for 20 all_usable 0:0:0:0 3:0:0:0 0:0:0:1 3:0:0:1 || fail "paths are missing"
	set_policies queue-depth
}
all_usable() { local h; for h; do usable "$h" || return 1; done; }

t_shared() {
	local a b d h port other

	a=$(disk_over 0:0:0:0)
	b=$(disk_over 0:0:0:1)
	[[ $a != "$b" ]] || fail "there are not two disks"
	is "disks" 2 "$(count $(heads))"
	# What is busy is chosen by hand, so that it is not by chance the path that
	# the other disk does not use either.
	for port in 0 3; do
		other=$((3 - port))
		for h in $other:0:0:0 1:0:0:0; do switch $h 1; done
		slow
		load "$a"
		wait_for 60 depth_is $port:0:0:0 16 ||
			fail "counted on port $port: $(path_attr $port:0:0:0 mpath_port_depth)"
		is "the other LUN's count for port $port" 16 \
			"$(path_attr $port:0:0:1 mpath_port_depth)"
		is "commands of the other LUN's own" 0 "$(path_attr $port:0:0:1 mpath_queue_depth)"
		is "counted on port $other" 0 "$(path_attr $other:0:0:1 mpath_port_depth)"
		is "reads on ports $port and $other" "0 4" \
			"$(reads_on "$b" $port:0:0:1 $other:0:0:1)"
		end_load "$bg_pid"
		fast
		for h in $other:0:0:0 1:0:0:0; do switch $h 0; done
		wait_for 10 all_depths_are_0 {0,3}:0:0:{0,1} || fail "something is counted for ever"
	done
	# With nothing to tell one port from the other the first one will do.
	d=$(reads_on "$b" 0:0:0:1 3:0:0:1)
	[[ $d == @("4 0"|"0 4") ]] || fail "reads on idle ports: $d"
}

# Commands of both end in every way there is, and the policies change.
t_zero() {
	local a b p q h i

	a=$(disk_over 0:0:0:0) b=$(disk_over 0:0:0:1)
	fio_start "/dev/$a"
	p=$fio_pid
	load "$b"
	q=$bg_pid
	wait_for 20 depth_above 0:0:0:1 0 || fail "nothing is counted"
	for i in 1 2 3; do
		inject 0:0:0:0 "2 -1 0x2a 1 0 0 0 0 0"
		inject 0:0:0:1 "2 -2 0x28 f 0 0 0 0 0"
		inject 3:0:0:1 "1 -2 0x28 1055"
		wait_for 20 rule_used_up 0:0:0:1 2 0x28 || fail "a rule is not used up"
		for h in round-robin numa queue-depth; do set_policies $h; done
		down_state 3:0:0:0
		up_state 3:0:0:0
		wait_for 20 all_usable {0,3}:0:0:{0,1} || fail "paths do not come back"
	done
	end_load $q
	fio_pid=$p
	fio_stop
	wait_for 10 all_depths_are_0 {0,1,2,3}:0:0:{0,1} || fail "something is counted for ever"
}

# Two ports of one host, of which only one leads to a logical unit: what the other
# one has to do is of no importance. 0:0:2:0 and 1:0:0:0 are one disk.
rig_hosts() {
	scsi_load always
	modprobe scsi_debug vpd_use_hostno=1 num_tgts=3 add_host=2 dev_size_mb=16 ndelay=10000 ||
		fail "scsi_debug does not load"
	wait_for 20 all_usable 0:0:0:0 0:0:2:0 1:0:0:0 || fail "paths are missing"
	is "disk over both" "$(disk_over 0:0:2:0)" "$(disk_over 1:0:0:0)"
	set_policies queue-depth
}

t_own() {
	local d

	d=$(disk_over 0:0:2:0)
	slow
	load "$(disk_over 0:0:0:0)"
	wait_for 60 depth_is 0:0:0:0 16 || fail "nothing is counted"
	is "counted on the host's other port" 0 "$(path_attr 0:0:2:0 mpath_port_depth)"
	# If it were the host that counts, the other one would get all of this.
	load "$d"
	wait_for 60 busy 1:0:0:0 4 || fail "the load is not spread"
	wait_for 60 busy 0:0:2:0 4 || fail "the load is not spread"
	end_load "$bg_pid"
	stop_tasks
	fast
	wait_for 10 all_depths_are_0 0:0:{0,2}:0 1:0:0:0 || fail "something is counted for ever"
}

testcase t_shared rig_ports "C10: commands of all logical units count for a target port"
testcase t_zero rig_ports "C9, C11: nothing is counted when nothing is under way"
testcase t_own rig_hosts "C10: target ports of one host count on their own"

run_tests "$@"
