#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything at once, at random times, for a while: paths are lost by all means
# and come back, disks are looked at, opened, set, scanned and grow, and all that
# is written is read back.
#
#	SEED=N		of all that is drawn by lot; default 1
#	MINUTES=N	how long; default 1
#	MAX_PATHS=N	of a disk, 2 to 8; default 4
#	RATE=N		I/Os a second of each job of fio; default 6, as with all debugging
#			and software emulation 200 in all are what a machine can do
#	HOOK=lie	take the last path of a disk that is to keep one: must fail
#	HOOK=corrupt	change blocks behind the disks' backs: must fail
#	HOOK=stale	put old blocks of disk e back, as if writes were lost: must fail
#
# There are six disks, a to f, or seven. Each has a driver, an actor that knows by its
# model which paths are up, and leaves one path up at all times, another one each
# round; so no I/O may fail on them. Disk f loses all of its paths, too.
# Other actors do what takes no path away. What an actor does next is drawn by
# lot, by its model at most, and never by what is seen: so the same seed gives
# the same events, actor by actor, though not at the same times. All are in the
# kernel log, as "torture: ACTOR NUMBER: EVENT".
#
#	a	scsi_debug, LUN 0	the disk, it grows
#	b	scsi_debug, LUN 1	its second partition
#	c	LIO, ramdisk		ext4
#	d	LIO, file		XFS
#	e	LIO, block device	the disk, it grows
#	f	LIO, file		the disk, with and without delayed removal
#	g	iSCSI, ramdisk		the disk; if there is open-iscsi
#
# guest-timeout: 600

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=iscsi.sh
. "$(dirname "$0")/iscsi.sh"

seed=${SEED:-1}
minutes=${MINUTES:-1}
max_paths=${MAX_PATHS:-4}
rate=${RATE:-6}
hook=${HOOK:-}
here=$(cd "$(dirname "$0")" && pwd)

# How long something may take that ends by itself, in seconds. It is no more than
# what tells slow from stuck.
bound=240
# How long one I/O may take on a disk that has a path. What has been given to a path
# comes back when that is lost, at the latest when its time is over and the error
# handler is done, which is 4 s and more, or when iSCSI has noticed, within 20 s; then
# it goes to another one. What a slow machine makes of that is a part of it; an I/O
# that was forgotten takes longer.
stall_ms=60000

#
# What is drawn by lot. Each actor is a process, with a sequence of its own.
#

