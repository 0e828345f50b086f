# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What the tests of native SCSI multipath share.
#
# A test script calls testcase for each of its cases and run_tests at the end.
# A case is a function that runs in a subshell with set -e, on a rig: a command
# that makes a logical unit with several paths. Cases with the same rig that
# follow each other share it, as long as they pass, and leave it as it was. What
# a case leaves behind, and the last rig, is taken down by force.
#
# With an argument, a script runs only those cases whose function matches it as
# a pattern.

export LC_ALL=C
tmp=/tmp/scsi_multipath.$$
target=/sys/kernel/config/target
backstore=$target/core/rd_mcp_0/mpath
debug_driver=/sys/bus/pseudo/drivers/scsi_debug
probe_secs=/sys/module/scsi_mod/parameters/multipath_probe_secs

# What users are told, where the tests lie in a kernel's tree.
guide=$(dirname "$0")/../../../../Documentation/scsi/scsi-multipath.rst

KSFT_SKIP=4

#
# Results
#

cases=()

# testcase FUNCTION RIG NAME
testcase() { cases+=("$1"$'\x1f'"$2"$'\x1f'"$3"); }

# Output is that of the script also where a caller takes what a function prints.
exec 3>&1
note() { printf '# %s\n' "$*" >&3; }
fail() { note "FAILED: $*"; trap - ERR; exit 1; }
skip() { note "skipped: $*"; trap - ERR; exit $KSFT_SKIP; }

need_guide() { [[ -f $guide ]] || skip "there is no $guide"; }
# shown_lines PATTERN: lines of the guide's literal blocks
shown_lines() { sed -n 's/^        //p' "$guide" | grep -E "$1"; }

# is WHAT WANTED GOT
is() { [[ $3 == "$2" ]] || fail "$1: wanted '$2', got '$3'"; }

# ok_if WHAT EXPRESSION: an arithmetic one
ok_if() { (($2)) || fail "$1: not so: $2"; }

# Run a step of a case, or a rig, in a subshell. Any command in it that fails
# unexpectedly ends it.
run_step() {
	(
		set -eE -o pipefail
		trap 'note "FAILED: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR
		"$@"
	)
}

show_state() {
	local head d

	for head in $(heads); do
		note "$head: parked $(<"/sys/block/$head/mpath_parked")" \
			"failovers $(<"/sys/block/$head/mpath_failovers")" \
			"inflight $(tr -s ' ' <"/sys/block/$head/inflight")"
		for d in $(path_disks "$head"); do
			note "  $d: $(path_hctl "$d") $(<"/sys/block/$d/mpath_state")"
		done
	done 2>/dev/null
	dmesg | tail -n 25 | sed 's/^/#   /'
	# a case may have kept it from the console
	dmesg -n 7
}

# A case: all that the cases before have left unreferenced.
t_kmemleak() {
	local leaks=/sys/kernel/debug/kmemleak line

	[[ -e $leaks ]] || skip "no kmemleak"
	# It gives up for good when it has no memory itself.
	{ echo scan >$leaks; } 2>/dev/null || fail "kmemleak has given up"
	# An object is a leak once it is some seconds old.
	sleep 6
	echo scan >$leaks
	echo scan >$leaks
	# A module that has been unloaded has no symbols.
	grep -A 12 -E 'mpath|multipath|sd_probe|scsi_|^ +0xf' $leaks >"$tmp/leaks" || return 0
	while read -r line; do note "$line"; done < <(head -n 60 "$tmp/leaks")
	fail "there are leaks"
}

# log_says PATTERN [FILTER...]: does the kernel's log, or what FILTER makes of it?
# grep -q would end early, and the pipe with an error.
log_says() {
	local pattern=$1
	shift

	dmesg | "${@:-cat}" | grep -E "$pattern" >/dev/null
}

# Has the kernel died, warned, or found a bad page?
tainted() {
	local taint

	read -r taint </proc/sys/kernel/tainted
	echo $((taint & (1 << 7 | 1 << 9 | 1 << 5)))
}

