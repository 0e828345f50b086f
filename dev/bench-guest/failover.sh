#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: failover.sh ROUNDS EVENT...
#
# What readers notice when a path goes, and how long it takes until one that has
# come back carries their I/O: on the multipath disk, or with multipath=off on
# dm-multipath with multipathd. 16 random reads are under way all the time, each of
# which takes the storage some 20 ms; a few writes beside them are read back and
# compared, as fio would read each place once only if it had to compare all of it. Of
# each round, which ends when the path is back, these count, in ms:
#
#	failover	the slowest read
#	gap		the longest time without one that ends
#	recover		from the path's return until it has carried 10 I/Os; not of what
#			is lost
#	detected	from the event until the transport says that it has noticed
#	known		from the path's return until the transport says so
#	retried		not ms: how often reads of users failed on the path again,
#			after the first ones had
#	lost		not ms: how often it did not come back by itself within a minute
#
# EVENT_long is EVENT for 40 s; EVENT_qd, with the policy queue-depth.
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
# Whatever the host does, time is not lost here.
# shellcheck disable=SC2034
slowness=1
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

# raw WHAT VALUE: of this round
raw() { printf '##raw %s.%s.%s\t%s\n' "$1" "$event" "$kind" "$2"; }

# take down|up EVENT H:C:T:L: Every event takes this path away, of which there are $all.
take() { "$1_${2%%_*}" "$3"; }
down_idle() { :; }
up_idle() { :; }

up_standby() { alua "$1" 0; }

# All paths of the group that is better go, the other one is left.
down_group() { for h in "${all[@]:0:2}"; do down_link "$h"; done; }
up_group() { for h in "${all[@]:0:2}"; do up_link "$h"; done; }

down_host() { echo -1 >"$debug_driver/add_host"; }
up_host() { echo 1 >"$debug_driver/add_host"; }

# No read is answered, but can be aborted.
down_timeout() { inject "$1" "0 1 0x28"; }
up_timeout() { uninject "$1" 0 0x28; }

# It says that it is ready, but every read fails.
down_badread() { inject "$1" "2 100000 0x28 0x1 0 0 0 0 0"; }
up_badread() { uninject "$1" 2 0x28; }

# cut: for longer than the transport waits, which is 5 s; blocked: for less
down_cut() { iscsi_link "$(iscsi_number "$1")" down; }
up_cut() { iscsi_link "$(iscsi_number "$1")" up; }
down_blocked() { down_cut "$1"; }
up_blocked() { up_cut "$1"; }
iscsi_number() {
	local i

	for i in 1 2; do [[ $(iscsi_hctl $i) != "$1" ]] || echo $i; done
}

