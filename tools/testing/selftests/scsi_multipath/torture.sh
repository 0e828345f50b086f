#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything at once, at random times, for a while: paths are lost by all means
# and come back, disks are looked at, opened, set, scanned and grow, and all that
# is written is read back.
#
#	SEED=N		of all that is drawn by lot; default 1
#	MINUTES=N	how long; default 1. With 10 or more it goes on until there has been
#			everything there is, but not for more than three times as long.
#	MAX_PATHS=N	of a disk, 2 to 8; default 3
#	SLACK_MS=N	what an I/O may take on a disk that has a path, besides what the model
#			knows; default 45000, for a slow machine with all debugging
#	RATE=N		I/Os a second of each job of fio; default 3, as with all debugging
#			and software emulation 200 in all are what a machine can do, and
#			then it does nothing else
#	HOOK=NAME	to see it fail. lie: take the last path of a disk that is to keep
#			one. corrupt: change blocks behind the disks' backs. stale: put old
#			blocks of disk e back, as if writes were lost; last: once all has
#			been done. unloaded: change blocks of disk e while its driver is
#			not there. slow: hold up the I/O on disk c. node: remove disk e's
#			node, so that nobody else can open it.
#
# There are six disks, a to f, or seven. Each has a driver, an actor that knows by its
# model which paths are up, and leaves one path up at all times, another one each
# round; so no I/O may fail on them. Disk f loses all of its paths, too.
# Other actors do what takes no path away. What an actor does next is drawn by
# lot, by its model at most, and never by what is seen: so the same seed gives
# the same events, actor by actor, though not at the same times. All are in the
# kernel log, as "torture: ACTOR NUMBER: EVENT".
#
# One actor unloads modules and loads them again. It asks the drivers of those
# disks that need the module to have them at rest, or without a path but under
# load; see rest(). The others go on meanwhile.
#
#	a	scsi_debug, LUN 0	the disk, it grows
#	b	scsi_debug, LUN 1	its second partition
#	c	LIO, ramdisk		ext4
#	d	LIO, file		XFS
#	e	LIO, block device	the disk, it grows
#	f	LIO, file		the disk, with and without delayed removal
#	g	iSCSI, ramdisk		the disk; if there is open-iscsi
#
# guest-timeout: 900

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=iscsi.sh
. "$(dirname "$0")/iscsi.sh"

seed=${SEED:-1}
minutes=${MINUTES:-1}
max_paths=${MAX_PATHS:-3}
rate=${RATE:-3}
hook=${HOOK:-}
here=$(cd "$(dirname "$0")" && pwd)

# How long something may take that ends by itself, in seconds. It is no more than
# what tells slow from stuck.
bound=480
# How long one I/O may take on a disk that has a path: what a slow machine makes of
# it, and what it takes until the path that it was given to gives it back. Most paths
# do that at once.
slack_ms=${SLACK_MS:-45000}
declare -A costs=(
	# its time is over after 4 s, then the error handler is at work
	[swallow]=15000
	# what a reset takes from the target is answered by nobody: 30 s, and the same
	[reset]=40000
	# iSCSI notices within 20 s, see iscsi_patient
	[block]=20000 [give_up]=22000
)

#
# What is drawn by lot. Each actor is a process, with a sequence of its own.
#