# draw N: sets lot, 0 to N - 1
draw() { lot=$((RANDOM % $1)); }
# one_of WORD...: sets lot
one_of() { local i=$((RANDOM % $# + 1)); lot=${!i}; }
sow() { local i; RANDOM=$((seed * 64 + $1)); for i in {1..8}; do lot=$RANDOM; done; }

kept=(a b c d e)
lio=(c d e f)
declare -A paths number=([a]=1 [b]=2 [c]=3 [d]=4 [e]=5 [f]=6 [g]=7)
declare -A id=(
	[a]=naa.33333330000007d0 [b]=naa.33333330000007d1
	[c]=naa.6001405c00c0* [d]=naa.6001405d00d0* [e]=naa.6001405e00e0* [f]=naa.6001405f00f0*
	[g]=naa.6001405abc1*
)
declare -A back=(
	[c]=$target/core/rd_mcp_0/mpathc [d]=$target/core/fileio_1/mpathd
	[e]=$target/core/iblock_2/mpathe [f]=$target/core/fileio_3/mpathf
	[g]=$target/core/rd_mcp_4/mpathg
)
sow 0
# The last one or two hosts of scsi_debug come and go.
draw $((max_paths - 1))
hosts=$((lot + 2)) && ((hosts > 2)) || hosts=3
fixed=$((hosts - 1 - (hosts > 5)))
paths[a]=$hosts paths[b]=$hosts
for head in "${lio[@]}"; do draw $((max_paths - 1)); paths[$head]=$((lot + 2)); done
if type -p iscsid iscsiadm ip nsenter >/dev/null; then
	kept+=(g) paths[g]=2
fi

#
# Actors
#

# A background task with a seed of its own: actor NAME NUMBER COMMAND...
actor() {
	actor=$1
	sow "$2"
	set +eE
	trap - ERR
	nr=0
	"${@:3}"
}

event() {
	nr=$((nr + 1))
	echo "torture: $actor $nr: $*" >/dev/kmsg
	echo "$actor $nr: $*" >>"$tmp/events"
}

# What is wrong is for the case to say: the first of it.
wrong() {
	echo "torture: $actor $nr: WRONG: $*" >/dev/kmsg
	note "FAILED: $actor $nr: $*"
	(set -C; echo "$actor $nr: $*" >"$tmp/wrong") 2>/dev/null
	trap - ERR
	echo w >/proc/sysrq-trigger
	exit 1
}

# As that of lib.sh, for many at a time.
wait_for() {
	local deadline=$((EPOCHSECONDS + $1))
	shift

	until "$@"; do
		((EPOCHSECONDS <= deadline)) || return 1
		nap 0.2
	done
}

going_on() { [[ ! -e $tmp/stop ]]; }

# Where task $1 is, for whoever reads the log.
where() {
	local line

	while read -r line; do
		echo "torture: $actor $nr: task $1: $line" >/dev/kmsg
	done < <(sed -n '/^\(Name\|State\)/p' "/proc/$1/status"; cat "/proc/$1/"{wchan,stack})
} 2>/dev/null

# pause N: up to N tenths of a second
pause() { draw $(($1 + 1)); nap $((lot / 10)).$((lot % 10)); }

# together COMMAND...: all of them at once. Each ends.
together() {
	local c pids=() i=0

	for c; do
		$c 2>/dev/null &
		pids+=($!)
	done
	for c; do
		wait_for $bound gone "${pids[i]}" || {
			where "${pids[i]}"
			wrong "'$c' does not end"
		}
		i=$((i + 1))
	done
}

#
# Heads and paths
#

# Sets disk, the name of head $1.
find_disk() {
	local d vpd

	for d in /sys/block/sd*/mpath_parked; do
		d=${d%/*} vpd=
		read -r vpd <"$d/device/vpd_id" || :
		# shellcheck disable=SC2053
		[[ $vpd == ${id[$1]} ]] || continue
		disk=${d##*/}
		return 0
	done 2>/dev/null
	return 1
}

# Sets tpg, the target of path $2 of head $1.
find_tpg() {
	printf -v tpg '%s/loopback/naa.500140500000%04x/tpgt_1' "$target" $((number[$1] * 16 + $2))
}

# Sets hctl of path $2 of head $1, wherever it is by now, if its host is there.
find_path() {
	local d address

	hctl=
	case $1 in
	a|b)	for d in "/sys/devices/pseudo_0/adapter$2/host"*; do
			[[ -d $d ]] || return 1
			hctl=${d##*/host}:0:0:$((number[$1] - 1))
		done ;;
	g)	hctl=$(iscsi_hctl "$2") ;;
	*)	find_tpg "$1" "$2"
		{ read -r address <"$tpg/address"; } 2>/dev/null || return 1
		hctl=$address:0 ;;
	esac
}
find_sdev() { find_path "$1" "$2" && sdev=/sys/class/scsi_device/$hctl/device && [[ -d $sdev ]]; }

# path_state HEAD PATH: sets path_state
path_state() {
	local d

	path_state=gone
	find_sdev "$1" "$2" || return
	for d in "$sdev/block"/*; do
		{ read -r path_state <"$d/mpath_state"; } 2>/dev/null || path_state=gone
	done
}
path_usable() {
	path_state "$1" "$2"
	[[ $path_state == *optimized ]] && find_disk "$1"
}
# As it should be when all is well. The third path of each three of scsi_debug
# is in standby, or another one once its host has another number.
path_well() { path_usable "$1" "$2" || [[ $1 == [ab] && $path_state == standby ]]; }

confirm() {
	wait_for $bound $1 "$2" "$3" || wrong "path $2$3 ($hctl) is $path_state, should be up"
}

# A path of one LIO target, which is one host
lio_add() {
	find_tpg "$1" "$2"
	if [[ ! -d $tpg ]]; then
		mkdir -p "$tpg"
		printf 'naa.600140500000%04x\n' $((number[$1] * 16 + $2)) >"$tpg/nexus"
		mkdir "$tpg/lun/lun_0"
	fi
	[[ ! -L $tpg/lun/lun_0/mpath ]] || return 0
	ln -s "${back[$1]}" "$tpg/lun/lun_0/mpath"
	echo "tpg$2" >"$tpg/lun/lun_0/alua_tg_pt_gp"
}

#
# Means to take path $2 of head $1 away
#

down_state() { find_sdev "$1" "$2" && echo offline >"$sdev/state"; }
down_delete() { find_sdev "$1" "$2" && echo 1 >"$sdev/delete"; }
down_unbind() { find_sdev "$1" "$2" && echo "$hctl" >/sys/bus/scsi/drivers/sd/unbind; }
down_disabled() {
	local d

	find_sdev "$1" "$2" && for d in "$sdev/block"/*; do echo 1 >"$d/mpath_disabled"; done
}
down_link() { find_tpg "$1" "$2"; echo offline >"$tpg/transport_status"; }
alua() { echo "$3" >"${back[$1]}/alua/tpg$2/alua_access_state"; }
down_standby() { alua "$1" "$2" 2; }
down_unavailable() { alua "$1" "$2" 3; }
down_transition() { alua "$1" "$2" 15; }
# This LUN of the port only, and no unit attention.
down_lun() { find_tpg "$1" "$2"; echo 1 >"$tpg/lun/lun_0/alua_tg_pt_offline"; }
# tcm_loop does not get over a LUN whose device is gone.
down_relink() {
	find_sdev "$1" "$2" || { rescan "$hctl"; find_sdev "$1" "$2"; } || return
	rm "$tpg/lun/lun_0/mpath"
}
down_host() {
	down_relink "$1" "$2" || return
	rmdir "$tpg/lun/lun_0" "$tpg" "${tpg%/*}"
}
# The rest is of scsi_debug: the errors that a path gives, and commands that are
# never answered, for a few times.
error_rule() {
	find_path "$1" "$2"
	echo "2 -3 $3 ${*:4}" >"/sys/kernel/debug/scsi_debug/$hctl/error"
}
rules() { error_rule "$1" "$2" 0x28 "${@:3}"; error_rule "$1" "$2" 0x2a "${@:3}"; }
down_no_connect() { rules "$1" "$2" 1 0 0 0 0 0; }
down_failfast() { rules "$1" "$2" f 0 0 0 0 0; }
down_disrupted() { rules "$1" "$2" e 0 0 0 0 0; }
down_not_ready() { rules "$1" "$2" 0 0 2 2 4 b; }
down_no_lun() { rules "$1" "$2" 0 0 2 5 25 0; }
# The error handler is at work on the host, so both LUNs of it are blocked.
down_swallow() {
	find_sdev "$1" "$2" || return
	echo 4 >"$sdev/timeout"
	# Not two: sd gives up on a disk that leaves so many unanswered.
	echo "0 -1 0x2a" >"/sys/kernel/debug/scsi_debug/$hctl/error"
}
down_last_host() { echo -1 >$debug_driver/add_host; }

# And this is of iSCSI: a link is cut, so that the path is blocked after some
# seconds, and gone later on, or not as long as this lasts.
cut_link() { iscsi_wait_for "$2" "$3"; iscsi_link "$2" down; }
down_block() { cut_link "$1" "$2" 600; }
down_give_up() { cut_link "$1" "$2" 2; }
down_logout() { iscsi_logout "$2"; }

# What takes no path away, or not for long: all paths are well without help.
shake_rescan() { find_sdev "$1" "$2" && echo 1 >"$sdev/rescan"; }
# While it goes on, the path is blocked.
shake_reset() {
	local d

	find_sdev "$1" "$2" && for d in "$sdev/scsi_generic"/*; do
		sg_reset -d "/dev/${d##*/}" >/dev/null 2>&1
	done
}
shake_scan() { find_path "$1" "$2" && rescan "$hctl"; }
shake_nonopt() { alua "$1" "$2" 1; }
shake_prefer() {
	echo 1 >"${back[$1]}/alua/tpg$2/preferred"
	shake_rescan "$1" "$2"
	echo 0 >"${back[$1]}/alua/tpg$2/preferred"
}

