# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2005,SC2010,SC2012,SC2034,SC2046,SC2086,SC2119,SC2154,SC2317
#
# What disks are like without native multipath: that it is built and off, or not
# built at all, is to make no difference. off.sh and plain.sh have the same
# expectations from here, to the letter. They are those of Linux 6.12 with the
# options in "config", on x86.
#
# A script sets mode to what scsi_mode() says: off, or none.

h0=0:0:0:0 h1=1:0:0:0 h2=2:0:0:0

# As scsi_load, but with this mode or not at all.
load() {
	[[ $mode == none ]] || scsi_load "$mode"
	modprobe -qa sd_mod scsi_dh_alua sg || :
	[[ $(scsi_mode) == "$mode" ]] || skip "multipath is $(scsi_mode) in this kernel"
}

# Three hosts, one after the other, so that each disk gets the next name.
rig_unchanged() {
	load
	modprobe scsi_debug add_host=1 vpd_use_hostno=0 dev_size_mb=32 ndelay=10000 ||
		fail "scsi_debug does not load"
	wait_for 20 test -b /dev/sda || fail "no sda"
	echo 1 >$debug_driver/add_host
	wait_for 20 test -b /dev/sdb || fail "no sdb"
	echo 1 >$debug_driver/add_host
	wait_for 20 test -b /dev/sdc || fail "no sdc"
	for h in $h0 $h1 $h2; do
		wait_for 20 test -d "$(sdev $h)/scsi_generic" || fail "$h has no sg node"
	done
	wait_for 10 access_is $h0 active/optimized || fail "$h0 is not optimized"
	wait_for 10 access_is $h1 active/non-optimized || fail "$h1 is not non-optimized"
	wait_for 10 access_is $h2 standby || fail "$h2 is not standby"
}
access_is() { [[ $(<"$(sdev "$1")/access_state") == "$2" ]]; }

rig_unchanged_loop() {
	load
	rig_loop "$mode" 2
	wait_for 20 test -b /dev/sdb || fail "no sdb"
}

# Every file in a directory and in those below it, with what it says, "-" if it is
# empty or cannot be read. What is binary, or not the same twice, is left out.
changing=' device_busy diskseq inflight inquiry iodone_cnt ioerr_cnt iorequest_cnt iotmo_cnt stat '
listing() {
	local f value

	(
		cd -P "$1" || exit
		shopt -s nullglob
		for f in * */*; do
			if [[ -L ${f%%/*} && $f == */* ]]; then
				continue
			elif [[ $f == power || $f == power/* ]]; then
				# the driver core's, if it has power management
				continue
			elif [[ $f == queue/bsg ]]; then
				# there or not, by which of sd and bsg comes first
				continue
			elif [[ -L $f ]]; then
				echo "$f@"
			elif [[ -d $f ]]; then
				echo "$f/"
			elif [[ $changing == *" ${f##*/} "* || $f == vpd_* ]]; then
				echo "$f"
			else
				value=
				{ IFS= read -r -d '' value <"$f"; } 2>/dev/null || :
				value=${value%%DISKSEQ=*}
				value=${value%$'\n'}
				value=${value//$'\n'/ }
				while [[ $value == *' ' ]]; do value=${value% }; done
				echo "$f ${value:--}"
			fi
		done
	) | sort
}

# listed DIRECTORY: it lists as stdin does
listed() {
	local line

	cat >"$tmp/wanted"
	listing "$1" >"$tmp/got"
	diff "$tmp/wanted" "$tmp/got" >"$tmp/diff" && return
	while read -r line; do note "$line"; done <"$tmp/diff"
	fail "$1: not as it was (<: missing, >: new)"
}

