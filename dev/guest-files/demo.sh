#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Show a disk over four paths that are taken away and come back, under a file
# system and I/O that is read back and compared. Exit 0: every byte was right.

# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=lib.sh
. /tests/lib.sh
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=means.sh
. /tests/means.sh

set -eE -o pipefail

bold='' dim='' red='' green='' yellow='' plain=''
if ((${COLOUR:-0})); then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
fi

note() { :; }
fail() {
	trap - ERR
	printf '\n%sFAILED: %s%s\n' "$red" "$*" "$plain"
	show_tree
	exit 1
}
skip() { fail "$@"; }
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
trap 'rig_down; rm -rf "$tmp"' EXIT

heading() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }

# The disk and its paths.
show_tree() {
	local head d lun branch='├─' colour

	head=$(head_disk) || return 0
	lun=$(lun_dir)
	printf '  %s%s%s  %s MiB  %s %s  %s  %s\n' "$bold" "$head" "$plain" $(($(disk_size "$head") >> 11)) \
		"$(xargs <"$lun/vendor")" "$(xargs <"$lun/model")" "$(cat "$lun/vpd_id")" "$(cat "$lun/iopolicy")"
	mapfile -t paths < <(path_disks "$head")
	for d in "${paths[@]}"; do
		[[ $d != "${paths[-1]}" ]] || branch='└─'
		h=$(path_hctl "$d")
		case $(state "$h") in
		optimized) colour=$green ;;
		non-optimized) colour=$yellow ;;
		*) colour=$red ;;
		esac
		printf '  %s %s → %s  %s%s%s\n' $branch "$d" "$h" "$colour" "$(state "$h")" "$plain"
	done
}
disk_size() { cat "/sys/block/$1/size"; }

#
# The timeline
#

declare -A name=() counter=() own=()
order=()

# Begin one for the paths there are.
timeline() {
	local h d

	order=()
	while read -r h; do
		order+=("$h")
		d=$(disk_of "$h")
		name[$h]=$d
		own[$h]=$(state "$h")
		counter[$h]=$(requests "$h")
	done < <(hctls)
	printf '%s%6s  %-40s%32s %9s%s\n' "$dim" '' '' 'I/O since the line before, by path' longest "$plain"
	printf '%s%6s  %-44s' "$dim" time event
	for h in "${order[@]}"; do printf '%7s' "${name[$h]}"; done
	printf '%11s%s\n' stall "$plain"
	began=$EPOCHREALTIME
}

# line COLOUR EVENT: what happens now, and the I/O until now
line() {
	local h ms now stall part=()

	ms=$(elapsed "$began")
	printf '%4d.%d  %s%-44s%s' $((ms / 1000)) $((ms / 100 % 10)) "$1" "$2" "$plain"
	for h in "${order[@]}"; do
		now=$(requests "$h")
		# A device that was deleted and has come back counts from 0 again.
		((now >= counter[$h])) || counter[$h]=0
		part+=($((now - counter[$h])))
		counter[$h]=$now
	done
	printf '%7s' "${part[@]}"
	if read -r _ _ _ stall < <(fio_result); then
		((stall <= longest)) || longest=$stall
	fi
	printf '%8d ms\n' "$longest"
	fio_alive
}

# Let I/O go on for some time, so that there is something to see.
watch() { sleep "$1"; }

# A path's state is what it was when the timeline began.
well() { state_is "$1" "${own[$1]}"; }
unwell() { ! well "$1"; }

# take MEANS WORDS PATH...: take paths away, and see that I/O goes on
take() {
	local means=$1 words=$2 h
	shift 2

	for h; do "down_$means" "$h"; done
	for h; do wait_for 20 unwell "$h" || fail "${name[$h]} is still there"; done
	line "$red" "$(names "$@") $words"
	watch 3
}

# give MEANS WORDS PATH...: bring them back, and see that they are used, if they
# are of the best
give() {
	local means=$1 words=$2 h before
	shift 2

	for h; do "up_$means" "$h"; done
	for h; do wait_for 30 well "$h" || fail "${name[$h]} has not come back"; done
	line "$green" "$(names "$@") $words"
	for h; do
		[[ ${own[$h]} == optimized ]] || continue
		before=$(requests "$h")
		wait_for 20 requests_above "$h" $((before + 20)) || fail "no I/O on ${name[$h]}, which is back"
	done
	watch 2
}
names() {
	local h list=()

	for h; do list+=("${name[$h]}"); done
	echo "${list[*]}"
}