# Sets changes: how often the state of path $2 of head $1 has changed.
find_changes() {
	local d

	changes=
	find_sdev "$1" "$2" || return 0
	for d in "$sdev/block"/*; do
		{ read -r changes <"$d/mpath_state_changes"; } 2>/dev/null || changes=
	done
}

# down MEANS HEAD PATH: and keep what the path was before, if it had I/O to lose
down() {
	path_state "$2" "$3" || :
	if [[ $path_state == optimized ]]; then
		find_changes "$2" "$3"
		echo "$1 $changes" >"$tmp/down.$2$3"
	fi
	"down_$1" "$2" "$3"
}
# A line for each time: the means, and if it has had an effect
note_effect() {
	local means before

	{ read -r means before <"$tmp/down.$1$2"; } 2>/dev/null || return 0
	rm "$tmp/down.$1$2"
	path_state "$1" "$2" || :
	find_changes "$1" "$2"
	[[ $path_state == optimized && $changes == "$before" ]] || means+=' works'
	echo "$means" >>"$tmp/effects"
}
effects() {
	awk '{ n[$1]++; works[$1] += NF - 1 } END { for (m in n) print m, works[m], n[m] }' \
		"$tmp/effects" | sort
}

# heal HEAD PATH: undo it all
heal() {
	local d s

	note_effect "$1" "$2"
	case $1 in
	a|b)	find_path "$1" "$2" || return ;;
	g)	iscsi_link "$2" up
		iscsi_session "$2" >/dev/null || iscsi_login "$2"
		iscsi_wait_for "$2" 600
		alua "$1" "$2" 0
		find_path "$1" "$2" ;;
	*)	lio_add "$1" "$2"
		echo online >"$tpg/transport_status"
		echo 0 >"$tpg/lun/lun_0/alua_tg_pt_offline"
		alua "$1" "$2" 0
		find_path "$1" "$2" ;;
	esac
	find_sdev "$1" "$2" || { rescan "$hctl"; find_sdev "$1" "$2"; }
	[[ -e $sdev/driver ]] || echo "$hctl" >/sys/bus/scsi/drivers/sd/bind
	read -r s <"$sdev/state"
	# Not what a transport has blocked: it does that itself.
	[[ $s != offline ]] || echo running >"$sdev/state"
	for d in "$sdev/block"/*; do echo 0 >"$d/mpath_disabled"; done
	if [[ $1 == [ab] ]]; then
		echo 30 >"$sdev/timeout"
		echo "- 0 0x2a" >"/sys/kernel/debug/scsi_debug/$hctl/error"
	fi
	echo 1 >"$sdev/rescan"
} 2>/dev/null

lio_downs=(state delete unbind disabled link standby unavailable transition lun relink host)
iscsi_downs=(state delete unbind disabled standby unavailable transition block give_up logout)
lio_shakes=(rescan reset scan nonopt prefer)
debug_downs=(state delete unbind disabled no_connect failfast disrupted not_ready no_lun swallow)
debug_shakes=(rescan reset scan)
# With these it happens that two are done at once.
second_downs=(state unbind disabled)

#
# Drivers
#

# Has the disk done I/O since it was looked at last?
note_io() {
	local f

	read -r -a f <"/sys/block/$disk/stat"
	io_seen=$((f[0] + f[4]))
}
io_above() {
	local f

	read -r -a f <"/sys/block/$disk/stat"
	((f[0] + f[4] > $1))
}
makes_progress() {
	find_disk "$1" || wrong "disk $1 is not there"
	note_io
	wait_for $bound io_above $((io_seen + 4)) || wrong "no I/O ends on disk $1 ($disk)"
}

# A round of a disk that keeps a path: another path becomes the one that stays,
# and of the others some are lost and some come back, at once.
lio_round() {
	local head=$1 n=${paths[$1]} i jobs=() downs=("${lio_downs[@]}")

	[[ $head != g ]] || downs=("${iscsi_downs[@]}")
	draw "$n"
	anchor=$((lot + 1))
	event "stays: $head$anchor"
	if ((${down[$anchor]:-0})); then
		together "heal $head $anchor"
		down[anchor]=0
	fi
	confirm path_usable "$head" "$anchor"
	for ((i = 1; i <= n; i++)); do
		((i != anchor)) || continue
		if ((${down[$i]:-0})); then
			draw 3
			((lot)) || continue
			event "heal $head$i"
			jobs+=("heal $head $i")
			down[i]=0
			continue
		fi
		draw 4
		case $lot in
		0)	one_of "${lio_shakes[@]}"
			event "$lot $head$i"
			jobs+=("shake_$lot $head $i")
			# it stays in the state that it was given
			[[ $lot != nonopt ]] || down[i]=1 ;;
		1|2)	one_of "${downs[@]}"
			event "$lot $head$i"
			jobs+=("down $lot $head $i")
			down[i]=1
			draw 3
			if ((!lot)); then
				one_of "${second_downs[@]}"
				event "$lot $head$i as well"
				jobs+=("down_$lot $head $i")
			fi ;;
		esac
	done
	together "${jobs[@]}"
	pause 15
}

lio_settle() {
	local i jobs=()

	event "${2:-settle} $1"
	for ((i = 1; i <= paths[$1]; i++)); do jobs+=("heal $1 $i"); down[i]=0; done
	together "${jobs[@]}"
	for ((i = 1; i <= paths[$1]; i++)); do confirm path_usable "$1" "$i"; done
	well "$1"
}

# All of its paths are up: what must be so?
well() {
	find_disk "$1" || wrong "disk $1 is not there"
	wait_for $bound has_paths "$disk" "${paths[$1]}" ||
		wrong "disk $1 ($disk) has not ${paths[$1]} paths"
	makes_progress "$1"
	wait_for $bound parks_none "$disk" || wrong "disk $1 ($disk): parked bios stay"
	[[ -z ${sectors:-} ]] || wait_for $bound has_size "$disk" "$sectors" ||
		wrong "disk $1 ($disk) has $(<"/sys/block/$disk/size") sectors, not $sectors"
}
has_paths() {
	local d=("/sys/block/$1/multipath"/sd*)

	((${#d[@]} == $2))
}
parks_none() { local n=1; read -r n <"/sys/block/$1/mpath_parked"; ((n == 0)); }
has_size() { local n; read -r n <"/sys/block/$1/size"; ((n == $2)); }

drive_kept() {
	local head=$1 i round=0 anchor sectors='' down=()

	while going_on; do
		round=$((round + 1))
		lio_round "$head"
		draw 6
		if [[ $head == e && $lot == 0 ]]; then
			sectors=$(((sectors ? sectors : 65536) + 2048))
			event "grow to $sectors sectors"
			truncate -s $((sectors * 512)) "$tmp/e.img"
			losetup -c "$(<"$tmp/e.loop")"
			for ((i = 1; i <= paths[e]; i++)); do shake_rescan e "$i" 2>/dev/null; done
		fi
		[[ $hook != lie || $head != e || $round != 3 ]] || lie
		draw 4
		((lot)) || lio_settle "$head"
	done
	lio_settle "$head" "at last, settle"
}

# The model says that there is a path, and there is none.
lie() {
	local i

	event "lie"
	find_disk e
	echo 0 >"/sys/block/$disk/delayed_removal_secs"
	for ((i = 1; i <= paths[e]; i++)); do heal e "$i"; done
	for ((i = 1; i <= paths[e]; i++)); do down_state e "$i"; done
	nap 5
}

# Disks a and b, on the LUNs of the same hosts
drive_debug() {
	local l h jobs round=0 gb=0 sectors='' present=$hosts
	declare -A anchor=() down=()

	while going_on; do
		round=$((round + 1)) jobs=()
		for l in a b; do
			# not one that is in standby
			until draw $fixed; ((lot % 3 != 2)); do :; done
			anchor[$l]=$lot
			event "stays: $l$lot"
			if ((${down[$l$lot]:-0})); then
				together "heal $l $lot"
				down[$l$lot]=0
			fi
		done
		for l in a b; do confirm path_usable $l ${anchor[$l]}; done
		for l in a b; do
			for ((h = 0; h < present; h++)); do
				((h != anchor[$l])) || continue
				if ((${down[$l$h]:-0})); then
					draw 3
					((lot)) || continue
					event "heal $l$h"
					jobs+=("heal $l $h")
					down[$l$h]=0
					continue
				fi
				draw 4
				case $lot in
				0)	one_of "${debug_shakes[@]}"
					event "$lot $l$h"
					# A reset is one of the host for as long as it takes.
					jobs+=("shake_$lot $l $h") ;;
				1|2)	one_of "${debug_downs[@]}"
					# not where the other LUN has its last path
					((h != anchor[a] && h != anchor[b])) ||
						[[ $lot != swallow ]] || lot=state
					event "$lot $l$h"
					jobs+=("down $lot $l $h")
					down[$l$h]=1 ;;
				esac
			done
		done
		draw 3
		if ((!lot && present > fixed)); then
			event "remove the last host"
			jobs+=("down_last_host")
			present=$((present - 1))
			down[a$present]=0 down[b$present]=0
		elif ((lot == 1 && present < hosts)); then
			event "add a host"
			jobs+=("add_host")
			present=$((present + 1))
		fi
		together "${jobs[@]}"
		pause 15
		draw 8
		if ((!lot && gb < 1000)); then
			gb=$((gb + 1)) sectors=$((gb << 21))
			event "grow to $gb GiB"
			echo $gb >$debug_driver/virtual_gb
			for ((h = 0; h < present; h++)); do
				for l in a b; do shake_rescan $l $h 2>/dev/null; done
			done
		fi
		draw 4
		((lot)) || debug_settle
	done
	debug_settle "at last, settle"
}
add_host() { echo 1 >$debug_driver/add_host; }

debug_settle() {
	local jobs=()

	event "${1:-settle} a and b"
	for (( ; present < hosts; present++)); do add_host; done
	for l in a b; do
		for ((h = 0; h < hosts; h++)); do jobs+=("heal $l $h"); down[$l$h]=0; done
	done
	together "${jobs[@]}"
	for l in a b; do
		for ((h = 0; h < hosts; h++)); do confirm path_well $l "$h"; done
		well $l
	done
}

# Disk f: all paths at once
lose_all() {
	local i jobs=()

	for ((i = 1; i <= paths[f]; i++)); do
		one_of "$@"
		event "$lot f$i"
		jobs+=("down $lot f $i")
	done
	together "${jobs[@]}"
}
# What leaves I/O no path that it would wait for.
final_downs=(state delete unbind disabled relink host)
delay() { { echo "$1" >"/sys/block/$disk/delayed_removal_secs"; } 2>/dev/null; }

f_start() {
	find_disk f || wrong "disk f is not there"
	"$here/torture-io" run "/dev/$disk" "$tmp/f.state" "$seed" 1024 $((1 << 20)) \
		>>"$tmp/f.out" 2>&1 &
	f_pid=$!
	makes_progress f
}
f_alive() { ! gone $f_pid || wrong "I/O on disk f has ended: $(tail -n 2 "$tmp/f.out" | xargs)"; }
f_check() {
	"$here/torture-io" check "/dev/$disk" "$tmp/f.state" "$seed" 1024 $((1 << 20)) \
		>>"$tmp/f.out" 2>&1 || wrong "disk f: $(tail -n 2 "$tmp/f.out" | xargs)"
}
# f_end STATUS...: how it may have ended
f_end() {
	local rc=0

	wait_for $bound gone $f_pid || wrong "I/O on disk f does not end"
	wait $f_pid || rc=$?
	[[ " $* " == *" $rc "* ]] || wrong "I/O on disk f: $rc: $(tail -n 2 "$tmp/f.out" | xargs)"
}

drive_lost() {
	local i seq again longest since lost=0 round=0 down=()

	find_disk f
	f_start
	while going_on; do
		round=$((round + 1))
		find_disk f || wrong "disk f is not there"
		read -r seq <"/sys/block/$disk/diskseq"
		since=$EPOCHSECONDS
		draw 3
		case $lot in
		0|1)	# all lost for a while: nothing fails, and it is the same disk
			event "delay of 600 s"
			delay 600
			lose_all "${lio_downs[@]}"
			pause 20
			for i in {1..3}; do
				one_of 300 900 86400
				event "delay of $lot s"
				delay "$lot" || wrong "disk f ($disk) is gone"
				pause 5
			done
			lio_settle f
			f_alive
			read -r again <"/sys/block/$disk/diskseq"
			[[ $again == "$seq" ]] || wrong "disk f is another one: $seq, $again"
			draw 2
			((lot)) || { event "delay of 0 s"; delay 0; } ;;
		2)	# all lost for good: what fails, fails, the rest is there later
			draw 3
			case $lot in
			0)	event "no delay"
				delay 0
				lose_all "${final_downs[@]}" ;;
			1)	event "delay of 600 s, ended"
				delay 600
				lose_all "${final_downs[@]}"
				pause 10
				f_alive
				delay 0 ;;
			2)	event "delay of 1 s"
				delay 1
				lose_all "${final_downs[@]}" ;;
			esac
			f_end 3
			event "heal all"
			for ((i = 1; i <= paths[f]; i++)); do heal f "$i"; done
			for ((i = 1; i <= paths[f]; i++)); do confirm path_usable f "$i"; done
			find_disk f
			f_check
			f_start
			lio_settle f ;;
		esac
		lost=$((EPOCHSECONDS - since > lost ? EPOCHSECONDS - since : lost))
	done
	kill -TERM $f_pid
	f_end 0
	f_check
	# What waits for a path goes on when there is one.
	longest=$(sed -n 's/^blocks written.* longest \([0-9]*\) ms$/\1/p' "$tmp/f.out" | tail -n 1)
	((longest < lost * 1000 + stall_ms)) ||
		wrong "an I/O on disk f took $longest ms, no loss of all paths more than $lost s"
	sed -n '$s/^/# disk f: /p;/^blocks written/h;${x;s/^/# disk f: /p}' "$tmp/f.out" >&3
}

#
# Other actors
#

# Read all there is in sysfs. A counter that has been taken below zero is seen.
reads() {
	local f v all what=0

	while going_on; do
		# Some at a time: all would be a load for a slow machine.
		case $((what = (what + 1) % 5)) in
		0)	all=(/sys/block/sd*/{mpath_parked,mpath_queue_depth,mpath_port_depth}) ;;
		1)	all=(/sys/block/sd*/{mpath_state,mpath_numa_nodes,delayed_removal_secs}) ;;
		2)	all=(/sys/block/sd*/{mpath_[!s]*s,uevent,inflight}) ;;
		3)	all=(/sys/class/scsi_mpath_device/*/{vpd_id,vendor,iopolicy,uevent}
				/sys/class/scsi_mpath_disk/*/{disk,uevent}
				/proc/{diskstats,partitions}) ;;
		4)	all=(/sys/bus/scsi/devices/*:*/{multipath,state,access_state,vpd_pg83}) ;;
		esac
		for f in "${all[@]}"; do
			while IFS= read -r v; do
				[[ $f == *_depth || $f == *_parked ]] || continue
				((v >= 0 && v < 100000)) || wrong "$f: $v"
			done <"$f"
		done
		nap 0.3
	done 2>/dev/null
}

