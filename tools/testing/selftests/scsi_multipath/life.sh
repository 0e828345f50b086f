#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The disk outlives its last path by delayed_removal_secs.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_in_time_io|t_retime|t_refs|t_rmmod_sd|t_rmmod_io|t_rmmod
# guest-timeout: 600

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

h0=0:0:0:0 h1=1:0:0:0

delay() { echo "$1" >"/sys/block/$(head_disk)/delayed_removal_secs"; }
lose_all() { down_delete $h0; down_delete $h1; }
# Bring both paths back, as those of one disk, whatever a case did to it.
find_all() {
	up_delete $h0
	up_delete $h1
	wait_for 20 have_paths 2 || fail "there are not two paths"
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
}
sd_refs() { if scsi_is_module; then cat /sys/module/sd_mod/refcnt; else echo 0; fi; }

# Read a block in the background; reader_errno gives the result.
start_reader() {
	rm -f "$tmp/errno"
	background reader "$(head_disk)"
	reader_pid=$bg_pid reader_start=$EPOCHREALTIME
}
reader() { errno_of read_block "$1" >"$tmp/errno.new"; mv "$tmp/errno.new" "$tmp/errno"; }
# reader_ends SECONDS ERRNO
reader_ends() {
	wait_for "$1" gone "$reader_pid" || fail "a read does not end"
	reader_ms=$(elapsed "$reader_start")
	is "the read" "$2" "$(<"$tmp/errno")"
}

t_in_time() {
	local disk devt seq

	delay 60
	disk=$(head_disk) devt=$(head_attr dev) seq=$(head_attr diskseq)
	exec 9<"/dev/$disk"
	lose_all
	is "the disk" "$disk" "$(head_disk)"
	start_reader
	wait_for 10 some_parked || fail "the read does not wait"
	sleep 1
	! gone "$reader_pid" || fail "the read has ended"
	find_all
	reader_ends 10 none
	is "number of the disk" "$devt" "$(head_attr dev)"
	is "sequence of the disk" "$seq" "$(head_attr diskseq)"
	is "read from what was open" 4096 "$(dd bs=4k count=1 iflag=direct status=none <&9 | wc -c)"
	exec 9<&-
	none_parked || fail "parked: $(parked)"
	delay 0
}

# I/O that is going on as the paths go waits as well.
t_in_time_io() {
	delay 60
	fio_start
	lose_all
	wait_for 10 some_parked || fail "nothing is parked"
	sleep 1
	find_all
	fio_stop
	ok_if "I/O has waited" "fio_stall >= 1000"
	delay 0
}

t_time_over() {
	local disk

	delay 12
	disk=$(head_disk)
	lose_all
	start_reader
	wait_for 10 some_parked || fail "the read does not wait"
	reader_ends 60 EIO
	ok_if "the read has waited" "reader_ms > 1000"
	wait_for 10 no_heads || fail "the disk stays"
	[[ ! -b /dev/$disk ]] || fail "/dev/$disk stays"
	find_all
	is "delayed_removal_secs of the new disk" 0 "$(head_attr delayed_removal_secs)"
}

t_zero() {
	delay 600
	lose_all
	start_reader
	wait_for 10 some_parked || fail "the read does not wait"
	delay 0
	wait_for 5 no_heads || fail "the disk stays"
	reader_ends 5 EIO
	find_all
}

t_retime() {
	local start

	delay 600
	lose_all
	sleep 1
	start=$EPOCHREALTIME
	delay 3
	wait_for 15 no_heads || fail "the disk stays"
	ok_if "it has stayed for the new delay" "$(elapsed "$start") >= 2900"
	find_all
	# from short to long
	delay 8
	lose_all
	delay 600
	sleep 9
	[[ -n $(heads) ]] || fail "the disk has gone, after the old delay"
	find_all
	delay 0
}

t_numbers() {
	local n

	delay 7
	for n in "" x -1 1.5 "1 2"; do
		is "store of '$n'" EINVAL \
			"$(errno_of store "$n" "/sys/block/$(head_disk)/delayed_removal_secs")"
	done
	for n in 86401 4294967295 4294967296 99999999999999999999; do
		is "store of '$n'" ERANGE \
			"$(errno_of store "$n" "/sys/block/$(head_disk)/delayed_removal_secs")"
	done
	is "the delay" 7 "$(head_attr delayed_removal_secs)"
	for n in 86400 1 0; do
		delay $n
		is "the delay" $n "$(head_attr delayed_removal_secs)"
	done
}

t_refs() {
	local i n=100 refs before

	[[ ! -e /proc/lockdep ]] || n=8
	before=$(sd_refs)
	delay 600
	for ((i = 1; i <= n; i++)); do
		lose_all
		refs=$(sd_refs)
		delay 300
		delay 600
		is "round $i: references to sd, again" "$refs" "$(sd_refs)"
		find_all
	done
	delay 0
	wait_for 5 refs_are "$before" || fail "references to sd: $(sd_refs), were $before"
	for i in {1..3}; do
		delay 1
		lose_all
		wait_for 10 no_heads || fail "the disk stays"
		find_all
	done
	wait_for 5 refs_are "$before" || fail "references to sd: $(sd_refs), were $before"
}
refs_are() { (($(sd_refs) == $1)); }

