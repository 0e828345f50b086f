#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What becomes one disk, what does not, and what it looks like.
#
# guest-timeout: 600

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The names of disks as sd gives them, for so many.
plain_names() {
	for ((i = 0; i < $1; i++)); do
		printf 'sd%b\n' "\\x$(printf %x $((97 + i)))"
	done
}

t_off() {
	is "disks" "$(plain_names 3)" "$(sd_names)"
	is "minor of sdb" "8:16" "$(</sys/block/sdb/dev)"
	is "heads" "" "$(heads)"
	is "files of multipath" "" \
		"$(find /sys/block/sd*/ /sys/class/scsi_device/*/device/ -maxdepth 2 \
			-name '*mpath*' -o -maxdepth 2 -name multipath)"
	is "logical units" "" "$(ls /sys/class/scsi_mpath_device)"
	is "hidden disks" "0 0 0" "$(echo $(cat /sys/block/sd*/hidden))"
	[[ -b /dev/sda && -b /dev/sdb && -b /dev/sdc ]] || fail "a disk has no node"
}

t_on() {
	local d lun link

	is "disks" "sda sda:0 sda:1 sda:2" "$(echo $(sd_names))"
	is "minor" "8:0" "$(</sys/block/sda/dev)"
	is "range of minors" 16 "$(</sys/block/sda/range)"
	is "hidden" "0 1 1 1" "$(echo $(cat /sys/block/sda/hidden /sys/block/sda:*/hidden))"
	[[ -b /dev/sda ]] || fail "no /dev/sda"
	is "nodes of paths" "" "$(find /dev -name 'sda:*')"
	is "lsblk" "sda" "$(lsblk -dno NAME)"
	is "/proc/partitions" "sda" "$(awk '/sd/ { print $4 }' /proc/partitions)"
	for d in sda:0 sda:1 sda:2; do
		is "mpath_dev of $d" 8:0 "$(<"/sys/block/$d/mpath_dev")"
		is "link to $d" "$(readlink -f "/sys/block/$d")" \
			"$(readlink -f "/sys/block/sda/multipath/$d")"
	done
	is "links to paths" "sda:0 sda:1 sda:2" "$(echo $(path_disks sda))"
	lun=$(lun_dir)
	is "directory of the logical unit" scsi_mpath_device0 "$(basename "$lun")"
	is "links to devices" "0:0:0:0 1:0:0:0 2:0:0:0" "$(echo $(ls "$lun/multipath"))"
	for link in "$lun"/multipath/*; do
		is "link $link" "$(readlink -f "$(sdev "$(basename "$link")")")" \
			"$(readlink -f "$link")"
	done
	is "size" "$(</sys/block/sda:0/size)" "$(</sys/block/sda/size)"
	is "delayed_removal_secs" 0 "$(head_attr delayed_removal_secs)"
	is "mpath_failovers" 0 "$(failovers)"
	is "mpath_parked" 0 "$(parked)"
}

t_identity() {
	local lun

	lun=$(lun_dir)
	is "vpd_id" naa.33333330000007d0 "$(<"$lun/vpd_id")"
	is "wwid" "$(<"$(sdev 0:0:0:0)/wwid")" "$(<"$lun/wwid")"
	is "vendor" "$(<"$(sdev 0:0:0:0)/vendor")" "$(<"$lun/vendor")"
	is "model" "$(<"$(sdev 0:0:0:0)/model")" "$(<"$lun/model")"
	is "rev" "$(<"$(sdev 0:0:0:0)/rev")" "$(<"$lun/rev")"
}

t_alua_states() {
	wait_for 10 state_is 0:0:0:0 optimized || fail "host 0 is $(state 0:0:0:0)"
	wait_for 10 state_is 1:0:0:0 non-optimized || fail "host 1 is $(state 1:0:0:0)"
	wait_for 10 state_is 2:0:0:0 standby || fail "host 2 is $(state 2:0:0:0)"
}

t_iopolicy() {
	local lun bad

	lun=$(lun_dir)
	is "policy" numa "$(<"$lun/iopolicy")"
	for bad in once "" rr round round-robinx 'numa,'; do
		is "store of '$bad'" EINVAL "$(errno_of store "$bad" "$lun/iopolicy")"
		is "policy after '$bad'" numa "$(<"$lun/iopolicy")"
	done
	echo round-robin >"$lun/iopolicy"
	is "policy" round-robin "$(<"$lun/iopolicy")"
	printf numa >"$lun/iopolicy"
	is "policy" numa "$(<"$lun/iopolicy")"
}

t_default_policy() {
	local param=/sys/module/scsi_mod/parameters/multipath_iopolicy

	is "default" numa "$(<$param)"
	! echo robin >$param 2>/dev/null || fail "a wrong policy is taken"
	echo round-robin >$param
	is "policy of the old disk" numa "$(<"$(lun_dir)/iopolicy")"
	rig_down
	rig_debug on 2
	is "policy of a new disk" round-robin "$(<"$(lun_dir)/iopolicy")"
	echo numa >$param
}

t_data() {
	fio_start
	wait_for 30 disk_reads_above sda 300 || fail "no progress"
	fio_stop
	is "failovers" 0 "$(failovers)"
	none_parked || fail "parked: $(parked)"
}

t_parameter() {
	local word

	scsi_is_module || skip "SCSI is built in"
	scsi_unload || fail "SCSI modules are in use"
	for word in once office "" ON alway; do
		! modprobe scsi_mod "multipath=$word" 2>/dev/null ||
			fail "multipath='$word' is taken as $(scsi_mode)"
	done
	for word in off on always; do
		modprobe scsi_mod "multipath=$word"
		is "multipath" "$word" "$(scsi_mode)"
		scsi_unload
	done
	modprobe scsi_mod
	is "multipath by default" off "$(scsi_mode)"
	! (echo on >/sys/module/scsi_mod/parameters/multipath) 2>/dev/null ||
		fail "multipath can be changed later"
	scsi_unload
	for word in multipath_iopolicy=robin multipath_probe_secs=3601; do
		! modprobe scsi_mod $word 2>/dev/null || fail "$word is taken"
	done
}

# scsi_debug has no ALUA with vpd_use_hostno=1. Target 2 of host 0 and target 0
# of host 1 have one id then, and the other targets have others.
rig_no_alua() {
	scsi_load "$1"
	modprobe scsi_debug vpd_use_hostno=1 num_tgts=3 add_host=2 dev_size_mb=8 ndelay=10000
	wait_for 20 test -e /sys/class/scsi_device/1:0:2:0/device/block ||
		fail "scsi_debug has too few disks"
}

t_on_needs_alua() {
	is "heads" "" "$(heads)"
	is "disks" 6 "$(sd_names | wc -l)"
	is "hidden" "0 0 0 0 0 0" "$(echo $(cat /sys/block/sd*/hidden))"
}