# Sets ios: what users have had path $1 do; of dm-multipath, what it has done at
# all. A process that is started is something that reads wait for, so what is done
# over and over starts none.
get_ios() {
	local d f

	ios=0
	for d in "/sys/class/scsi_device/$1/device/block"/*; do
		if [[ $kind == mpath ]]; then
			read -r ios <"$d/mpath_ios"
		else
			read -r -a f <"$d/stat" && ios=$((f[0] + f[4]))
		fi
	done 2>/dev/null || :
	ios=$((ios))
}
carries() {
	local ios

	get_ios "$1"
	((ios > $2))
}
# It may not be there when one begins to wait, and then counts from 0.
is_used() {
	local ios

	get_ios "$1"
	wait_for 60 carries "$1" $((ios + 10))
}

# used_by_itself HCTL: sd sets a disk offline that has left too many commands unanswered.
# Who has it below dm-multipath has to set it running by hand.
used_by_itself() {
	! is_used "$1" || return 0
	if [[ $kind == dm ]]; then
		raw lost 1
		echo running >"$(sdev "$1")/state"
		! is_used "$1" || return 1
	fi
	fail "$1 is not used: $(tail -n 3 "$tmp/fio.err") $(state "$1")"
}

# nap_until MS, since 1970
nap_until() {
	local left=$(($1 - $(now)))

	((left <= 0)) || nap "$(printf '%d.%03d' $((left / 1000)) $((left % 1000)))"
}

# sdev_is STATE|!STATE H:C:T:L
sdev_is() {
	local is

	read -r is <"$(sdev "$2")/state" && [[ $1 == "$is" || ($1 == !* && $1 != "!$is") ]]
}

# timed WHAT COMMAND...: how long it is since $from until the command succeeds
timed() {
	wait_for 60 "${@:2}" || fail "$event: in vain: ${*:2}"
	raw "$1" $(($(now) - from))
}

# How often the path has failed reads of users. A path of dm-multipath counts one
# each time that it is taken for good.
users_errors() {
	local dev

	dev=$(disk_of "$1")
	if [[ $kind == mpath ]]; then
		echo "$(<"/sys/block/$dev/mpath_errors")"
	else
		dmsetup status | awk -v dev="$(<"/sys/block/$dev/dev")" \
			'{ for (i = 1; i < NF; i++) if ($i == dev) print $(i + 2) }'
	fi
}

# How long a path is away, in seconds: so that a daemon has had the time to look
# at it, and the transport to give it up.
away() {
	case $1 in
	*_long) echo 40 ;;
	cut*) echo 10 ;;
	blocked*) echo 6 ;;
	badread) echo 13 ;;
	timeout) echo 18 ;;
	*) echo 2 ;;
	esac
}

# How long it is left alone before it goes, in seconds. One that fails soon after it
# has come back is not trusted, and tested less and less often.
rest() {
	case $1 in
	link*|group|badread|timeout) echo 10.5 ;;
	*) echo 0.3 ;;
	esac
}

latency=20000000

# Storage that takes its time, behind the targets of LIO.
rig_storage() {
	modprobe null_blk queue_mode=2 irqmode=2 completion_nsec=$latency memory_backed=1 gb=1 bs=512
	lio_load
	backstore=$target/core/iblock_0/mpath
	mkdir -p "$backstore"
	echo "udev_path=/dev/nullb0" >"$backstore/control"
}

rig() {
	case $1 in
	host|timeout|badread)
		rig_debug "$mode" 4
		echo $latency >"$debug_driver/ndelay"
		for h in 1:0:0:0 2:0:0:0; do echo 1 >"$(sdev $h)/delete"; done
		all=(0:0:0:0 3:0:0:0) ;;
	cut*|blocked*)
		rig_storage
		rig_iscsi "$mode" 2
		for i in 1 2; do iscsi_wait_for $i "$([[ $1 == cut* ]] && echo 5 || echo 120)"; done
		all=("$(iscsi_hctl 1)" "$(iscsi_hctl 2)") ;;
	group)
		rig_storage
		alua_type=1 rig_loop "$mode" 4
		all=()
		for i in 1 2 3 4; do all+=("$(loop_hctl $i)"); done
		for i in 3 4; do alua "${all[i - 1]}" 1; done ;;
	*)
		rig_storage
		alua_type=1 rig_loop "$mode" 2
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

# Longest read, and longest time without one, in each window "FROM UP TO" (ms since
# 1970) of file $1. Of the round in the middle, print how it went in steps of
# 100 ms: time since the event (s), reads that ended, and the slowest of them (ms).
evaluate() {
	awk -F ',? +' 'NR == FNR { from[NR] = $1; to[NR] = $3; n = NR; last[NR] = $1; next }
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
				printf "%.0f %d %d\n", slowest[i] / 1e6, gap[i], i
			}
		}' "$1" "$tmp/lat_lat.1.log" >"$tmp/evaluated"
	while read -r slowest gap _; do
		raw failover "$slowest"
		raw gap "$gap"
	done <"$tmp/evaluated"
	((timeline)) || return 0
	timeline=0
	round=$(sort -n "$tmp/evaluated" | awk '{ v[NR] = $3 } END { print v[int((NR + 1) / 2)] }')
	read -r from up to < <(sed -n "${round}p" "$1")
	awk -F ',? +' -v from="$from" -v up="$up" -v to="$to" -v name="$event.$kind" '
		$1 >= from - 1000 && $1 < to + 1000 {
			i = int(($1 - from + 1000) / 100)
			n[i]++
			if ($2 > slowest[i]) slowest[i] = $2
		}
		END {
			for (i = 0; i < (to - from) / 100 + 20; i++)
				printf "##timeline %s\t%.1f\t%d\t%.0f\t%.1f\t%.1f\n", name, i / 10 - 1, n[i], slowest[i] / 1e6,
					(up - from) / 1000, (to - from) / 1000
		}' "$tmp/lat_lat.1.log"
}

now() { echo $((${EPOCHREALTIME/./} / 1000)); }

# Rounds of which fio writes down each read; it does that when it ends.
burst() {
	local round used from up back errors=0

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
	for ((round = 0; round < $1; round++)); do
		# The last one to be added is the one that scsi_debug removes.
		h=${all[1]}
		for used in "${all[@]}"; do
			[[ $event == group && $used == "${all[2]}" ]] && break
			used_by_itself "$used" || :
		done
		nap "$(rest "$event")"
		from=$(now)
		echo "##round $((have + round + 1))"
		take down "$event" "$h"
		case $event in
		cut*|blocked*) timed detected sdev_is '!running' "$h" ;;
		badread)
			nap_until $((from + 1000))
			errors=$(users_errors "$h") ;;
		timeout)
			# The first ones have timed out, and been aborted.
			nap_until $((from + 7000))
			errors=$(users_errors "$h") ;;
		esac
		# Whoever looks at the path at intervals is met at another moment each time.
		nap_until $((from + 1000 * $(away "$event") + 251 * (have + round)))
		case $event in
		timeout|badread) raw retried $(($(users_errors "$h") - errors)) ;;
		esac
		up=$(now)
		take up "$event" "$h"
		case $event in
		cut*|blocked*) from=$up timed known sdev_is running "$h" ;;
		esac
		back=$(now)
		if used_by_itself "$h"; then
			back=$(now)
			[[ $event == idle ]] || raw recover $((back - up))
		fi
		echo "$from $up $back" >>"$tmp/windows"
	done
	kill -TERM $fio
	wait $fio || (($? == 128))
	is "errors of fio, and has read back" "0 true" "$(sed '/^fio:/d' "$tmp/fio.json" |
		jq -r '"\([.jobs[].error] | add) \(.jobs[1].read.total_ios > 0)"')"
	evaluate "$tmp/windows"
}

measure() {
	local event=$1 have n timeline=1

	rig "$event"
	udevadm settle --timeout=30 || :
	if [[ $kind == dm ]]; then
		start_dm
	else
		disk=/dev/$(head_disk)
		policy "$([[ $event == *_qd ]] && echo queue-depth || echo round-robin)"
	fi
	for ((have = 0; have < rounds; have += n)); do
		n=$((rounds - have < 7 ? rounds - have : 7))
		# which may crash
		[[ $event.$kind != unbind.dm ]] || n=1
		burst $n
	done
	[[ $kind == mpath ]] || stop_dm
	rig_down || :
	unload null_blk || :
}

/guest/start-udev
for event; do measure "$event"; done