start_fio() {
	longest=0
	fio_start "$tmp/mnt/data" --status-interval=1 --fallocate=none
}

fio_sum() {
	fio_stop
	((fio_stall <= longest)) || longest=$fio_stall
	total_read=$((total_read + fio_read))
	total_failovers=$((total_failovers + $(failovers)))
	((longest <= total_longest)) || total_longest=$longest
	none_parked || fail "$(parked) bios are still parked"
}
total_read=0 total_failovers=0 total_longest=0

make_fs() {
	local disk

	disk=$(head_disk)
	echo 'type=83' | sfdisk -q "/dev/$disk"
	wait_for 10 test -b "/dev/${disk}1"
	mkfs.ext4 -q "/dev/${disk}1"
	mkdir -p "$tmp/mnt"
	mount "/dev/${disk}1" "$tmp/mnt"
	dd if=/dev/urandom of="$tmp/mnt/reference" bs=1M count=4 status=none conv=fsync
	sum=$(sha256sum <"$tmp/mnt/reference")
	lsblk -o NAME,MAJ:MIN,SIZE,TYPE,MOUNTPOINT "/dev/$disk" | sed 's/^/  /'
}

check_fs() {
	local disk

	disk=$(head_disk)
	umount "$tmp/mnt"
	fsck.ext4 -fn "/dev/${disk}1" >"$tmp/fsck" 2>&1 || fail "fsck: $(cat "$tmp/fsck")"
	mount -o ro "/dev/${disk}1" "$tmp/mnt"
	[[ $(sha256sum <"$tmp/mnt/reference") == "$sum" ]] || fail "the reference file has changed"
	umount "$tmp/mnt"
	printf '\n  The file system is clean, and a file written before all this reads back as it was.\n'
}

mkdir -p "$tmp"
# The kernel's messages would be in the middle of the picture.
dmesg -n 1

heading "One LUN, four paths: LIO behind four loopback targets, each a port group of its own"
loop_pages=16384 rig_loop on 4
policy round-robin
show_tree

heading "A partition, ext4, and fio that writes files and reads them back"
make_fs
echo
start_fio
timeline
watch 2
line '' "all four paths are used in turn"

p=("${order[@]}")
take state 'set offline' "${p[0]}"
give state 'running again' "${p[0]}"
take delete 'deleted' "${p[1]}"
give delete 'found by a rescan' "${p[1]}"
take unbind 'unbound from sd' "${p[2]}"
give unbind 'bound again' "${p[2]}"
take link 'link cut' "${p[3]}"
give link 'link restored' "${p[3]}"
take relink 'LUN unmapped at the target' "${p[0]}"
give relink 'LUN mapped again' "${p[0]}"

down_state "${p[0]}"
down_delete "${p[1]}"
down_link "${p[2]}"
for h in "${p[@]:0:3}"; do wait_for 20 unusable "$h" || fail "$h is still used"; done
line "$red" "all but ${name[${p[3]}]} at once, by three means"
watch 3
up_state "${p[0]}"
up_delete "${p[1]}"
up_link "${p[2]}"
for h in "${p[@]:0:3}"; do wait_for 30 usable "$h" || fail "$h has not come back"; done
line "$green" "and all back"
watch 2

for h in "${p[@]}"; do down_link "$h"; done
wait_for 20 some_parked || fail "nothing waits, though there is no path"
line "$red" "the links of all paths cut: I/O waits"
watch 3
line "$red" "three seconds later, $(parked) bios wait"
for h in "${p[@]}"; do up_link "$h"; done
for h in "${p[@]}"; do wait_for 30 usable "$h" || fail "$h has not come back"; done
line "$green" "the links of all paths restored"
watch 3
line '' "all four paths are used in turn"
while (($(elapsed "$began") < 32000)); do watch 1; done
seconds=$(($(elapsed "$began") / 1000))
fio_sum
check_fs
rig_down

