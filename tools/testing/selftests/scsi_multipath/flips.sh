#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Whatever changes a path, its disk or its settings, each in a loop that waits for
# none of the others, under I/O. What that can show is for the kernel to say: a
# kernel with KCSAN that two touch the same without a lock, others that a lock is
# taken in a wrong order or that an object is gone.
#
#	SECS=N	for how long; default 120 with KCSAN, 20 without
#
# guest-kernel: debug
# guest-kcsan: t_flips
# guest-timeout: 400

# shellcheck disable=SC2046,SC2086,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

h0=0:0:0:0 read=0x28

kcsan=/sys/kernel/debug/kcsan
has_kcsan() { [[ -e $kcsan ]]; }

# Not reported, as any disk has it: what sd has read of a device, which a rescan writes
# again while commands are made by it, and what was there if the device is the same; and
# the bits of a scsi_device that finding it and a rescan write, beside others in the same
# word, which nobody writes then.
quiet_kcsan() {
	local f

	echo blacklist >$kcsan
	while read -r f; do
		echo "!$f" >$kcsan
	done < <(awk -v name="^($stock_races)(\\.|$)" '$3 ~ name { print $3 }' /proc/kallsyms)
}
stock_races='sd_init_command|sd_revalidate_disk|scsi_cdl_check|scsi_sysfs_add_sdev'

rig_flips() {
	scsi_load on
	! has_kcsan || quiet_kcsan
	rig_debug on 4
}

# loop NAME COMMAND...: over and over until $tmp/stop is there, and say how often.
# What a command finds gone is to be expected.
loop() {
	local name=$1 n=0

	set +eE +o pipefail
	trap - ERR
	RANDOM=$BASHPID
	while [[ ! -e $tmp/stop ]]; do
		"${@:2}"
		n=$((n + 1))
		echo "$n" >"$tmp/loop.$name"
	done 2>/dev/null
}