# draw N: sets lot, 0 to N - 1
draw() { lot=$((RANDOM % $1)); }
# one_of WORD...: sets lot
one_of() { local i=$((RANDOM % $# + 1)); lot=${!i}; }
# deal DECK WORD...: sets lot: each of the words once, by lot, before any comes again
declare -A decks
deal() {
	local deck=$1 left
	shift

	read -r -a left <<<"${decks[$deck]:-$*}"
	draw ${#left[@]}
	set -- "${left[lot]}"
	unset "left[lot]"
	decks[$deck]=${left[*]}
	lot=$1
}
sow() { local i; RANDOM=$((seed * 64 + $1)); for i in {1..8}; do lot=$RANDOM; done; }

kept=(a b c d e)
lio=(c d e f)
declare -A module=(
	[a]=scsi_debug [b]=scsi_debug [c]=tcm_loop [d]=tcm_loop [e]=tcm_loop [f]=tcm_loop
	[g]=iscsi_tcp
)
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
# One disk may have as many as there are, the others few: a path is a host here, and
# takes a slow machine seconds to be made.
one_of "${lio[@]}"
many=$lot
for head in "${lio[@]}"; do
	few=$((max_paths < 4 ? max_paths : 4))
	[[ $head != "$many" ]] || few=$max_paths
	draw $((few - 1))
	paths[$head]=$((lot + 2))
done
if type -p iscsid iscsiadm ip nsenter >/dev/null; then
	kept+=(g) paths[g]=2
else
	note "no disk g, which is the one with a transport that blocks: no open-iscsi"
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
	fail() { wrong "$*"; }
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

# What the model says to others about disk $1, by a number: even if there is a path
# all along, as long as the number stays the same.
turn() {
	local n

	read -r n <"$tmp/turn.$1"
	echo $((n + 1)) >"$tmp/turn.new.$actor"
	mv "$tmp/turn.new.$actor" "$tmp/turn.$1"
}

# tell WHAT: each line that is read, for whoever reads the log
tell() {
	local line

	while read -r line; do echo "torture: $actor $nr: $1: $line" >/dev/kmsg; done
}
# Where task $1 is
where() {
	{ sed -n '/^\(Name\|State\)/p' "/proc/$1/status"; cat "/proc/$1/"{wchan,stack}; } |
		tell "task $1"
} 2>/dev/null

# What there is of iSCSI, and what its daemon has said last
sessions() {
	local pid

	grep -H . /sys/class/iscsi_session/*/{state,recovery_tmo} \
		/sys/class/iscsi_connection/*/state | tell "session"
	tail -n 5 "$tmp/iscsid.log" | tell "iscsid"
	for pid in $(pgrep iscsi); do where "$pid"; done
} 2>/dev/null

# pause N: up to N tenths of a second
pause() { draw $(($1 + 1)); nap $((lot / 10)).$((lot % 10)); }

# leave START: twice the time since then to others. Who looks on is not to take a slow
# machine from those who lose paths.
leave() {
	local us=$((2 * (${EPOCHREALTIME/./} - $1)))

	printf -v us '%d.%06d' $((us / 1000000)) $((us % 1000000))
	nap $us
}

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
			[[ $c != *' g '* ]] || sessions
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
	local fd

	find_tpg "$1" "$2"
	if [[ ! -d $tpg ]]; then
		exec {fd}>>"$tmp/hosts.lock"
		flock -s "$fd"
		mkdir -p "$tpg"
		exec {fd}>&-
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
		iscsi_session "$2" >/dev/null ||
			(flock -s 9; iscsi_login "$2") 9>>"$tmp/hosts.lock"
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
# A session whose link was cut takes a slow machine minutes to be back.
iscsi_downs=(logout state delete unbind standby)
((minutes < 10)) || iscsi_downs+=(block give_up)
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
	wait_for $bound io_above $((io_seen + 4)) ||
		wrong "no I/O ends on disk $1 ($disk) $(io_why $1)"
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
		0)	deal shakes "${lio_shakes[@]}"
			event "$lot $head$i"
			allow "$lot" "$i"
			jobs+=("shake_$lot $head $i")
			# it stays in the state that it was given
			[[ $lot != nonopt ]] || down[i]=1 ;;
		1|2)	deal downs "${downs[@]}"
			event "$lot $head$i"
			allow "$lot" "$i"
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

# All paths of disk $1, whatever the model says
all_up() {
	local i first=1 last=${paths[$1]} jobs=()

	[[ $1 != [ab] ]] || first=0 last=$((present - 1))
	for ((i = first; i <= last; i++)); do jobs+=("heal $1 $i"); done
	together "${jobs[@]}"
	for ((i = first; i <= last; i++)); do confirm path_well "$1" "$i"; done
	find_disk "$1" || wrong "disk $1 is not there"
	wait_for $bound has_paths "$disk" $((last - first + 1)) ||
		wrong "disk $1 ($disk) has not $((last - first + 1)) paths"
}
lio_settle() {
	event "${2:-settle} $1"
	all_up "$1"
	down=()
	well "$1"
}

# All of its paths are up: what must be so?
well() {
	makes_progress "$1"
	wait_for $bound parks_none "$disk" || wrong "disk $1 ($disk): parked bios stay"
	[[ -z ${sectors:-} ]] || wait_for $bound has_size "$disk" "$sectors" ||
		wrong "disk $1 ($disk) has $(<"/sys/block/$disk/size") sectors, not $sectors"
}
has_paths() {
	local d=("/sys/block/$1/multipath"/sd*)

	((${#d[@]} == $2))
}
has_no_path() { ! compgen -G "/sys/block/$1/multipath/sd*" >/dev/null; }
parks_none() { local n=1; read -r n <"/sys/block/$1/mpath_parked"; ((n == 0)); }
has_size() { local n; read -r n <"/sys/block/$1/size"; ((n == $2)); }

# allow MEANS PATH: what it costs I/O to lose the path so; until the path is back
allow() {
	[[ ${costs[$1]:-} ]] || return 0
	cost_ms+=("${costs[$1]}")
	cost_of+=("$2")
	cost_end+=(0)
}

# in_time MS HEAD...: since this was last asked, in which time there was no path for
# MS, has each I/O ended in time, or may still do so? That it meets with more than two
# of what costs time, one after the other, is not to be expected.
in_time() {
	local now=$((${EPOCHREALTIME/./} / 1000)) head n longest oldest most next

	if (($1)); then
		cost_ms+=("$1")
		cost_of+=(0)
		cost_end+=("$now")
	fi
	for n in "${!cost_ms[@]}"; do
		((cost_end[n] || ${down[${cost_of[n]}]:-0})) || cost_end[n]=$now
	done
	for head in "${@:2}"; do
		read -r _ longest oldest < <("$here/torture-io" look "$tmp/$head.state")
		((longest > oldest)) || longest=$oldest
		most=0 next=0
		for n in "${!cost_ms[@]}"; do
			# it was over when the I/O began
			((!cost_end[n] || cost_end[n] >= looked - longest)) || continue
			if ((cost_ms[n] > most)); then
				next=$most most=${cost_ms[n]}
			elif ((cost_ms[n] > next)); then
				next=${cost_ms[n]}
			fi
		done
		most=$((slack_ms + most + next))
		((longest < most)) ||
			wrong "disk $head: an I/O has taken $longest ms, may take $most"
		((most <= ${allowed[$head]:-0})) || allowed[$head]=$most
		((longest <= ${stall[$head]:-0})) || stall[$head]=$longest
	done
	looked=$now
}

drive_kept() {
	local head=$1 i round=0 anchor sectors='' down=()
	local cost_ms=() cost_of=() cost_end=() looked
	local -A allowed stall

	io_begin "$head"
	while going_on; do
		round=$((round + 1))
		lio_round "$head"
		in_time 0 "$head"
		deal grow 0 1 2 3
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
		rest "$head"
	done
	lio_settle "$head" "at last, settle"
	io_last "$head"
}

# When nothing happens any more
io_last() {
	local head

	[[ $hook != last || $1 != e ]] || blocks_of_e "$tmp/e.img" "$tmp/e.old"
	until [[ -e $tmp/last ]]; do nap 0.5; done
	in_time 0 "$@"
	for head; do
		io_end "$head"
		[[ $hook != last || $head != e ]] || blocks_of_e "$tmp/e.old" "$tmp/e.img"
		data_kept "$head"
		[[ $head != [cd] ]] || fs_out "$head"
	done
}

#
# Modules are unloaded
#

# rest HEAD...: if these disks are asked for, all of their paths up, at rest or still
# under load, until there is no need any more. That may be at any time, so nothing of
# it is drawn, no event, and no part of the model: that may take for down what is up.
rest() {
	local kind wanted head start ms

	{ read -r kind wanted <"$tmp/rest"; } 2>/dev/null || return 0
	[[ " $wanted " == *" $1 "* ]] || return 0
	for head; do all_up "$head"; done
	in_time 0 "$@"
	for head; do
		# Of f nobody expects a path at any time.
		[[ $head == f ]] || turn "$head"
		[[ $kind == lose ]] || io_end "$head"
	done
	[[ $kind != anew ]] || debug_anew
	for head; do : >"$tmp/rested.$head"; done
	for head; do
		while [[ -e $tmp/rested.$head ]]; do nap 0.2; done
		all_up "$head"
		rm -f "$tmp/waits.$head"
		if [[ $kind == lose ]]; then
			makes_progress "$head"
			same_disk "$head"
			read -r start <"$tmp/all_rested"
			ms=$(((${EPOCHREALTIME/./} - start) / 1000))
			in_time $ms "$head"
		else
			[[ $kind == anew ]] || data_kept "$head"
			io_begin "$head"
		fi
		well "$head"
		[[ $head == f ]] || turn "$head"
	done
}

# Another scsi_debug, which has not what was written, and is as large as at first:
# it puts the partitions where there is memory for them only then. Its hosts have the
# numbers that they had, as nobody else makes one meanwhile.
debug_anew() {
	local head h fd

	for head in a b; do data_kept $head; done
	exec {fd}>>"$tmp/hosts.lock"
	flock -x $fd
	wait_for $bound unloaded scsi_debug || wrong "scsi_debug stays: $(lsmod | grep ^scsi_debug)"
	for head in a b; do
		wait_for $bound let_go $head || wrong "disk $head stays"
	done
	load_debug "$present"
	gb=0 sectors=''
	exec {fd}>&-
	for ((h = 0; h < fixed; h++)); do
		find_path a $h
		((${hctl%%:*} % 3 == h % 3)) || wrong "host $h of scsi_debug has number ${hctl%%:*}"
	done
	for head in a b; do
		all_up $head
		rm "$tmp/$head.state"
		wait_for $bound test -b "/dev/${disk}2" ||
			wrong "disk $head has no second partition"
		keep_data $head
	done
}
unloaded() { [[ ! -e /sys/module/$1/initstate ]] || rmmod_quiet "$1"; }
let_go() {
	find_disk "$1" || return 0
	delay 0
	return 1
}

# ask_rest KIND HEAD...: of rest()
ask_rest() {
	echo "$*" >"$tmp/rest.new"
	mv "$tmp/rest.new" "$tmp/rest"
	# Who has not seen it is done with what it does not allow.
	flock -x "$tmp/delay.lock" true
	wait_for $((4 * bound)) have_rested "${@:2}" || wrong "no rest: $*"
	# Before that no path has gone.
	echo "${EPOCHREALTIME/./}" >"$tmp/all_rested"
}
have_rested() {
	local head

	for head; do [[ -e $tmp/rested.$head ]] || return 1; done
}
go_on() { rm "$tmp/rest" "$tmp"/rested.*; }

# Disks a and b start anew.
change_debug() {
	ask_rest anew a b
	go_on
}
# Disks that go with their paths, or that wait for them, with their I/O
change_loop() {
	local head i jobs=()

	ask_rest "$1" "${lio[@]}"
	for head in "${lio[@]}"; do
		find_disk "$head" || wrong "disk $head is not there"
		delay 600
		[[ $1 != lose ]] || : >"$tmp/waits.$head"
		for ((i = 1; i <= paths[$head]; i++)); do jobs+=("down_host $head $i"); done
	done
	together "${jobs[@]}"
	wait_for $bound rmdir_quiet "$target/loopback" || wrong "targets of tcm_loop stay"
	wait_for $bound unloaded tcm_loop || wrong "tcm_loop stays: $(lsmod | grep ^tcm_loop)"
	for head in "${lio[@]}"; do
		if [[ $1 == lose ]]; then
			find_disk "$head" || wrong "disk $head has not waited"
			wait_for $bound parks_some "$disk" || wrong "no I/O waits on disk $head"
		else
			wait_for $bound let_go "$head" || wrong "disk $head stays"
		fi
	done
	[[ $hook != unloaded ]] || blocks_of_e /dev/urandom "$tmp/e.img"
	modprobe tcm_loop || wrong "tcm_loop does not load"
	go_on
}
rmdir_quiet() { rmdir "$1" 2>/dev/null; }
parks_some() { ! parks_none "$1"; }
# All disks go, and come back.
change_sd() {
	scsi_is_module || return
	ask_rest quiet "${!paths[@]}"
	wait_for $bound unloaded sd_mod || wrong "sd stays: $(lsmod | grep ^sd_mod)"
	wait_for $bound no_heads || wrong "still there: $(heads | xargs)"
	modprobe sd_mod || wrong "sd does not load"
	go_on
}

drive_modules() {
	local what begun

	until [[ -e $tmp/enough ]]; do
		deal layer sd low_level
		[[ $lot == sd ]] || deal low_level debug loop_quiet loop_lose
		what=change_$lot
		pause 150
		event "$what"
		begun=$EPOCHSECONDS
		${what/loop_/loop }
		# Disks are at rest for most of that: let them have more time for other things.
		wait_for $((2 * (EPOCHSECONDS - begun))) test -e "$tmp/enough" || :
	done
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
	local cost_ms=() cost_of=() cost_end=() looked
	local -A anchor down allowed stall

	for l in a b; do io_begin $l; done
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
				0)	deal shakes "${debug_shakes[@]}"
					event "$lot $l$h"
					allow "$lot" $l$h
					# A reset is one of the host for as long as it takes.
					jobs+=("shake_$lot $l $h") ;;
				1|2)	deal downs "${debug_downs[@]}"
					# not where the other LUN has its last path
					((h != anchor[a] && h != anchor[b])) ||
						[[ $lot != swallow ]] || lot=state
					event "$lot $l$h"
					allow "$lot" $l$h
					jobs+=("down $lot $l $h")
					down[$l$h]=1 ;;
				esac
			done
		done
		deal host 0 1 2
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
		in_time 0 a b
		deal grow 0 1 2 3
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
		rest a b
	done
	debug_settle "at last, settle"
	io_last a b
}
add_host() { echo 1 >$debug_driver/add_host; }

debug_settle() {
	event "${1:-settle} a and b"
	for (( ; present < hosts; present++)); do
		event "${1:+at last, }add a host"
		add_host
	done
	for l in a b; do all_up $l; done
	down=()
	for l in a b; do well $l; done
}

# Disk f: all paths at once, by means of these, or all by the same
lose_all() {
	local i jobs=() means=("$@")

	one_of "$@"
	i=$lot
	draw 2
	((lot)) || means=("$i")
	for ((i = 1; i <= paths[f]; i++)); do
		one_of "${means[@]}"
		event "$lot f$i"
		allow $lot $i
		jobs+=("down $lot f $i")
	done
	together "${jobs[@]}"
}
# What leaves I/O no path that it would wait for, and the disk none at all.
final_downs=(state delete unbind disabled relink host)
gone_downs=(delete unbind relink host)
delay() { { echo "$1" >"/sys/block/$disk/delayed_removal_secs"; } 2>/dev/null; }

f_alive() { ! gone ${block_pid[f]} || wrong "I/O on disk f has ended: $(said f)"; }
# f_end STATUS...: how it may have ended
f_end() {
	local rc=0

	wait_for $bound gone ${block_pid[f]} || wrong "I/O on disk f does not end"
	wait ${block_pid[f]} || rc=$?
	[[ " $* " == *" $rc "* ]] || wrong "I/O on disk f: $rc: $(said f)"
}

drive_lost() {
	local i seq again start ms round=0 down=()
	local cost_ms=() cost_of=() cost_end=() looked
	local -A allowed stall

	io_begin f
	while going_on; do
		round=$((round + 1))
		find_disk f || wrong "disk f is not there"
		read -r seq <"/sys/block/$disk/diskseq"
		start=${EPOCHREALTIME/./}
		deal lost while_any for_good while_gone for_good
		case $lot in
		while_*) # all lost for a while: nothing fails, and it is the same disk
			event "delay of 600 s"
			delay 600
			if [[ $lot == while_any ]]; then
				lose_all "${lio_downs[@]}"
			else
				lose_all "${gone_downs[@]}"
			fi
			pause 20
			for i in {1..3}; do
				one_of 300 900 86400
				event "delay of $lot s"
				delay "$lot" || wrong "disk f ($disk) is gone"
				! has_no_path "$disk" || echo "re-timed" >>"$tmp/pending"
				pause 5
			done
			! has_no_path "$disk" || echo "cancelled" >>"$tmp/pending"
			lio_settle f
			f_alive
			read -r again <"/sys/block/$disk/diskseq"
			[[ $again == "$seq" ]] || wrong "disk f is another one: $seq, $again"
			in_time $(((${EPOCHREALTIME/./} - start) / 1000)) f
			draw 2
			((lot)) || { event "delay of 0 s"; delay 0; } ;;
		for_good) # all lost for good: what fails, fails, the rest is there later
			deal removal ended none over
			ms=0
			case $lot in
			none)	event "no delay"
				delay 0
				lose_all "${final_downs[@]}" ;;
			ended)	event "delay of 600 s, ended"
				delay 600
				lose_all "${gone_downs[@]}"
				pause 10
				f_alive
				! has_no_path "$disk" || echo "ended" >>"$tmp/pending"
				delay 0 ;;
			over)	event "delay of 1 s"
				delay 1
				lose_all "${gone_downs[@]}"
				ms=1000 ;;
			esac
			ms=$((ms + (${EPOCHREALTIME/./} - start) / 1000))
			f_end 3
			in_time $ms f
			event "heal all"
			for ((i = 1; i <= paths[f]; i++)); do heal f "$i"; done
			for ((i = 1; i <= paths[f]; i++)); do confirm path_usable f "$i"; done
			data_kept f
			io_begin f
			lio_settle f ;;
		esac
		rest f
	done
	io_last f
}

