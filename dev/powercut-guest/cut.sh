#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: cut.sh write KIND... | cut.sh check RAW FUA FILE
#
# In a guest with one disk over two paths, whose power fails: write, and say of
# each record when it is on the disk; or look whether all records are there up to
# those numbers. Record N of a kind replaces record N - $records.
#
#	raw	a block of the disk, then a flush
#	fua	a block of a file that is there already: FUA, and no flush
#	file	a file of ext4, which is synced

# shellcheck disable=SC2086
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=lib.sh
. /tests/lib.sh
# shellcheck source=means.sh
. /tests/means.sh
set -eE -o pipefail

records=64

# What a record is: of block size, and torn nowhere.
content() { printf '%04096d' "$1"; }

# Where the records of the disk begin, in blocks
raw=512

put() { dd bs=4k iflag=fullblock "$@" status=none; }
write_raw() {
	content "$1" | put of="/dev/$disk" seek=$((raw + $1 % records)) conv=notrunc,fsync
}
write_fua() {
	content "$1" | put of=/mnt/fua seek=$(($1 % records)) conv=notrunc,nocreat oflag=direct,dsync
}
write_file() {
	content "$1" >"/mnt/$(($1 % records)).new"
	mv "/mnt/$(($1 % records)).new" "/mnt/$(($1 % records))"
	sync "/mnt/$(($1 % records))" /mnt
}

get() { dd bs=4k count=1 iflag=direct "$@" status=none; }
read_raw() { get if="/dev/$disk" skip=$((raw + $1)); }
read_fua() { get if=/mnt/fua skip="$1"; }
read_file() { cat "/mnt/$1"; }

writer() {
	local n

	for ((n = 1; ; n++)); do
		write_$1 $n
		echo "flushed $1 $n"
	done
}

# The adapter of a path loses its driver, and the host is gone; the next has another
# number.
adapters=/sys/bus/virtio/drivers/virtio_scsi
down_host() {
	adapter=$(readlink -f "$(sdev "$1")")
	adapter=${adapter%/host*} adapter=${adapter##*/}
	echo "$adapter" >$adapters/unbind
}
up_host() { echo "$adapter" >$adapters/bind; }

both_usable() { have_paths 2 && all_are optimized; }

# One path or the other goes, with what it has under way, by one means after the other.
# Who removes a disk flushes the cache, so that is not done all the time.
paths_fail() {
	local all h means

	while :; do
		for means in state delete state unbind state host; do
			mapfile -t all < <(hctls)
			h=${all[RANDOM % 2]}
			echo "loses $means"
			down_$means "$h"
			nap 0.3
			up_$means "$h"
			wait_for 20 both_usable || { echo "$h is not back"; exit 1; }
		done
	done
}

write() {
	local kind

	mkfs.ext4 -q "/dev/${disk}2"
	mount "/dev/${disk}2" /mnt
	dd if=/dev/zero of=/mnt/fua bs=4k count=$records conv=fsync status=none
	policy round-robin
	# Writes that nobody flushes fill the cache of the disk, and the log as well.
	fio --name=noise --filename="/dev/$disk" --offset=16m --size=8m --rw=randwrite --bs=4k --direct=1 \
		--ioengine=libaio --iodepth=8 --rate_iops=1000 --time_based --runtime=1h --output=/dev/null &
	paths_fail &
	for kind; do writer $kind & done
	wait -n
	echo "a writer has ended"
	exit 1
}

# check_kind KIND LAST: each record is the last that was said to be there, or a
# later one.
check_kind() {
	local kind=$1 last=$2 i n want

	for ((i = 0; i < records; i++)); do
		want=$((last - (last - i + records) % records))
		((want > 0)) || continue
		n=$(read_$kind $i | tr -d '\0')
		[[ ${#n} == 4096 && $n =~ ^[0-9]+$ ]] || { echo "lost: $kind $want is not there"; return 1; }
		n=$((10#${n: -12}))
		((n >= want && n % records == i)) || { echo "lost: $kind $want, there is $n"; return 1; }
	done
	echo "found $kind up to $last"
}

check() {
	local kind

	# What the file system cannot mend by its journal is lost too.
	mount "/dev/${disk}2" /mnt
	for kind in raw fua file; do
		check_kind $kind "$1"
		shift
	done
	umount /mnt
	e2fsck -fn "/dev/${disk}2" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
}

modprobe virtio_scsi
wait_for 60 have_paths 2
disk=$(head_disk)
wait_for 20 test -b "/dev/${disk}2"
"$@"