t_names() {
	is "disks" "sda sdb sdc" "$(echo $(sd_names))"
	is "nodes" "/dev/sda /dev/sdb /dev/sdc" "$(echo /dev/sd*)"
	is "numbers" "8:0 8:16 8:32" "$(echo $(cat /sys/block/sd?/dev))"
	is "numbers of nodes" "8:0 8:10 8:20" "$(echo $(stat -c %t:%T /dev/sd?))"
	is "sg nodes" "/dev/sg0 /dev/sg1 /dev/sg2" "$(echo /dev/sg?)"
	is "bsg nodes" "/dev/bsg/$h0 /dev/bsg/$h1 /dev/bsg/$h2" "$(echo /dev/bsg/*)"
	is "/proc/partitions" "8 0 32768 sda 8 16 32768 sdb 8 32 32768 sdc" \
		"$(echo $(grep sd /proc/partitions))"
	is "lsblk" "sda 8:0 disk sdb 8:16 disk sdc 8:32 disk" \
		"$(echo $(lsblk -nro NAME,MAJ:MIN,TYPE))"
	is "H:C:T:L" "$h0 $h1 $h2" \
		"$(echo $(for d in sda sdb sdc; do path_hctl $d; done))"
	is "debugfs" "sda sdb sdc" "$(echo $(cd /sys/kernel/debug/block && echo sd*))"
}

t_classes() {
	is "SCSI classes but scsi_mpath_*" "scsi_device scsi_disk scsi_generic scsi_host" \
		"$(echo $(cd /sys/class && ls -d scsi_* | grep -v '^scsi_mpath_'))"
	is "parameters of scsi_mod but multipath*" \
		"default_dev_flags eh_deadline inq_timeout max_luns scan scsi_logging_level" \
		"$(echo $(cd /sys/module/scsi_mod/parameters && ls | grep -v '^multipath'))"
	is "drivers" sd "$(echo $(ls /sys/bus/scsi/drivers))"
	is "devices" "$h0 $h1 $h2 host0 host1 host2 target0:0:0 target1:0:0 target2:0:0" \
		"$(echo $(ls /sys/bus/scsi/devices))"
	is "scsi_device" "$h0 $h1 $h2" "$(echo $(ls /sys/class/scsi_device))"
	is "scsi_disk" "$h0 $h1 $h2" "$(echo $(ls /sys/class/scsi_disk))"
	is "scsi_generic" "sg0 sg1 sg2" "$(echo $(ls /sys/class/scsi_generic))"
	# These are all that the options may add.
	case $mode in
	off)
		is "multipath*" "multipath multipath_iopolicy multipath_probe_secs" \
			"$(echo $(cd /sys/module/scsi_mod/parameters && ls -d multipath*))"
		is "scsi_mpath_*" "scsi_mpath_device scsi_mpath_disk" \
			"$(echo $(cd /sys/class && ls -d scsi_mpath_*))"
		is "devices of scsi_mpath_*" "" "$(compgen -G '/sys/class/scsi_mpath_*/*' || :)" ;;
	none)
		! compgen -G '/sys/class/scsi_mpath_*' >/dev/null ||
			fail "the option is built in" ;;
	esac
}

t_sdev() {
	listed "$(sdev $h0)" <<-END
	access_state active/optimized
	blacklist -
	block/
	block/sda/
	bsg/
	bsg/0:0:0:0/
	cdl_enable 0
	cdl_supported 0
	delete -
	device_blocked 0
	device_busy
	dh_state alua
	driver@
	eh_timeout 10
	evt_capacity_change_reported 0
	evt_inquiry_change_reported 0
	evt_lun_change_reported 0
	evt_media_change 0
	evt_mode_parameter_change_reported 0
	evt_soft_threshold_reached 0
	generic@
	inquiry
	iocounterbits 32
	iodone_cnt
	ioerr_cnt
	iorequest_cnt
	iotmo_cnt
	modalias scsi:t-0x00
	model scsi_debug
	preferred_path 0
	queue_depth 192
	queue_ramp_up_period 120000
	queue_type simple
	rescan -
	rev 0191
	scsi_device/
	scsi_device/0:0:0:0/
	scsi_disk/
	scsi_disk/0:0:0:0/
	scsi_generic/
	scsi_generic/sg0/
	scsi_level 8
	state running
	subsystem@
	timeout 30
	type 0
	uevent DEVTYPE=scsi_device DRIVER=sd MODALIAS=scsi:t-0x00
	vendor Linux
	vpd_pg0
	vpd_pg80
	vpd_pg83
	vpd_pg89
	vpd_pgb0
	vpd_pgb1
	vpd_pgb2
	vpd_pgb7
	wwid naa.33333330000007d0
	END
}