run_tests() {
	local c func rig name rc up='' nr=0 bad=0 start taint list=()

	for c in "${cases[@]}"; do
		# shellcheck disable=SC2053
		[[ -n ${1:-} && ${c%%$'\x1f'*} != $1 ]] || list+=("$c")
	done
	echo "TAP version 13"
	if ((EUID)); then
		echo "1..0 # SKIP needs root"
		exit $KSFT_SKIP
	fi
	echo "1..${#list[@]}"
	mkdir -p "$tmp"
	trap 'rig_down; rm -rf "$tmp"' EXIT
	for c in "${list[@]}"; do
		IFS=$'\x1f' read -r func rig name <<<"$c"
		nr=$((nr + 1)) rc=0 start=$EPOCHREALTIME taint=$(tainted)
		echo "scsi_multipath: ${0##*/} $func" >/dev/kmsg
		if [[ -z $up || $rig != "$up" ]]; then
			rig_down
			# shellcheck disable=SC2086
			run_step $rig
			rc=$?
			up=$rig
		fi
		if ((rc == 0)); then
			run_step "$func"
			rc=$?
		fi
		((rc == 0 || rc == KSFT_SKIP)) || show_state
		stop_tasks
		if ((taint != $(tainted))); then
			note "FAILED: the kernel has warned, see its log"
			rc=1
		fi
		name="$nr $name"
		case $rc in
		0) echo "ok $name" ;;
		"$KSFT_SKIP") echo "ok $name # SKIP" ;;
		*)	echo "not ok $name"
			bad=$((bad + 1)) ;;
		esac
		note "$func took $(elapsed "$start") ms"
		if ((rc)); then
			rig_down
			up=
		fi
	done
	note "Totals: pass:$((nr - bad)) fail:$bad"
	exit $((bad > 0))
}

# Milliseconds since $1, a value of EPOCHREALTIME.
elapsed() { echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000)); }

# A short time, without starting a program: with all debugging that takes longer.
exec {never}<> <(:)
nap() { read -r -t "$1" -u "$never" || :; }

# A machine that is emulated by a busy one may take so many times as long.
slowness=3
# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * slowness * 1000000))
	shift

	until "$@"; do
		((${EPOCHREALTIME/./} < deadline)) || return 1
		nap "$poll"
	done
}
# Seconds. To look takes a debug kernel longer.
poll=0.02
[[ ! -e /proc/lockdep ]] || poll=0.1

# A task that is ended with the case, if it does not end before.
background() {
	"$@" &
	bg_pid=$!
	echo $bg_pid >>"$tmp/pids"
}

# Has a child ended? bash is not to be relied upon to take note of it by itself.
gone() {
	local state

	read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" || return 0
	[[ $state == Z ]]
}

stop_tasks() {
	local pid

	[[ -s $tmp/pids ]] || return 0
	while read -r pid; do
		kill -TERM "$pid" 2>/dev/null || continue
		wait_for 5 gone "$pid" || kill -KILL "$pid" 2>/dev/null
	done <"$tmp/pids"
	rm -f "$tmp/pids"
}

#
# The kernel: SCSI as a module, to be loaded with any parameter, or built in
#

scsi_modules=(scsi_debug sg sd_mod scsi_dh_alua scsi_mod multipath)

scsi_is_module() { [[ ! -e /sys/module/scsi_mod || -e /sys/module/scsi_mod/initstate ]]; }

# Modules go when the last reference is dropped, which may be after a work.
unload() {
	local m

	for m; do
		[[ -e /sys/module/$m/initstate ]] || continue
		wait_for 10 rmmod_quiet "$m" || return 1
	done
}
rmmod_quiet() { rmmod "$1" 2>/dev/null; }

scsi_unload() { unload "${scsi_modules[@]}"; }

scsi_mode() {
	local mode=none

	{ read -r mode </sys/module/scsi_mod/parameters/multipath; } 2>/dev/null || :
	echo "$mode"
}

