#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: cost.sh [profile|cpus]
#
# What an I/O costs on each kind of disk that this boot has: with multipath=off
# the bare path, dm-multipath over two of them, and NVMe without multipath;
# with multipath=on the disk over two paths, and NVMe with multipath. A kernel
# that has none built in has the plain path. In a guest whose time counts
# instructions, a nanosecond is one.
#
# With "profile", read /proc/version before and after each load, by which the
# plugin in QEMU knows when to write down what it has counted. So with "cpus": 4 KiB
# reads by one CPU, then by two at once, of the bare path and of the disk over two.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

what=${1:-cost}
target=/sys/kernel/config/nvmet

mark() { read -r _ </proc/version; }

# profile FILE LOAD NAME: twice, the second time with more I/Os. What both have in
# common is no I/O's.
profile() {
	local n few=1000 many=31000

	[[ $2 != read1m ]] || few=50 many=1050
	for n in $few $many; do
		mark
		load "$1" "$2" "$n"
		mark
		echo "##window $2.$3 $n"
	done
}

# cpus FILE NAME: as profile, by as many threads as CPUs, each on its own
cpus() {
	local n nr

	for nr in 1 2; do
		for n in 1000 21000; do
			mark
			load "$1" read4k "$n" --mem=malloc --numjobs=$nr --cpus_allowed=0-$((nr - 1)) \
				--cpus_allowed_policy=split --group_reporting
			mark
			echo "##window cpus.$nr.$2 $((n * nr))"
		done
	done
}

# cost FILE NAME
cost() {
	local load ios cost

	# Nothing of the first I/Os shall count: they fill caches.
	load "$1" read4k 1000
	case $what in
	profile)
		for load in read4k write4k read1m; do profile "$1" $load "$2"; done
		return ;;
	cpus)
		cpus "$1" "$2"
		return ;;
	esac
	for load in read4k:20000 write4k:20000 read1m:2000; do
		ios=${load#*:} load=${load%:*}
		cost=$(load_cost "$1" "$load" "$ios")
		result "cost.$load.$2" "$cost" instructions
	done
}

# The end. Where the modules' functions are, for what counts by function.
done_with() {
	[[ $what == cost ]] || awk '/\[/ { print "##symbol " $1, $2, $3 }' /proc/kallsyms
	exit
}

# Two paths that are equally good: scsi_debug says so of every third host.
modprobe scsi_debug add_host=4 vpd_use_hostno=0 dev_size_mb=64 delay=0 fake_rw=1
wait_for 60 test -d /sys/class/scsi_device/3:0:0:0/device/block
for host in 1 2; do echo 1 >/sys/class/scsi_device/$host:0:0:0/device/delete; done

# dm_multipath MODE: of queueing
dm_multipath() {
	local a b size

	a=$(disk_of 0:0:0:0) b=$(disk_of 3:0:0:0) size=$(<"/sys/block/$a/size")
	# as multipathd makes it by default
	dmsetup create bench --noudevsync --table "0 $size multipath 2 queue_mode $1 0 1 1 \
		service-time 0 2 2 /dev/$a 1 1 /dev/$b 1 1"
	cost /dev/dm-0 "dm_$1"
	dmsetup remove --noudevsync bench
}

policy() { echo "$1" >"$2"; [[ $(<"$2") == "$1" ]]; }

case $mode in
plain)
	wait_for 60 nr_sd_disks 2
	cost "/dev/$(disk_of 0:0:0:0)" plain
	exit ;;
off)
	wait_for 60 nr_sd_disks 2
	cost "/dev/$(disk_of 0:0:0:0)" bare
	[[ $what != cpus ]] || done_with
	dm_multipath rq
	dm_multipath bio ;;
*)
	wait_for 60 nr_sd_disks 1
	head=$(sd_disks)
	wait_for 60 test -b "/dev/$head"
	for path in "/sys/block/$head/multipath"/*; do
		wait_for 60 grep -qx optimized "$path/mpath_state"
	done
	for p in numa round-robin queue-depth; do
		policy $p "/sys/block/$head/device/iopolicy"
		cost "/dev/$head" "mpath.$p"
	done
	[[ $what != cpus ]] || done_with ;;
esac

# A namespace behind two ports of a target in here.
nvme_target() {
	local port

	modprobe null_blk queue_mode=0 irqmode=0 gb=1 bs=512
	modprobe nvme_loop
	mkdir $target/subsystems/bench $target/subsystems/bench/namespaces/1
	echo 1 >$target/subsystems/bench/attr_allow_any_host
	echo /dev/nullb0 >$target/subsystems/bench/namespaces/1/device_path
	echo 1 >$target/subsystems/bench/namespaces/1/enable
	for port in 1 2; do
		mkdir $target/ports/$port
		echo loop >$target/ports/$port/addr_trtype
		echo $port >$target/ports/$port/addr_traddr
		ln -s $target/subsystems/bench $target/ports/$port/subsystems/bench
	done
}
nvme_connect() { echo "transport=loop,nqn=bench,traddr=$1" >/dev/nvme-fabrics; }

if [[ $mode == off ]]; then
	modprobe nvme_core multipath=N
	nvme_target
	nvme_connect 1
	wait_for 60 test -b /dev/nvme0n1
	cost /dev/nvme0n1 nvme_single
else
	modprobe nvme_core multipath=Y
	nvme_target
	nvme_connect 1
	nvme_connect 2
	wait_for 60 test -d /sys/block/nvme0c1n1
	wait_for 60 test -b /dev/nvme0n1
	for p in numa round-robin queue-depth; do
		policy $p /sys/class/nvme-subsystem/nvme-subsys0/iopolicy
		cost /dev/nvme0n1 "nvme.$p"
	done
fi

done_with