heading "One LUN, four hosts of scsi_debug: two optimized paths, one not, one standby; injected errors"
rig_debug on 4 dev_size_mb=64
policy round-robin
wait_for 10 state_is 1:0:0:0 non-optimized
wait_for 10 state_is 2:0:0:0 standby
show_tree
echo
make_fs
# For so long I/O waits when all paths are gone or offline; without it, it fails.
echo 60 >"/sys/block/$(head_disk)/delayed_removal_secs"
echo
start_fio
timeline
watch 1
line '' "the optimized paths are used"

h0=0:0:0:0 h1=1:0:0:0 h2=2:0:0:0 h3=3:0:0:0

# The last host, which is that of $h3.
down_host() { echo -1 >$debug_driver/add_host; }
up_host() { echo 1 >$debug_driver/add_host; }

take state 'set offline' $h0
give state 'running again' $h0
take unbind 'unbound from sd (it was not needed)' $h1
give unbind 'bound again' $h1
take delete 'deleted (it was standby)' $h2
give delete 'found by a rescan' $h2
take host 'gone: its host is removed' $h3
give host 'there again: its host is added' $h3

# fault WORDS PATH RULE...: each of the rules is used up, and the path comes back
fault() {
	local words=$1 h=$2 r
	shift 2

	for r; do inject "$h" "$r"; done
	for r; do wait_for 30 rule_gone "$h" "$r" || fail "the error was not injected: $r"; done
	line "$red" "${name[$h]} $words"
	wait_for 30 well "$h" || fail "${name[$h]} has not come back"
	watch 1
}
rule_gone() {
	local type op

	read -r type _ op _ <<<"$2"
	rule_used_up "$1" "$type" "$op"
}
best_are_well() { well $h0 && well $h3; }
all_are_well() { best_are_well && well $h1 && well $h2; }

read=0x28 write=0x2a
fault "is not there (DID_NO_CONNECT)" $h0 "2 -2 $write 1 0 0 0 0 0"
fault "says that its port is standby" $h3 "2 -1 $write 0 0 2 2 4 b"
fault "says that it has no such LUN" $h0 "2 -1 $read 0 0 2 5 25 0"
fault "fails fast (DID_TRANSPORT_FAILFAST)" $h3 "2 -2 $read f 0 0 0 0 0"
wait_for 20 best_are_well || fail "not all paths have come back"
line "$green" "both optimized paths are back"
inject $h0 "2 1 $write 1 0 0 0 0 0"
inject $h3 "2 1 $write 1 0 0 0 0 0"
watch 3
line "$red" "both lose writes: the third path helps out"
uninject $h0 2 $write
uninject $h3 2 $write
wait_for 20 best_are_well || fail "not all paths have come back"
line "$green" "both are well again"

lose() {
	local h

	down_state $h0
	down_delete $h2
	down_host
	for h in $h0 $h2 $h3; do wait_for 20 unwell "$h" || fail "${name[$h]} is still there"; done
}
restore() {
	up_state $h0
	up_delete $h2
	up_host
	wait_for 30 all_are_well || fail "not all paths have come back"
}

lose
n=$(requests $h1)
line "$red" "all but ${name[$h1]} at once, by three means"
watch 3
ok_if "the path that is left carries the I/O" "$(requests $h1) > n + 20"
restore
line "$green" "and all back"
watch 2

down_unbind $h1
lose
wait_for 20 some_parked || fail "nothing waits, though there is no path"
line "$red" "all paths lost, by four means: I/O waits"
watch 3
line "$red" "three seconds later, $(parked) bios wait"
up_unbind $h1
restore
line "$green" "all four paths back"
watch 3
line '' "the optimized paths are used"
while (($(elapsed "$began") < 32000)); do watch 1; done
seconds=$((seconds + $(elapsed "$began") / 1000))
fio_sum
check_fs

printf '\n%s%d MiB verified in %d s, errors: 0, failovers: %d, longest stall: %d ms%s\n' \
	"$bold$green" $((total_read >> 20)) "$seconds" "$total_failovers" "$total_longest" "$plain"