#
# Other actors
#

# Read all there is in sysfs. A counter that has been taken below zero is seen.
reads() {
	local f v all what=0 begun

	while going_on; do
		begun=${EPOCHREALTIME/./}
		# Some at a time: all would be a load for a slow machine.
		case $((what = (what + 1) % 6)) in
		0)	all=(/sys/block/sd*/{mpath_parked,mpath_queue_depth,mpath_port_depth}) ;;
		1)	all=(/sys/block/sd*/{mpath_state,mpath_numa_nodes,delayed_removal_secs}) ;;
		2)	all=(/sys/block/sd*/{mpath_[!s]*s,uevent,inflight}) ;;
		3)	all=(/sys/class/scsi_mpath_device/*/{vpd_id,vendor,iopolicy,uevent}
				/sys/class/scsi_mpath_disk/*/{disk,uevent}
				/proc/{diskstats,partitions}) ;;
		4)	all=(/sys/bus/scsi/devices/*:*/{multipath,state,access_state,vpd_pg83}) ;;
		5)	all=()
			for f in "${kept[@]}"; do asks $f files_of; done ;;
		esac
		for f in "${all[@]}"; do
			while IFS= read -r v; do
				[[ $f == *_depth || $f == *_parked ]] || continue
				((v >= 0 && v < 100000)) || wrong "$f: $v"
			done <"$f"
		done
		nap 0.3
		leave $begun
	done 2>/dev/null
}

