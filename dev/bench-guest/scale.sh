#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: scale.sh LUNS
#
# What LUNS logical units of four paths each cost, in a guest whose time counts
# instructions. With multipath=off there are as many paths, each a disk. What
# scsi_debug and the SCSI core take themselves grows with the LUNs of a host, so
# only the difference between the two says something.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

luns=$1 paths=$((4 * $1)) suffix=''
[[ $mode != off ]] || suffix=_off

attached() { dmesg | grep -c 'Attached SCSI disk'; }
no_hosts() { [[ ! -e /sys/class/scsi_host/host0 && ! -e /sys/class/scsi_host/host3 ]]; }
all_attached() { (($(attached) == $1)); }

now_us() { echo "${EPOCHREALTIME/./}"; }

# Seconds since boot of the last kernel message that matches.
when() { dmesg | awk -F '[][ ]+' -v what="$1" '$0 ~ what { at = $2 } END { print at }'; }

# Sets not_ready: of how many paths it is not known yet what they can do.
look_at_paths() {
	local d state

	not_ready=0
	for d in /sys/block/sd*:*; do
		read -r state <"$d/mpath_state"
		[[ $state != unknown ]] || not_ready=$((not_ready + 1))
	done
}
all_ready() { look_at_paths && ((!not_ready)); }

# remove_host NUMBER: sets gone, the ms that it took
remove_host() {
	local start

	start=$(now_us)
	echo -1 >/sys/bus/pseudo/drivers/scsi_debug/add_host
	wait_for 600 test ! -e "/sys/class/scsi_host/host$1"
	gone=$((($(now_us) - start) / 1000))
}

# KiB not in use, once what can be given back has been.
free_memory() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	nap 1
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemFree/ { print $2 }' /proc/meminfo
}

# What there is once, however many LUNs, is there before: one LUN of four paths
# has come and gone.
modprobe scsi_debug add_host=4 vpd_use_hostno=0 max_luns=1 lun_format=1 \
	dev_size_mb=64 ndelay=20000 fake_rw=1
wait_for 600 all_attached 4
echo -4 >/sys/bus/pseudo/drivers/scsi_debug/add_host
wait_for 600 no_hosts
echo "$luns" >/sys/module/scsi_debug/parameters/max_luns
dmesg -C
before=$(free_memory)
echo 4 >/sys/bus/pseudo/drivers/scsi_debug/add_host
wait_for 600 all_attached $paths
awk -v begin="$(when '0:0:0:0: Direct-Access')" -v end="$(when 'Attached SCSI disk')" -v n=$paths \
	-v name="scale.$luns.attach_us$suffix" \
	'BEGIN { printf "##result %s\t%.0f\tus per path\n", name, (end - begin) * 1e6 / n }'
if [[ $mode == on ]]; then
	# They have been asked when they were found: with its last path, a disk is ready.
	look_at_paths
	result "scale.$luns.not_ready" $not_ready paths
	wait_for 600 all_ready
	nr_sd_disks "$luns"
fi
after=$(free_memory)
result "scale.$luns.bytes$suffix" $(((before - after) * 1024 / paths)) "bytes per path"

# The mean of reads of one disk, one at a time.
echo 0 >/sys/bus/pseudo/drivers/scsi_debug/ndelay
echo 0 >/sys/bus/pseudo/drivers/scsi_debug/delay
mapfile -t disks < <(sd_disks)
disk=${disks[0]}
load "/dev/$disk" read4k 1000
cost=$(load_cost "/dev/$disk" read4k 20000)
result "scale.$luns.cost$suffix" "$cost" instructions
[[ $mode == on ]] || {
	remove_host 3
	result "scale.$luns.host_removal_ms$suffix" "$gone" ms
	exit 0
}

# Both optimized paths of each carry reads, and the host of one of them goes:
# the longest that a read took meanwhile.
echo 20000 >/sys/bus/pseudo/drivers/scsi_debug/ndelay
for disk in "${disks[@]}"; do echo round-robin >"/sys/block/$disk/device/iopolicy"; done
# A job of fio takes the names of some 400 disks.
for ((i = 0; i < luns; i += 256)); do
	files=$(printf ':/dev/%s' "${disks[@]:i:256}")
	printf '[job%d]\nfilename=%s\n' $i "${files:1}"
done >/tmp/jobs
ulimit -n 8192
fio --output-format=json --output=/tmp/fio --ioengine=libaio --direct=1 --iodepth=32 --rw=randread \
	--bs=4k --norandommap --time_based --runtime=3600 --file_service_type=random --group_reporting \
	--clocksource=clock_gettime --disk_util=0 --thread /tmp/jobs &
fio=$!
last=$(printf "%s\n" /sys/class/scsi_device/3:0:0:* | sort -V | tail -n 1)/device/iodone_cnt
busy() { (($(<"$last") > $1)); }
wait_for 60 busy $(($(<"$last") + 2))
remove_host 3
kill -TERM $fio
wait $fio || (($? == 128))
longest=$(sed '/^fio:/d' /tmp/fio | jq '.jobs[0] | if .error == 0 then .read.lat_ns.max / 1e6 else error end')
result "scale.$luns.failover_ms" "$longest" ms
remove_host 2
result "scale.$luns.host_removal_ms" "$gone" ms
