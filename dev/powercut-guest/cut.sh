#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: cut.sh write | cut.sh check RAW FUA FILE
#
# In a guest with one disk over two paths, whose power fails: write, and say of
# each record when it is on the disk; or look whether all records are there up to
# those numbers. Record N of a kind replaces record N - $records.
#
#	raw	a block, then a flush
#	fua	a block with FUA
#	file	a file of ext4, which is synced
#
# HOOK=KIND: no other kind is written, and this one is not flushed, see dev/powercut.

# shellcheck disable=SC2086
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=lib.sh
. /tests/lib.sh
# shellcheck source=means.sh
. /tests/means.sh
set -eE -o pipefail

records=64
kinds=(raw fua file)
hook=${HOOK:-}
# How dd writes, and what syncs a file
raw=conv=notrunc,fsync fua=oflag=direct,dsync sync=sync
case $hook in
raw)	raw='conv=notrunc oflag=direct' ;;
fua)	fua=oflag=direct ;;
file)	sync=: ;;
esac

# What a record is: of block size, and torn nowhere.
content() { printf '%04096d' "$1"; }

# Where the records of kind $1 begin, in blocks.
first_block() { [[ $1 == raw ]] && echo 512 || echo 1024; }

write_raw() { put raw "$1" $raw; }
write_fua() { put fua "$1" conv=notrunc $fua; }
put() {
	content "$2" | dd of="/dev/$disk" bs=4k iflag=fullblock seek=$(($(first_block $1) + $2 % records)) \
		"${@:3}" status=none
}
write_file() {
	content "$1" >"/mnt/$(($1 % records)).new"
	mv "/mnt/$(($1 % records)).new" "/mnt/$(($1 % records))"
	$sync "/mnt/$(($1 % records))" /mnt
}

read_raw() { get raw "$1"; }
read_fua() { get fua "$1"; }
get() { dd if="/dev/$disk" bs=4k skip=$(($(first_block $1) + $2)) count=1 iflag=direct status=none; }
read_file() { cat "/mnt/$1"; }

writer() {
	local n

	for ((n = 1; ; n++)); do
		write_$1 $n
		echo "flushed $1 $n"
	done
}

# Now and then a path goes, with what it has under way.
paths_fail() {
	local all h

	mapfile -t all < <(hctls)
	while :; do
		for h in "${all[@]}"; do
			down_state "$h"
			nap 0.3
			up_state "$h"
			wait_for 20 usable "$h"
		done
	done
}

write() {
	local kind

	mkfs.ext4 -q "/dev/${disk}2"
	mount "/dev/${disk}2" /mnt
	policy round-robin
	# Writes that nobody flushes fill the cache of the disk.
	fio --name=noise --filename="/dev/$disk" --offset=16m --size=8m --rw=randwrite --bs=4k --direct=1 \
		--ioengine=libaio --iodepth=8 --time_based --runtime=1h --output=/dev/null &
	paths_fail &
	for kind in ${hook:-"${kinds[@]}"}; do writer $kind & done
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
	for kind in "${kinds[@]}"; do
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
