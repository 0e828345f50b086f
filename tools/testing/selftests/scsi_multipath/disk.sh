#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The disk over the paths is a disk like any other.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_plain_reservations|t_resize|t_no_size*|t_doubtful_size|t_other_id|t_mismatch
# guest-timeout: 500

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

h0=0:0:0:0 h1=1:0:0:0

t_filesystem() {
	printf 'size=8MiB\ntype=83\n' | sfdisk -q /dev/sda
	wait_for 10 test -b /dev/sda2 || fail "no node of a partition"
	is "numbers of partitions" "8:1 8:2" "$(echo $(cat /sys/block/sda/sda?/dev))"
	is "partitions of path disks" "" "$(compgen -G '/sys/block/sda:*/sda*' || :)"
	mkfs.ext4 -q /dev/sda2
	mkdir -p "$tmp/mnt"
	mount /dev/sda2 "$tmp/mnt"
	dd if=/dev/urandom of="$tmp/random" bs=1M count=2 status=none
	cp "$tmp/random" "$tmp/mnt/"
	fio_start "$tmp/mnt/data"
	down_state $h0
	sleep 1
	up_state $h0
	down_delete $h1
	sleep 1
	up_delete $h1
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
	fio_stop
	umount "$tmp/mnt"
	fsck.ext4 -fn /dev/sda2 >"$tmp/fsck" 2>&1 || fail "$(<"$tmp/fsck")"
	mount -o ro /dev/sda2 "$tmp/mnt"
	cmp "$tmp/random" "$tmp/mnt/random" || fail "a file has changed"
	umount "$tmp/mnt"
}

# The partitions are found again with the disk.
t_partition_scan() {
	down_delete $h0
	down_delete $h1
	wait_for 10 no_heads
	up_delete $h0
	up_delete $h1
	wait_for 20 have_paths 2
	wait_for 10 test -b "/dev/$(head_disk)2" || fail "the partitions have not been found"
	blockdev --rereadpt "/dev/$(head_disk)" || fail "BLKRRPART"
	wait_for 10 test -b "/dev/$(head_disk)2" || fail "the partitions have not been found"
}

t_limits() {
	local f

	for f in logical_block_size physical_block_size minimum_io_size optimal_io_size \
		discard_granularity discard_max_hw_bytes write_zeroes_max_bytes \
		max_hw_sectors_kb max_segments max_segment_size \
		write_cache fua rotational dma_alignment; do
		[[ -e /sys/block/sda/queue/$f ]] || continue
		is "$f" "$(</sys/block/sda:0/queue/$f)" "$(</sys/block/sda/queue/$f)"
	done
	is "physical blocks" 4096 "$(</sys/block/sda/queue/physical_block_size)"
	ok_if "discards" "$(</sys/block/sda/queue/discard_max_bytes) > 0"
	blkdiscard -o 1M -l 1M /dev/sda || fail "blkdiscard"
	is "data after a discard" 0 \
		"$(dd if=/dev/sda bs=1M skip=1 count=1 iflag=direct status=none |
			tr -d '\0' | wc -c)"
	blkdiscard -z -o 2M -l 1M /dev/sda || fail "blkdiscard -z"
}

# Protection information is made and checked below the disk.
t_integrity() {
	local f got

	for f in format tag_size protection_interval_bytes; do
		is "$f" "$(</sys/block/sda:0/integrity/$f)" "$(</sys/block/sda/integrity/$f)"
	done
	is "format" T10-DIF-TYPE1-CRC "$(</sys/block/sda/integrity/format)"
	policy round-robin
	fio_start
	inject $h0 "2 -2 $read 1 0 0 0 0 0"
	wait_for 20 rule_used_up $h0 2 $read || fail "the rule is not used up"
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	fio_stop
	inject $h0 "2 -1 $read 0 0 2 0xb 0x10 1"
	inject $h1 "2 -1 $read 0 0 2 0xb 0x10 1"
	got=$(failovers)
	is "read with a wrong guard" EILSEQ "$(errno_of read_block sda 9)"
	is "failovers" "$got" "$(failovers)"
	policy numa
}
read=0x28

t_atomic() {
	local f

	for f in max unit_min unit_max boundary; do
		is "atomic_write_${f}_bytes" "$(</sys/block/sda:0/queue/atomic_write_${f}_bytes)" \
			"$(</sys/block/sda/queue/atomic_write_${f}_bytes)"
	done
	ok_if "atomic writes" "$(</sys/block/sda/queue/atomic_write_max_bytes) > 0"
}