files_of() {
	local f v dir=/sys/block/${1#/dev/}

	for f in "$dir"/{mpath_{parked,failovers,waited,refused,outage_ms,outage_longest_ms},stat} \
		 "$dir"/{delayed_removal_secs,inflight,size,ro,queue/max_sectors_kb} \
		 "$dir"/device/{vendor,model,rev,wwid,vpd_id,iopolicy}; do
		IFS= read -r v <"$f" || { echo "$f"; return 1; }
	done
}

# Write what takes no path away, and what is refused.
writes() {
	local head i d v begun

	while going_on; do
		begun=${EPOCHREALTIME/./}
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
			asks $head set_to device/iopolicy $lot ;;
		1)	one_of 0 1 30 600 x -1 86401
			event "delayed_removal_secs of $head: $lot"
			set_delay $head $lot ;;
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
			asks $head set_to $lot 0 ;;
		10)	one_of 1 2 5 10
			event "multipath_probe_secs: $lot"
			echo $lot >$probe_secs || wrong "it is refused" ;;
		11)	one_of 4 16 64
			event "queue_depth of $head$i: $lot"
			# scsi_debug looks at hosts for that which are only just being added.
			[[ $head == [ab] ]] || set_sdev $head $i queue_depth $lot ;;
		12)	one_of 16 128 1024
			# What is sent until the path has heard of it may be refused, too.
			event "max_write_same_len of the target of $head: $lot"
			[[ $head == [ab] ]] || {
				echo $lot >"${back[$head]}/attrib/max_write_same_len" ||
					wrong "it is refused"
				shake_rescan $head $i
			} ;;
		esac 2>/dev/null
		leave $begun
		pause 6
	done
}
# set_to FILE VALUE /dev/DISK
set_to() { echo "$2" >"/sys/block/${3#/dev/}/$1"; }
refuses() { ! set_to "$@"; }
# While disks are to wait for their paths, until all are back, that is not for others
# to say.
set_delay() {
	local how=set_to

	[[ $2 == +([0-9]) && $2 != 86401 ]] || how=refuses
	(
		flock -s 9
		[[ -e $tmp/rest || -e $tmp/waits.$1 ]] ||
			asks "$1" $how delayed_removal_secs "$2"
	) 9>>"$tmp/delay.lock"
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
	local head i begun

	while going_on; do
		begun=${EPOCHREALTIME/./}
		one_of a b c d e f
		head=$lot
		draw "${paths[$head]}"
		i=$((lot + 1))
		[[ $head != [ab] ]] || i=$lot
		draw 10
		case $lot in
		0)	event "scan the partitions of $head"
			asks $head scan_partitions $head ;;
		1)	event "read $head"
			# It waits if all paths of f are lost.
			[[ $head == f ]] || asks $head read_device ;;
		2)	event "open and close $head"
			asks $head open_close ;;
		3)	event "ask $head"
			# one path, which may be lost meanwhile
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
		7)	event "unload what $head needs"
			asks $head not_unloaded $head ;;
		8)	event "sync"
			[[ $head != [cd] ]] || asks $head synced $head ;;
		9)	event "flush $head"
			asks $head blockdev --flushbufs ;;
		esac 2>/dev/null
		leave $begun
		pause 12
	done
}
read_device() { read_block "${1#/dev/}"; }
open_close() { local i; for i in {1..5}; do : <"$1" || return; done; }
synced() { sync -f "$tmp/$1"; }
# scan_partitions HEAD /dev/DISK: it may be in use, by partitions or file systems.
scan_partitions() {
	local e

	e=$(errno_of blockdev --rereadpt "$2")
	[[ $e == none || ($e == EBUSY && $1 == [bcd]) ]] || { echo "$e"; return 1; }
}
# not_unloaded HEAD /dev/DISK: what has been opened while there was a path stays so.
not_unloaded() {
	local m n

	{
		read -r n <"$tmp/turn.$1"
		((n % 2 == 0)) || return 0
		for m in sd_mod "${module[$1]}"; do
			! rmmod_quiet $m || { echo "$m is unloaded"; return 1; }
		done
	} 9<"$2"
}