# Write what takes no path away, and what is refused.
writes() {
	local head i d v

	while going_on; do
		one_of a b c d e
		head=$lot
		draw "${paths[$head]}"
		i=$((lot + 1))
		((i < 3)) || [[ $head != [ab] ]] || i=1
		draw 13
		d=/dev/null
		case $lot in
		0)	one_of round-robin queue-depth round-robin numa
			event "iopolicy of $head: $lot"
			set_policy $head $lot ;;
		1)	one_of 0 1 30 600 x -1 86401
			event "delayed_removal_secs of $head: $lot"
			set_head $head delayed_removal_secs $lot ;;
		2)	one_of 8 64 512 1280
			event "max_sectors_kb of $head: $lot"
			set_head $head queue/max_sectors_kb $lot ;;
		3)	one_of 8 64 512
			event "max_sectors_kb of $head$i: $lot"
			set_path $head $i queue/max_sectors_kb $lot ;;
		4)	one_of none mq-deadline
			event "scheduler of $head$i: $lot"
			set_path $head $i queue/scheduler $lot ;;
		5)	one_of 4 32 128
			event "nr_requests of $head$i: $lot"
			set_path $head $i queue/nr_requests $lot ;;
		6)	one_of through back
			event "write cache of $head$i: $lot"
			set_scsi_disk $head $i cache_type "temporary write $lot" ;;
		7)	one_of 0 8 1024
			event "max_write_same_blocks of $head$i: $lot"
			set_scsi_disk $head $i max_write_same_blocks $lot ;;
		8)	one_of mpath_ios mpath_bytes mpath_errors mpath_retries
			event "$lot of $head$i: 0"
			set_path $head $i $lot 0 ;;
		9)	one_of mpath_waited mpath_outage_ms
			event "$lot of $head: 0"
			set_head $head $lot 0 ;;
		10)	one_of 1 2 5 10
			event "multipath_probe_secs: $lot"
			echo $lot >$probe_secs ;;
		11)	one_of 4 16 64
			event "queue_depth of $head$i: $lot"
			# scsi_debug looks at hosts for that which are only just being added.
			[[ $head == [ab] ]] || set_sdev $head $i queue_depth $lot ;;
		12)	one_of 8 128 1024
			event "optimal_sectors of the target of $head: $lot"
			[[ $head == [ab] ]] || {
				echo $lot >"${back[$head]}/attrib/optimal_sectors"
				shake_rescan $head $i
			} ;;
		esac 2>/dev/null
		pause 6
	done
}
set_head() { find_disk "$1" && echo "$3" >"/sys/block/$disk/$2"; }
set_policy() { find_disk "$1" && echo "$2" >"/sys/block/$disk/device/iopolicy"; }
set_sdev() { find_sdev "$1" "$2" && echo "$4" >"$sdev/$3"; }
set_path() {
	local d

	find_sdev "$1" "$2" && for d in "$sdev/block"/*; do echo "$4" >"$d/$3"; done
}
set_scsi_disk() { find_sdev "$1" "$2" && echo "$4" >"$sdev/scsi_disk/$hctl/$3"; }

# Open disks, ask them things, have their partitions scanned, scan for paths.
opens() {
	local head i

	while going_on; do
		one_of a b c d e f
		head=$lot
		draw "${paths[$head]}"
		i=$((lot + 1))
		[[ $head != [ab] ]] || i=$lot
		draw 9
		case $lot in
		0)	event "scan the partitions of $head"
			find_disk $head && ask blockdev --rereadpt "/dev/$disk" ;;
		1)	event "read $head"
			# It waits if all paths of f are lost.
			[[ $head == f ]] || reads_well $head ;;
		2)	event "open and close $head"
			find_disk $head && ask open_close "/dev/$disk" ;;
		3)	event "ask $head"
			find_disk $head && ask sg_turs "/dev/$disk" ;;
		4)	event "inquiry of $head$i"
			find_sdev $head $i && for d in "$sdev/scsi_generic"/*; do
				ask sg_inq "/dev/${d##*/}"
			done ;;
		5)	event "rescan $head$i"
			# Disk f is not found again before its driver wants it.
			shake_rescan $head $i ;;
		6)	event "scan for $head$i"
			[[ $head == f ]] || shake_scan $head $i ;;
		7)	event "unload sd"
			! rmmod sd_mod || wrong "sd is unloaded below disks in use" ;;
		8)	event "sync"
			[[ $head != [cd] ]] || ask sync -f "$tmp/$head" ;;
		esac 2>/dev/null
		pause 12
	done
}
reads_well() {
	find_disk "$1" || wrong "disk $1 is not there"
	ask read_block "$disk" || wrong "disk $1 ($disk) cannot be read"
}
open_close() { local i; for i in {1..5}; do : <"$1"; done; }
# ask COMMAND...: it ends
ask() {
	local pid

	"$@" >/dev/null 2>&1 &
	pid=$!
	wait_for $bound gone $pid || wrong "'$*' does not end"
	wait $pid
}

