#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What an administrator sees of the paths, and how they steer them. Hosts 0 and 3
# of the rig are optimized, host 1 is not, and host 2 is in standby.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_queue_depth|t_disable|t_events|t_why
# guest-timeout: 500

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

h0=0:0:0:0 h1=1:0:0:0 h2=2:0:0:0 h3=3:0:0:0
read=0x28 write=0x2a

rig_steer() {
	rig_debug on 4
	wait_for 10 state_is $h1 non-optimized
	wait_for 10 state_is $h2 standby
}

# path_attr H:C:T:L NAME
path_attr() {
	local value

	read -r value <"/sys/block/$(disk_of "$1")/$2" && echo "$value"
}
set_path() { echo "$3" >"/sys/block/$(disk_of "$1")/$2"; }
attr_is() { [[ $(path_attr "$1" "$2") == "$3" ]]; }
attr_above() { (($(path_attr "$1" "$2") > $3)); }

# All commands are done, and counted as such.
all_idle() {
	local h

	for h in $(hctls); do
		attr_is "$h" mpath_queue_depth 0 && attr_is "$h" mpath_port_depth 0 || return 1
	done
}

t_queue_depth() {
	local h n0 n3 n1 policy

	policy queue-depth
	is "policy" queue-depth "$(<"$(lun_dir)/iopolicy")"
	n0=$(requests $h0) n1=$(requests $h1) n3=$(requests $h3)
	fio_start
	wait_for 20 attr_above $h0 mpath_port_depth 0 || fail "nothing is counted"
	wait_for 20 requests_above $h0 $((n0 + 200)) || fail "no I/O on $h0"
	wait_for 20 requests_above $h3 $((n3 + 200)) || fail "no I/O on $h3"
	is "commands on the non-optimized path" "$n1" "$(requests $h1)"
	# The commands under way are counted as what they were begun as.
	for policy in numa queue-depth round-robin queue-depth numa queue-depth; do
		policy $policy
		inject $h0 "2 -1 $write 1 0 0 0 0 0"
		inject $h3 "2 -1 $read f 0 0 0 0 0"
		for h in $h0 $h3; do wait_for 20 usable $h || fail "$h is $(state $h)"; done
		fio_alive
	done
	down_state $h0
	up_state $h0
	fio_stop
	wait_for 10 all_idle || fail "something is counted for ever"
	# A test of a path is a command as well.
	uninject $h0 2 $write
	uninject $h3 2 $read
	for h in $h0 $h3; do wait_for 20 usable $h || fail "$h is $(state $h)"; done
	wait_for 10 all_idle || fail "something is counted for ever"

	# Begun under one policy and ended under another, with nothing else after it.
	echo 1500 >$debug_driver/delay
	for policy in numa round-robin; do
		policy queue-depth
		for h in 1 2 3 4; do background read_block sda $h; done
		wait_for 20 disk_has_reads sda 4 || fail "the reads do not begin"
		policy $policy
		wait_for 60 disk_has_reads sda 0 || fail "the reads do not end"
		all_idle || fail "begun under queue-depth, ended under $policy: counted for ever"
	done
	echo 10000 >$debug_driver/ndelay
	policy numa
}
disk_has_reads() { (($(disk_stat "$1" 9) == $2)); }

t_iopolicy_words() {
	local word

	for word in "" queue queue-depthx "numa round-robin" 2; do
		is "'$word' as a policy" EINVAL "$(errno_of store "$word" "$(lun_dir)/iopolicy")"
	done
	is "policy" numa "$(<"$(lun_dir)/iopolicy")"
	echo queue-depth >/sys/module/scsi_mod/parameters/multipath_iopolicy
	is "default policy" queue-depth "$(</sys/module/scsi_mod/parameters/multipath_iopolicy)"
	echo numa >/sys/module/scsi_mod/parameters/multipath_iopolicy
}