# scsi_load MODE: have SCSI with multipath=MODE
scsi_load() {
	if [[ $(scsi_mode) != "$1" ]]; then
		scsi_is_module || skip "SCSI is built in, with multipath=$(scsi_mode)"
		scsi_unload || fail "SCSI modules are in use: $(lsmod | grep scsi)"
		modprobe scsi_mod multipath="$1" || fail "scsi_mod does not load"
		[[ $(scsi_mode) != none ]] || skip "no native multipath in this kernel"
	fi
	modprobe -qa sd_mod scsi_dh_alua sg || :
	# Cases count commands, so there shall be none that they do not know of.
	[[ ! -e $probe_secs ]] || echo 0 >$probe_secs
}

#
# Rigs
#

# rig_none: no devices
rig_none() { :; }

# rig_debug MODE HOSTS [ARGUMENT...]: scsi_debug, each host a path to one disk.
# ALUA state by host number modulo 3: optimized, non-optimized, standby.
rig_debug() {
	local mode=$1 hosts=$2
	shift 2

	scsi_load "$mode"
	modprobe scsi_debug add_host="$hosts" vpd_use_hostno=0 dev_size_mb=32 ndelay=10000 "$@" ||
		fail "scsi_debug does not load"
	wait_for 20 have_paths "$hosts" || fail "there are not $hosts paths"
}

# rig_loop MODE PATHS [SERIAL]: LIO, a ramdisk behind PATHS loopback targets,
# each of which is a port group of its own; with alua_type=1 the target alone
# decides which of them serve (3, LIO's default: it may be told as well)
rig_loop() {
	local mode=$1 paths=$2 serial=${3-abc1} i

	scsi_load "$mode"
	lio_load
	mkdir -p "$backstore"
	echo rd_pages="${loop_pages:-8192}" >"$backstore/control"
	[[ -z $serial ]] || echo "$serial" >"$backstore/wwn/vpd_unit_serial"
	echo 1 >"$backstore/enable"
	# A device reads the type when it is found, which is before it has its group.
	echo "${alua_type:-3}" >"$backstore/alua/default_tg_pt_gp/alua_access_type"
	for ((i = 1; i <= paths; i++)); do
		mkdir "$backstore/alua/tpg$i"
		echo "$i" >"$backstore/alua/tpg$i/tg_pt_gp_id"
		echo "${alua_type:-3}" >"$backstore/alua/tpg$i/alua_access_type"
		loop_target "$i" "$backstore" "tpg$i"
	done
	[[ -n $serial && $mode == @(on|always) ]] || return 0
	wait_for 20 have_paths "$paths" || fail "there are not $paths paths"
	wait_for 20 all_are optimized || fail "not all paths are optimized"
}

lio_load() {
	modprobe target_core_mod
	modprobe tcm_loop || skip "no tcm_loop"
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	mkdir -p /var/target/{alua,pr}
}

# loop_target NUMBER BACKSTORE GROUP
loop_target() {
	local tpg

	tpg=$(loop_tpg "$1")
	mkdir -p "$tpg"
	printf 'naa.600140500000%04x\n' "$1" >"$tpg/nexus"
	mkdir "$tpg/lun/lun_0"
	loop_link "$1" "$2" "$3"
}

loop_link() {
	local tpg

	tpg=$(loop_tpg "$1")
	ln -s "$2" "$tpg/lun/lun_0/mpath"
	[[ -z $3 ]] || echo "$3" >"$tpg/lun/lun_0/alua_tg_pt_gp"
}

loop_unlink() { rm "$(loop_tpg "$1")/lun/lun_0/mpath"; }

loop_tpg() { printf '%s/loopback/naa.500140500000%04x/tpgt_1\n' "$target" "$1"; }
loop_hctl() {
	local address

	read -r address <"$(loop_tpg "$1")/address" && echo "$address:0"
}

# The number of the target that H:C:T:L is.
loop_of() {
	local i

	for i in {1..8}; do
		[[ -d $(loop_tpg "$i") && $(loop_hctl "$i") == "$1" ]] || continue
		echo "$i"
		return
	done
	return 1
}

