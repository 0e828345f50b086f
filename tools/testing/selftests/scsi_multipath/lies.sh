#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A target that lies about itself: in INQUIRY data, VPD pages and the states of
# its port groups. Whatever it says, the logical unit is there, as the disk over
# its paths or as plain disks with a reason, its data is what it was, and all is
# well when it tells the truth again.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_id_designators|t_limits|t_groups|t_groups_length|t_fuzz
# guest-timeout: 900

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2206,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

backstore=$target/core/user_0/mpath
liar=$(dirname "$0")/liar
lies=$tmp/lies
mib=16

# Both paths lead through one process, so they are in one port group.
rig_liar() {
	local i

	[[ -x $liar ]] || skip "liar has not been compiled"
	scsi_load on
	lio_load
	modprobe target_core_user || skip "no target_core_user"
	rm -rf "$lies"
	mkdir -p "$lies" "$backstore"
	echo "dev_size=$((mib << 20)),hw_block_size=512,nl_reply_supported=-1" >"$backstore/control"
	echo "cmd_ring_size_mb=1,max_data_area_mb=8" >"$backstore/control"
	echo 1 >"$backstore/enable"
	# It ends with the device.
	"$liar" tcm-user/0/mpath $mib "$lies" >"$tmp/liar.err" 2>&1 3>&- &
	for i in 1 2; do loop_target $i "$backstore" ""; done
	wait_for 20 have_paths 2 || fail "there are not two paths: $(<"$tmp/liar.err")"
	wait_for 20 all_are optimized || fail "not all paths are optimized"
	for i in 0 1; do dd if=/dev/urandom of="$tmp/data$i" bs=64k count=1 status=none; done
	echo 0 >"$tmp/which"
	write_data "$(head_disk)"
}
# The paths. The first one is lied to; the other one keeps the disk there.
p1=0:0:1:0 p2=1:0:1:0

