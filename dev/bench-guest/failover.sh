#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: failover.sh ROUNDS EVENT...
#
# What readers notice when a path goes, and how long it takes until one that has
# come back carries their I/O: on the multipath disk, or with multipath=off on
# dm-multipath with multipathd. 16 random reads are under way all the time; a few
# writes beside them are read back and compared. Of each round the slowest read
# and the longest time without one that ends count; of a path that comes back,
# the time until it has carried 50 of them.
#
# An event that needs no path to go, "idle", tells what the measuring itself
# makes of a machine that does other things as well.

# shellcheck disable=SC2154
# The rigs of the tests, and how they take paths away.
cd /tests || exit
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=lib.sh
. ./lib.sh
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=means.sh
. ./means.sh
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=iscsi.sh
. ./iscsi.sh
set -eE -o pipefail
trap 'echo "failover.sh: line $LINENO: $BASH_COMMAND: failed"' ERR

rounds=$1
shift
mkdir -p "$tmp"
mode=$(scsi_mode) kind=mpath probing=$(<"$probe_secs")
if [[ $mode == off ]]; then
	kind=dm
	# There is no disk over the paths yet when the rig looks at them.
	all_are() { :; }
fi

result() { printf '##result %s\t%s\t%s\n' "$1" "$2" ms; }

# Every event takes path $1 away, of which there are $all.
down_idle() { :; }
up_idle() { :; }

up_standby() { alua "$1" 0; }

# All paths of the group that is better go, the other one is left.
down_group() { for h in "${all[@]:0:2}"; do down_link "$h"; done; }
up_group() { for h in "${all[@]:0:2}"; do up_link "$h"; done; }

down_host() { echo -1 >"$debug_driver/add_host"; }
up_host() { echo 1 >"$debug_driver/add_host"; }

# One read is not answered; the abort works.
down_timeout() { inject "$1" "0 -1 0x28"; }
up_timeout() { uninject "$1" 0 0x28; }

# It says that it is ready, but every read fails.
down_badread() { inject "$1" "2 100000 0x28 0x1 0 0 0 0 0"; }
up_badread() { uninject "$1" 2 0x28; }

# blocked: for less than the transport waits
down_cut() { iscsi_link "$(iscsi_number "$1")" down; }
up_cut() { iscsi_link "$(iscsi_number "$1")" up; }
iscsi_number() {
	local i

	for i in 1 2; do [[ $(iscsi_hctl $i) != "$1" ]] || echo $i; done
}

reads_of() {
	local disk f

	disk=$(disk_of "$1") && read -r -a f <"/sys/block/$disk/stat" && echo "${f[0]}"
}
carries() { (($(reads_of "$1" 2>/dev/null || echo 0) > $2)); }
# It may not be there when one begins to wait, and then counts from 0.
wait_until_used() {
	wait_for 60 carries "$1" $(($(reads_of "$1" 2>/dev/null || echo 0) + 50)) ||
		fail "$1 is not used: $(tail -n 3 "$tmp/fio.err") $(state "$1")"
}

rig() {
	case $1 in
	host|timeout|badread)
		rig_debug "$mode" 4
		for h in 1:0:0:0 2:0:0:0; do echo 1 >"$(sdev $h)/delete"; done
		all=(0:0:0:0 3:0:0:0) ;;
	cut)
		rig_iscsi "$mode" 2
		for i in 1 2; do iscsi_wait_for $i 5; done
		all=("$(iscsi_hctl 1)" "$(iscsi_hctl 2)") ;;
	group)
		rig_loop "$mode" 4
		all=()
		for i in 1 2 3 4; do all+=("$(loop_hctl $i)"); done
		for i in 3 4; do alua "${all[i - 1]}" 1; done ;;
	*)
		rig_loop "$mode" 2
		all=("$(loop_hctl 1)" "$(loop_hctl 2)") ;;
	esac
	for h in "${all[@]}"; do wait_for 20 disk_of "$h" >/dev/null || fail "$h has no disk"; done
	[[ $1 != timeout ]] || echo 4 >"$(sdev "${all[1]}")/timeout"
	# The rigs are for tests, which want no probes.
	[[ ! -e $probe_secs ]] || echo "$probing" >"$probe_secs"
}