t_disable() {
	local n h word

	policy round-robin
	fio_start
	set_path $h0 mpath_disabled 1
	is "state" disabled "$(state $h0)"
	wait_for 10 attr_is $h0 mpath_queue_depth 0 || fail "commands stay on $h0"
	n=$(requests $h0)
	wait_for 20 disk_reads_above sda $(($(disk_stat sda 1) + 200)) || fail "no I/O"
	is "commands on the path that is off" "$n" "$(requests $h0)"
	# It is not switched on by another state.
	down_state $h0
	up_state $h0
	is "state" disabled "$(state $h0)"
	set_path $h0 mpath_disabled 0
	wait_for 20 requests_above $h0 $((n + 50)) || fail "no I/O on $h0, which is on again"

	# All of them: I/O waits for as long as it is told.
	echo 600 >/sys/block/sda/delayed_removal_secs
	for h in $(hctls); do set_path "$h" mpath_disabled 1; done
	wait_for 10 some_parked || fail "no I/O waits"
	fio_alive
	set_path $h1 mpath_disabled 0
	wait_for 20 disk_reads_above sda $(($(disk_stat sda 1) + 50)) || fail "I/O does not go on"
	for h in $(hctls); do set_path "$h" mpath_disabled 0; done
	fio_stop
	echo 0 >/sys/block/sda/delayed_removal_secs
	for h in $(hctls); do set_path "$h" mpath_disabled 1; done
	is "read with all paths off" EIO "$(errno_of read_block sda)"
	for h in $(hctls); do set_path "$h" mpath_disabled 0; done
	is "read" none "$(errno_of read_block sda)"
	for word in maybe nonsense once 2 ''; do
		is "bad word '$word'" EINVAL \
			"$(errno_of store "$word" /sys/block/sda:0/mpath_disabled)"
	done
	# What sd is bound to is a new path.
	set_path $h1 mpath_disabled 1
	down_unbind $h1
	up_unbind $h1
	wait_for 10 state_is $h1 non-optimized || fail "$h1 is $(state $h1)"
	policy numa
}

# With no path there, a read waits until all of them are back.
read_that_waits() {
	local h

	echo 60 >/sys/block/sda/delayed_removal_secs
	background read_block sda
	wait_for 10 some_parked || fail "the read does not wait"
	for h in $h0 $h1 $h2 $h3; do up_state $h; done
	wait_for 10 gone "$bg_pid" || fail "the read does not end"
	echo 0 >/sys/block/sda/delayed_removal_secs
}

t_counters() {
	local before f

	before=$(path_attr $h0 mpath_state_changes)
	inject $h0 "2 -1 $read 0xf 0 0 0 0 0"
	read_block sda 7 || fail "read"
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	is "errors" 1 "$(path_attr $h0 mpath_errors)"
	is "last error" -67 "$(path_attr $h0 mpath_last_error)"
	ok_if "its time" "$(date +%s) - $(path_attr $h0 mpath_last_error_time) < 60"
	ok_if "changes of state" "$(path_attr $h0 mpath_state_changes) >= before + 2"
	is "retries on the other path" 1 "$(path_attr $h3 mpath_retries)"
	is "failovers" "1 1" "$(failovers) $(path_attr $h0 mpath_failovers)"
	is "paths without an error" "0 0" \
		"$(path_attr $h3 mpath_errors) $(path_attr $h3 mpath_last_error)"

	# One that is the issuer's as well.
	inject $h0 "2 -1 $read 0 0 2 3 0x11 0"
	is "read of a bad block" ENODATA "$(errno_of read_block sda 9)"
	is "errors and failovers" "2 1 -61" "$(path_attr $h0 mpath_errors) \
$(path_attr $h0 mpath_failovers) $(path_attr $h0 mpath_last_error)"
	is "what is no zero" EINVAL \
		"$(errno_of store 1 "/sys/block/$(disk_of $h0)/mpath_last_error")"
	echo 0 >"/sys/block/$(disk_of $h0)/mpath_last_error"
	is "an error that is forgotten" "0 0" \
		"$(path_attr $h0 mpath_last_error) $(path_attr $h0 mpath_last_error_time)"

	before=$(head_attr mpath_outage_ms)
	for h in $h0 $h1 $h2 $h3; do down_state $h; done
	is "read without a path" EIO "$(errno_of read_block sda)"
	ok_if "I/O refused" "$(head_attr mpath_refused) > 0"
	read_that_waits
	ok_if "I/O that waited" "$(head_attr mpath_waited) > 0"
	ok_if "time without a path" "$(head_attr mpath_outage_ms) > before"
	ok_if "longest such time" "$(head_attr mpath_outage_longest_ms) > 0 &&
		$(head_attr mpath_outage_longest_ms) <= $(head_attr mpath_outage_ms)"

	for f in sda/mpath_{failovers,waited,refused,outage_ms,outage_longest_ms} \
		sda:0/mpath_{errors,failovers,retries,state_changes,ios,bytes}; do
		is "writing 1 to $f" EINVAL "$(errno_of store 1 /sys/block/$f)"
		is "writing x to $f" EINVAL "$(errno_of store x /sys/block/$f)"
		echo 0 >/sys/block/$f
		is "$f" 0 "$(</sys/block/$f)"
	done
}

