#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A group of processes, or the whole system, that has less memory than it uses: what
# it writes goes to the disk, and so does what it has to itself, while paths fail.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-timeout: 400

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"
# shellcheck source=nomem.sh
. "$(dirname "$0")/nomem.sh"

h0=0:0:0:0 h3=3:0:0:0
cgroup=/sys/fs/cgroup/scsi_multipath

rig_reclaim() {
	rig_debug on 4 dev_size_mb=112
	wait_for 10 usable $h3
}

in_cgroup() { bash -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' $cgroup "$@"; }

use_cgroups() {
	[[ -e /sys/fs/cgroup/cgroup.controllers ]] || skip "no cgroup v2"
	grep -qw memory /sys/fs/cgroup/cgroup.controllers || skip "no memory controller"
	echo "+memory +io" >/sys/fs/cgroup/cgroup.subtree_control
}

new_cgroup() {
	use_cgroups
	mkdir -p $cgroup
	# With memory.max, those whose pages are all on their way out are killed
	# rather than made to wait, as it is for any slow disk.
	echo $(($1 << 20)) >$cgroup/memory.high
}

end_reclaim() {
	umount "$tmp/fill" 2>/dev/null || :
	umount "$tmp/shm" 2>/dev/null || :
	swapoff /dev/sda1 2>/dev/null || :
	umount "$tmp/mnt" 2>/dev/null || :
	{ echo 1 >$cgroup.victims/cgroup.kill; } 2>/dev/null || :
	[[ ! -d $cgroup.victims ]] || wait_for 10 rmdir $cgroup.victims 2>/dev/null || :
	rmdir $cgroup 2>/dev/null || :
}

vmstat() { awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat; }

# Paths fail and come back, in all ways, for as long as it is let: trouble WAY, in
# which all of them do.
trouble() {
	local h

	while [[ -e $tmp/trouble ]]; do
		for h in $h0 $h3; do
			down_state $h
			nap 0.5
			up_state $h
			wait_for 60 usable $h
			errors_on $h
			nap 0.5
			wait_for 60 usable $h
		done
		$1
		wait_for 60 usable $h0
		echo round >>"$tmp/rounds"
	done
}
errors_on() {
	inject "$1" "2 -3 0x2a 1 0 0 0 0 0"
	inject "$1" "2 -3 0x28 f 0 0 0 0 0"
}

# What is written waits for them, and memory with it. If nothing is just then,
# this does.
all_offline() {
	local h

	for h in $h0 1:0:0:0 $h3; do down_state $h; done
	background read_block sda
	nap 1
	for h in $h0 1:0:0:0 $h3; do up_state $h; done
	wait_for 60 gone $bg_pid
	wait $bg_pid
}
# They are brought back by the kernel: who has no memory can do nothing for them.
all_fail() { for h in $h0 1:0:0:0 $h3; do errors_on $h; done; }

# Where there is no memory for as long as a write takes, the kernel kills somebody: on a
# slow machine these, which have some for that, and not in the swap.
victims() {
	local i

	use_cgroups
	mkdir -p $cgroup.victims
	echo 0 >$cgroup.victims/memory.swap.max
	mkfifo "$tmp/never"
	for i in {1..6}; do background victim; done
	wait_for 60 victims_have 48 || fail "$(<$cgroup.victims/memory.current)"
}
victim() {
	echo 0 >$cgroup.victims/cgroup.procs
	echo 1000 >/proc/self/oom_score_adj
	{ head -c 8M /dev/zero; cat "$tmp/never"; } | tail -c 8M
}
victims_have() { (($(<$cgroup.victims/memory.current) >= $1 << 20)); }

# All memory is taken by files that can go nowhere, until others go to the swap.
fill_memory() {
	local out

	out=$(vmstat pswpout)
	mkdir -p "$tmp/fill"
	mount -t ramfs none "$tmp/fill"
	until (($(vmstat pswpout) - out > 256)); do
		dd if=/dev/zero bs=1M count=8 status=none >>"$tmp/fill/zeroes"
	done
}

# write_and_read PREFIX...: twice what there is memory for, under PREFIX
write_and_read() {
	local bytes

	# pages that can go to the swap only
	# shellcheck disable=SC2016
	"$@" bash -o pipefail -c 'dd if=/dev/urandom bs=1M count=40 status=none |
		tee "$0/data" | sha1sum >"$1"' "$tmp/shm" "$tmp/sum" || fail "writing"
	# Written through the page cache, much of it at once, and read back.
	"$@" fio --output-format=json --output="$tmp/buffered.json" --name=buffered \
		--directory="$tmp/mnt" --ioengine=psync --rw=randwrite --bs=16k --size=32m \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
		--disk_util=0 >"$tmp/fio.err" 2>&1 ||
		fail "fio: $? $(head -qn 3 "$tmp/fio.err" "$tmp/buffered.json" | xargs)"
	bytes=$(sed '/^fio:/d' "$tmp/buffered.json" | jq '[.jobs[].read.io_bytes] | add')
	is "bytes read back" $((32 << 20)) "$bytes"
	is "what was in the swap" "$(<"$tmp/sum")" "$("$@" sha1sum <"$tmp/shm/data")"
}

# The disk becomes swap and a file system.
make_use() {
	[[ -e /proc/swaps ]] || skip "no swap"
	echo 600 >/sys/block/sda/delayed_removal_secs
	policy round-robin
	printf 'size=56MiB,type=82\nsize=48MiB,type=83\n' | sfdisk -q --wipe always /dev/sda
	wait_for 10 test -b /dev/sda2 || fail "no partitions"
	mkswap /dev/sda1 >/dev/null
	swapon /dev/sda1
	mkfs.ext4 -q -F /dev/sda2
	mkdir -p "$tmp/mnt" "$tmp/shm"
	mount /dev/sda2 "$tmp/mnt"
	mount -t tmpfs -o size=64m tmpfs "$tmp/shm"
}

end_use() {
	umount "$tmp/shm"
	swapoff /dev/sda1
	umount "$tmp/mnt"
	fsck.ext4 -fn /dev/sda2 >"$tmp/fsck" 2>&1 || fail "$(<"$tmp/fsck")"
	none_parked || fail "parked: $(parked)"
}

# under_trouble WAY PAGES PREFIX...: see trouble and write_and_read; more than PAGES
# come back from the swap
under_trouble() {
	local out in n pid way=$1 pages=$2
	shift 2

	n=$(failovers) out=$(vmstat pswpout) in=$(vmstat pswpin)
	: >"$tmp/trouble"
	: >"$tmp/rounds"
	background trouble "$way"
	pid=$bg_pid
	write_and_read "$@"
	# Not before paths have been lost a few times.
	wait_for 60 rounds_above 1 || fail "the paths do not come back"
	rm "$tmp/trouble"
	wait_for 60 gone "$pid" || fail "the paths do not come back"
	wait "$pid" || fail "a path has not come back, or what waited for it has failed"
	is "what was in the swap" "$(<"$tmp/sum")" "$("$@" sha1sum <"$tmp/shm/data")"
	out=$(($(vmstat pswpout) - out)) in=$(($(vmstat pswpin) - in))
	note "$out pages to the swap, $in from it," \
		"$(($(failovers) - n)) failovers, $(wc -l <"$tmp/rounds") rounds"
	ok_if "pages that went to the swap" "out > 5000"
	ok_if "pages that came from it" "in > pages"
	ok_if "failovers" "$(failovers) > n + 4"
	is "I/O refused" 0 "$(head_attr mpath_refused)"
}

t_reclaim() {
	trap end_reclaim EXIT
	new_cgroup 24
	make_use
	quiet
	under_trouble all_offline 5000 in_cgroup
	ok_if "I/O that waited" "$(head_attr mpath_waited) > 0"
	is "killed for want of memory" 0 \
		"$(awk '$1 == "oom_kill" { print $2 }' $cgroup/memory.events)"
	end_use
	loud
	wait_for 10 rmdir $cgroup 2>/dev/null || fail "the cgroup is in use"
}

t_no_memory() {
	local killed

	trap end_reclaim EXIT
	make_use
	victims
	quiet
	killed=$(vmstat oom_kill)
	fill_memory
	under_trouble all_fail 1000 env
	note "killed: $(($(vmstat oom_kill) - killed))"
	umount "$tmp/fill"
	end_use
	loud
}
rounds_above() { (($(wc -l <"$tmp/rounds") > $1)); }

testcase t_reclaim rig_reclaim "B14: swap and writeback of a cgroup go on while paths fail"
testcase t_no_memory rig_reclaim "B14: the same with next to no free memory at all"

run_tests "$@"
