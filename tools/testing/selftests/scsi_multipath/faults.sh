#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory runs out as a path is made, or the disk over it: the logical unit stays,
# in one way or the other, and all is well the next time.
#
#	FAULTS_MS=N	how long t_bind, t_late and t_scan may take each; default
#			90000, 60000 and 60000. With 10000000 they get to the end: every allocation.
#
# guest-timeout: 780

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

h0=0:0:0:0 h1=1:0:0:0
faults=/sys/kernel/debug/failslab

# The caches of bios that sd needs are there with another disk. Making one fails
# noisily, and leaks a name, in the kernel's slab code.
rig_faults() {
	scsi_load on
	modprobe scsi_debug vpd_use_hostno=0 add_host=2 max_luns=2 dev_size_mb=16 ndelay=10000
	wait_for 20 both_there || fail "there are not two disks with two paths"
}
both_there() { has_disk 0:0:0:1 && has_disk 1:0:0:1 && have_paths 2; }

# The disk over logical unit 0.
head_disk() {
	local d path

	for d in $(heads); do
		for path in $(path_disks "$d"); do
			[[ $(path_hctl "$path") != *:0 ]] || { echo "$d"; return; }
		done
	done
	return 1
}
no_disk() { ! head_disk >/dev/null; }

prepare() {
	[[ -e /proc/self/fail-nth && -d $faults ]] || skip "no fault injection"
	echo N >$faults/ignore-gfp-wait
	echo 0 >$faults/verbose
	if [[ -d /sys/kernel/debug/fail_page_alloc ]]; then
		echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait
		echo 0 >/sys/kernel/debug/fail_page_alloc/verbose
	fi
}

# That memory is short, the kernel says in many ways. What is a fault even so?
real_faults='WARNING:|BUG:|kernel BUG|Oops|general protection|KASAN|UBSAN|ODEBUG|refcount_t:'
real_faults+='|circular locking|inconsistent lock|held lock|suspicious RCU'
real_faults+='|sleeping function|list_(add|del) corruption'
quiet() {
	dmesg -n 1
	dmesg -c >/dev/null
}
loud() {
	local line

	dmesg -n 7
	! dmesg | grep -E -A 30 "$real_faults" >"$tmp/faults" || {
		while read -r line; do note "$line"; done <"$tmp/faults"
		fail "the kernel has reported a fault"
	}
}

