#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The disk over the paths is opened, and answers ioctls, as any disk of sd's.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_no_path|t_same|t_protected|t_plain_reserve
# guest-timeout: 300

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

helper=$(dirname "$0")/ioctls
ioctls() {
	[[ -x $helper ]] || skip "$helper has not been built"
	"$helper" "$@" || :
}

h0=0:0:0:0 h1=1:0:0:0

# on_plain_and_head RIG FUNCTION: what a function prints with each, in two files.
# The rig is told the mode and the number of hosts.
on_plain_and_head() {
	$1 off 1
	wait_for 10 test -b /dev/sda || fail "no plain disk"
	is "plain disks' paths" "" "$(heads)"
	"$2" >"$tmp/plain"
	rig_down
	$1 on 2
	is "disk over the paths" sda "$(head_disk)"
	"$2" >"$tmp/head"
	[[ -s $tmp/plain ]] || fail "nothing has been asked"
}

same() {
	local line

	diff "$tmp/plain" "$tmp/head" >"$tmp/diff" && return
	while read -r line; do note "$line"; done <"$tmp/diff"
	fail "the disk over the paths is not as a plain one, see the differences"
}

no_rawio() { setpriv --bounding-set=-sys_rawio --inh-caps=-sys_rawio "$@"; }

ask_all() {
	open_both
	echo 'type=83' | sfdisk -q /dev/sda
	wait_for 10 test -b /dev/sda1 || fail "no partition"
	echo "the disk:"
	ioctls disk /dev/sda
	echo "a partition:"
	ioctls disk /dev/sda1
	echo "a partition, without CAP_SYS_RAWIO:"
	no_rawio "$helper" disk /dev/sda1
	sfdisk -q --delete /dev/sda
}
t_same() {
	[[ -x $helper ]] || skip "$helper has not been built"
	on_plain_and_head rig_debug ask_all
	same
}

# A path comes and goes; who asks the disk meanwhile is answered by the other.
t_other_path() {
	local before

	before=$(ioctls disk /dev/sda | grep -v IDLUN | grep -v BUS_NUMBER | grep -v PROBE_HOST)
	down_state $h0
	is "answers with one path left" "$before" \
		"$(ioctls disk /dev/sda | grep -v IDLUN | grep -v BUS_NUMBER | grep -v PROBE_HOST)"
	down_state $h1
	is "SG_GET_VERSION_NUM without a path" "SG_GET_VERSION_NUM EIO" \
		"$(ioctls disk /dev/sda | grep SG_GET_VERSION_NUM)"
	# Of what the block layer knows nobody is asked.
	is "sizes without a path" "$(grep ^BLK <<<"$before")" \
		"$(ioctls disk /dev/sda | grep ^BLK)"
	up_state $h0
	up_state $h1
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
}

rig_protected() { rig_debug "$@" wp=1; }
open_both() {
	local how

	# What can be opened says nothing.
	for how in open-ro open; do
		echo "$how: $(ioctls $how /dev/sda)"
	done
	echo "blockdev --getro: $(blockdev --getro /dev/sda)"
	# What has been said by hand does not make the device another one.
	blockdev --setrw /dev/sda
	echo "open after blockdev --setrw: $(ioctls open /dev/sda)"
}
t_protected() {
	on_plain_and_head rig_protected open_both
	same
	grep -q "open: EROFS" "$tmp/plain" || fail "sd opens a write-protected disk for writing"
}
# That its paths are away does not keep anyone from opening the disk: they may
# come back.
t_no_path() {
	down_state $h0
	down_state $h1
	is "open without a path" "" "$(ioctls open /dev/sda)"
	up_state $h0
	up_state $h1
	wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	wait_for 20 usable $h1 || fail "$h1 is $(state $h1)"
}

# Reservations, as user space asks the block layer for them
t_reserve() {
	local name word n

	dmesg -c >/dev/null
	{ ioctls reserve /dev/sda; ioctls abort /dev/sda; } >"$tmp/reserve"
	while read -r name word; do
		is "$name" EOPNOTSUPP "$word"
	done <"$tmp/reserve"
	is "ioctls" 6 "$(wc -l <"$tmp/reserve")"
	log_says "sda: multipath: persistent reservations are refused, they would hold" ||
		fail "the log does not say it"
	is "lines in the log" 6 "$(dmesg | grep -c "reservations are refused")"
	# For a partition they make no sense, which the block layer says of any disk.
	echo 'type=83' | sfdisk -q /dev/sda
	wait_for 10 test -b /dev/sda1 || fail "no partition"
	{ ioctls reserve /dev/sda1; ioctls abort /dev/sda1; } >"$tmp/reserve"
	while read -r name word; do
		is "$name on a partition" EPERM "$word"
	done <"$tmp/reserve"
	sfdisk -q --delete /dev/sda
	is "holder at the target" "No SPC-3 Reservation holder" \
		"$(<"$backstore/pr/res_holder")"
	! grep -i abc "$backstore/pr/res_pr_registered_i_pts" || fail "the target has the key"
	n=$(failovers)
	write_block sda 5 || fail "write"
	read_block sda 5 || fail "read"
	is "failovers" "$n" "$(failovers)"
	# All else that is asked is still answered.
	is "refused" "" "$(ioctls disk /dev/sda | sed -n '/OPAL/!{/EOPNOTSUPP/p}')"
}

rig_plain() {
	rig_loop off 1
	wait_for 10 test -b /dev/sda
}
t_plain_reserve() {
	local name word

	ioctls reserve /dev/sda >"$tmp/reserve"
	while read -r name word; do
		note "$name: $word"
		is "$name" 0 "$word"
	done <"$tmp/reserve"
	is "ioctls" 5 "$(wc -l <"$tmp/reserve")"
}

testcase t_reserve "rig_loop on 2" "D9, D10: reservations by ioctl are refused"
testcase t_other_path "rig_debug on 2" "D8: a path that serves answers ioctls"
testcase t_no_path "rig_debug on 2" "D16: the disk can be opened while its paths are away"
testcase t_same rig_none "D6, D7: ioctls are answered as by a plain disk"
testcase t_protected rig_none "D16: a write-protected disk is opened as a plain disk"
testcase t_plain_reserve rig_plain "D9: reservations by ioctl of a disk that is not multipath"

run_tests "$@"