#
# I/O on the disks that keep a path
#

declare -A io_pid
# io NAME FILE ARGUMENT...: see fio_start
io() {
	local name=$1 file=$2
	shift 2

	fio --output-format=json --output="$tmp/$name.json" --ioengine=libaio --direct=1 \
		--rw=randwrite --verify=crc32c --do_verify=1 --verify_fatal=1 \
		--verify_state_save=0 --verify_backlog=32 --disk_util=0 --loops=1000000 \
		--exitall_on_error=1 --rate_iops="$rate" --randseed="$seed" $file "$@" \
		>"$tmp/$name.err" 2>&1 &
	io_pid[$name]=$!
	echo $! >>"$tmp/pids"
}
raw_jobs=(--name=small --bs=4k --size=1m --iodepth=4
	--name=large --bs=64k --size=4m --iodepth=4)

start_io() {
	local head

	for head in $(raw_heads); do
		raw_file $head
		io $head "--filename=$file" --offset=1m "${raw_jobs[@]}" --offset=4m
	done
	for head in c d; do
		io $head "--directory=$tmp/$head" \
			--name=direct --bs=4k --size=2m --iodepth=8 \
			--name=buffered --bs=16k --size=4m --ioengine=psync --direct=0 --fsync=16
	done
	actor=start nr=0
	for head in "${kept[@]}"; do makes_progress $head; done
}