t_block() {
	listed /sys/block/sda <<-END
	alignment_offset 0
	bdi@
	capability 0
	dev 8:0
	device@
	discard_alignment 0
	diskseq
	events -
	events_async -
	events_poll_msecs -1
	ext_range 256
	hidden 0
	holders/
	inflight
	integrity/
	integrity/device_is_integrity_capable 0
	integrity/format none
	integrity/protection_interval_bytes 0
	integrity/read_verify 1
	integrity/tag_size 0
	integrity/write_generate 1
	mq/
	mq/0/
	partscan 1
	queue/
	queue/add_random 0
	queue/atomic_write_boundary_bytes 0
	queue/atomic_write_max_bytes 0
	queue/atomic_write_unit_max_bytes 0
	queue/atomic_write_unit_min_bytes 0
	queue/chunk_sectors 0
	queue/dax 0
	queue/discard_granularity 0
	queue/discard_max_bytes 0
	queue/discard_max_hw_bytes 0
	queue/discard_zeroes_data 0
	queue/dma_alignment 3
	queue/fua 1
	queue/hw_sector_size 512
	queue/io_poll 0
	queue/io_poll_delay -1
	queue/io_timeout 30000
	queue/iosched/
	queue/iostats 1
	queue/logical_block_size 512
	queue/max_discard_segments 1
	queue/max_hw_sectors_kb 2147483647
	queue/max_integrity_segments 0
	queue/max_sectors_kb 1280
	queue/max_segment_size 4294967295
	queue/max_segments 2048
	queue/minimum_io_size 512
	queue/nomerges 0
	queue/nr_requests 256
	queue/nr_zones 0
	queue/optimal_io_size 524288
	queue/physical_block_size 512
	queue/read_ahead_kb 1024
	queue/rotational 0
	queue/rq_affinity 1
	queue/scheduler none [mq-deadline]
	queue/stable_writes 0
	queue/virt_boundary_mask 0
	queue/write_cache write back
	queue/write_same_max_bytes 0
	queue/write_zeroes_max_bytes 33553920
	queue/zone_append_max_bytes 0
	queue/zone_write_granularity 0
	queue/zoned none
	range 16
	removable 0
	ro 0
	size 65536
	slaves/
	stat
	subsystem@
	trace/
	trace/act_mask disabled
	trace/enable 0
	trace/end_lba disabled
	trace/pid disabled
	trace/start_lba disabled
	uevent MAJOR=8 MINOR=0 DEVNAME=sda DEVTYPE=disk
	END
}

t_disk() {
	listed /sys/class/scsi_disk/$h0 <<-END
	FUA 1
	allow_restart 0
	app_tag_own 0
	cache_type write back
	device@
	manage_runtime_start_stop 0
	manage_shutdown 0
	manage_start_stop 0
	manage_system_start_stop 0
	max_medium_access_timeouts 2
	max_retries 5
	max_write_same_blocks 65535
	protection_mode none
	protection_type 0
	provisioning_mode full
	subsystem@
	thin_provisioning 0
	uevent -
	zeroing_mode writesame
	zoned_cap none
	END
	listed /sys/class/scsi_generic/sg0 <<-END
	dev 21:0
	device@
	subsystem@
	uevent MAJOR=21 MINOR=0 DEVNAME=sg0
	END
}

# Each disk is one, and the commands for it go to its device and to no other.
t_io() {
	local n0 n1

	fio_start /dev/sda
	wait_for 30 disk_reads_above sda 300 || fail "no progress"
	n1=$(requests $h1)
	sleep 1
	fio_stop
	is "commands to sdb while sda is written" "$n1" "$(requests $h1)"
	fio_start /dev/sdb
	wait_for 30 disk_reads_above sdb 300 || fail "no progress"
	fio_stop
	is "read of a standby disk" EIO "$(errno_of read_block sdc)"
	# They are one store, of which these disks do not know.
	dd if=/dev/urandom of=/dev/sda bs=64k count=1 oflag=direct status=none
	cmp <(dd if=/dev/sda bs=64k count=1 iflag=direct status=none) \
		<(dd if=/dev/sdb bs=64k count=1 iflag=direct status=none) ||
		fail "sdb has other data"
	exec 9</dev/sda
	n0=$(requests $h0) n1=$(requests $h1)
	dd bs=4k count=8 iflag=direct status=none <&9 >/dev/null
	is "commands for eight reads" 8 $(($(requests $h0) - n0))
	is "commands to the other device" "$n1" "$(requests $h1)"
	exec 9<&-
}