# What is set on the disk stays so, whatever its paths do.
t_disk_settings() {
	local f v q=/sys/block/sda/queue
	local -a settings old

	for f in iostats add_random rotational stable_writes; do
		read -r v <$q/$f
		settings+=("$f=$((!v))")
	done
	settings+=(max_sectors_kb=64 discard_max_bytes=1048576 "write_cache=write through"
		read_ahead_kb=512)
	for f in "${settings[@]}"; do old+=("${f%%=*}=$(<"$q/${f%%=*}")"); done
	for f in "${settings[@]}"; do echo "${f#*=}" >"$q/${f%%=*}"; done
	ask_state $h0
	down_delete $h1
	up_delete $h1
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
	for f in "${settings[@]}"; do is "${f%%=*}" "${f#*=}" "$(<"$q/${f%%=*}")"; done
	for f in "${old[@]}"; do echo "${f#*=}" >"$q/${f%%=*}"; done
}

# The cache is the logical unit's, so what one path was told before another one
# switched it on does not count any more.
t_cache() {
	local cache=/sys/block/sda/queue/write_cache

	scsi_disk_set $h0 cache_type "write through"
	scsi_disk_set $h1 cache_type "write through"
	is "write cache that is off" "write through" "$(<$cache)"
	scsi_disk_set $h0 cache_type "write back"
	is "write cache that one path has switched on" "write back" "$(<$cache)"
	down_delete $h0
	is "the same without that path" "write back" "$(<$cache)"
	echo 1 >"$(sdev $h1)/rescan"
	is "the same when the other one was asked" "write back" "$(<$cache)"
	up_delete $h0
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	# Whoever is asked last has the word.
	scsi_disk_set $h0 cache_type "write through"
	echo 1 >"$(sdev $h1)/rescan"
	is "write cache that is off again" "write through" "$(<$cache)"
	scsi_disk_set $h1 cache_type "write back"
	echo 1 >"$(sdev $h0)/rescan"
}

# What is set on a path's scsi_disk by hand holds for the disk: that it is not
# told of a write cache would lose flushes.
t_path_settings() {
	local h cache=/sys/block/sda/queue/write_cache

	is "write cache" "write back" "$(<$cache)"
	for h in $h0 $h1; do scsi_disk_set $h cache_type "temporary write through"; done
	is "write cache of neither path" "write through" "$(<$cache)"
	scsi_disk_set $h1 cache_type "temporary write back"
	is "write cache of one path" "write back" "$(<$cache)"
	# A flush is not lost on the path that knows of no cache.
	inject $h0 "2 -1 0x35 0 0 2 6 0x29 0"
	dd if=/dev/zero of=/dev/sda bs=4k count=1 conv=fsync,notrunc status=none
	is "left of the rule for SYNCHRONIZE CACHE" 0 "$(rule_left $h0 2 0x35)"

	ok_if "discards" "$(</sys/block/sda/queue/discard_max_hw_bytes) > 0"
	scsi_disk_set $h1 provisioning_mode disabled
	is "discards that one path cannot do" 0 "$(</sys/block/sda/queue/discard_max_hw_bytes)"
	scsi_disk_set $h1 provisioning_mode unmap
	ok_if "discards" "$(</sys/block/sda/queue/discard_max_hw_bytes) > 0"

	scsi_disk_set $h0 max_write_same_blocks 8
	is "zeroes that one path can write at once" 4096 "$(write_zeroes_max)"
}
scsi_disk_set() { echo "$3" >"$(sdev "$1")/scsi_disk/$1/$2"; }
write_zeroes_max() { cat /sys/block/sda/queue/write_zeroes_max_bytes; }

# That a device does not write zeroes, or discard, it may only say when asked.
t_refusal() {
	local op

	ok_if "zeroes" "$(write_zeroes_max) > 0"
	ok_if "discards" "$(</sys/block/sda/queue/discard_max_bytes) > 0"
	for op in 0x41 0x42 0x93; do
		inject $h0 "2 1 $op 0 0 2 5 0x20 0"
		inject $h1 "2 1 $op 0 0 2 5 0x20 0"
	done
	dd if=/dev/urandom of=/dev/sda bs=1M seek=2 count=1 oflag=direct status=none
	blkdiscard -z -o 2M -l 1M /dev/sda || fail "blkdiscard -z"
	is "bytes that are not zero" 0 \
		"$(dd if=/dev/sda bs=1M skip=2 count=1 iflag=direct status=none |
			tr -d '\0' | wc -c)"
	is "zeroes that the disk can write at once" 0 "$(write_zeroes_max)"
	! blkdiscard -o 2M -l 1M /dev/sda 2>/dev/null || fail "a discard that no path can do"
	is "discards" 0 "$(</sys/block/sda/queue/discard_max_bytes)"
	is "failovers" 0 "$(failovers)"
	for op in 0x41 0x42 0x93; do
		uninject $h0 2 $op
		uninject $h1 2 $op
	done
}