t_always() {
	local head hctl

	is "heads" 5 "$(heads | wc -l)"
	for head in $(heads); do
		case $(echo $(for d in $(path_disks "$head"); do path_hctl "$d"; done | sort)) in
		'0:0:2:0 1:0:0:0') hctl=yes ;;
		*' '*) fail "$head has paths to different logical units" ;;
		esac
	done
	is "a disk with two paths" yes "${hctl:-no}"
	is "ids" 5 "$(cat /sys/class/scsi_mpath_device/*/vpd_id | sort -u | wc -l)"
	for head in $(heads); do
		(($(path_disks "$head" | wc -l) == 2)) || continue
		fio_start "/dev/$head"
		sleep 1
		fio_stop
	done
}

rig_two_luns() {
	scsi_load on
	modprobe scsi_debug vpd_use_hostno=0 add_host=2 max_luns=2 dev_size_mb=16 ndelay=10000
	wait_for 20 test -e /sys/class/scsi_device/1:0:0:1/device/block ||
		fail "scsi_debug has too few disks"
}

t_two_luns() {
	local head lun

	is "heads" "sda sdb" "$(echo $(heads))"
	is "names" "sda sda:0 sda:1 sdb sdb:0 sdb:1" "$(echo $(sd_names))"
	for head in sda sdb; do
		lun=$(for d in $(path_disks $head); do path_hctl "$d"; done | cut -d: -f4 | sort -u)
		is "logical units under $head" 1 "$(wc -l <<<"$lun")"
	done
	is "ids" 2 "$(cat /sys/class/scsi_mpath_device/*/vpd_id | sort -u | wc -l)"
}

# One disk each, that is not made of paths.
t_all_plain() {
	is "heads" "" "$(heads)"
	is "logical units" "" "$(ls /sys/class/scsi_mpath_device)"
	is "disks" "sda sdb" "$(echo $(sd_names))"
	is "read of sda" none "$(errno_of read_block sda)"
	is "read of sdb" none "$(errno_of read_block sdb)"
}

rig_removable() {
	scsi_load on
	modprobe scsi_debug vpd_use_hostno=0 add_host=2 removable=1 dev_size_mb=8 ndelay=10000
	wait_for 20 two_disks
}
two_disks() { (($(sd_names | wc -l) == 2)) && [[ -b /dev/sda && -b /dev/sdb ]]; }

rig_zoned() {
	scsi_load always
	modprobe scsi_debug vpd_use_hostno=0 add_host=2 zbc=managed dev_size_mb=64 zone_size_mb=4 \
		ndelay=10000 || skip "no zoned disks"
	wait_for 20 two_disks
}

rig_no_id() { rig_loop "$1" 2 ""; wait_for 20 two_disks; }

testcase t_parameter rig_none "D4: multipath takes off, on and always, in these words"
testcase t_off "rig_debug off 3" "F3: off: every path is a disk as ever"
testcase t_on "rig_debug on 3" \
	"on: one disk with its name and numbers, its paths hidden below it"
testcase t_identity "rig_debug on 3" \
	"D15: the logical unit tells its id, vendor, model and revision"
testcase t_alua_states "rig_debug on 3" \
	"C5, C14: the paths have the ALUA states that the target reports"
testcase t_iopolicy "rig_debug on 3" "iopolicy takes the names of policies and nothing else"
testcase t_data "rig_debug on 3" "what is written is read back"
testcase t_default_policy "rig_debug on 3" "C12: multipath_iopolicy is the policy of new disks"
testcase t_on_needs_alua "rig_no_alua on" "on: no multipath without ALUA"
testcase t_always "rig_no_alua always" "always: paths are joined by their id, ALUA or not"
testcase t_two_luns rig_two_luns "D14: two logical units become two disks"
testcase t_all_plain rig_removable "D16: a disk with a removable medium is no path"
testcase t_all_plain rig_zoned "B13: a zoned disk is no path"
testcase t_all_plain "rig_no_id on" "a logical unit without an id is no path (on)"
testcase t_all_plain "rig_no_id always" "a logical unit without an id is no path (always)"

run_tests "$@"
