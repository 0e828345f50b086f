#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory runs out as a path is made, or the disk over it: the logical unit stays,
# in one way or the other, and all is well the next time.
#
#	FAULTS=all	each allocation, which is some hundreds
#	FAULTS=many	those that are made by our functions or not far below them, and a
#			few of the others
#
# Default are a few of both, each time other ones, as each of them takes some seconds.
#
# Per-CPU memory comes of chunks that are there, and does not fail.
#
# guest-timeout: 1000

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"
# shellcheck source=nomem.sh
. "$(dirname "$0")/nomem.sh"

h0=0:0:0:0 h1=1:0:0:0

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
has_head() { head_disk >/dev/null; }
no_disk() { ! head_disk >/dev/null; }

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

# each_of_ours MANY PART WHAT BEFORE FILE WORD HCTL: after BEFORE write WORD to FILE, with
# each of the allocations below the functions PART* failing in turn, or MANY or a few of
# them; all is well with HCTL each time.
each_of_ours() {
	local many=$1
	shift

	find_code "^$1"
	case ${FAULTS:-few} in
	all)	each_to_depth 32 100000 "$@" ;;
	# of which some are for the allocation itself
	many)	each_to_depth 8 $many "$@"
		each_to_depth 32 3 "$@" ;;
	few)	each_to_depth 8 $((1 + many / 25)) "$@"
		each_to_depth 32 1 "$@" ;;
	esac
}
# each_to_depth DEPTH HOWMANY PART...: or so many of them
each_to_depth() {
	local depth=$1 part=$3 what=$4 before=$5 file=$6 word=$7 h=$8 n total step
	local hits=0 plain=0 unlinked=0

	# Some kernels have more of the calls of the allocation itself on the stack.
	for ((total = 0; total == 0; depth += 2)); do
		ok_if "allocations below $part*, $depth calls and less" "depth <= 32"
		faults_below $depth
		n="of none" && one_fault 100000
		total=$((100000 - left))
	done
	step=$(((total + $2 - 1) / $2))
	for ((n = 1 + RANDOM % step; n <= total; n += step)); do
		one_fault $n
		((left == 0)) || break
		hits=$((hits + 1))
	done
	faults_off
	note "$what: $hits of some $total allocations below $part* have failed:" \
		"a plain disk $plain, without a link $unlinked"
	ok_if "faults" "hits > 0"
}
one_fault() {
	$before
	listen
	with_fault "$1" "$file" "$word"
	survives
}

# After a fault the logical unit is there, or is with the next try.
survives() {
	local what="fault $n of $what"

	[[ -d $(sdev $h) ]] || fail "$what: there is no $h"
	[[ ! ${by_sd:-} ]] || is_bound $h || { unbound=$((unbound + 1)); up_unbind $h; }
	wait_for 20 is_bound $h || fail "$what: $h has no driver"
	wait_for 20 has_disk $h || fail "$what: $h has no disk"
	[[ $(state $h) != gone ]] || { plain=$((plain + 1)); plain_disk; }
	[[ -d $(sdev $h1) ]] || up_delete $h1
	# The other path would bring one.
	wait_for 30 has_head || without_link "there is no disk over the path"
	is_bound $h0 || up_unbind $h0
	is_bound $h1 || up_unbind $h1
	wait_for 1 have_paths 2 || without_link "there are not two paths"
	wait_for 30 have_paths 2 || fail "$what: there are not two paths"
	wait_for 30 usable $h0 || fail "$what: $h0 is $(state $h0)"
	wait_for 30 usable $h1 || fail "$what: $h1 is $(state $h1)"
	is "$what: read" none "$(errno_of read_block "$(head_disk)")"
}
# A path does without its link in sysfs, by which it is found here, until it is looked
# at again.
without_link() {
	listen
	grep -q 'multipath: sd[a-z]: no sysfs link to' "$tmp/said" ||
		fail "$what: $1, and the kernel does not say so"
	unlinked=$((unlinked + 1))
	echo 1 >"$(sdev $h)/rescan"
}

# A plain disk is one for its life, and its users are told.
plain_disk() {
	local disk

	disk=$(disk_of $h)
	listen
	grep -qE "$h: multipath: (not used, error|error -[0-9]+, gets a disk of its own)" \
		"$tmp/said" || {
		sed 's/^/# /' "$tmp/said" >&3
		fail "$what: $h is plain, and the kernel does not say so"
	}
	is "$what: read of a plain disk" none "$(errno_of read_block "$disk")"
	[[ ! -e /sys/block/$disk/mpath_parked ]] || fail "$what: a path that is a disk"
	down_delete $h
	up_delete $h
}