# Each attribute gives a value or an error, also when there is little to tell.
t_attributes() {
	local d f

	down_state $h3
	for d in $(heads) $(path_disks sda); do
		for f in /sys/block/$d/{delayed_removal_secs,mpath_*}; do
			[[ -e $f ]] || continue
			cat "$f" >"$tmp/value" 2>/dev/null || continue
			[[ -s $tmp/value ]] || fail "$f is empty"
		done
	done
	up_state $h3
	is "device number" "8:0" "$(path_attr $h0 mpath_dev)"
	is "nodes on the path of choice" 0 "$(path_attr $h0 mpath_numa_nodes)"
	is "nodes on the other one" "" "$(path_attr $h3 mpath_numa_nodes)"
	policy round-robin
	is "nodes with round-robin" "0 0" \
		"$(path_attr $h0 mpath_numa_nodes) $(path_attr $h3 mpath_numa_nodes)"
	is "nodes on the non-optimized path" "" "$(path_attr $h1 mpath_numa_nodes)"
	policy numa
}

# The disk's statistics are those of its user, and of its paths where these are
# accounted for.
t_iostat() {
	local d f n paths before after was

	policy round-robin
	for d in $(path_disks sda); do
		is "iostats of $d" 0 "$(<"/sys/block/$d/queue/iostats")"
		echo 1 >"/sys/block/$d/queue/iostats"
		echo 0 >"/sys/block/$d/mpath_bytes"
	done
	sum_stats() {
		local r=0 w=0 d

		for d in $(path_disks sda); do
			r=$((r + $(disk_stat $d 3))) w=$((w + $(disk_stat $d 7)))
		done
		echo $r $w
	}
	before="$(sum_stats) $(disk_stat sda 3) $(disk_stat sda 7)"
	was="$(disk_stat sda 1) $(disk_stat sda 5) $(disk_stat sda 16)"
	fio --output-format=json --output="$tmp/io.json" --name=io --filename=/dev/sda \
		--ioengine=libaio --direct=1 --rw=randrw --bs=4k-64k --size=8m --iodepth=8 \
		--fsync=8 --disk_util=0 \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
		>"$tmp/fio.err" 2>&1 || fail "$(<"$tmp/fio.err")"
	after="$(sum_stats) $(disk_stat sda 3) $(disk_stat sda 7)"
	read -r -a f <<<"$before $after"
	note "sectors read: paths $((f[4] - f[0])), disk $((f[6] - f[2])); written:" \
		"paths $((f[5] - f[1])), disk $((f[7] - f[3]))"
	is "sectors read by the disk" $((f[4] - f[0])) $((f[6] - f[2]))
	is "sectors written by the disk" $((f[5] - f[1])) $((f[7] - f[3]))
	n=0
	for d in $(path_disks sda); do n=$((n + $(<"/sys/block/$d/mpath_bytes"))); done
	is "bytes of its paths" $(((f[6] - f[2] + f[7] - f[3]) * 512)) $n
	paths=$(jq '[.jobs[].read.io_bytes] | add / 512' "$tmp/io.json")
	is "sectors that fio has read" "$paths" $((f[6] - f[2]))
	is "sectors that fio has written" \
		"$(jq '[.jobs[].write.io_bytes] | add / 512' "$tmp/io.json")" $((f[7] - f[3]))
	# A flush is no write.
	n="$(disk_stat sda 1) $(disk_stat sda 5) $(disk_stat sda 16)"
	read -r -a f <<<"$was $n"
	is "reads, writes and flushes that fio has done" \
		"$(jq -r '[.jobs[] | .read, .write, .sync | .total_ios] | join(" ")' \
			"$tmp/io.json")" "$((f[3] - f[0])) $((f[4] - f[1])) $((f[5] - f[2]))"
	ok_if "flushes" "f[5] > f[2]"
	is "in flight" "0 0" "$(xargs </sys/block/sda/inflight)"
	policy numa
}