# say FILE HEX...: these bytes in a file that liar looks for
say() {
	local file=$1 hex out='' i

	shift
	hex=${*//[[:space:]]/}
	hex=${hex// /}
	for ((i = 0; i < ${#hex}; i += 2)); do out+="\\x${hex:i:2}"; done
	# shellcheck disable=SC2059
	printf "$out" >"$lies/$file"
}
# sense FILE KEY ASC ASCQ, in hexadecimal
sense() { say "$1" 70 00 $(printf '%02x' 0x$2) 00000000 0a 00000000 $3 $4 00000000; }

# How many answers with this name have been made up since the last truth?
told() {
	local n=0 name

	[[ ! -e $lies/told ]] || while read -r name; do
		[[ $name != "$1" ]] || n=$((n + 1))
	done <"$lies/told"
	echo $n
}
told_more() { (($(told "$1") > $2)); }
truth() { rm -f "$lies"/*; }

marks=0
mark() {
	marks=$((marks + 1))
	echo "lies.sh: mark $$.$marks" >/dev/kmsg
}
# Has the kernel said that since the last mark?
said() { log_says "$1" sed -n "/lies.sh: mark $$.$marks\$/,\$p"; }

# Is it there?
lives() { [[ -d /sys/class/scsi_device/$1 ]]; }

# How a device stands: "STATE" of a path, "plain: REASON", "none: REASON" if it
# has no disk.
standing() {
	local why

	lives "$1" || { echo gone; return; }
	read -r why <"$(sdev "$1")/multipath" || why='?'
	if [[ $why != no:* ]]; then
		state "$1"
	elif disk_of "$1" >/dev/null; then
		echo "plain${why#no}"
	else
		echo "none${why#no}"
	fi
}
# stands_as H:C:T:L PATTERN
# shellcheck disable=SC2053
stands_as() { [[ $(standing "$1") == $2 ]]; }

# find H:C:T:L...: again, as for the first time
find() {
	local h

	for h; do ! lives $h || down_delete $h; done
	for h; do up_delete $h; done
}

# Other data than there is, on disk $1. Programs take long to start, so few are.
write_data() {
	local n

	read -r n <"$tmp/which"
	n=$((1 - n))
	dd if="$tmp/data$n" of="/dev/$1" bs=64k seek=$data_at oflag=direct conv=notrunc \
		status=none || fail "$1 cannot be written"
	echo $n >"$tmp/which"
}
data_at=200	# where fio does not write

read_data() { dd if="/dev/$1" bs=64k skip=$data_at count=1 iflag=direct of="$tmp/got" status=none; }

# The data is what it was, on this disk.
data_is_right() {
	wait_for 20 test -b "/dev/$1" || fail "there is no /dev/$1"
	read_data "$1" || fail "$1 cannot be read"
	cmp "$tmp/data$(<"$tmp/which")" "$tmp/got" || fail "the data of $1 is not what it was"
}

# first_stands WHAT PATTERN: the first path stands as it should
first_stands() {
	wait_for 20 stands_as $p1 "$2" || fail "$1: $p1 is $(standing $p1), not $2"
}

# Found in this way, it leads to the data, be it as a path or as a disk of its own.
first_has_data() {
	local disk

	stands_as $p1 "@(plain*|*optimized)" || return 0
	disk=$(disk_of $p1)
	disk=${disk%%:*}
	data_is_right "$disk"
	write_data "$disk"
}

# Both paths are what they were at first, when the target does not lie any more.
# What was found while it did may have to be found again.
truth_wins() {
	truth
	if ! stands_as $p1 "@(gone|plain*|none*)"; then
		ask_state $p1
		wait_for 5 stands_as $p1 optimized || find $p1
	else
		find $p1
	fi
	wait_for 20 true_again ||
		fail "after $1: $p1 is $(standing $p1), $p2 is $(standing $p2)"
	is "id after $1" naa.6001405abcdef0123456789abcdef001 "$(<"$(lun_dir)/vpd_id")"
}
true_again() { have_paths 2 && all_are optimized; }

# lie WHAT FILE RESCANNED FOUND HEX...: say HEX for FILE; how the first path
# stands when it is then scanned again, and when it is found for the first time
lie() {
	local what=$1 file=$2 rescanned=$3 found=$4
	shift 4

	note "$what"
	say $file "$@"
	ask_state $p1
	ok_if "lies told by $what" "$(told $file) > 0"
	first_stands "$what" "$rescanned"
	find $p1
	first_stands "$what, found" "$found"
	# Its group is not known, and nothing is taken for it.
	[[ $found != non-optimized ]] ||
		is "$what, found: device handler" detached "$(<"$(sdev $p1)/dh_state")"
	first_has_data
	truth_wins "$what"
}

t_truth() {
	policy round-robin
	fio_start
	fio_stop
	[[ ! -e $lies/told ]] || fail "lies have been told: $(<"$lies/told")"
	stands_as $p1 optimized || fail "$p1 is $(standing $p1)"
	is "write cache" "write back" "$(<"/sys/block/$(head_disk)/queue/write_cache")"
	blkdiscard -o 8M -l 1M "/dev/$(head_disk)" || fail "blkdiscard"
	data_is_right "$(head_disk)"
	policy numa
}

#
# VPD page 0x83
#

# what both paths stand as
both="optimized optimized"
# and if the page has no port group, when one is found for the first time
no_group="optimized non-optimized"
naa="01030010 6001405abcdef0123456789abcdef001"
rel="01140004 00000001"
group="01150004 00000001"
no_id="plain: no id in VPD page 0x83"

t_id_page() {
	lie "a page that is shorter than it says" vpd83 $both \
		00830100 $naa $rel $group
	lie "a page that is longer than it says" vpd83 $no_group \
		00830014 $naa $rel $group
	lie "an empty page" vpd83 optimized "$no_id" 00830000 $naa $rel $group
	lie "another page" vpd83 optimized "$no_id" 00800024 $naa $rel $group
	# There is no allocation length for it.
	lie "the longest page" vpd83 "*" "*" 0083ffff $naa $rel $group
	lie "a page of one byte" vpd83 optimized "$no_id" 00
}

t_id_designators() {
	lie "a port group's designator that ends behind the page" vpd83 $no_group \
		00830024 $naa $rel 011500ff 00000001
	lie "a designator of an id that ends behind the page" vpd83 mismatch "$no_id" \
		00830024 010300ff 6001405abcdef0123456789abcdef001 $rel $group
	lie "a page that ends in a designator's header" vpd83 $no_group \
		0083001f $naa $rel 010300
	# long enough for what follows it in memory to be another's
	lie "a long page that ends in the header of a port group" vpd83 $no_group \
		00830115 $naa 010000fa "$(printf '00%.0s' {1..250})" 011500
	lie "a page that ends in a designator" vpd83 mismatch "$no_id" \
		0083000e 01030010 6001405abcdef0123456
	lie "no designator of the logical unit" vpd83 mismatch "$no_id" \
		00830010 $rel $group
	lie "designators of no length" vpd83 mismatch "$no_id" \
		00830018 01030000 02080000 01020000 02010000 $group
	lie "an id of a length that there is not" vpd83 mismatch "$no_id" \
		00830011 01030005 6001405abc $group
	lie "a name of zeroes" vpd83 mismatch "$no_id" \
		00830014 02080008 0000000000000000 $group
	# 64 bytes of which each is written as four characters
	lie "an id that is too long" vpd83 mismatch "plain: its id in VPD page 0x83 is too long" \
		0083004c 02010040 $(printf '01%.0s' {1..64}) $group
}

# Nothing is made up for what has not been transferred: two logical units could
# get the same id in this way.
t_id_cut_short() {
	lie "a page that is cut short in its id" vpd83 mismatch "$no_id" \
		00830024 01030010 6001405abc
}

# A path that has been away is used when it has told who it is, and not before,
# however long that takes.
t_id_refused() {
	mark
	sense vpd83.sense 5 24 00
	down_state $p1
	up_state $p1
	wait_for 60 stands_as $p1 mismatch || fail "$p1 is $(standing $p1)"
	wait_for 30 said "$p1: multipath: was a path to .*, does not tell its id" ||
		fail "the log does not say it"
	truth
	wait_for 30 true_again || fail "$p1 is $(standing $p1), $p2 is $(standing $p2)"
	said "$p1: multipath: is a path to .* again" || fail "the log does not say it"
	data_is_right "$(head_disk)"
}

# One that answers, but does not tell, is asked again without anybody's help, be it back
# from somewhere or just scanned.
away_and_back() { down_state $1; up_state $1; }
t_id_missing() {
	local by

	echo 1 >$probe_secs
	for by in away_and_back ask_state; do
		mark
		say vpd83 00830010 $rel $group
		$by $p1
		wait_for 60 stands_as $p1 mismatch || fail "$p1 is $(standing $p1)"
		wait_for 30 said "$p1: multipath: was a path to .*, does not tell its id" ||
			fail "the log does not say it"
		truth
		wait_for 30 true_again || fail "$by: $p1 is $(standing $p1), $p2 is $(standing $p2)"
		said "$p1: multipath: is a path to .* again" || fail "the log does not say it"
		data_is_right "$(head_disk)"
	done
	echo 0 >$probe_secs
}

# What is left in a buffer of an id that is not used is no part of another.
t_id_name() {
	say vpd83 0083002c $naa 02080014 6575692e 30313233343536373839414243444546
	find $p1
	is "wwid" "eui.0123456789ABCDEF" "$(<"$(sdev $p1)/wwid")"
	is "id" "eui.0123456789ABCDEF" "$(<"$(sdev $p1)/scsi_mpath_device/vpd_id")"
	truth_wins "a name"
}

# A name is text: one line in sysfs and in the log.
t_id_text() {
	local id=

	# eui.0, a line feed, and what could be a line of the kernel's
	say vpd83 0083001c 02080010 6575692e 300a 3c303e206b65726e656c $group
	find $p1
	[[ -d $(sdev $p1)/scsi_mpath_device ]] &&
		mapfile -t id <"$(sdev $p1)/scsi_mpath_device/vpd_id"
	is "lines of the id" 1 ${#id[@]}
	truth_wins "a name of two lines"
}

# Two names that differ in what comes after a zero are not the same.
t_id_zero() {
	say vpd83 0083001c 02080010 6575692e 30313233 34350000 00000041 $group
	find $p1
	say vpd83 0083001c 02080010 6575692e 30313233 34350000 00000042 $group
	find $p2
	[[ ! -d $(sdev $p1)/scsi_mpath_device ||
	   ! $(sdev $p1)/scsi_mpath_device -ef $(sdev $p2)/scsi_mpath_device ]] ||
		fail "two logical units have become one, $(<"$(sdev $p1)/scsi_mpath_device/vpd_id")"
	truth
	find $p1 $p2
	truth_wins "names with zeroes"
}

#
# VPD page 0
#

t_page_list() {
	lie "pages that there are not" vpd00 $both \
		00000010 00 80 83 86 87 88 89 8f b0 b1 b2 b7 b9 c0 df ff
	lie "no identification" vpd00 optimized "$no_id" 00000005 00 80 b0 b1 b2
	lie "an empty list" vpd00 optimized "$no_id" 00000000 00 80 83 b0 b1 b2
	lie "a list that is shorter than it says" vpd00 $both \
		00000020 00 80 83 b0 b1 b2
	lie "a list that is longer than it says" vpd00 $both \
		00000003 00 80 83 b0 b1 b2
	lie "another page" vpd00 optimized "$no_id" 00830006 00 80 83 b0 b1 b2
	lie "a list of one byte" vpd00 optimized "$no_id" 00
	sense vpd00.sense 5 24 00
	find $p1
	first_stands "a list that is refused" "$no_id"
	truth_wins "a list that is refused"
}

# A page is read once, however often it is listed.
t_long_list() {
	say vpd00 00000100 00 80 83 b0 b1 b2
	ask_state $p1
	ok_if "times that the list is read" "$(told vpd00) < 40"
	truth
	say vpd00 00000082 00 80 $(printf '83%.0s' {1..128})
	say vpd83 00830024 $naa $rel $group
	ask_state $p1
	ok_if "times that the page is read" "$(told vpd83) < 40"
	truth_wins "a long list"
}

#
# VPD pages 0x80, 0xb0
#

t_limits() {
	local ones=ffffffff z=00000000

	lie "limits that are all ones" vpdb0 $both \
		00b0003c $ones $ones $ones $ones $ones $ones $ones $ones \
		$ones $ones $ones $ones $ones $ones $ones
	lie "transfers of one block" vpdb0 $both \
		00b0003c 00000001 00000001 00000001 $z $z $z $z $z $z $z $z $z $z $z $z
	lie "an optimum that is above the maximum" vpdb0 $both \
		00b0003c 00000007 00000009 0000fff7 $z $z $z $z $z $z $z $z $z $z $z $z
	lie "odd ranges to unmap" vpdb0 $both \
		00b0003c 00000000 00000800 00000100 $z $ones 00000001 $ones \
		$ones $z 00000001 $z $z $z $z $z
	lie "atomic writes that are aligned to nothing" vpdb0 $both \
		00b0003c 00000000 00000800 00000100 $z $z $z $z $z $z $z \
		00800001 00000003 00000007 $ones $ones
	lie "atomic writes with a boundary of nothing" vpdb0 $both \
		00b0003c 00000000 00000800 00000100 $z $z $z $z $z $z $z $z $z $z $ones $z
	lie "limits that are cut short" vpdb0 $both 00b0003c 00000000 00
	lie "limits of no length" vpdb0 $both 00b00000
}

t_serial() {
	lie "a serial number of no length" vpd80 $both 00800000
	lie "a serial number that is cut short" vpd80 $both 008000f0 31
}

#
# INQUIRY
#

# inquired WHAT FOUND HEX...
inquired() {
	local what=$1 found=$2
	shift 2

	note "$what"
	say inquiry "$@"
	find $p1
	ok_if "lies told by $what" "$(told inquiry) > 0"
	first_stands "$what" "$found"
	first_has_data
	truth_wins "$what"
}

t_inquiry() {
	local name="4c696e7578202020 6c69617220202020 2020202020202020 30303031"

	inquired "no more than 36 bytes" optimized 00 00 06 02 1f 10 10 02 $name
	inquired "8 bytes" optimized 00 00 06 02 5b 10 10 02
	inquired "5 bytes" "plain: no ALUA" 00 00 06 02 5b
	inquired "no length" optimized 00 00 06 02 00 10 10 02 $name
	inquired "the greatest length" optimized 00 00 06 02 ff 10 10 02 $name
	inquired "all groups of a target without ALUA" "plain: no ALUA" \
		00 00 06 02 1f 00 10 02 $name
	inquired "removable medium" "plain: removable medium" 00 80 06 02 1f 10 10 02 $name
	inquired "no logical unit" "*: no logical unit connected" 20 00 06 02 1f 10 10 02 $name
	inquired "a tape" "none: not a disk" 01 00 06 02 1f 10 10 02 $name
	inquired "SCSI-2" "$no_id" 00 00 02 02 1f 10 10 02 $name
	inquired "no standard" "$no_id" 00 00 00 00 1f 10 10 02 $name
}

#
# REPORT TARGET PORT GROUPS
#

# The second question is put when the first answer has been dealt with.
ask_groups() {
	local n i

	for i in 1 2; do
		n=$(told rtpg)
		echo activate >"$(sdev $p1)/dh_state"
		wait_for 20 told_more rtpg $n || fail "the states are not asked for"
	done
}
groups_true() {
	truth
	echo activate >"$(sdev $p1)/dh_state"
	wait_for 20 true_again ||
		fail "told the truth, $p1 is $(standing $p1), $p2 is $(standing $p2)"
}

# groups WHAT STATE HEX...: what becomes of paths that were optimized
groups() {
	local what=$1 state=$2 h
	shift 2

	note "$what"
	say rtpg "$@"
	ask_groups
	for h in $p1 $p2; do
		wait_for 10 stands_as $h "$state" || fail "$what: $h is $(standing $h), not $state"
	done
}

ports="00000002 00000001 00000002"

t_states() {
	local s un=unavailable all

	all=(optimized non-optimized standby $un non-optimized $un $un $un $un $un $un $un $un $un
		offline transitioning)

	for s in {0..15}; do
		groups "state $s" ${all[s]} 00000010 $(printf '%02x' $s) df 0001 $ports
	done
	groups "state 2, preferred, and reserved bits" standby 00000010 f2 ff 0001 $ports
	groups "that no state is supported" standby 00000010 02 00 0001 $ports
	groups_true
}

t_groups() {
	local len

	groups "less than it says" standby 00000040 02df0001 $ports
	groups "much less than it says" standby 00004000 02df0001 $ports
	groups_true
	groups "more than it says" optimized 00000000 02df0001 $ports
	for len in 00010000 7fffffff 80000000 fffffff8 ffffffff; do
		groups "a length of $len" optimized $len 02df0001 $ports
	done
	groups "no group" optimized 00000000
	groups "half a group" optimized 00000004 02df0001
	groups "a group that is cut short" "@(optimized|standby)" 00000010 02df0001
	groups "more ports than there are" standby 00000010 02df0001 000000ff 00000001
	groups_true
	groups "another group" optimized 00000010 02df0007 $ports
	groups "another group, and no end of its ports" optimized 00000020 02df0007 000000ff \
		00000001 00000002 02df0001 $ports
	groups "a long header alone" optimized 00000004 10ff0000
	groups "a header of a form that there is not" "*" 00000014 70ff0000 02df0001 $ports
	groups "one byte" optimized ff
	groups_true
	data_is_right "$(head_disk)"
}

t_groups_length() {
	local len

	for len in 00010000 7fffffff 80000000 fffffffb; do
		mark
		say rtpg $len 02df0001 $ports
		ask_groups
		said "[01]:0:1:0: alua: rtpg answer of" || fail "nothing is said of length $len"
	done
	groups_true
}

# What has not been transferred is no state of a group, not even of group 0.
t_group_zero() {
	local group0="01150004 00000000"

	say vpd83 00830024 $naa $rel $group0
	say rtpg 00000010 02df0000 $ports
	ask_state $p1
	wait_for 20 stands_as $p1 standby || fail "$p1 is $(standing $p1)"
	say rtpg 00000040 02df0000 $ports
	ask_groups
	stands_as $p1 standby || fail "what has not been said: $p1 is $(standing $p1)"
	truth_wins "group 0"
}

# One device is asked on behalf of its group, every two seconds while that is in
# transition. When it goes, another one is.
t_asker_gone() {
	groups "state 15" transitioning 00000010 0f df 0001 $ports
	down_delete $p1
	truth
	wait_for 20 stands_as $p2 optimized || fail "$p2 is $(standing $p2)"
	data_is_right "$(head_disk)"
	up_delete $p1
	wait_for 20 true_again || fail "$p1 is $(standing $p1), $p2 is $(standing $p2)"
}

# A target says that it has ALUA and does not know the command.
t_no_states() {
	sense rtpg.sense 5 20 00
	find $p1 $p2
	wait_for 20 have_paths 2
	wait_for 20 usable $p1 || fail "$p1 is $(standing $p1)"
	wait_for 20 usable $p2 || fail "$p2 is $(standing $p2)"
	ok_if "questions" "$(told rtpg) > 0"
	data_is_right "$(head_disk)"
	groups_true
}

t_group_senses() {
	local s

	for s in "5 20 00" "5 24 00" "4 44 00" "3 11 00" "2 04 0b" "2 04 02" "b 4b 03" "0 00 00"; do
		note "sense $s"
		sense rtpg.sense $s
		ask_groups
		wait_for 10 all_are optimized || fail "after sense $s they are not optimized"
		groups_true
	done
	for s in "6 29 00" "6 2a 06" "6 3f 03" "2 04 0a" "6 04 0a"; do
		note "sense $s, once"
		sense rtpg.once $s
		echo activate >"$(sdev $p1)/dh_state"
		wait_for 20 told_more rtpg 0 || fail "the states are not asked for"
		groups_true
	done
}

# Both formats of sense data, of the command itself or, deferred, of an earlier one
# (SPC-5, 4.4): what is the issuer's is told, and nothing is held against the path.
t_sense_formats() {
	local disk sense want n

	disk=$(head_disk)
	n=$(failovers)
	while read -r want sense; do
		say io.once $sense
		is "with $sense" "$want" "$(errno_of read_data "$disk")"
		is "answers made up with $sense" 1 "$(told io)"
		is "failovers with $sense" "$n" "$(failovers)"
		all_are optimized || fail "a path is not used after $sense"
		rm -f "$lies/told"
	done <<-END
		ENODATA 70 00 03 00000000 0a 00000000 1100 00000000
		ENODATA 72 03 1100 00000000
		EREMOTEIO 70 00 05 00000000 0a 00000000 2400 00000000
		EREMOTEIO 72 05 2400 00000000
		none 70 00 0b 00000000 0a 00000000 4400 00000000
		none 72 0b 4400 00000000
		none 70 00 06 00000000 0a 00000000 2900 00000000
		none 72 06 2900 00000000
		none 71 00 03 00000000 0a 00000000 1100 00000000
		none 73 03 1100 00000000
	END
}

#
# Anything
#

# SEED and LIES, if they are set, say which numbers liar makes lies of. So many
# change each kind of answer, if that is asked for at all.
enough=200
t_fuzz() {
	local first=${SEED:-1} n=${LIES:-20} seed names kind
	local -A changed=()

	note "seeds $first to $((first + n - 1)), SEED and LIES set others"
	for ((seed = first; seed < first + n; seed++)); do
		RANDOM=$seed
		names=$(lie_about)
		echo "lies.sh: seed $seed, $names" >/dev/kmsg
		echo "$seed $names" >"$lies/fuzz"
		provoke || fail "seed $seed, $names"
		is "taint after seed $seed, $names" 0 "$(tainted)"
		[[ $names == *@(inquiry|sense|io)* ]] || none_lost "seed $seed, $names"
		((seed % 20)) || fuzz_ends "seed $seed, $names"
	done
	fuzz_ends "the last seed"
	note "answers changed: $(for kind in "${kinds[@]}"; do
		printf '%s %d ' $kind ${changed[$kind]:-0}
	done)"
	((${#changed[@]})) || fail "no answer has been changed"
	((n >= enough)) || return 0
	for kind in "${kinds[@]}"; do
		[[ ${changed[$kind]:-} ]] || fail "no answer has been changed of kind $kind"
	done
}
kinds=(vpd00 vpd80 vpd83 vpdb0 vpdb1 vpdb2 inquiry rtpg sense io)

fuzz_ends() {
	local kind

	[[ ! -s $lies/told ]] || while read -r kind; do
		changed[$kind]=$((${changed[$kind]:-0} + 1))
	done <"$lies/told"
	truth
	find $p1 $p2
	wait_for 30 true_again ||
		fail "after $1: $p1 is $(standing $p1), $p2 is $(standing $p2)"
	data_is_right "$(head_disk)"
	truth_wins "$1"
}

# What the next lies are about.
lie_about() {
	local all=(vpd83 rtpg vpd83 rtpg vpd00 vpdb0 inquiry sense io vpd80 vpdb1 vpdb2) i

	for ((i = RANDOM % 3; i >= 0; i--)); do printf '%s ' ${all[RANDOM % ${#all[@]}]}; done
}

# Have the kernel ask.
provoke() {
	local all=("$p1" "$p2") h

	h=${all[RANDOM % 2]}
	case $((RANDOM % 5)) in
	0|1)	;;
	2)	find $h ;;
	3)	find $p1 $p2 ;;
	4)	! lives $h || echo activate >"$(sdev $h)/dh_state" || : ;;
	esac 2>/dev/null
	{ ! lives $h || ask_state $h || :; } 2>/dev/null
	look_at $h 2>/dev/null
}
look_at() {
	local f x

	for f in multipath wwid access_state preferred_path vpd_pg83 vpd_pg0 inquiry; do
		read -r -d '' x <"$(sdev $1)/$f" || :
	done
	for x in "$(sdev $1)"/block/*/mpath_state; do read -r x <$x || :; done
}

none_lost() {
	local h

	for h in $p1 $p2; do
		# An earlier lie may have been about what it is.
		! stands_as $h "@(gone|none*)" || find $h
		lives $h || fail "$1: $h is gone"
		wait_for 20 disk_of $h >/dev/null || fail "$1: $h has no disk, is $(standing $h)"
	done
}

testcase t_truth rig_liar "a target that tells the truth is a disk with two paths"
testcase t_id_page rig_liar "VPD page 0x83 that is not as long as it says"
testcase t_id_designators rig_liar "designators that are not as long as they say"
testcase t_id_cut_short rig_liar "D14: an id that has not been transferred in full is none"
testcase t_id_refused rig_liar "D11: an identification that is refused for a while"
testcase t_id_missing rig_liar "D11: an identification that is missing for a while"
testcase t_id_name rig_liar "D14: an id is that of one designator"
testcase t_id_text rig_liar "D14: an id is one line of text"
testcase t_id_zero rig_liar "D14: names that differ after a zero are not the same"
testcase t_page_list rig_liar "VPD page 0 that lists other pages than there are"
testcase t_long_list rig_liar "VPD page 0 that lists a page over and over"
testcase t_limits rig_liar "D11: limits that no disk can have"
testcase t_serial rig_liar "VPD page 0x80 that is not as long as it says"
testcase t_inquiry rig_liar "INQUIRY data that is short, or of something else"
testcase t_states rig_liar "C1: all states of a port group, and those that there are not"
testcase t_groups rig_liar "descriptors of port groups that are cut short"
testcase t_groups_length rig_liar "an impossible length of the states is reported"
testcase t_group_zero rig_liar "states that have not been transferred are none"
testcase t_asker_gone rig_liar "C5: a device is gone that was to be asked for the states"
testcase t_no_states rig_liar "ALUA without REPORT TARGET PORT GROUPS"
testcase t_group_senses rig_liar "REPORT TARGET PORT GROUPS that fails"
testcase t_sense_formats rig_liar "B5: sense data in both formats, of now and of before"
testcase t_fuzz rig_liar "answers changed at random"

run_tests "$@"