# ask COMMAND...: it ends
ask() {
	local pid

	"$@" >"$tmp/said.$actor" 2>&1 &
	pid=$!
	wait_for $bound gone $pid || wrong "'$*' does not end"
	wait $pid
}
# asks HEAD COMMAND...: of its disk, and it does not fail, if there is a path all along
asks() {
	local head=$1 before after

	read -r before <"$tmp/turn.$head"
	ask on_disk "$@" && return
	read -r after <"$tmp/turn.$head"
	((before % 2 || before != after)) ||
		wrong "disk $head: '${*:2}': $(tail -n 1 "$tmp/said.$actor")"
}
on_disk() {
	find_disk "$1" || { echo "it is not there"; return 1; }
	"${@:2}" "/dev/$disk"
}

#
# I/O on the disks that keep a path
#

declare -A io_pid block_pid
# What is known of each block of $blocks.
blocks=1024
# block_io HEAD run|check [PAUSE]: as much of a slow machine is left to others
block_io() {
	local file offset=$((8 << 20)) pause=${3:-}

	if [[ $1 == [cd] ]]; then
		file=$tmp/$1/blocks offset=0
	else
		raw_file "$1"
	fi
	exec "$here/torture-io" $2 "$file" "$tmp/$1.state" $((seed * 8 + number[$1])) \
		$blocks $offset $pause >>"$tmp/$1.out" 2>&1
}
said() { tail -n 2 "$tmp/$1.out" | xargs; }
# io NAME FILE ARGUMENT...: see fio_start
io() {
	local name=$1 file=$2
	shift 2

	fio --output-format=json --output="$tmp/$name.json" --ioengine=libaio --direct=1 \
		--rw=randwrite --verify=crc32c --do_verify=1 --verify_fatal=1 \
		--verify_state_save=0 --verify_backlog=16 --disk_util=0 --loops=1000000 \
		--exitall_on_error=1 --rate_iops="$rate" --randseed="$seed" $file "$@" \
		>"$tmp/$name.err" 2>&1 &
	io_pid[$name]=$!
	echo $! >>"$tmp/pids"
}
raw_jobs=(--name=small --bs=4k --size=1m --iodepth=4
	--name=large --bs=64k --size=4m --iodepth=4)

