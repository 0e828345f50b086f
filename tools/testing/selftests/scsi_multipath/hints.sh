#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a bio carries besides data is not lost on its way to a path. More of that
# is in disk.sh.
#
# Not where leaks are looked for: a disk with a limit of its own for a cgroup leaks
# what it has of that, whatever disk it is.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-timeout: 100

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

helper=$(dirname "$0")/ioctls
h0=0:0:0:0
trace=/sys/kernel/tracing
cgroup=/sys/fs/cgroup/scsi_multipath

# The hint is what WRITE has as its group number, byte 6 (SBC-5, 5.40): 1 to 5 for
# RWH_WRITE_LIFE_NONE to RWH_WRITE_LIFE_EXTREME.
t_write_hint() {
	local event=$trace/events/scsi/scsi_dispatch_cmd_start hint

	[[ -d $event ]] || skip "no tracepoint"
	[[ -x $helper ]] || skip "$helper has not been built"
	echo >$trace/trace
	echo 1 >$event/enable
	for hint in 1 2 3 4 5 0; do
		"$helper" hint /dev/sda $hint >"$tmp/hint" || fail "$(<"$tmp/hint")"
		write_block sda $((256 + hint))
	done
	echo 0 >$event/enable
	grep 'WRITE_10' $trace/trace >"$tmp/trace" || fail "no event"
	for hint in 1 2 3 4 5; do
		is "group number with hint $hint" 0$hint "$(group_of $((2048 + 8 * hint)))"
	done
}
# group_of SECTOR
group_of() {
	grep "lba=$1 " "$tmp/trace" |
		sed -nE 's/.*raw=2a( [0-9a-f]{2}){5} ([0-9a-f]{2}) .*/\2/p' | head -n 1 | grep .
}

# It is another command.
t_atomic() {
	local event=$trace/events/scsi/scsi_dispatch_cmd_start

	[[ -d $event ]] || skip "no tracepoint"
	[[ -x $helper ]] || skip "$helper has not been built"
	echo >$trace/trace
	echo 1 >$event/enable
	"$helper" write-atomic /dev/sda >"$tmp/atomic" || fail "$(<"$tmp/atomic")"
	echo 0 >$event/enable
	grep -q 'raw=9c' $trace/trace || fail "not an atomic one: $(grep -c WRITE $trace/trace)"
	! grep -q WRITE_10 $trace/trace || fail "an ordinary one as well"
}

new_cgroup() {
	[[ -e /sys/fs/cgroup/cgroup.controllers ]] || skip "no cgroup v2"
	grep -qw io /sys/fs/cgroup/cgroup.controllers || skip "no io controller"
	echo +io >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p $cgroup
}
in_cgroup() {
	bash -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' $cgroup "$@"
}
end_cgroup() { wait_for 10 rmdir $cgroup 2>/dev/null || fail "the cgroup is in use"; }
# io_stat DEVICE: bytes read and written by the cgroup. Path disks have no name
# there, as hidden disks do not.
io_stat() {
	awk -v device="$1" '$1 == device {
			for (i = 2; i <= NF; i++) { split($i, f, "="); sum[f[1]] += f[2] }
		}
		END { print sum["rbytes"] + 0, sum["wbytes"] + 0 }' $cgroup/io.stat
}

t_cgroup() {
	local d

	new_cgroup
	in_cgroup dd if=/dev/zero of=/dev/sda bs=64k count=8 oflag=direct conv=notrunc status=none
	in_cgroup dd if=/dev/sda of=/dev/null bs=64k count=4 iflag=direct status=none
	while read -r d; do note "io.stat: $d"; done <$cgroup/io.stat
	is "what the cgroup does on the disk" "262144 524288" "$(io_stat 8:0)"
	is "what it does on the path" "262144 524288" "$(io_stat "(unknown)")"
	# Also what goes to a path by way of the worker; the first one was given it too.
	inject $h0 "2 -1 0x2a f 0 0 0 0 0"
	in_cgroup dd if=/dev/zero of=/dev/sda bs=64k count=1 oflag=direct conv=notrunc status=none
	is "left of the rule" 0 "$(rule_left $h0 2 0x2a)"
	while read -r d; do note "io.stat: $d"; done <$cgroup/io.stat
	is "what the cgroup does on the disk" "262144 589824" "$(io_stat 8:0)"
	is "what it does on the paths" "262144 655360" "$(io_stat "(unknown)")"
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	end_cgroup
}

# A limit for the disk holds back what goes to it. Any time that it takes beyond
# that is the machine's.
t_limit() {
	local start ms

	new_cgroup
	[[ -e $cgroup/io.max ]] || skip "no io.max"
	echo "8:0 wbps=1048576" >$cgroup/io.max
	start=$EPOCHREALTIME
	in_cgroup dd if=/dev/zero of=/dev/sda bs=256k count=12 oflag=direct conv=notrunc status=none
	ms=$(elapsed "$start")
	note "3 MiB took $ms ms"
	ok_if "3 MiB with 1 MiB/s take two seconds" "ms >= 2000"
	echo "8:0 wbps=max" >$cgroup/io.max
	is "read" none "$(errno_of read_block sda)"
	end_cgroup
}

# A flag of the writer's that a bio carries as its priority, with each class
t_ioprio() {
	local event=$trace/events/block/block_rq_issue class

	[[ -d $event ]] || skip "no tracepoint"
	echo >$trace/trace
	echo 1 >$event/enable
	ionice -c 1 -n 3 dd if=/dev/sda of=/dev/null bs=4k count=1 skip=300 iflag=direct status=none
	ionice -c 2 -n 6 dd if=/dev/sda of=/dev/null bs=4k count=1 skip=301 iflag=direct status=none
	ionice -c 3 dd if=/dev/zero of=/dev/sda bs=4k count=1 seek=302 oflag=direct \
		conv=notrunc status=none
	# Also what goes to a path by way of the worker, who has another one.
	inject $h0 "2 -1 0x28 f 0 0 0 0 0"
	ionice -c 1 -n 2 dd if=/dev/sda of=/dev/null bs=4k count=1 skip=303 iflag=direct status=none
	is "left of the rule" 0 "$(rule_left $h0 2 0x28)"
	echo 0 >$event/enable
	grep block_rq_issue $trace/trace >"$tmp/trace" || fail "no event"
	grep -qE 'R.* 2400 \+ 8 rt,[0-9]+,3' "$tmp/trace" || fail "real time: $(<"$tmp/trace")"
	grep -qE 'R.* 2408 \+ 8 be,[0-9]+,6' "$tmp/trace" || fail "best effort: $(<"$tmp/trace")"
	grep -qE 'W.* 2416 \+ 8 idle,' "$tmp/trace" || fail "idle: $(<"$tmp/trace")"
	is "real time, sent twice" 2 "$(grep -cE 'R.* 2424 \+ 8 rt,[0-9]+,2' "$tmp/trace")"
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
}

testcase t_write_hint "rig_debug on 2" "a write's hint reaches the path"
testcase t_atomic "rig_debug on 2 atomic_wr=1" "an atomic write is one for the path"
testcase t_ioprio "rig_debug on 2" "a bio's priority reaches the path"
testcase t_cgroup "rig_debug on 2" "the path's I/O is the cgroup's"
testcase t_limit "rig_debug on 2" "the disk's limit for a cgroup holds"

run_tests "$@"