start_dm() {
	mkdir -p /etc/multipath
	# What is the default where it is not said: one group for each state.
	cat >/etc/multipath.conf <<-END
	defaults {
		find_multipaths no
		path_grouping_policy group_by_prio
		failback immediate
	}
	END
	modprobe dm_service_time
	multipathd -d -s >/tmp/multipathd.log 2>&1 3>&- &
	multipathd=$!
	wait_for 30 dm_has_paths || fail "no dm-multipath disk: $(cat /tmp/multipathd.log)"
	disk=/dev/$(dm_name)
}
dm_name() { for d in /sys/block/dm-*; do [[ ! -e $d ]] || echo "${d##*/}"; done; }
dm_has_paths() {
	local slaves

	slaves=("/sys/block/$(dm_name)/slaves"/sd*)
	[[ -e ${slaves[0]} ]] && ((${#slaves[@]} == ${#all[@]}))
}
stop_dm() {
	kill "$multipathd"
	wait "$multipathd" || :
	dmsetup remove_all --force --noudevsync
}

# Longest read, and longest time without one, in each window "FROM TO" (ms since
# 1970) of file $1.
evaluate() {
	awk -F ',? +' 'NR == FNR { from[NR] = $1; to[NR] = $2; n = NR; last[NR] = $1; next }
		{
			for (i = 1; i <= n; i++) {
				if ($1 < from[i] || $1 > to[i]) continue
				if ($2 > slowest[i]) slowest[i] = $2
				if ($1 - last[i] > gap[i]) gap[i] = $1 - last[i]
				last[i] = $1
			}
		}
		END {
			for (i = 1; i <= n; i++) {
				if (to[i] - last[i] > gap[i]) gap[i] = to[i] - last[i]
				printf "%.0f %d\n", slowest[i] / 1e6, gap[i]
			}
		}' "$1" "$tmp/lat_lat.1.log"
}

# summary NAME < NUMBERS: median and worst
summary() {
	sort -n >"$tmp/sorted"
	result "$1.median" "$(awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }' "$tmp/sorted")"
	result "$1.worst" "$(tail -n 1 "$tmp/sorted")"
}

now() { echo $((${EPOCHREALTIME/./} / 1000)); }

measure() {
	local event=$1 round from h stay=3

	case $event in
	cut) stay=20 ;;
	timeout) stay=9 ;;
	esac
	rig "$event"
	udevadm settle --timeout=30 || :
	if [[ $kind == dm ]]; then
		start_dm
	else
		disk=/dev/$(head_disk)
		policy round-robin
	fi
	rm -f "$tmp"/lat_*
	# To make its log longer, fio would wait until nothing is under way.
	fio --output-format=json --output="$tmp/fio.json" --filename="$disk" --direct=1 --ioengine=libaio \
		--bs=4k --disk_util=0 --exitall_on_error=1 \
		--name=load --rw=randread --size=16m --iodepth=16 --norandommap --time_based --runtime=7200 \
		--write_lat_log="$tmp/lat" --log_unix_epoch=1 --log_entries=1048576 \
		--disable_slat=1 --disable_clat=1 \
		--name=check --rw=randwrite --offset=16m --size=1m --loops=1000000 --rate_iops=200 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=32 2>"$tmp/fio.err" &
	fio=$!
	: >"$tmp/windows"
	: >"$tmp/recover"
	for ((round = 0; round < rounds; round++)); do
		# The last one to be added is the one that scsi_debug removes.
		h=${all[1]}
		for used in "${all[@]}"; do
			[[ $event == group && $used == "${all[2]}" ]] && break
			wait_until_used "$used"
		done
		nap 0.3
		from=$(now)
		"down_$event" "$h"
		nap $stay
		echo "$from $(now)" >>"$tmp/windows"
		from=$(now)
		"up_$event" "$h"
		wait_until_used "$h"
		echo $(($(now) - from)) >>"$tmp/recover"
	done
	kill -TERM $fio
	wait $fio || (($? == 128))
	is "errors of fio, and has read back" "0 true" "$(sed '/^fio:/d' "$tmp/fio.json" |
		jq -r '"\([.jobs[].error] | add) \(.jobs[1].read.total_ios > 0)"')"
	evaluate "$tmp/windows" >"$tmp/evaluated"
	summary "failover.$event.$kind" < <(cut -d ' ' -f 1 "$tmp/evaluated")
	summary "gap.$event.$kind" < <(cut -d ' ' -f 2 "$tmp/evaluated")
	[[ $event == idle ]] || summary "recover.$event.$kind" <"$tmp/recover"
	[[ $kind == mpath ]] || stop_dm
	rig_down || :
}

/guest/start-udev
for event; do measure "$event"; done