# a random time, up to a tenth of a second
rest() { nap 0.0$((RANDOM % 10)); }
one_path() { hctl=${all[RANDOM % ${#all[@]}]}; }

do_read() {
	dd if="/dev/$(head_disk)" of=/dev/null bs=4k count=128 iflag=direct status=none || rest
}
do_write() {
	dd if=/dev/zero of="/dev/$(head_disk)" bs=4k count=128 oflag=direct conv=nocreat,notrunc \
		status=none || rest
}
do_state() {
	one_path
	down_state $hctl
	rest
	up_state $hctl
	rest
}
do_disabled() {
	local disk

	one_path
	disk=$(disk_of $hctl) || return
	echo 1 >"/sys/block/$disk/mpath_disabled"
	rest
	echo 0 >"/sys/block/$disk/mpath_disabled"
}
# The files that take a zero, and no others
do_zero() {
	local disk f of_head=(failovers waited refused outage_ms outage_longest_ms)
	local of_path=(ios bytes errors failovers retries state_changes last_error)

	one_path
	disk=$(disk_of $hctl)
	for f in "${of_head[@]/#//sys/block/$(head_disk)/mpath_}" \
		 "${of_path[@]/#//sys/block/$disk/mpath_}"; do
		echo 0 >"$f"
	done
}
do_look() {
	local f text

	for f in "/sys/block/$(head_disk)"/{mpath_*,multipath/*/mpath_*,delayed_removal_secs} \
		 /sys/class/scsi_mpath_device/*/iopolicy; do
		read -r text <"$f"
	done
	: "$text"
}
do_policy() {
	local p

	for p in round-robin queue-depth numa; do policy $p; rest; done
}
do_secs() {
	echo $((RANDOM % 3)) >"/sys/block/$(head_disk)/delayed_removal_secs"
	rest
}
do_delete() {
	one_path
	down_delete $hctl
	rest
	up_delete $hctl
	rest
}
do_unbind() {
	one_path
	down_unbind $hctl
	rest
	up_unbind $hctl
	rest
}
do_limits() {
	echo $((64 + RANDOM % 4 * 64)) >"/sys/block/$(head_disk)/queue/max_sectors_kb"
	one_path
	echo $((64 + RANDOM % 4 * 64)) >"/sys/block/$(disk_of $hctl)/queue/max_sectors_kb"
	rest
}
do_rescan() { one_path; ask_state $hctl; rest; }

loops=(read write state disabled zero look policy secs delete unbind limits rescan)

all_done() {
	local name n

	for name in "${loops[@]}"; do
		{ read -r n <"$tmp/loop.$name"; } 2>/dev/null && ((n > 2)) || return
	done
}

standing() { local h; for h in "${all[@]}"; do state $h; done | xargs; }
stands_again() { [[ $(standing) == "$before" ]]; }

t_flips() {
	local all before hctl name pids=() secs n said=()

	secs=20
	! has_kcsan || secs=120
	secs=${SECS:-$secs}
	mapfile -t all < <(hctls)
	before=$(standing)
	rm -f "$tmp/stop" "$tmp"/loop.*
	for name in "${loops[@]}"; do
		background loop $name do_$name
		pids+=("$bg_pid")
	done
	nap $secs
	wait_for 200 all_done || fail "not all has been done thrice: $(grep . "$tmp"/loop.*)"
	: >"$tmp/stop"
	for hctl in "${pids[@]}"; do
		wait_for 120 gone $hctl || fail "a loop does not end: $(</proc/$hctl/wchan)"
	done
	for hctl in "${all[@]}"; do
		[[ -d $(sdev $hctl) ]] || up_delete $hctl
		up_state $hctl
		[[ -e $(sdev $hctl)/driver ]] || up_unbind $hctl
		echo 0 >"/sys/block/$(disk_of $hctl)/mpath_disabled"
	done
	wait_for 60 stands_again || fail "the paths were $before, are $(standing)"
	for name in "${loops[@]}"; do
		n=$(<"$tmp/loop.$name")
		said+=("$name $n")
	done
	note "in $secs s: ${said[*]}"
	read_block "$(head_disk)" || fail "the disk cannot be read"
	! log_says 'BUG: KCSAN' || fail "KCSAN has found a data race, see the kernel's log"
}

# Orders of locks that t_flips takes, and t_orders. Lockdep knows them, and would find
# another one whoever took it.
orders='&shost->scan_mutex scsi_mpath_heads_lock
&shost->scan_mutex scsi_mpath_head.lock
scsi_mpath_head.lock &head->mutex
scsi_mpath_head.lock &smdev->lock
scsi_mpath_head.lock mpath_head.lock
&head->mutex mpath_head.lock
&disk->open_mutex mpath_head.lock
&sdev->state_mutex &smdev->lock
shost->host_lock &smdev->lock
&pg->lock &smdev->lock
&smdev->lock mpath_head.lock'
# What nothing of ours is taken under, and what that is.
last_ones='^(scsi_mpath_heads_lock|mpath_head\.lock) '
last_ones+='(.*mpath_heads?[_.]lock|&smdev->lock|&head->(lock|mutex))$'

# Two locks have the name "&head->lock". The one that &head->mutex is taken under, is
# scsi_mpath_head.lock; the one that is taken under &head->mutex, is mpath_head.lock,
# and there is no third. Otherwise locks of one name, which differ by a number, are
# taken for one.
known_orders() {
	awk '/^ -> / { then[++n] = substr($2, 2, length($2) - 2); first[n] = key; next }
		NF { key = $1; sub(/^.*: /, ""); sub(/#[0-9]+$/, ""); name[key] = $0 }
		function told(key, as) {
			if (!(key in lock)) lock[key] = as
			if (lock[key] != as) lock[key] = "both"
		}
		END {
			for (i = 1; i <= n; i++) {
				between = name[first[i]] " " name[then[i]]
				if (between == "&head->lock &head->mutex")
					told(first[i], "scsi_mpath_head.lock")
				if (between == "&head->mutex &head->lock")
					told(then[i], "mpath_head.lock")
			}
			for (key in lock) name[key] = lock[key]
			for (i = 1; i <= n; i++) print name[first[i]] " " name[then[i]]
		}' /proc/lockdep
}
read_is_hit() { read_block "$(head_disk)" && rule_used_up $h0 2 $read; }
t_orders() {
	[[ -r /proc/lockdep ]] || skip "no lockdep"
	# The lock of a host is taken for an error handler that begins.
	policy round-robin
	inject $h0 "2 -1 $read 9 0 0 0 0 0"
	wait_for 60 read_is_hit || fail "no error of $h0"
	known_orders >"$tmp/known"
	grep -vxF -f "$tmp/known" <<<"$orders" >"$tmp/unknown" || :
	[[ ! -s $tmp/unknown ]] || fail "not taken in this order: $(paste -sd, "$tmp/unknown")"
	! grep -E "$last_ones" "$tmp/known" >"$tmp/wrong" ||
		fail "taken in this order: $(sort -u "$tmp/wrong" | paste -sd,)"
}

testcase t_flips rig_flips "A13: states, settings and members change all at once, under I/O"
testcase t_orders rig_flips "the orders of locks are known to lockdep"

run_tests "$@"