lio_down() {
	local d address

	[[ -d $target ]] || return 0
	for d in "$target"/loopback/naa.*/tpgt_*; do
		[[ -d $d ]] || continue
		echo online >"$d/transport_status"
		# tcm_loop does not get over a LUN whose device is gone.
		read -r address <"$d/address"
		if [[ -L $d/lun/lun_0/mpath && ! -d /sys/class/scsi_device/$address:0 ]]; then
			rescan "$address:0"
			wait_for 5 test -d "/sys/class/scsi_device/$address:0"
		fi
		rm -f "$d"/lun/lun_*/mpath
		rmdir "$d"/lun/lun_* "$d" "${d%/*}"
	done
	rmdir "$target/loopback" 2>/dev/null
	for d in "$target"/core/*/mpath*; do
		[[ -d $d ]] || continue
		rmdir "$d"/alua/tpg* 2>/dev/null
		rmdir "$d" && rmdir "${d%/*}"
	done
	unload tcm_loop target_core_file target_core_iblock target_core_pscsi \
		target_core_user target_core_mod
}

# Take down whatever there is. Nothing of it may fail, nor hang because the
# last path has gone.
rig_down() {
	local d

	stop_tasks
	for d in $(heads); do
		echo 0 >"/sys/block/$d/delayed_removal_secs"
	done 2>/dev/null
	while read -r _ d _; do [[ $d != "$tmp"/* ]] || umount -l "$d"; done </proc/mounts
	! declare -F iscsi_down >/dev/null || iscsi_down || note "iSCSI could not be taken down"
	lio_down || note "LIO could not be taken down"
	unload scsi_debug || note "scsi_debug could not be unloaded"
	wait_for 10 no_heads || note "still there: $(heads)"
}

no_heads() { [[ -z $(heads) ]]; }

#
# Disks and paths. These are called over and over, so they start no programs.
#

# The disks over paths.
heads() {
	local d

	for d in /sys/block/sd*/mpath_parked; do
		d=${d%/*}
		[[ ! -d $d ]] || echo "${d##*/}"
	done
}