t_resize() {
	local s=$((1 << 21))

	is "size" $s "$(head_attr size)"
	echo 2 >$debug_driver/virtual_gb
	ask_state $h0
	wait_for 10 size_is sda:0 $((2 * s)) ||
		fail "the first path's size is $(</sys/block/sda:0/size)"
	is "size with one path resized" $s "$(head_attr size)"
	read_block sda || fail "a read with one path resized"
	usable $h0 || fail "the path that has grown is $(state $h0)"
	ask_state $h1
	wait_for 10 size_is sda $((2 * s)) || fail "the size is $(head_attr size)"
	is "size in bytes" $((1 << 31)) "$(blockdev --getsize64 /dev/sda)"
	usable $h0 || fail "$h0 is $(state $h0)"
	usable $h1 || fail "$h1 is $(state $h1)"
	read_block sda 524287 || fail "a read of the last block"
}
size_is() { (($(<"/sys/block/$1/size") == $2)); }

# A path is scanned while it cannot tell its size. It has none then, and is not
# used, until it can. However often that has been before, it is asked again.
t_no_size() {
	local i

	fio_start
	for i in {1..7}; do
		inject $h0 "2 -40 0x25 1 0 0 0 0 0"
		inject $h0 "2 -40 0x9e 1 0 0 0 0 0"
		ask_state $h0
		wait_for 20 size_is sda:0 0 || fail "the size is $(</sys/block/sda:0/size)"
		unusable $h0 || fail "$h0 is $(state $h0)"
		uninject $h0 2 0x25
		uninject $h0 2 0x9e
		wait_for 30 usable $h0 || fail "$h0 is $(state $h0)"
	done
	is "size" 65536 "$(head_attr size)"
	fio_stop
}

# The only path has been away and does not tell who it is. Somebody scans it, and
# it tells a size, which may be another logical unit's. It is this one's after all.
t_doubtful_size() {
	local s=$((1 << 21))

	is "size" $s "$(head_attr size)"
	echo 60 >/sys/block/sda/delayed_removal_secs
	fio_start
	down_delete $h1
	inject $h0 "2 1 0x12 0 0 2 2 4 1"
	down_state $h0
	up_state $h0
	wait_for 20 state_is $h0 unknown || fail "$h0 is $(state $h0)"
	echo 2 >$debug_driver/virtual_gb
	ask_state $h0
	is "size" $s "$(head_attr size)"
	state_is $h0 unknown || fail "$h0 is $(state $h0)"
	uninject $h0 2 0x12
	wait_for 20 size_is sda $((2 * s)) || fail "the size is $(head_attr size)"
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	fio_stop
	up_delete $h1
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
	read_block sda 524287 || fail "a read of the last block"
}

# sd would send it START STOP UNIT and look at it for 100 s, while all who want the
# device's lock wait: to scan it, to compare its identity, to unbind it.
t_port_offline() {
	fio_start
	inject $h0 "2 -100 0 0 0 2 2 4 12"
	ask_state $h0
	ok_if "sd has heard that the port is offline" "$(rule_left $h0 2 0x0) > -100"
	! dmesg | grep "Spinning up disk" || fail "it is told to start"
	uninject $h0 2 0x0
	ask_state $h0
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	is "size" 65536 "$(head_attr size)"
	fio_stop
}