# I/O on disk $1, from now on. In $tmp/io.$1 is who does it.
io_begin() {
	local head=$1 file fd

	find_disk $head || wrong "disk $head is not there"
	identity $head >"$tmp/identity.$head"
	# Else most paths would have no I/O to lose.
	set_policy $head round-robin
	case $head in
	[cd])	io $head "--directory=$tmp/$head" \
			--name=direct --bs=4k --size=2m --iodepth=8 \
			--name=buffered --bs=16k --size=4m --ioengine=psync --direct=0 --fsync=16 ;;
	[abeg])	raw_file $head
		# Partitions are scanned by others, and are gone meanwhile, if not in use.
		wait_for $bound hold_open || wrong "$file cannot be opened"
		io $head "--filename=$file" --offset=1m "${raw_jobs[@]}" --offset=4m ;;
	esac
	[[ $head == f ]] || makes_progress $head
	[[ ! ${fd:-} ]] || exec {fd}<&-
	block_io $head run $([[ $head == f ]] || echo 1000) &
	block_pid[$head]=$!
	echo $! >>"$tmp/pids"
	wait_for $bound has_written $head || wrong "nothing is written to disk $head: $(said $head)"
	looked=$((${EPOCHREALTIME/./} / 1000))
	[[ $head == f ]] || echo "${io_pid[$head]} ${block_pid[$head]}" >"$tmp/io.new.$head"
	[[ $head == f ]] || mv "$tmp/io.new.$head" "$tmp/io.$head"
}
hold_open() { exec {fd}<"$file"; } 2>/dev/null
has_written() {
	local n

	read -r n _ < <("$here/torture-io" look "$tmp/$1.state" 2>/dev/null) && ((n))
}

# All I/O on disk $1 has ended, and has done so well.
io_end() {
	local head=$1 rc=0 n

	rm -f "$tmp/io.$head"
	kill -TERM ${block_pid[$head]}
	wait_for $bound gone ${block_pid[$head]} || wrong "I/O on disk $head is stuck"
	wait ${block_pid[$head]} || rc=$?
	((!rc)) || wrong "I/O on disk $head: $rc: $(said $head)"
	note "disk $head: $(said $head), longest of what was looked at ${stall[$head]:-0} ms," \
		"allowed ${allowed[$head]:-$slack_ms} ms"
	[[ $head != f ]] || return 0
	io_stop $head
	same_disk $head
	read -r n <"/sys/block/$disk/mpath_refused"
	((!n)) || wrong "disk $head ($disk) has refused $n bios"
	read -r n <"/sys/block/$disk/mpath_failovers"
	echo "$head $n $io_least" >>"$tmp/tally"
	note "disk $head: failovers $n, waited $(<"/sys/block/$disk/mpath_waited")," \
		"longest without a path $(<"/sys/block/$disk/mpath_outage_longest_ms") ms"
	[[ $head != [cd] ]] || fs_out $head
}
same_disk() {
	find_disk $1 || wrong "disk $1 is not there"
	[[ $1 == f || $(identity $1) == "$(<"$tmp/identity.$1")" ]] ||
		wrong "disk $1 is another one: $(identity $1), was $(<"$tmp/identity.$1")"
}