# Only the pending disk is left, and sd may not go as long as it is.
t_rmmod() {
	scsi_is_module || skip "SCSI is built in"
	delay 600
	unload scsi_debug || fail "scsi_debug cannot be unloaded"
	[[ -n $(heads) ]] || fail "the disk has not waited"
	! rmmod_quiet sd_mod || fail "sd has been unloaded below its disk"
	start_reader
	wait_for 10 some_parked || fail "the read does not wait"
	delay 0
	wait_for 5 no_heads || fail "the disk stays"
	reader_ends 5 EIO
	scsi_unload || fail "the SCSI modules cannot be unloaded: $(lsmod | grep -e sd_mod -e scsi)"
}

# sd is unloaded below disks in use: they go with it.
t_rmmod_sd() {
	scsi_is_module || skip "SCSI is built in"
	rmmod_quiet sd_mod || fail "sd cannot be unloaded"
	wait_for 5 no_heads || fail "the disk stays"
	modprobe sd_mod
	wait_for 20 have_paths 2 || fail "there are not two paths"
}

# They are not verified: the disk may come back without its data.
start_writes() {
	background fio --name=writes --filename=/dev/sda --ioengine=libaio --direct=1 \
		--rw=randwrite --bs=4k --size=1m --iodepth=4 --loops=1000000 --rate_iops=50 \
		--disk_util=0 --output="$tmp/writes.out"
	goes_on || fail "there are no writes"
}
stop_writes() {
	local rc=0

	kill -TERM "$bg_pid"
	wait_for 20 gone "$bg_pid" || fail "a write does not end"
	wait "$bg_pid" || rc=$?
	((rc == 0 || rc == 128)) || fail "a write has failed: $(<"$tmp/writes.out")"
}
goes_on() { local n; n=$(disk_stat sda 5); wait_for 20 writes_above $((n + 3)); }
writes_above() { (($(disk_stat sda 5) > $1)); }

# Who has the disk open, or does I/O on it, keeps sd and the driver of the paths,
# as with a disk that is not over paths. The latter goes once it has no path there,
# and the disk waits for another one.
t_rmmod_io() {
	local i

	scsi_is_module || skip "SCSI is built in"
	is "the disk" sda "$(head_disk)"
	exec 9</dev/sda
	not_unloaded "below an open disk"
	up_again
	not_unloaded "below an open disk that has got a path"
	exec 9<&-
	delay 600
	start_writes
	for i in 1 2 3; do
		not_unloaded "below I/O"
		lose_hosts
		wait_for 10 some_parked || fail "round $i: no write waits"
		! rmmod_quiet sd_mod || fail "round $i: sd has been unloaded below parked I/O"
		unload scsi_debug || fail "round $i: scsi_debug cannot be unloaded below parked I/O"
		load_debug
		goes_on || fail "round $i: there are no writes"
	done
	stop_writes
	# and without a delay it goes with its paths
	delay 0
	fio_start
	lose_hosts
	wait_for 10 no_heads || fail "the disk stays"
	wait_for 20 gone "$fio_pid" || fail "I/O does not end"
	! wait "$fio_pid" || fail "I/O goes on without a path"
	unload scsi_debug || fail "scsi_debug cannot be unloaded"
	load_debug
}
# Refused is what would take the last path away, whatever has come and gone.
not_unloaded() {
	! rmmod_quiet sd_mod || fail "sd has been unloaded $1"
	! rmmod_quiet scsi_debug || fail "scsi_debug has been unloaded $1"
}
up_again() {
	down_delete $h0
	up_delete $h0
	down_delete $h1
}
lose_hosts() { echo -2 >$debug_driver/add_host; }
load_debug() { rig_debug on 2; }

# Paths that are only offline: the same delay counts.
t_offline() {
	delay 600
	down_state $h0
	down_state $h1
	start_reader
	wait_for 10 some_parked || fail "the read does not wait"
	up_state $h1
	reader_ends 10 none
	down_state $h1
	delay 2
	start_reader
	reader_ends 10 EIO
	ok_if "the read has waited for the delay" "reader_ms > 1000 && reader_ms < 8000"
	[[ -n $(heads) ]] || fail "the disk is gone, though it has paths"
	delay 0
	is "read without a path" EIO "$(errno_of read_block "$(head_disk)")"
	up_state $h0
	up_state $h1
	is "read" none "$(errno_of read_block "$(head_disk)")"
}

testcase t_numbers "rig_debug on 2" "D13: delayed_removal_secs takes 0 to 86400"
testcase t_in_time "rig_debug on 2" "a path that is back in time revives the same disk"
testcase t_in_time_io "rig_debug on 2" "I/O waits for a path that is back in time"
testcase t_time_over "rig_debug on 2" "B9: I/O fails and the disk goes when time is over"
testcase t_zero "rig_debug on 2" "D13: 0 ends a removal that is pending"
testcase t_retime "rig_debug on 2" "D13: a removal that is pending is timed anew"
testcase t_refs "rig_debug on 2" "D13: pending removals leave no reference to the module"
testcase t_offline "rig_debug on 2" "B9: offline paths are waited for as long"
testcase t_rmmod_sd "rig_debug on 2" "A18: sd is unloaded and loaded again"
testcase t_rmmod_io "rig_debug on 2" "A4, A14: modules unloaded below I/O, or not"
testcase t_rmmod "rig_debug on 2" "A11: the driver of the paths is unloaded, the disk is pending"

run_tests "$@"