# It is the last one, and I/O waits for as long as its size may still be told:
# the other path is lost meanwhile.
t_no_size_last() {
	local n reads

	fio_start
	n=$(head_attr mpath_refused)
	inject $h0 "2 1 0x25 1 0 0 0 0 0"
	inject $h0 "2 1 0x9e 1 0 0 0 0 0"
	ask_state $h0
	wait_for 20 size_is sda:0 0 || fail "the size is $(</sys/block/sda:0/size)"
	down_state $h1
	wait_for 20 some_parked || fail "no I/O waits"
	is "a path whose size is being asked for" unknown "$(state $h0)"
	uninject $h0 2 0x25
	uninject $h0 2 0x9e
	wait_for 30 usable $h0 || fail "$h0 is $(state $h0)"
	reads=$(disk_stat sda 1)
	wait_for 20 disk_reads_above sda $((reads + 50)) || fail "I/O does not go on"
	is "refused" "$n" "$(head_attr mpath_refused)"
	up_state $h1
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
	fio_stop

	# One that does not tell it is given up.
	inject $h0 "2 1 0x25 1 0 0 0 0 0"
	inject $h0 "2 1 0x9e 1 0 0 0 0 0"
	ask_state $h0
	down_state $h1
	is "read from a path without a size" EIO "$(errno_of read_block sda)"
	is "a path without a size" mismatch "$(state $h0)"
	log_says "sd $h0: multipath: does not tell its size: not used until" ||
		fail "the log does not say why"
	uninject $h0 2 0x25
	uninject $h0 2 0x9e
	ask_state $h0
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	is "read" none "$(errno_of read_block sda)"
	up_state $h1
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
}

# The only path is lost when the partition table is about to be read.
t_late_partitions() {
	wait_for 10 has_part || fail "there is no partition"
	down_unbind $h0
	wait_for 10 no_heads || fail "the disk stays without paths"
	inject $h0 "2 1 0x28 f 0 0 0 0 0"
	dmesg -C
	up_unbind $h0
	wait_for 20 state_is $h0 failed || fail "$h0 is $(state $h0)"
	# What is not under way is not waited for.
	down_state $h0
	wait_for 20 log_says "unable to read partition table" || fail "the table was read"
	! has_part || fail "there is a partition"
	uninject $h0 2 0x28
	up_state $h0
	wait_for 20 has_part || fail "there is no partition, $h0 is $(state $h0)"
}
has_part() { [[ -e /sys/block/sda/sda1 ]]; }

# Two backstores that claim to be the same disk, and are not of one size.
rig_mismatch() {
	rig_loop on 1
	mismatch_add 2 4096
	mismatch_add 3 8192 4096
	wait_for 20 have_paths 3
}