# An error is the issuer's, at once.
t_errors() {
	local n1

	n1=$(requests $h1)
	inject $h0 "2 -1 0x28 1 0 0 0 0 0"
	is "read, DID_NO_CONNECT" EIO "$(errno_of read_block sda)"
	rule_used_up $h0 2 0x28 || fail "no error was injected"
	uninject $h0 2 0x28
	inject $h0 "2 -1 0x2a 0 0 2 3 11 0"
	is "write, medium error" ENODATA "$(errno_of write_block sda)"
	uninject $h0 2 0x2a
	down_state $h0
	is "read, offline" ENODEV "$(errno_of read_block sda)"
	up_state $h0
	is "read, running" none "$(errno_of read_block sda)"
	is "commands to the other device" "$n1" "$(requests $h1)"
}

t_come_and_go() {
	down_unbind $h1
	is "disks without a driver" "sda sdc" "$(echo $(sd_names))"
	up_unbind $h1
	wait_for 10 test -b /dev/sdb || fail "no sdb after binding"
	is "disk of $h1" sdb "$(disk_of $h1)"
	down_delete $h0
	is "disks without a device" "sdb sdc" "$(echo $(sd_names))"
	is "nodes" "/dev/sdb /dev/sdc" "$(echo /dev/sd*)"
	up_delete $h0
	wait_for 10 test -b /dev/sda || fail "no sda after a rescan"
	is "disk of $h0" sda "$(disk_of $h0)"
	is "numbers" 8:0 "$(</sys/block/sda/dev)"
	echo 'type=83' | sfdisk -q /dev/sda
	wait_for 10 test -b /dev/sda1 || fail "no partition"
	is "numbers of the partition" 8:1 "$(</sys/block/sda/sda1/dev)"
	wipefs -qa /dev/sda >/dev/null
	wait_for 10 test ! -e /sys/block/sda/sda1 || fail "the partition stays"
}

t_sg() {
	local dev

	for dev in /dev/sda /dev/sdb /dev/sdc /dev/sg0 /dev/sg1 /dev/sg2 /dev/bsg/$h2; do
		is "SG_IO to $dev" "Linux scsi_debug 0191" \
			"$(echo $(sg_inq $dev | sed -n 's/^ Product identification://p
				s/^ Vendor identification://p; s/^ Product revision level://p'))"
	done
	is "blocks" "0x10000 0x200" "$(sg_readcap -b /dev/sda)"
	is "blocks, sg1" "0x10000 0x200" "$(sg_readcap -b /dev/sg1)"
	is "designator" "0x33333330000007d0" "$(echo $(sg_vpd -p di_lu -q /dev/sda))"
}

# A disk without multipath has reservations.
t_reservations() {
	local d

	for d in sda sdb; do
		sg_persist --out --register --param-sark=abc /dev/$d >/dev/null
		is "keys of $d" 0xabc "$(sg_persist --in -k /dev/$d 2>&1 | grep -o 0xabc | sort -u)"
	done
	sg_persist --out --reserve --param-rk=abc --prout-type=1 /dev/sda >/dev/null
	is "write to sda" none "$(errno_of write_block sda)"
	is "write to sdb, which has not reserved" EBADE "$(errno_of write_block sdb)"
	sg_persist --out --clear --param-rk=abc /dev/sda >/dev/null
	is "read of sdb" none "$(errno_of read_block sdb)"
}

t_log() {
	local said

	said=$(dmesg | grep -w multipath: | grep -v device-mapper:) || :
	is "kernel log" "" "$said"
}

testcase t_classes rig_unchanged "F3: no class, device or parameter but those two"
testcase t_names rig_unchanged "F3: names, numbers and nodes of disks"
testcase t_sdev rig_unchanged "F3: files of a scsi_device and what they say"
testcase t_block rig_unchanged "F3: files of a disk and what they say"
testcase t_disk rig_unchanged "F3: files of a scsi_disk and of a scsi_generic"
testcase t_io rig_unchanged "F3: I/O goes to the disk that it is for, a command for each"
testcase t_errors rig_unchanged "F3: an error is the issuer's"
testcase t_sg rig_unchanged "F3: SG_IO to disks, sg and bsg nodes"
testcase t_come_and_go rig_unchanged "F3: a disk comes and goes with its device"
testcase t_reservations rig_unchanged_loop "F3: a path takes reservations"
testcase t_log rig_none "F3: the kernel's log"