io_why() { grep -sh '^fio:\|^verify:' "$tmp/$1.err" "$tmp/$1.json" | head -n 5 | tr '\n' ' '; }

io_stop() {
	local name=$1 rc=0 read least written errors longest

	kill -TERM "${io_pid[$name]}" 2>/dev/null || :
	wait_for $bound gone "${io_pid[$name]}" || {
		fio_waits
		fail "fio on disk $name does not end: its I/O is stuck"
	}
	wait "${io_pid[$name]}" || rc=$?
	((rc == 0 || rc == 128)) || fail "fio on disk $name ended with $rc: $(io_why $name)"
	read -r read least written errors longest < <(sed '/^fio:/d' "$tmp/$name.json" |
		jq -rs 'last.jobs | [
			(map(.read.io_bytes) | add, min),
			(map(.write.io_bytes) | add),
			(map(.error) | add),
			(map(.read.lat_ns.max, .write.lat_ns.max, .sync.lat_ns.max // 0) |
				max / 1000000 | floor)
			] | @tsv') || fail "no result of fio on disk $name: $(io_why $name)"
	is "errors of fio on disk $name" 0 "$errors"
	note "disk $name: $((written >> 10)) KiB written, $((read >> 10)) KiB verified," \
		"longest stall $longest ms"
	ok_if "each job on disk $name has read something back" "$least > 0"
	ok_if "an I/O on disk $name, which has a path, ends in time" "$longest < $stall_ms"
}

#
# The rig
#

load_debug() {
	modprobe scsi_debug add_host="$hosts" max_luns=2 vpd_use_hostno=0 dev_size_mb=32 \
		ndelay=10000 num_parts=2 || fail "scsi_debug does not load"
}

rig_torture() {
	local head i dir

	note "SEED=$seed MINUTES=$minutes MAX_PATHS=$max_paths ${hook:+HOOK=$hook}"
	note "paths: a and b ${paths[a]}, c ${paths[c]}, d ${paths[d]}, e ${paths[e]}," \
		"f ${paths[f]}${paths[g]:+, g ${paths[g]}}"
	scsi_load on
	echo 2 >$probe_secs
	load_debug
	lio_load
	modprobe -a target_core_file target_core_iblock
	truncate -s 32M "$tmp/e.img"
	truncate -s 96M "$tmp/d.img"
	truncate -s 32M "$tmp/f.img"
	losetup -f --show "$tmp/e.img" >"$tmp/e.loop"
	for head in "${lio[@]}"; do mkdir -p "${back[$head]}"; done
	echo rd_pages=16384 >"${back[c]}/control"
	echo "fd_dev_name=$tmp/d.img,fd_dev_size=$((96 << 20))" >"${back[d]}/control"
	echo "udev_path=$(<"$tmp/e.loop")" >"${back[e]}/control"
	echo "fd_dev_name=$tmp/f.img,fd_dev_size=$((32 << 20))" >"${back[f]}/control"
	for head in "${lio[@]}"; do
		dir=${back[$head]}
		echo "${head}00${head}0" >"$dir/wwn/vpd_unit_serial"
		echo 1 >"$dir/enable"
		for ((i = 1; i <= paths[$head]; i++)); do
			mkdir "$dir/alua/tpg$i"
			echo $i >"$dir/alua/tpg$i/tg_pt_gp_id"
			lio_add "$head" $i
		done
	done
	[[ ! ${paths[g]:-} ]] || iscsi_disk
	actor=rig nr=0
	for head in "${!paths[@]}"; do
		for ((i = 1; i <= paths[$head]; i++)); do
			confirm path_well "$head" $((i - (number[$head] < 3)))
		done
	done
	find_disk c
	mkfs.ext4 -q "/dev/$disk"
	find_disk d
	# too small for its makers, not for this
	mkfs.xfs -q -f --unsupported -l size=8m "/dev/$disk" 2>/dev/null
}

# An answer that is only slow is not taken for a link that is cut, as it would be for
# one that iscsi_quick is used for.
iscsi_patient=(
	'node.conn[0].timeo.noop_out_interval' 5
	'node.conn[0].timeo.noop_out_timeout' 15
	'node.conn[0].timeo.login_timeout' 15
)

iscsi_disk() {
	local i

	: >"$tmp/iscsi"
	modprobe -a iscsi_target_mod iscsi_tcp veth
	backstore=${back[g]}
	mkdir -p "$backstore"
	echo rd_pages=8192 >"$backstore/control"
	echo abc1 >"$backstore/wwn/vpd_unit_serial"
	echo 1 >"$backstore/enable"
	ip netns add "$iscsi_ns"
	for ((i = 1; i <= paths[g]; i++)); do
		mkdir "$backstore/alua/tpg$i"
		echo "$i" >"$backstore/alua/tpg$i/tg_pt_gp_id"
		iscsi_portal "$i"
	done
	echo "InitiatorName=$iscsi_iqn:initiator" >"$tmp/initiatorname"
	: >"$tmp/iscsid.conf"
	setsid iscsid -f -c "$tmp/iscsid.conf" -i "$tmp/initiatorname" \
		>"$tmp/iscsid.log" 2>&1 3>&- &
	echo $! >"$tmp/iscsid.pid"
	wait_for 20 iscsid_answers || fail "iscsid does not run: $(tail -n 3 "$tmp/iscsid.log")"
	for ((i = 1; i <= paths[g]; i++)); do
		iscsi_node_new "$i" "${iscsi_patient[@]}"
		iscsi_login "$i"
	done
}

# The disk itself, or its second partition. Between what is written to all along there
# are places that only must not change.
raw_heads() { printf '%s\n' a b e ${paths[g]:+g}; }
raw_file() {
	find_disk "$1" || fail "disk $1 is not there"
	file=/dev/$disk
	[[ $1 != b ]] || file+=2
}
keep_data() {
	local head

	dd if=/dev/urandom of="$tmp/kept" bs=1M count=1 status=none
	for head in $(raw_heads); do
		raw_file $head
		dd if="$tmp/kept" of="$file" bs=1M seek=2 oflag=direct conv=nocreat,notrunc \
			status=none
	done
}
data_kept() {
	local head

	for head in $(raw_heads); do
		raw_file $head
		cmp "$tmp/kept" <(dd if="$file" bs=1M skip=2 count=1 iflag=direct status=none) ||
			fail "disk $head: what nobody has written to has changed"
	done
}

mount_fs() {
	local head

	modprobe -q xfs || :
	for head in c d; do
		mkdir -p "$tmp/$head"
		find_disk $head
		mount "/dev/$disk" "$tmp/$head"
	done
}
sums() { (cd "$tmp" && find c d -xdev -type f -exec sha1sum {} + | sort -k 2); }
# What was in memory at the end is what is on the disk.
remount_fs() {
	sums >"$tmp/sums"
	unmount_fs
	echo 3 >/proc/sys/vm/drop_caches
	mount_fs
	sums | diff "$tmp/sums" - >&2 || fail "files are not what they were"
	note "$(wc -l <"$tmp/sums") files are the same on the disk as they were in memory"
	unmount_fs
}
unmount_fs() {
	umount "$tmp/c" "$tmp/d"
	find_disk c
	fsck.ext4 -fn "/dev/$disk" >"$tmp/fsck" 2>&1 || fail "ext4 on disk c: $(<"$tmp/fsck")"
	find_disk d
	xfs_repair -n "/dev/$disk" >"$tmp/fsck" 2>&1 || fail "XFS on disk d: $(<"$tmp/fsck")"
}

# identity HEAD...
identity() {
	local head

	for head; do
		find_disk $head || fail "disk $head is not there"
		echo "$head $disk $(<"/sys/block/$disk/dev") $(<"/sys/block/$disk/diskseq")"
	done
}
sd_refs() { if scsi_is_module; then cat /sys/module/sd_mod/refcnt; else echo 0; fi; }
refs_are() { (($(sd_refs) == $1)); }

# Not one bio is anywhere.
at_rest() {
	local f v

	for f in /sys/block/sd*/{mpath_parked,mpath_queue_depth,mpath_port_depth,inflight}; do
		[[ -e $f ]] || continue
		read -r v <"$f"
		[[ ${v//[[:space:]]/} =~ ^0+$ ]] || { busy="$f: $v"; return 1; }
	done
}

#
# Cases
#

corrupt() {
	local n=$((4 << 11))

	while going_on; do
		for f in e f; do
			dd if=/dev/urandom of="$tmp/$f.img" bs=512 count=8 conv=notrunc \
				status=none seek=$((n + RANDOM % 256 * 8))
		done
		nap 0.5
	done
}

stale() {
	local old=(if="$tmp/e.img" of="$tmp/e.old" bs=1M count=1 status=none)

	# all of them written
	nap 90
	while going_on; do
		dd "${old[@]}" skip=1
		nap 5
		dd if="$tmp/e.old" of="$tmp/e.img" bs=1M seek=1 conv=notrunc status=none
	done
}

t_torture() {
	local head refs before start actors=() names=() p f stopped
	declare -A seen since

	: >"$tmp/events"
	: >"$tmp/effects"
	rm -f "$tmp/stop" "$tmp/wrong"
	before=$(identity "${kept[@]}")
	refs=$(sd_refs)
	mount_fs
	for head in c d; do cp "$here/${0##*/}" "$tmp/$head/script"; done
	# Else most paths would have no I/O to lose.
	for head in "${!paths[@]}"; do set_policy "$head" round-robin; done
	find_disk b
	wait_for $bound test -b "/dev/${disk}2" || fail "disk b has no second partition"
	keep_data
	start_io
	start=$EPOCHSECONDS
	f=10
	for p in "a drive_debug" "c drive_kept c" "d drive_kept d" "e drive_kept e" \
		"f drive_lost" "r1 reads" "r2 reads" "w1 writes" "w2 writes" \
		"o1 opens" "o2 opens" ${paths[g]:+"g drive_kept g"}; do
		f=$((f + 1))
		# shellcheck disable=SC2086
		background actor ${p%% *} $f ${p#* }
		actors+=("$bg_pid")
		names[bg_pid]=$p
	done
	[[ $hook != @(corrupt|stale) ]] || background actor x 50 $hook

	while ((EPOCHSECONDS < start + minutes * 60)); do look; done
	: >"$tmp/stop"
	# What they do ends, as does what they then do to have all paths again.
	stopped=$EPOCHSECONDS
	for p in "${actors[@]}"; do
		until gone "$p"; do
			look
			((EPOCHSECONDS < stopped + 4 * bound)) ||
				fail "actor ${names[p]} does not end"
		done
	done
	[[ ! -s $tmp/wrong ]] || fail "$(<"$tmp/wrong")"
	note "$(wc -l <"$tmp/events") events in $((EPOCHSECONDS - start)) s," \
		"$((EPOCHSECONDS - stopped)) s of it to have all paths again"

	while read -r p f; do
		note "down by $p: with effect, and how often: $f"
		# Some may not matter at the time, but not each time.
		((${f#* } < 10 || ${f% *})) || fail "'$p' has no effect"
	done < <(effects)
	for head in "${kept[@]}"; do io_stop $head; done
	data_kept
	for head in c d; do cmp "$here/${0##*/}" "$tmp/$head/script"; done
	remount_fs
	is "disks" "$before" "$(identity "${kept[@]}")"
	for head in "${kept[@]}"; do
		find_disk $head
		is "I/O refused on disk $head" 0 "$(<"/sys/block/$disk/mpath_refused")"
		((minutes < 5)) ||
			ok_if "failovers of disk $head" "$(<"/sys/block/$disk/mpath_failovers") > 0"
		note "disk $head: failovers $(<"/sys/block/$disk/mpath_failovers")," \
			"waited $(<"/sys/block/$disk/mpath_waited")," \
			"longest without a path $(<"/sys/block/$disk/mpath_outage_longest_ms") ms"
	done
	wait_for 60 at_rest || fail "not at rest: $busy"
	wait_for 30 refs_are "$refs" || fail "references to sd: $(sd_refs), were $refs"
	! dmesg | grep -E 'EXT4-fs (error|warning)|XFS .*(error|corrupt|shutdown)' ||
		fail "see above"
}

# Is all well so far? It is not if an actor says so, if fio has ended, or if no
# I/O ends on a disk that keeps a path.
look() {
	local head f

	nap 1
	[[ ! -s $tmp/wrong ]] || fail "$(<"$tmp/wrong")"
	read -r f </proc/sys/kernel/tainted
	((taint == (f & (1 << 7 | 1 << 9 | 1 << 5)))) || fail "the kernel has warned"
	for head in "${kept[@]}"; do
		! gone "${io_pid[$head]}" || fail "fio on disk $head has ended: $(io_why $head)"
		find_disk $head || fail "disk $head is not there"
		read -r -a f <"/sys/block/$disk/stat"
		if [[ ${seen[$head]:-} != "${f[0]} ${f[4]}" ]]; then
			seen[$head]="${f[0]} ${f[4]}"
			since[$head]=$EPOCHSECONDS
		fi
		((EPOCHSECONDS < since[$head] + bound)) || {
			echo w >/proc/sysrq-trigger
			fail "no I/O ends on disk $head ($disk)"
		}
	done
}

# All drivers are unloaded below the disks, and loaded again: the disks are back,
# with what was on them.
t_modules() {
	local head i round before

	scsi_is_module || skip "SCSI is built in"
	actor=modules nr=0
	rm -f "$tmp/stop"
	background actor r1 60 reads
	background actor r2 61 reads
	for round in 1 2; do
		wait_for 30 rmmod_quiet sd_mod ||
			fail "sd cannot be unloaded: $(lsmod | grep sd_mod)"
		wait_for $bound no_heads || fail "still there: $(heads)"
		modprobe sd_mod
		for head in "${!paths[@]}"; do
			for ((i = 1; i <= paths[$head]; i++)); do
				confirm path_well "$head" $((i - (number[$head] < 3)))
			done
			find_disk $head
			wait_for $bound has_paths "$disk" "${paths[$head]}" ||
				fail "disk $head ($disk) has not ${paths[$head]} paths"
		done
		mount_fs
		for head in c d; do cmp "$here/${0##*/}" "$tmp/$head/script"; done
		unmount_fs
		data_kept
		find_disk f
		f_check
	done
	# Disks that wait for their paths, below which the paths' driver goes.
	for head in a b; do find_disk $head; delay 600; done
	unload scsi_debug || fail "scsi_debug cannot be unloaded: $(lsmod | grep scsi_debug)"
	for head in a b; do
		find_disk $head || fail "disk $head has not waited"
		delay 0
		wait_for $bound lost_disk $head || fail "disk $head stays"
	done
	load_debug
	for head in a b; do
		for ((i = 0; i < hosts; i++)); do confirm path_well $head $i; done
	done
	# Those of LIO have their paths back before their time is over: the same disks.
	before=$(identity "${lio[@]}")
	for head in "${lio[@]}"; do
		find_disk $head
		delay 600
		for ((i = 1; i <= paths[$head]; i++)); do down_host $head $i; done
	done
	rmdir "$target/loopback"
	unload tcm_loop || fail "tcm_loop cannot be unloaded: $(lsmod | grep tcm_loop)"
	modprobe tcm_loop
	for head in "${lio[@]}"; do
		for ((i = 1; i <= paths[$head]; i++)); do
			heal $head $i || :
			confirm path_well $head $i
		done
		find_disk $head
		delay 0
	done
	is "disks" "$before" "$(identity "${lio[@]}")"
	find_disk f
	f_check
	: >"$tmp/stop"
}
lost_disk() { ! find_disk "$1"; }

# Nothing is left of it all.
t_down() {
	stop_tasks
	rig_down
	losetup -D
	is "heads" "" "$(heads)"
	is "logical units" "" "$(compgen -G '/sys/class/scsi_mpath_device/*' || :)"
	is "disks" "" "$(compgen -G '/sys/class/scsi_mpath_disk/*' || :)"
	if scsi_is_module; then
		scsi_unload || fail "the SCSI modules cannot be unloaded: $(lsmod)"
	fi
}

testcase t_torture rig_torture "everything at once, nothing is lost"
testcase t_modules rig_torture "drivers unloaded below the disks and loaded again"
testcase t_down rig_torture "all is taken down, and nothing stays"
testcase t_kmemleak rig_none "no leaks"

run_tests "$@"