# The one disk there is.
head_disk() {
	local all=(/sys/block/sd*/mpath_parked) head

	((${#all[@]} == 1)) && [[ -e ${all[0]} ]] || return 1
	head=${all[0]%/*}
	echo "${head##*/}"
}

# Names of the path disks of disk $1.
path_disks() {
	local d

	for d in "/sys/block/$1/multipath"/sd*; do [[ ! -L $d ]] || echo "${d##*/}"; done
}

path_hctl() { (cd -P "/sys/block/$1/device" && echo "${PWD##*/}"); }

# H:C:T:L of all paths of the disk there is, those with a driver.
hctls() {
	local d head

	head=$(head_disk) || return
	for d in $(path_disks "$head"); do path_hctl "$d"; done
}

count() { echo $#; }

have_paths() {
	local head

	if [[ $(scsi_mode) == off ]]; then
		# shellcheck disable=SC2046
		(($(count $(sd_names)) == $1))
	else
		# shellcheck disable=SC2046
		head=$(head_disk) && (($(count $(path_disks "$head")) == $1)) && [[ -b /dev/$head ]]
	fi
}

# Names of all sd disks, hidden ones too.
sd_names() {
	local d

	for d in /sys/block/sd*; do [[ ! -e $d ]] || echo "${d##*/}"; done
}

sdev() { echo "/sys/class/scsi_device/$1/device"; }

# The path disk of H:C:T:L.
disk_of() {
	local d

	for d in "/sys/class/scsi_device/$1/device/block"/*; do
		[[ -d $d ]] || return 1
		echo "${d##*/}"
	done
}

# The state of path H:C:T:L, "gone" if it is no path: sets state.
get_state() {
	local d

	state=
	for d in "/sys/class/scsi_device/$1/device/block"/*; do
		read -r state <"$d/mpath_state" || :
	done 2>/dev/null
	: "${state:=gone}"
}
state() { local state; get_state "$1"; echo "$state"; }
# shellcheck disable=SC2053
state_is() { local state; get_state "$1"; [[ $state == $2 ]]; }
usable() { state_is "$1" '*optimized'; }
unusable() { ! usable "$1"; }

# all_are STATE: each path of the disk there is
all_are() {
	local hctl

	for hctl in $(hctls); do state_is "$hctl" "$1" || return 1; done
}

# head_attr NAME: of the disk there is
head_attr() {
	local value

	read -r value <"/sys/block/$(head_disk)/$1" && echo "$value"
}
failovers() { head_attr mpath_failovers; }
parked() { head_attr mpath_parked; }
none_parked() { (($(parked) == 0)); }
some_parked() { (($(parked) > 0)); }

# Of the logical unit under the disk there is.
lun_dir() { readlink -f "/sys/block/$(head_disk)/device"; }
policy() { echo "$1" >"$(lun_dir)/iopolicy"; }

# Commands that H:C:T:L has been given, and those that ended with an error.
# get_counter sets counter.
get_counter() {
	counter=0
	{ read -r counter <"/sys/class/scsi_device/$1/device/$2"; } 2>/dev/null || :
	counter=$((counter))
}
sdev_counter() { local counter; get_counter "$1" "$2"; echo "$counter"; }
requests() { sdev_counter "$1" iorequest_cnt; }
errors() { sdev_counter "$1" ioerr_cnt; }
timeouts() { sdev_counter "$1" iotmo_cnt; }
requests_above() { local counter; get_counter "$1" iorequest_cnt; ((counter > $2)); }

# rescan H:C:T:L: look for a device there. tcm_loop says that it has no LUN, so
# it has to be found by looking for any.
rescan() {
	local h c t

	IFS=: read -r h c t _ <<<"$1"
	echo "$c $t -" >"/sys/class/scsi_host/host$h/scan"
}

#
# Errors on scsi_debug's paths
#

rules_of() { echo "/sys/kernel/debug/scsi_debug/$1/error"; }

# inject H:C:T:L RULE: see "error" in scsi_debug
inject() { echo "$2" >"$(rules_of "$1")" || skip "scsi_debug takes no rules"; }
# uninject H:C:T:L TYPE OPCODE
uninject() { echo "- $2 $3" >"$(rules_of "$1")"; }
# What is left of the count of rule TYPE for OPCODE.
rule_left() { awk -v t="$2" -v o="$3" '$1 == t && $3 == o { print $2 }' "$(rules_of "$1")"; }
rule_used_up() { [[ $(rule_left "$@") == 0 ]]; }

#
# Verified I/O
#

# fio_start [FILE [ARGUMENT...]]: write and read back for as long as it is let,
# on the disk there is or on FILE. Each block that is read back is checked for
# what was written last. A kernel that checks its locks has no time for anything
# else when fio takes what it can get.
fio_start() {
	local file=${1:-/dev/$(head_disk)} disk reads pace=()
	shift || :
	[[ ! -e /proc/lockdep ]] || pace=(--rate_iops=30 --rate_process=poisson)
	disk=${file#/dev/}
	[[ -d /sys/block/$disk ]] || disk=$(head_disk)
	reads=$(disk_stat "$disk" 1)
	rm -f "$tmp/fio.json"
	# Blocks are read back as they are written, and all of them at the end of
	# each of the loops.
	background fio --output-format=json --output="$tmp/fio.json" --filename="$file" \
		--ioengine=libaio --direct=1 --rw=randwrite \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
		--verify_backlog=32 --disk_util=0 --loops=1000000 --exitall_on_error=1 \
		"${pace[@]}" "$@" \
		--name=small --bs=4k --size=1m --iodepth=8 \
		--name=large --bs=64k --offset=4m --size=4m --iodepth=4 >"$tmp/fio.err" 2>&1
	fio_pid=$bg_pid
	wait_for 30 disk_reads_above "$disk" $((reads + 50)) ||
		fail "fio does not get going: $(fio_why)"
}

# A statistic of a disk: 1 reads, 5 writes, 9 in flight, see Documentation/block/stat.rst
disk_stat() {
	local f

	read -r -a f <"/sys/block/$1/stat" && echo "${f[$2 - 1]}"
}
# Bios that have ended on a path, if it is one now.
path_ios() {
	local disk n

	if disk=$(disk_of "$1"); then read -r n <"/sys/block/$disk/mpath_ios" && echo "$n"; fi
}
# What its device has not answered yet.
path_idle() { (($(<"/sys/block/$(disk_of "$1")/mpath_queue_depth") == 0)); }
disk_reads_above() { (($(disk_stat "$1" 1) > $2)); }

fio_alive() { ! gone "$fio_pid" || fail "fio has ended: $(fio_why)"; }

fio_why() { grep -sh '^fio:\|^verify:' "$tmp/fio.err" "$tmp/fio.json" | head -n 5 | tr '\n' ' '; }

# Bytes read, bytes written, errors, longest time that a request took (ms): by
# now, if fio has been told to say it now and then.
fio_result() {
	sed '/^fio:/d' "$tmp/fio.json" | jq -rs 'last | [
		([.jobs[].read.io_bytes] | add), ([.jobs[].write.io_bytes] | add),
		([.jobs[].error] | add),
		([.jobs[] | .read.clat_ns.max, .write.clat_ns.max] | max / 1000000 | floor)
		] | @tsv' 2>/dev/null
}

# Where the tasks of fio wait.
fio_waits() {
	local task

	for task in /proc/[0-9]*/task/*; do
		[[ $(<"$task/comm") == fio ]] || continue
		note "$task: $(sed -n 's/^State:[[:space:]]*//p' "$task/status")"
		sed 's/^/#   /' "$task/stack" || :
	done 2>/dev/null
}

# Let fio end, which it does with no error or fails the case. Sets fio_read and
# fio_written (bytes), and fio_stall (ms): the longest that a request took.
fio_stop() {
	local rc=0 errors

	kill -TERM "$fio_pid" 2>/dev/null || :
	wait_for 60 gone "$fio_pid" || { fio_waits; fail "fio does not end: its I/O is stuck"; }
	wait "$fio_pid" || rc=$?
	# 128: ended by a signal
	((rc == 0 || rc == 128)) || fail "fio ended with $rc: $(fio_why)"
	read -r fio_read fio_written errors fio_stall < <(fio_result) ||
		fail "no result of fio: $(fio_why)"
	is "errors of fio" 0 "$errors"
	ok_if "fio has read something back" "$fio_read > 0"
	note "fio: $((fio_written >> 10)) KiB written, $((fio_read >> 10)) KiB verified," \
		"longest stall $fio_stall ms"
}

# errno_of COMMAND...: with which errno a command failed, by what it said, or
# "none"
errno_of() {
	local said

	if said=$("$@" 2>&1 >/dev/null); then
		echo none
		return
	fi
	case $said in
	*'Input/output error'*) echo EIO ;;
	*'Remote I/O error'*) echo EREMOTEIO ;;
	*'No data available'*) echo ENODATA ;;
	*'No space left on device'*) echo ENOSPC ;;
	*'Timer expired'*) echo ETIME ;;
	*'Invalid exchange'*) echo EBADE ;;
	*'Invalid or incomplete multibyte'*) echo EILSEQ ;;
	*'Link has been severed'*) echo ENOLINK ;;
	*'Invalid argument'*) echo EINVAL ;;
	*'Numerical result out of range'*) echo ERANGE ;;
	*'No such device'*) echo ENODEV ;;
	*'Read-only file system'*) echo EROFS ;;
	*'Operation not permitted'*) echo EPERM ;;
	*'Device or resource busy'*) echo EBUSY ;;
	*) echo "${said:-unknown}" ;;
	esac
}
store() { printf '%s\n' "$1" >"$2"; }

# Read or write one block, number $2 of disk $1, past the caches.
read_block() { dd if="/dev/$1" of=/dev/null bs=4k count=1 skip="${2:-0}" iflag=direct status=none; }
write_block() {
	dd if=/dev/zero of="/dev/$1" bs=4k count=1 seek="${2:-0}" oflag=direct conv=notrunc \
		status=none
}