io_why() {
	{ grep -sh '^fio:\|^verify:' "$tmp/$1.err" "$tmp/$1.json" || :; } | head -n 5 | tr '\n' ' '
}

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
	io_least=$least
	ok_if "an I/O of fio on disk $name, which has a path, ends in time" \
		"$longest < ${allowed[$name]:-$slack_ms}"
}

#
# The rig
#

# load_debug [HOSTS]
load_debug() {
	modprobe scsi_debug add_host="${1:-$hosts}" max_luns=2 \
		vpd_use_hostno=0 dev_size_mb=32 ndelay=10000 num_parts=2 ||
		fail "scsi_debug does not load"
}

rig_torture() {
	local head i dir

	note "SEED=$seed MINUTES=$minutes MAX_PATHS=$max_paths ${hook:+HOOK=$hook}"
	note "paths: a and b ${paths[a]}, c ${paths[c]}, d ${paths[d]}, e ${paths[e]}," \
		"f ${paths[f]}${paths[g]:+, g ${paths[g]}}"
	# Those who wait for a path wait for long; who waits in vain is found in other ways.
	{ echo $bound >/proc/sys/kernel/hung_task_timeout_secs; } 2>/dev/null || :
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
	'node.conn[0].timeo.login_timeout' 30
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
	local head file

	[[ -e $tmp/kept ]] || dd if=/dev/urandom of="$tmp/kept" bs=1M count=1 status=none
	for head; do
		raw_file $head
		dd if="$tmp/kept" of="$file" bs=1M seek=2 oflag=direct conv=nocreat,notrunc \
			status=none
	done
}
# Is on disk $1, at rest, what was acknowledged? Those with a file system are mounted then.
data_kept() {
	local head=$1 file

	[[ $head != [cd] ]] || fs_in $head
	(block_io $head check) || fail "disk $head: $(said $head)"
	case $head in
	[cd])	cmp "$here/${0##*/}" "$tmp/$head/script" ||
			fail "disk $head: a file has changed" ;;
	[abeg])	raw_file $head
		cmp "$tmp/kept" <(dd if="$file" bs=1M skip=2 count=1 iflag=direct status=none) ||
			fail "disk $head: what nobody has written to has changed" ;;
	esac
}

