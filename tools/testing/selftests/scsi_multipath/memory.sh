#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory is short where I/O is what makes it less so: the disk goes on, be it by
# what it has put aside, also while paths fail.
#
# guest-timeout: 400

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"
# shellcheck source=nomem.sh
. "$(dirname "$0")/nomem.sh"

h0=0:0:0:0 h3=3:0:0:0

rig_memory() {
	rig_debug on 4
	wait_for 10 usable $h3
}

# Caches of bios are made for a disk, of one size each, if there are none yet.
# "bio-248" has the clones of the head and, which does no harm, bios of whoever
# wants as much before and behind them.
clone_caches='bio-*'

# lose_paths: each in turn while I/O runs, and both at once
lose_paths() {
	local h i

	for i in 1 2; do
		for h in $h0 $h3; do
			inject $h "2 -3 0x2a 1 0 0 0 0 0"
			wait_for 60 rule_used_up $h 2 0x2a || fail "the rule for $h is not used up"
			wait_for 60 usable $h || fail "$h is $(state $h)"
			fio_alive
		done
	done
	down_state $h0
	wait_for 20 disk_reads_above sda $(($(disk_stat sda 1) + 50)) || fail "no I/O"
	up_state $h0
	wait_for 30 usable $h0 || fail "$h0 is $(state $h0)"
}

t_clones() {
	local n

	need_faults
	policy round-robin
	fio_start
	faults_of "$clone_caches"
	faults_on 100
	n=$(failovers)
	wait_for 60 disk_reads_above sda $(($(disk_stat sda 1) + 500)) || fail "no I/O"
	lose_paths
	ok_if "failovers" "$(failovers) >= n + 4"
	# A worker of the target's would be delayed as well.
	note "$(faults_done $faults) clones were not to be had"
	ok_if "clones that were not to be had" "$(faults_done $faults) > 500"
	fio_stop
	none_parked || fail "parked: $(parked)"
	faults_off
	policy numa
}

# Who does not want to wait gets what has been put aside, as long as there is any.
t_nowait() {
	local n

	need_faults
	faults_of "$clone_caches"
	faults_on 100
	fio --output-format=json --output="$tmp/nowait.json" --name=nowait --filename=/dev/sda \
		--ioengine=libaio --direct=1 --nowait=1 --rw=randwrite --bs=4k --size=2m \
		--iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
		--disk_util=0 >"$tmp/fio.err" 2>&1 || fail "fio: $(head -n 3 "$tmp/fio.err")"
	n=$(sed '/^fio:/d' "$tmp/nowait.json" | jq '[.jobs[].read.io_bytes] | add')
	is "bytes read back" $((2 << 20)) "$n"
	note "$(faults_done $faults) clones were not to be had"
	ok_if "clones that were not to be had" "$(faults_done $faults) > 500"
	faults_off
}

# The same for all memory that is asked for on the way from the head to the driver.
t_submission() {
	need_faults
	find_code '^submit_bio_noacct_nocheck$'
	policy round-robin
	fio_start
	faults_below 32
	faults_on 100
	wait_for 60 disk_reads_above sda $(($(disk_stat sda 1) + 300)) || fail "no I/O"
	lose_paths
	note "$(faults_done $faults) objects and $(faults_done $pages) pages were not to be had"
	ok_if "objects that were not to be had" "$(faults_done $faults) > 300"
	fio_stop
	none_parked || fail "parked: $(parked)"
	faults_off
	policy numa
}

testcase t_clones rig_memory "B7, B14: no memory for clones, and paths fail"
testcase t_nowait rig_memory "B11: no memory for clones of I/O that does not want to wait"
testcase t_submission rig_memory "B14: no memory on the way to the driver"

run_tests "$@"