# From a device to its logical unit and back, and the disk that is made of it.
t_links() {
	local h lun disks

	lun=$(lun_dir)
	for h in $(hctls); do
		is "link from $h" "$lun" "$(readlink -f "$(sdev $h)/scsi_mpath_device")"
		is "link to $h" "$(readlink -f "$(sdev $h)")" "$(readlink -f "$lun/multipath/$h")"
		is "what $h is" "${lun##*/}" "$(<"$(sdev $h)/multipath")"
	done
	disks=(/sys/class/scsi_mpath_disk/*)
	is "disks" 1 ${#disks[@]}
	is "disk" sda "$(<"${disks[0]}/disk")"
	is "its logical unit" "$lun" "$(readlink -f "${disks[0]}/..")"
	down_delete $h3
	[[ ! -L $lun/multipath/$h3 ]] || fail "the link to $h3 stays"
	up_delete $h3
	wait_for 20 usable $h3 || fail "$h3 is $(state $h3)"
	for h in "$lun"/multipath/* /sys/block/sda/multipath/*; do
		[[ -e $h ]] || fail "$h dangles"
	done
}

# A device that is no path tells why.
t_why() {
	is "why" "no: removable medium" "$(<"$(sdev $h0)/multipath")"
	is "disks over paths" "" "$(compgen -G '/sys/class/scsi_mpath_disk/*' || :)"
}
rig_why() {
	scsi_load on
	modprobe scsi_debug vpd_use_hostno=0 removable=1
	wait_for 20 test -b /dev/sda
}

t_events() {
	background udevadm monitor --kernel --property \
		--subsystem-match=scsi_mpath_disk >>"$tmp/events"
	wait_for 10 grep -q KERNEL "$tmp/events" || fail "udevadm does not start"
	# udevadm says that it listens before it does
	wait_for 10 hears || fail "udevadm hears nothing"
	down_state $h0
	wait_for 10 event path-unusable sda:0 || fail "no event when a path is lost"
	up_state $h0
	wait_for 10 event path-usable sda:0 || fail "no event when it is back"
	down_state $h0
	down_state $h1
	down_state $h3
	wait_for 10 event no-path || fail "no event when no path is left"
	up_state $h0
	wait_for 10 event serving || fail "no event when one is back"
	up_state $h1
	up_state $h3
	wait_for 10 event path-usable sda:3 || fail "no event for the others"
	: >"$tmp/events"
	down_delete $h3
	wait_for 10 event path-unusable sda:3 || fail "no event when a path is deleted"
	up_delete $h3
	wait_for 10 usable $h3 || fail "$h3 is $(state $h3)"
}
hears() {
	echo change | tee /sys/class/scsi_mpath_disk/*/uevent >/dev/null
	grep -q "SYNTH_UUID" "$tmp/events"
}
# event NAME [PATH]: has it been heard of the disk?
event() {
	tr '\n' ' ' <"$tmp/events" | sed 's/KERNEL\[/\n&/g' |
		grep "MPATH_DISK=sda " | grep "MPATH_EVENT=$1 " |
		grep "${2:+MPATH_PATH=$2 }" >/dev/null
}

t_tracepoints() {
	local trace=/sys/kernel/tracing e

	[[ -d $trace/events/multipath ]] || skip "no tracepoints"
	echo >$trace/trace
	echo 1 >$trace/events/multipath/enable
	inject $h0 "2 -1 $read 0xf 0 0 0 0 0"
	read_block sda 3
	wait_for 10 usable $h0
	for h in $h0 $h1 $h2 $h3; do down_state $h; done
	errno_of read_block sda >/dev/null
	read_that_waits
	echo 0 >$trace/events/multipath/enable
	cp $trace/trace "$tmp/trace"
	for e in "mpath_select: 8,0 op 0 sector 24 path 0 tries 0" \
		"mpath_failover: 8,0 op 0 sector 24 path 0 error -67" \
		"mpath_path_state: 8,0 path 0: optimized -> failed" \
		"mpath_requeue: 8,0 op 0 sector 24 tries 1" \
		"mpath_no_path: 8,0 op 0 sector 0 tries 0" \
		"mpath_park: 8,0 op 0 sector 0 tries 0"; do
		grep -q "$e" "$tmp/trace" || fail "no event $e"
	done
}

testcase t_queue_depth rig_steer "C9, C11: queue-depth spreads I/O, and counts each command once"
testcase t_iopolicy_words rig_steer "C12: words that are no policy are refused"
testcase t_disable rig_steer "paths are switched off and on"
testcase t_attributes rig_steer "D5: each attribute has a value"
testcase t_iostat rig_steer "D2, D3: the disk's statistics are the sum of its paths'"
testcase t_links rig_steer "A15: devices and logical units are linked both ways"
testcase t_events rig_steer "user space hears of paths"
testcase t_tracepoints rig_steer "tracepoints tell what happens to a bio"
testcase t_why rig_why "a device tells why it is no path"
testcase t_counters "rig_debug on 4" "errors, waiting and outages are counted"

run_tests "$@"