# with_fault N FILE WORD: write WORD to FILE with the Nth allocation of it
# failing. Sets left: 0 if there were as many.
with_fault() {
	left=$(bash -c '
		exec 3>"$2"
		echo "$1" >/proc/self/fail-nth
		echo "$3" >&3
		read -r left </proc/self/fail-nth
		echo 0 >/proc/self/fail-nth
		echo $left' - "$@" 2>/dev/null) || left=0
}

bind=/sys/bus/scsi/drivers/sd/bind

is_bound() { [[ -e $(sdev "$1")/driver ]]; }
has_disk() { disk_of "$1" >/dev/null 2>&1; }

# Make the first path of a disk, and then one more, with each allocation of it
# failing: as many of them as there is time for, spread over all.
t_bind() {
	local i n h hits=0 top=0 plain=0 unbound=0 start=$EPOCHREALTIME

	prepare
	quiet
	# Each number comes twice: an odd time, and an even one.
	for ((i = 0; i < 2 * 307; i++)); do
		n=$((1 + i * 89 % 307))
		(($(elapsed "$start") < ${FAULTS_MS:-90000})) || break
		# the first path of a new disk, or the second
		h=$h0
		down_unbind $h0
		if ((i % 2 == 0)); then
			down_unbind $h1
			wait_for 10 no_disk || fail "fault $n: the disk stays"
		fi
		with_fault $n $bind $h
		if ((left)); then
			is_bound $h1 || up_unbind $h1
			continue
		fi
		hits=$((hits + 1)) top=$((n > top ? n : top))
		if ! is_bound $h; then
			unbound=$((unbound + 1))
			up_unbind $h
		fi
		wait_for 10 has_disk $h || fail "fault $n: $h has no disk"
		if [[ $(state $h) == gone ]]; then
			plain=$((plain + 1))
			is "fault $n: read of a plain disk" none \
				"$(errno_of read_block "$(disk_of $h)")"
			# which it is for its life
			[[ -e /sys/block/$(disk_of $h)/mpath_parked ]] &&
				fail "fault $n: a path that is a disk"
			down_delete $h
			up_delete $h
		fi
		is_bound $h1 || up_unbind $h1
		wait_for 20 have_paths 2 || fail "fault $n: there are not two paths"
		wait_for 20 usable $h || fail "fault $n: $h is $(state $h)"
		is "fault $n: read" none "$(errno_of read_block "$(head_disk)")"
	done
	is_bound $h0 || up_unbind $h0
	is_bound $h1 || up_unbind $h1
	note "$hits faults, up to allocation $top: $unbound failed the probe," \
		"$plain made a plain disk"
	loud
	ok_if "there were faults" "hits > 2"
}

# The same for finding a device.
t_scan() {
	local i n hits=0 top=0 plain=0 missing=0 start=$EPOCHREALTIME

	prepare
	quiet
	for ((i = 0; i < 307; i++)); do
		n=$((1 + i * 89 % 307))
		(($(elapsed "$start") < ${FAULTS_MS:-60000})) || break
		down_delete $h1
		with_fault $n /sys/class/scsi_host/host1/scan "0 0 -"
		((left == 0)) || continue
		hits=$((hits + 1)) top=$((n > top ? n : top))
		if [[ ! -d $(sdev $h1) ]]; then
			missing=$((missing + 1))
			up_delete $h1
		fi
		wait_for 20 has_disk $h1 || { down_delete $h1; up_delete $h1; }
		wait_for 20 has_disk $h1 || fail "fault $n: $h1 has no disk"
		if [[ $(state $h1) == gone ]]; then
			plain=$((plain + 1))
			is "fault $n: read of a plain disk" none \
				"$(errno_of read_block "$(disk_of $h1)")"
		fi
		is "fault $n: read" none "$(errno_of read_block "$(head_disk)")"
	done
	[[ -d $(sdev $h1) ]] || up_delete $h1
	note "$hits faults, up to allocation $top: $missing made no device, $plain a plain disk"
	loud
	ok_if "there were faults" "hits > 2"
}

# The same for a disk that is made late, when its first path has a size. The
# last allocations of the scan are those.
t_late() {
	local n op hits=0 top=0 start=$EPOCHREALTIME

	prepare
	quiet
	for ((n = 240; n > 0; n -= 5)); do
		((hits < 3 || $(elapsed "$start") < ${FAULTS_MS:-60000})) || break
		down_unbind $h1
		down_unbind $h0
		wait_for 10 no_disk || fail "fault $n: the disk stays"
		for op in 0x25 0x9e; do inject $h0 "2 -40 $op 1 0 0 0 0 0"; done
		echo $h0 >$bind
		no_disk || fail "fault $n: a disk without a size"
		for op in 0x25 0x9e; do uninject $h0 2 $op; done
		with_fault $n "$(sdev $h0)/rescan" 1
		((left)) || hits=$((hits + 1)) top=$((n > top ? n : top))
		wait_for 30 has_head || fail "fault $n: there is no disk"
		wait_for 20 usable $h0 || fail "fault $n: $h0 is $(state $h0)"
		is "fault $n: read" none "$(errno_of read_block "$(head_disk)")"
		up_unbind $h1
		wait_for 20 have_paths 2 || fail "fault $n: there are not two paths"
	done
	note "$hits faults, up to allocation $top"
	loud
	ok_if "there were faults" "hits > 2"
}
has_head() { head_disk >/dev/null; }

slab=/sys/kernel/slab/request_queue/failslab

# one_queue_fails COMMAND...: the next request queue that it wants to have is
# not to be had
one_queue_fails() {
	local rc=0

	echo 1 >$slab
	echo Y >$faults/cache-filter
	echo N >$faults/task-filter
	echo 0 >$faults/interval
	echo 0 >$faults/space
	echo 1 >$faults/times
	echo 100 >$faults/probability
	"$@" || rc=$?
	echo 0 >$faults/probability
	echo N >$faults/cache-filter
	echo 0 >$slab
	return $rc
}

# sd makes a path of the device, and then there is no memory for the disk over
# it. With a device there comes a queue; with a driver, only that of a disk.
t_plain() {
	local disk

	prepare
	[[ -w $slab ]] || skip "no fault injection by cache"
	down_unbind $h0
	down_unbind $h1
	wait_for 10 no_disk || fail "the disk stays"
	quiet
	one_queue_fails up_unbind $h0
	is "faults that are left" 0 "$(<$faults/times)"
	dmesg | grep "sd $h0: multipath: error -12, gets a disk of its own" >"$tmp/warning" ||
		fail "the kernel does not say so"
	wait_for 10 has_disk $h0 || fail "$h0 has no disk"
	disk=$(disk_of $h0)
	note "$(<"$tmp/warning")"
	is "state" gone "$(state $h0)"
	is "hidden" 0 "$(</sys/block/$disk/hidden)"
	no_disk || fail "there is a disk over paths"
	[[ $disk == sd[a-z] && -b /dev/$disk ]] || fail "$disk is no ordinary disk"
	is "major number" 8 "$(cut -d: -f1 "/sys/block/$disk/dev")"
	is "files of a path" "" "$(find "/sys/block/$disk/" -maxdepth 1 -name 'm*path*')"
	is "write" none "$(errno_of write_block $disk)"
	is "read" none "$(errno_of read_block $disk)"
	# and with its data
	dd if=/dev/urandom of="$tmp/data" bs=64k count=1 status=none
	dd if="$tmp/data" of=/dev/$disk bs=64k count=1 seek=1 oflag=direct status=none
	# The other path is one, of a disk of its own.
	up_unbind $h1
	wait_for 10 usable $h1 || fail "$h1 is $(state $h1)"
	[[ $(state $h0) == gone && $(disk_of $h0) == "$disk" ]] || fail "$h0 is a path again"
	# That holds for the life of the device.
	down_unbind $h0
	up_unbind $h0
	wait_for 10 has_disk $h0 || fail "$h0 has no disk after binding"
	is "state after binding" gone "$(state $h0)"
	down_delete $h0
	up_delete $h0
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	wait_for 20 have_paths 2 || fail "there are not two paths"
	disk=$(head_disk)
	cmp "$tmp/data" <(dd if=/dev/$disk bs=64k count=1 skip=1 iflag=direct status=none) ||
		fail "the data are not there"
	loud
}

# Each file of ours, as far as it can be written: the word, and if it is read
# back. What a counter counts may go on.
files_to_write() {
	local disk=/sys/block/$1 path=/sys/block/$2 lun file

	lun=$(readlink -f "$disk/device")
	echo "$lun/iopolicy queue-depth kept"
	echo "$disk/delayed_removal_secs 5 kept"
	echo "$path/mpath_disabled 1 kept"
	echo "$probe_secs 0 kept"
	for file in "$disk"/mpath_* "$path"/mpath_*; do
		[[ $file != */mpath_disabled ]] || continue
		! writable "$file" || echo "$file 0 reset"
	done
}
# root may write to all
writable() { [[ $(stat -c %A "$1") == ?rw* ]]; }
files_to_read() {
	local lun

	lun=$(readlink -f "/sys/block/$1/device")
	printf '%s\n' /sys/block/$1/{delayed_removal_secs,mpath_*} /sys/block/$2/mpath_* \
		$lun/{iopolicy,vpd_id,wwid,vendor,model,rev} $(sdev $h0)/multipath \
		/sys/class/scsi_mpath_disk/*/disk $probe_secs
}

# What may fail is our part of it. Opening a file is not.
to_write() { exec 7>"$file"; }
to_read() { exec 7<"$file"; }
do_write() { echo "$word" >&7; }
do_read() { read -r -u 7 _; }
do_open() { : <"/dev/$disk"; }
closed() { exec 7>&-; }
nothing() { :; }

# A word has been taken, or what was there is there still.
taken_or_not() {
	local value

	closed
	read -r value <"$file" || fail "$what: it cannot be read"
	if ((rc)); then
		is "$what, fault $n: value" "$old" "$value"
	else
		is "$what, fault $n: value" "$word" "$value"
	fi
	echo "$old" >"$file"
}

# A path that has been told to run comes back by itself, whatever has failed.
up_again() {
	closed
	[[ $word == running && $rc == 0 ]] || echo running >"$file"
}
down_now() {
	echo offline >"$file"
	to_write
}

both_usable() {
	local links=("/sys/block/$disk/multipath"/sd*)

	((${#links[@]} == 2)) && [[ -b /dev/$disk ]] && usable $h0 && usable $h1
}

# with_each_fault WHAT BEFORE COMMAND AFTER: each of the allocations of COMMAND
# fails in turn, or forty of them. None of the three may start a program.
with_each_fault() {
	local what=$1 before=$2 command=$3 after=$4 n=100000 total=0 step=0 left=0 rc

	# An allocation of bash's own may be the one that fails: it says so, and goes on.
	(
		exec 2>/dev/null 4>/proc/self/fail-nth
		while :; do
			$before
			exec 5</proc/self/fail-nth
			rc=0
			echo $n >&4
			$command || rc=$?
			read -r -u 5 left || :
			echo 0 >&4
			exec 5<&-
			$after
			wait_for 20 both_usable ||
				fail "$what, fault $n: $h0 is $(state $h0), $h1 is $(state $h1)"
			# The first time is for counting.
			if ((step == 0)); then
				total=$((n - left)) step=$((1 + total / 40)) n=1
				continue
			fi
			((left == 0)) || break
			echo $n >&6
			n=$((n + step))
		done
		note "$what: $total allocations"
	) 6>>"$tmp/faults_done"
}

# Each file that we have, what the device is asked for again, and the disk itself.
t_sysfs() {
	local first disk file word kind old h n left hits reread

	prepare
	reread=$(dirname "$0")/reread
	[[ -x $reread ]] || skip "reread has not been built"
	down_unbind $h1
	up_unbind $h1
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
	disk=$(head_disk) first=$(disk_of $h0)
	dd if=/dev/urandom of="$tmp/data" bs=64k count=16 status=none
	dd if="$tmp/data" of=/dev/$disk bs=64k seek=32 oflag=direct status=none
	echo 'start=2048,type=83' | sfdisk -q /dev/$disk
	wait_for 10 test -b /dev/${disk}1 || fail "there is no partition"
	: >"$tmp/faults_done"
	quiet
	files_to_read $disk $first >"$tmp/to_read"
	files_to_write $disk $first >"$tmp/to_write"
	while read -r file; do
		with_each_fault "read of $file" to_read do_read closed
	done <"$tmp/to_read"
	while read -r file word kind; do
		old=$(<"$file")
		if [[ $kind == kept ]]; then
			with_each_fault "write to $file" to_write do_write taken_or_not
		else
			with_each_fault "write to $file" to_write do_write closed
		fi
	done <"$tmp/to_write"
	is "read" none "$(errno_of read_block $disk)"
	for h in $h0 $h1; do
		file=$(sdev $h)/rescan word=1
		with_each_fault "rescan of $h" to_write do_write closed
		file=$(sdev $h)/state word=offline
		with_each_fault "$h goes offline" to_write do_write up_again
		word=running
		with_each_fault "$h is running" down_now do_write up_again
		is "read" none "$(errno_of read_block $disk)"
	done
	with_each_fault "open" nothing do_open nothing
	hits=$(wc -l <"$tmp/faults_done")
	for ((n = 1; n < 400; n += 1 + n / 20)); do
		left=$($reread /dev/$disk $n)
		((left == 0)) || break
		hits=$((hits + 1))
		# The partition is there again when there is memory.
		is "fault $n: partitions" 0 "$($reread /dev/$disk 0)"
		[[ -b /dev/${disk}1 ]] || fail "fault $n: the partition is not there"
	done
	note "partitions: $n allocations"
	loud
	note "$hits faults"
	ok_if "there were faults" "hits > 100"
	wait_for 20 have_paths 2 || fail "there are not two paths"
	wait_for 20 both_usable || fail "$h0 is $(state $h0), $h1 is $(state $h1)"
	cmp "$tmp/data" <(dd if=/dev/$disk bs=64k count=16 skip=32 iflag=direct status=none) ||
		fail "the data are not there"
	none_parked || fail "parked: $(parked)"
	# I/O as ever, on the disk without partitions
	dd if=/dev/zero of=/dev/$disk bs=4k count=1 oflag=direct status=none
	fio_start /dev/$disk
	wait_for 60 disk_reads_above $disk $(($(disk_stat $disk 1) + 60)) || fail "no I/O"
	fio_stop
	is "errors of the device" 0 "$(head_attr mpath_refused)"
}

testcase t_plain rig_faults "A8, A10, A17: no disk can be made over a path, it is a disk itself"
testcase t_bind rig_faults "A1, A2, A7, A8, A10, A17: memory runs out as sd makes a disk"
testcase t_late rig_faults "A1, A7, A17: memory runs out as a path has its size at last"
testcase t_scan rig_faults "A1, A2, A17: memory runs out as a device is found"
testcase t_sysfs rig_faults \
	"A17, C13: memory runs out as files are read and written, and devices looked at"

run_tests "$@"