# mismatch_add N PAGES [BLOCKSIZE]: target N leads to something with the same id
mismatch_add() {
	local other=${backstore%/*}/../rd_mcp_$(($1 - 1))/mpath$1

	mkdir -p "$other"
	echo rd_pages="$2" >"$other/control"
	echo abc1 >"$other/wwn/vpd_unit_serial"
	echo 1 >"$other/enable"
	[[ -z ${3:-} ]] || echo "$3" >"$other/attrib/block_size"
	loop_target "$1" "$other" ""
}

t_mismatch() {
	local h i reads disks=()

	is "size" 65536 "$(head_attr size)"
	for i in 2 3; do
		h=$(loop_hctl $i)
		wait_for 10 state_is "$h" mismatch ||
			fail "the path of another size is $(state "$h")"
		h=$(disk_of "$h")
		log_says "multipath: sda: path $h has .*, the disk has 65536 and 512: not used" ||
			fail "the log does not name $h"
		disks+=("$h")
	done
	is "block size of the other path" 4096 \
		"$(<"/sys/block/${disks[1]}/queue/logical_block_size")"
	policy round-robin
	fio_start
	reads=$(disk_stat sda 1)
	wait_for 20 disk_reads_above sda $((reads + 200)) || fail "no I/O"
	fio_stop
	for h in "${disks[@]}"; do
		is "I/O on $h" 0 "$(<"/sys/block/$h/mpath_ios")"
	done
	# It does not stand in for the other one, either.
	down_state "$(loop_hctl 1)"
	is "read without a good path" EIO "$(errno_of read_block sda)"
	up_state "$(loop_hctl 1)"
	is "read" none "$(errno_of read_block sda)"
}

# A disk with one path, and another LU that claims to be the same and has so many pages.
rig_stranger() {
	rig_loop on 1
	mismatch_add 2 "$1"
	wait_for 20 have_paths 2
}

# It does not become the disk when the path goes whose disk it is, however it is asked.
t_stranger() {
	local a b h

	a=$(loop_hctl 1) b=$(loop_hctl 2)
	wait_for 10 state_is $b mismatch || fail "the other one is $(state $b)"
	down_delete $a
	for h in 1 2 3; do
		is "size" 65536 "$(head_attr size)"
		is "state" mismatch "$(state $b)"
		is "read" EIO "$(errno_of read_block sda)"
		case $h in
		1)	ask_state $b ;;
		2)	down_state $b
			up_state $b
			wait_for 10 state_is $b mismatch || fail "$b is $(state $b)" ;;
		esac
	done
	is "I/O to the other one" 0 "$(path_ios $b)"
	up_delete $a
	wait_for 20 usable $a || fail "$a is $(state $a)"
	is "read" none "$(errno_of read_block sda)"
	is "state" mismatch "$(state $b)"
	is "I/O to the other one" 0 "$(path_ios $b)"
}

# The only path has been away, and leads to another LU when sd is bound to it: that is
# found after sd has read the size.
t_unverified() {
	local s=$((1 << 21))

	echo 600 >/sys/block/sda/delayed_removal_secs
	down_delete $h0
	down_unbind $h1
	down_state $h1
	up_state $h1
	echo 1 >$debug_driver/vpd_use_hostno
	echo 2 >$debug_driver/virtual_gb
	up_unbind $h1
	wait_for 10 state_is $h1 mismatch || fail "$h1 is $(state $h1)"
	is "size of the path" $((2 * s)) "$(<"/sys/block/$(disk_of $h1)/size")"
	is "size" $s "$(head_attr size)"
	# It is what it was, and has grown meanwhile.
	echo 0 >$debug_driver/vpd_use_hostno
	ask_state $h1
	wait_for 10 usable $h1 || fail "$h1 is $(state $h1)"
	wait_for 10 size_is sda $((2 * s)) || fail "the size is $(head_attr size)"
	is "read" none "$(errno_of read_block sda)"
	echo 0 >/sys/block/sda/delayed_removal_secs
	up_delete $h0
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
}

# One path does not tell if there is a write cache, and then the other one goes that has.
t_cache_untold() {
	local op cache=/sys/block/sda/queue/write_cache

	for op in 0x1a 0x5a; do inject $h1 "2 -100 $op 0 0 2 5 0x24 0"; done
	down_unbind $h1
	up_unbind $h1
	wait_for 10 usable $h1 || fail "$h1 is $(state $h1)"
	is "cache of the path" "write through" "$(<"$(sdev $h1)/scsi_disk/$h1/cache_type")"
	is "write cache" "write back" "$(<$cache)"
	down_delete $h0
	is "write cache with one path left" "write back" "$(<$cache)"
	inject $h1 "2 -1 0x35 0 0 2 6 0x29 0"
	dd if=/dev/zero of=/dev/sda bs=4k count=1 conv=fsync,notrunc status=none
	is "left of the rule for SYNCHRONIZE CACHE" 0 "$(rule_left $h1 2 0x35)"
	for op in 0x1a 0x5a; do uninject $h1 2 $op; done
	up_delete $h0
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	# Who says that there is none is believed.
	for op in $h0 $h1; do scsi_disk_set $op cache_type "temporary write through"; done
	is "write cache of neither path" "write through" "$(<$cache)"
}

# One that has changed while sd was not bound to it is not used either.
t_other_id_unbound() {
	local n

	down_unbind $h1
	down_state $h1
	echo 1 >$debug_driver/vpd_use_hostno
	up_state $h1
	up_unbind $h1
	wait_for 10 state_is $h1 mismatch || fail "$h1 is $(state $h1)"
	n=$(path_ios $h1)
	fio_start
	fio_stop
	is "I/O to another logical unit" "$n" "$(path_ios $h1)"
	echo 0 >$debug_driver/vpd_use_hostno
	ask_state $h1
	wait_for 10 usable $h1 || fail "the same logical unit again: $h1 is $(state $h1)"
}

# A path that leads to another logical unit from one day to the next: better no
# data than those of another disk.
t_other_id() {
	local n

	echo 600 >/sys/block/sda/delayed_removal_secs
	down_state $h0
	fio_start
	echo 1 >$debug_driver/vpd_use_hostno
	ask_state $h1
	wait_for 10 state_is $h1 mismatch || fail "$h1 is $(state $h1)"
	log_says "$h1: multipath: was a path to .*, is now .*: not used" ||
		fail "the log does not say it"
	wait_for 10 some_parked || fail "I/O does not wait"
	wait_for 10 path_idle $h1 || fail "I/O stays on $h1"
	n=$(path_ios $h1)
	up_state $h0
	wait_for 20 disk_reads_above sda $(($(disk_stat sda 1) + 200)) || fail "no I/O"
	is "I/O to another logical unit" "$n" "$(path_ios $h1)"
	fio_stop
	echo 0 >/sys/block/sda/delayed_removal_secs
	down_state $h0
	is "read of another logical unit" EIO "$(errno_of read_block sda)"
	echo 0 >$debug_driver/vpd_use_hostno
	ask_state $h1
	wait_for 10 usable $h1 || fail "the same logical unit again: $h1 is $(state $h1)"
	is "read" none "$(errno_of read_block sda)"
	up_state $h0
}

# If it says so, it does not get the write again that it has told this instead of.
t_other_id_told() {
	local ascq

	for ascq in 3 0xe; do
		down_state $h0
		echo 1 >$debug_driver/vpd_use_hostno
		inject $h1 "2 -1 0x2a 0 0 2 6 0x3f $ascq"
		is "write to another logical unit" EIO "$(errno_of write_block sda)"
		is "left of the rule" 0 "$(rule_left $h1 2 0x2a)"
		wait_for 10 state_is $h1 mismatch || fail "$h1 is $(state $h1)"
		echo 0 >$debug_driver/vpd_use_hostno
		ask_state $h1
		wait_for 10 usable $h1 || fail "the same logical unit again: $h1 is $(state $h1)"
		# The same one goes on.
		inject $h1 "2 -1 0x2a 0 0 2 6 0x3f $ascq"
		is "write to the same logical unit" none "$(errno_of write_block sda)"
		is "left of the rule" 0 "$(rule_left $h1 2 0x2a)"
		up_state $h0
		wait_for 10 usable $h0 || fail "$h0 is $(state $h0)"
	done
}

t_read_only() {
	is "ro" 1 "$(head_attr ro)"
	is "blockdev --getro" 1 "$(blockdev --getro /dev/sda)"
	is "read" none "$(errno_of read_block sda)"
	is "write" EROFS "$(errno_of write_block sda)"
}

t_remap_event() {
	local trace=/sys/kernel/tracing

	[[ -d $trace/events/block/block_bio_remap ]] || skip "no tracepoint"
	echo >$trace/trace
	echo 1 >$trace/events/block/block_bio_remap/enable
	read_block sda 3
	echo 0 >$trace/events/block/block_bio_remap/enable
	grep block_bio_remap $trace/trace >"$tmp/trace" || fail "no event"
	note "$(head -n 1 "$tmp/trace" | xargs)"
	grep -qE 'block_bio_remap: [0-9]+,[0-9]+ .* 24 \+ 8 <- \(8,0\) 24' "$tmp/trace" ||
		fail "$(<"$tmp/trace")"
	! grep -qE 'block_bio_remap: 8,0 ' "$tmp/trace" || fail "$(<"$tmp/trace")"
}

# What a bio is and what it asks for reaches the path: each of these is looked
# for among the requests that the path's driver is given.
t_flags() {
	local trace=/sys/kernel/tracing event

	event=$trace/events/block/block_rq_issue
	[[ -d $event ]] || skip "no tracepoint"
	echo >$trace/trace
	echo 1 >$event/enable
	dd if=/dev/zero of=/dev/sda bs=4k count=1 seek=10 oflag=direct,dsync conv=notrunc \
		status=none
	dd if=/dev/zero of=/dev/sda bs=4k count=1 seek=11 conv=fsync,notrunc status=none
	ionice -c 1 -n 3 dd if=/dev/sda of=/dev/null bs=4k count=1 skip=12 iflag=direct status=none
	blkdiscard -o 1M -l 64k /dev/sda
	blkdiscard -z -o 2M -l 64k /dev/sda
	fio --name=nowait --filename=/dev/sda --ioengine=libaio --direct=1 --nowait=1 --rw=read \
		--bs=4k --offset=3m --size=4k --disk_util=0 --output=/dev/null
	# Polling is not offered, so it ends as any read does.
	fio --name=polled --filename=/dev/sda --ioengine=pvsync2 --hipri=1 --direct=1 --rw=write \
		--bs=4k --offset=3584k --size=64k --verify=crc32c --verify_state_save=0 \
		--disk_util=0 --output=/dev/null || fail "polled I/O fails"
	blockdev --flushbufs /dev/sda
	blockdev --setra 64 /dev/sda
	dd if=/dev/sda of=/dev/null bs=4k count=4 skip=1024 status=none
	echo 0 >$event/enable
	grep -v '^#' $trace/trace >"$tmp/trace"
	issued "a write with FUA" "WFS 4096 .* 80 \+ 8 "
	issued "a flush" "FF? 0 "
	issued "a real-time read" "RS? 4096 .* 96 \+ 8 rt,[0-9]+,3"
	issued "a discard" "DS? 65536 .* 2048 \+ 128 "
	issued "zeroes" "NS? 65536 .* 4096 \+ 128 "
	issued "a read that does not want to wait" "RS? 4096 .* 6144 \+ 8 "
	# Read-ahead is a plain read below, see mpath_send().
	issued "read-ahead" "R [0-9]+ .* 8192 \+ "
	! issued_as "RA" || fail "read-ahead is given to the path, and not tried again there"
}
issued_as() { grep -qE "block_rq_issue: 259,[0-9]+ $1" "$tmp/trace"; }
issued() { issued_as "$2" || fail "$1 has not reached the path: $(tail -n 20 "$tmp/trace")"; }

t_tools() {
	local lun

	lun=$(lun_dir)
	sg_inq /dev/sda >"$tmp/inq" || fail "sg_inq: $(<"$tmp/inq")"
	grep -q "Product identification: scsi_debug" "$tmp/inq" || fail "$(<"$tmp/inq")"
	sg_vpd -p di /dev/sda | grep -i "$(sed 's/naa.//' "$lun/vpd_id")" >/dev/null ||
		fail "sg_vpd does not show the id"
	sg_turs /dev/sda || fail "sg_turs"
	sg_readcap /dev/sda >/dev/null || fail "sg_readcap"
	is "lsblk" "sda disk" "$(lsblk -dno NAME,TYPE | xargs)"
	is "blockdev" "$(($(head_attr size) * 512))" "$(blockdev --getsize64 /dev/sda)"
	blockdev --flushbufs /dev/sda || fail "blockdev --flushbufs"
	lsscsi >"$tmp/lsscsi" || fail "lsscsi"
	is "devices in lsscsi" 2 "$(grep -c scsi_debug "$tmp/lsscsi")"
	sfdisk -l /dev/sda >/dev/null || fail "sfdisk"
}

# Passthrough ends at the whole disk for those who may not do all.
t_ioctl() {
	echo 'type=83' | sfdisk -q /dev/sda
	wait_for 10 test -b /dev/sda1 || fail "no partition"
	sg_turs /dev/sda1 || fail "SG_IO on a partition with CAP_SYS_RAWIO"
	no_rawio sg_turs /dev/sda || fail "SG_IO on the disk without CAP_SYS_RAWIO"
	! no_rawio sg_turs /dev/sda1 2>/dev/null ||
		fail "SG_IO on a partition without CAP_SYS_RAWIO"
	sfdisk -q --delete /dev/sda
	down_state $h0
	sg_turs /dev/sda || fail "SG_IO with one path left"
	down_state $h1
	! sg_turs /dev/sda 2>/dev/null || fail "SG_IO without a path"
	up_state $h0
	up_state $h1
}
# What a device says that does not know a command.
t_reservations() {
	local h node

	for node in /dev/sda $(for h in $(hctls); do sg_of "$h"; done); do
		refused $node 16 0 0 0 0 0
		refused $node 17 0 0 0 0 0
		refused $node 56 0 0 0 0 0 0 0 0 0
		refused $node 57 0 0 0 0 0 0 0 0 0
		refused $node 5e 0 0 0 0 0 0 0 8 0
		sg_persist --out --register --param-sark=1 $node >"$tmp/pr" 2>&1 &&
			fail "$node takes a registration"
		grep -qi "not supported" "$tmp/pr" || fail "$(<"$tmp/pr")"
		sg_turs $node || fail "sg_turs $node"
	done
	log_says "multipath: reservation refused \(command 0x" ||
		fail "the log does not say it"
	# A device is one of the paths' even if sd has let go of it.
	h=$(hctls)
	h=${h%%$'\n'*}
	down_unbind $h
	refused "$(sg_of $h)" 5f 0 0 0 0 0 0 0 24 0
	refused "$(sg_of $h)" 56 0 0 0 0 0 0 0 0 0
	sg_turs "$(sg_of $h)" || fail "sg_turs without sd"
	up_unbind $h
	wait_for 20 usable $h || fail "$h is $(state $h)"
	is "keys at the target" "No SPC-3 Reservation holder" \
		"$(<"$backstore/pr/res_holder")"
	read_block sda || fail "read"
}
sg_of() { local d; for d in "$(sdev "$1")"/scsi_generic/*; do echo "/dev/${d##*/}"; done; }
# refused NODE BYTE...: the command, in hexadecimal
refused() {
	! sg_raw -r 8 "$@" >"$tmp/raw" 2>&1 || fail "$* is not refused"
	grep -qi "Illegal Request" "$tmp/raw" || fail "$*: $(<"$tmp/raw")"
	grep -qi "Invalid command operation code" "$tmp/raw" || fail "$*: $(<"$tmp/raw")"
}

# A plain disk keeps them.
t_plain_reservations() {
	sg_persist --out --register --param-sark=1 /dev/sda >"$tmp/pr" 2>&1 || fail "$(<"$tmp/pr")"
	sg_persist -k /dev/sda | grep 0x1 >/dev/null || fail "the key is not there"
}
rig_plain() {
	rig_loop off 1
	wait_for 10 test -b /dev/sda
}

no_rawio() { setpriv --bounding-set=-sys_rawio --inh-caps=-sys_rawio "$@"; }

testcase t_filesystem "rig_debug on 2" "partitions, ext4 and fsck, with a path lost"
testcase t_partition_scan "rig_debug on 2" "the partitions are found when the disk comes back"
testcase t_tools "rig_debug on 2" "D15, D18: sg3-utils, lsblk, blockdev and lsscsi find their way"
testcase t_ioctl "rig_debug on 2" "D7: SG_IO on a partition needs CAP_SYS_RAWIO"
testcase t_remap_event "rig_debug on 2" "D17: block_bio_remap goes from the disk to the path"
testcase t_flags "rig_debug on 2 lbpu=1 lbpws=1" "B12: what a bio asks for reaches the path"
testcase t_limits "rig_debug on 2 physblk_exp=3 lbpu=1 lbpws=1" \
	"D11, D12: limits are those of the paths"
testcase t_integrity "rig_debug on 2 dif=1 dix=1" "D12: protection information"
testcase t_atomic "rig_debug on 2 atomic_wr=1" "D12: atomic writes are those of the paths"
testcase t_disk_settings "rig_debug on 2 lbpu=1 lbpws=1" "D12: what is set on the disk stays"
testcase t_cache "rig_debug on 2" "D12: the write cache is what was told last"
testcase t_path_settings "rig_debug on 2 lbpu=1 lbpws=1" \
	"D11, D12: what is set on a path holds for the disk"
testcase t_refusal "rig_debug on 2 lbpu=1 lbpws=1" \
	"D12: the disk learns that its paths do not write zeroes or discard"
testcase t_resize "rig_debug on 2 virtual_gb=1" "D11: the disk grows when all of its paths have"
testcase t_read_only "rig_debug on 2 wp=1" "D12: the disk is as write-protected as its paths"
testcase t_reservations "rig_loop on 2" "D9: reservations are refused on the disk and on its paths"
testcase t_plain_reservations rig_plain "D9: a disk that is not multipath takes reservations"
testcase t_no_size "rig_debug on 2" "D11: a path that could not tell its size is asked again"
testcase t_doubtful_size "rig_debug on 2 virtual_gb=1" \
	"D11: the size is not taken from what may be another logical unit"
testcase t_no_size_last "rig_debug on 2" "D11: I/O waits for a path that may yet tell its size"
testcase t_port_offline "rig_debug on 2" "a disk whose port is offline is not told to start"
testcase t_late_partitions "rig_debug on 1 num_parts=1" \
	"the partitions are read when there is a path for that"
testcase t_other_id "rig_debug on 2 lbpu=1 lbpws=1" \
	"D11: a path that leads to another logical unit is not used"
testcase t_other_id_told "rig_debug on 2 lbpu=1 lbpws=1" \
	"D11: a path that says that it may be another one is not used before it is known"
testcase t_other_id_unbound "rig_debug on 2 lbpu=1 lbpws=1" \
	"D11: nor is one that has changed while sd was not bound to it"
testcase t_mismatch rig_mismatch "D11: a path of another size is not used"
testcase t_stranger "rig_stranger 4096" \
	"D11: a smaller LU of the same id is not what is left of the disk"
testcase t_stranger "rig_stranger 16384" "D11: nor is a larger one"
testcase t_unverified "rig_debug on 2 virtual_gb=1" \
	"D11: what may be another LU does not make the disk another size"
testcase t_cache_untold "rig_debug on 2" \
	"D12: there is a write cache still when the path is gone that said so"

run_tests "$@"