fs_mount() {
	modprobe -q xfs || :
	mkdir -p "$tmp/$1"
	find_disk $1 || fail "disk $1 is not there"
	mount "/dev/$disk" "$tmp/$1" || fail "disk $1 ($disk) cannot be mounted"
}
sums() { (cd "$tmp" && find $1 -xdev -type f -exec sha1sum {} + | sort -k 2); }
# Somebody may be about to sync it.
unmounted() { umount "$tmp/$1" 2>/dev/null; }
fs_out() {
	sums $1 >"$tmp/sums.$1"
	wait_for $bound unmounted $1 || fail "the file system on disk $1 is in use"
	find_disk $1 || fail "disk $1 is not there"
	case $1 in
	c)	fsck.ext4 -fn "/dev/$disk" >"$tmp/fsck.$1" 2>&1 ;;
	d)	xfs_repair -n "/dev/$disk" >"$tmp/fsck.$1" 2>&1 ;;
	esac || fail "the file system on disk $1: $(<"$tmp/fsck.$1")"
}
# What was in memory at the end is what is on the disk.
fs_in() {
	echo 3 >/proc/sys/vm/drop_caches
	fs_mount $1
	sums $1 | diff "$tmp/sums.$1" - >&2 || fail "files on disk $1 are not what they were"
	note "disk $1: $(wc -l <"$tmp/sums.$1") files are the same as they were in memory"
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
	local n=$((8 << 11))

	while going_on; do
		for f in e f; do
			dd if=/dev/urandom of="$tmp/$f.img" bs=512 count=8 conv=notrunc \
				status=none seek=$((n + RANDOM % 1024 * 8))
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
# blocks_of_e FROM TO: those that torture-io writes to
blocks_of_e() { dd if="$1" of="$2" bs=1M seek=8 skip=8 count=4 conv=notrunc status=none; }
slow() {
	until [[ -e $tmp/io.c ]]; do nap 1; done
	trap 'fsfreeze -u "$tmp/c"; exit' TERM
	fsfreeze -f "$tmp/c"
	nap 120
	fsfreeze -u "$tmp/c"
}
node() {
	until [[ -e $tmp/io.e ]]; do nap 1; done
	find_disk e
	rm "/dev/$disk"
}

# How often there has been an event of each kind there is to be
kinds() {
	local kind all=(state delete unbind heal 'standby|unavailable|transition' host
		'remove the last host' 'add a host' rescan scan reset grow 'delay of 1 s'
		iopolicy max_sectors_kb delayed_removal_secs 'scan the partitions' 'open and close'
		change_sd 'change_(debug|loop_quiet|loop_lose)')

	[[ ! ${paths[g]:-} ]] || all+=('block|give_up')
	for kind in "${all[@]}"; do
		echo "$(grep -cE "^[a-z0-9]+ [0-9]+: ($kind)( |\$)" "$tmp/events" || :) $kind"
	done
	for kind in re-timed ended cancelled; do
		echo "$(grep -c "$kind" "$tmp/pending" || :) delayed removal $kind"
	done
}

t_torture() {
	local head refs start stopped modules actors=() others=() p f least
	declare -A seen since names

	: >"$tmp/events"
	: >"$tmp/effects"
	: >"$tmp/tally"
	: >"$tmp/pending"
	rm -f "$tmp"/{stop,enough,last,wrong,rest,rested.*}
	refs=$(sd_refs)
	for head in "${!paths[@]}"; do echo 0 >"$tmp/turn.$head"; done
	echo 1 >"$tmp/turn.f"
	for head in c d; do
		fs_mount $head
		cp "$here/${0##*/}" "$tmp/$head/script"
		truncate -s $((blocks * 4096)) "$tmp/$head/blocks"
	done
	find_disk b
	wait_for $bound test -b "/dev/${disk}2" || fail "disk b has no second partition"
	keep_data $(raw_heads)
	start=$EPOCHSECONDS
	f=10
	for p in "a drive_debug" "c drive_kept c" "d drive_kept d" "e drive_kept e" \
		"f drive_lost" "r1 reads" "r2 reads" "w1 writes" "w2 writes" \
		"o1 opens" "o2 opens" "m drive_modules" ${paths[g]:+"g drive_kept g"}; do
		f=$((f + 1))
		# shellcheck disable=SC2086
		background actor ${p%% *} $f ${p#* }
		names[$bg_pid]=$p
		case $p in
		m*)	modules=$bg_pid ;;
		[rwo]*)	others+=("$bg_pid") ;;
		*)	actors+=("$bg_pid") ;;
		esac
	done
	[[ $hook != @(corrupt|stale|slow|node) ]] || background actor x 50 $hook

	while ((EPOCHSECONDS < start + minutes * 60)); do look; done
	while ((minutes >= 10 && EPOCHSECONDS < start + 3 * minutes * 60)); do
		[[ $'\n'$(kinds) == *$'\n0 '* ]] || break
		for f in {1..30}; do look; done
	done
	# What they do ends, as does what they then do to have all paths again. The last
	# look at what is on the disks is when nobody does anything any more.
	stopped=$EPOCHSECONDS
	: >"$tmp/enough"
	ended "$modules"
	: >"$tmp/stop"
	ended "${others[@]}"
	: >"$tmp/last"
	ended "${actors[@]}"
	[[ ! -s $tmp/wrong ]] || fail "$(<"$tmp/wrong")"
	note "$(wc -l <"$tmp/events") events in $((EPOCHSECONDS - start)) s," \
		"$((EPOCHSECONDS - stopped)) s of it to have all paths again"

	while read -r p f; do
		note "down by $p: with effect, and how often: $f"
		# Some may not matter at the time, but not each time.
		((${f#* } < 10 || ${f% *})) || fail "'$p' has no effect"
	done < <(effects)
	while read -r f p; do
		note "$f times: $p"
		((minutes < 10)) || ok_if "it was often enough" "$f > 0"
	done < <(kinds)
	for head in "${kept[@]}"; do
		read -r f least < <(awk -v head=$head '$1 == head { n += $2; least += $3 }
			END { print n + 0, least + 0 }' "$tmp/tally")
		ok_if "each job of fio on disk $head has read something back" "$least > 0"
		((minutes < 5)) || ok_if "failovers of disk $head" "$f > 0"
	done
	wait_for 60 at_rest || fail "not at rest: $busy"
	wait_for 30 refs_are "$refs" || fail "references to sd: $(sd_refs), were $refs"
	! dmesg | grep -E 'EXT4-fs (error|warning)|XFS .*(error|corrupt|shutdown)' ||
		fail "see above"
}
# ended ACTOR...
ended() {
	local p stopped=$EPOCHSECONDS

	for p; do
		until gone "$p"; do
			look
			((EPOCHSECONDS < stopped + 4 * bound)) ||
				fail "actor ${names[$p]} does not end"
		done
	done
}

# Is all well so far? It is not if an actor says so, if fio has ended, or if no
# I/O ends on a disk that keeps a path.
look() {
	local head f p now stat

	nap 1
	[[ ! -s $tmp/wrong ]] || fail "$(<"$tmp/wrong")"
	read -r f </proc/sys/kernel/tainted
	((taint == (f & (1 << 7 | 1 << 9 | 1 << 5)))) || fail "the kernel has warned"
	for head in "${kept[@]}"; do
		f='' now=''
		{ read -r f <"$tmp/io.$head" && find_disk $head &&
			read -r -a stat <"/sys/block/$disk/stat"; } 2>/dev/null || stat=()
		for p in $f; do
			! gone $p || stat=()
		done
		{ read -r now <"$tmp/io.$head"; } 2>/dev/null || :
		if [[ ! $f || $now != "$f" ]]; then
			# it is at rest, or was
			seen[$head]=''
			since[$head]=$EPOCHSECONDS
			continue
		fi
		((${#stat[@]})) ||
			fail "I/O on disk $head has ended: $(said $head) $(io_why $head)"
		if [[ ${seen[$head]:-} != "${stat[0]} ${stat[4]}" ]]; then
			seen[$head]="${stat[0]} ${stat[4]}"
			since[$head]=$EPOCHSECONDS
		fi
		((EPOCHSECONDS < since[$head] + bound)) || {
			echo w >/proc/sysrq-trigger
			fail "no I/O ends on disk $head ($disk)"
		}
	done
}

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
testcase t_down rig_torture "all is taken down, and nothing stays"
testcase t_kmemleak rig_none "no leaks"

run_tests "$@"