first_unbound() {
	down_unbind $h0
	down_unbind $h1
	wait_for 10 no_disk || fail "the disk stays"
}
t_bind() {
	local part by_sd unbound=0

	need_faults
	quiet
	for part in scsi_mpath_ sd_mpath_; do
		each_of_ours 100 $part "the first path" first_unbound $bind $h0 $h0
		each_of_ours 100 $part "another path" "down_unbind $h0" $bind $h0 $h0
	done
	# sd's own, after which it has no disk, and undoes what we have done
	by_sd=1
	each_of_ours 30 sd_probe "a path, by sd" "down_unbind $h0" $bind $h0 $h0
	note "sd has given up $unbound times"
	[[ ! ${FAULTS:-} ]] || ok_if "sd has given up" "unbound > 0"
	loud
}

# The same for finding a device, to which sd is bound by somebody else.
first_deleted() {
	down_delete $h0
	down_delete $h1
	wait_for 10 no_disk || fail "the disk stays"
}
t_scan() {
	local part

	need_faults
	quiet
	for part in scsi_mpath_ alua_; do
		each_of_ours 100 $part "a new device" "down_delete $h1" \
			/sys/class/scsi_host/host1/scan "0 0 -" $h1
	done
	each_of_ours 12 scsi_mpath_ "the first device" first_deleted \
		/sys/class/scsi_host/host0/scan "0 0 0" $h0
	loud
}

# The same for a disk that is made late, when its first path has a size and is not asked
# for it any more but by who scans it.
without_size() {
	local op

	first_unbound
	for op in 0x25 0x9e; do inject $h0 "2 -200 $op 1 0 0 0 0 0"; done
	echo $h0 >$bind
	wait_for 60 given_up || fail "the path is not given up"
	no_disk || fail "a disk without a size"
	for op in 0x25 0x9e; do uninject $h0 2 $op; done
}
given_up() {
	listen
	grep -q "$h0: multipath: does not tell its size: not used until it is scanned" "$tmp/said"
}
t_late() {
	[[ ${FAULTS:-} ]] || skip "not with a few faults, as it takes its time to be given up"
	need_faults
	quiet
	each_of_ours 3 sd_mpath_ "a disk that has its size late" without_size "$(sdev $h0)/rescan" \
		1 $h0
	loud
}

# The same for what is done by our works: a device is asked who it is, and how large,
# the target for its states, and user space is told of it.
t_works() {
	local part h i n

	need_faults
	quiet
	echo 1 >$probe_secs
	for part in scsi_mpath_ mpath_ alua_; do
		find_code "^$part"
		faults_below 32
		faults_on 50
		for i in {1..8}; do
			for h in $h0 $h1; do
				down_state $h
				up_state $h || :
				nap 0.5
			done
		done
		n=$(faults_done $faults)
		faults_off
		note "$n allocations below $part* have failed"
		ok_if "allocations below $part* that have failed" "n > 0"
		for h in $h0 $h1; do echo 1 >"$(sdev $h)/rescan"; done
		wait_for 60 usable $h0 || fail "$part: $h0 is $(state $h0)"
		wait_for 60 usable $h1 || fail "$part: $h1 is $(state $h1)"
		is "$part: read" none "$(errno_of read_block "$(head_disk)")"
	done
	echo 0 >$probe_secs
	loud
}

# one_queue_fails COMMAND...: the next request queue that it wants to have is
# not to be had
one_queue_fails() {
	local rc=0

	faults_of request_queue
	faults_on 100 1
	"$@" || rc=$?
	faults_off
	return $rc
}

# sd makes a path of the device, and then there is no memory for the disk over
# it. With a device there comes a queue; with a driver, only that of a disk.
t_plain() {
	local disk

	need_faults
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
# fails in turn, or forty or ten of them. None of the three may start a program.
with_each_fault() {
	local what=$1 before=$2 command=$3 after=$4 n=100000 total=0 step=0 left=0 rc
	local several

	case ${FAULTS:-few} in
	all)	several=100000 ;;
	many)	several=40 ;;
	few)	several=10 ;;
	esac
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
				total=$((n - left)) step=$((1 + total / several)) n=1
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

	need_faults
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

# What has been given up halfway keeps no disk.
t_gone() {
	unload scsi_debug || fail "scsi_debug stays"
	wait_for 10 no_heads || fail "still there: $(heads)"
}

testcase t_plain rig_faults "A8, A10, A17: no disk can be made over a path, it is a disk itself"
testcase t_bind rig_faults "A1, A2, A7, A8, A10, A17: memory runs out as sd makes a disk"
testcase t_late rig_faults "A1, A7, A17: memory runs out as a path has its size at last"
testcase t_scan rig_faults "A1, A2, A17: memory runs out as a device is found"
testcase t_works rig_faults "A17, C13: memory runs out as our works look at paths"
testcase t_sysfs rig_faults \
	"A17, C13: memory runs out as files are read and written, and devices looked at"
testcase t_gone rig_faults "A10: nothing of it is left"
testcase t_kmemleak rig_none "A2, A10: no leaks"

run_tests "$@"
