#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every command that Documentation/scsi/scsi-multipath.rst shows does what it says.
#
# What a command is there, guide.awk says. A line "..." at the end of its output
# stands for any more. The commands of a section are run in their order, and what
# they print has to be what is shown but for the numbers and ids. So a new one is run
# as well; one in a section that has no case here fails the last case.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-timeout: 300
# guest-debug: t_modprobe

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=iscsi.sh
. "$(dirname "$0")/iscsi.sh"

# Commands that do not end by themselves, and what is to be seen while they run.
declare -A endless=(
	['udevadm monitor --kernel --property --subsystem-match=scsi_mpath_disk']=watch_events
	['cat /sys/kernel/tracing/trace_pipe']=watch_trace
)
# What the text says that has to be done before.
declare -A before=(
	['grep . /sys/class/iscsi_connection/connection*/{recv,ping}_tmo']=log_in_again
	['sg_inq /dev/bsg/3:0:0:0 | grep -o TPGS=.']=without_alua
	['sg_vpd --page=di /dev/bsg/3:0:0:0']=with_alua
)
without_alua() { echo 1 >$debug_driver/vpd_use_hostno; }
with_alua() { echo 0 >$debug_driver/vpd_use_hostno; }

parse() {
	need_guide
	[[ ! -e $tmp/shown ]] || return 0
	awk -f "$(dirname "$0")/guide.awk" "$guide" >"$tmp/shown"
}

# What a command prints, but for ids, how it is spaced, and numbers, if one is not all
# of a line, or the value of something.
form() {
	local text

	text=$(sed -E '
		s/\b(naa|eui)\.[0-9a-f]+/\1.0/g
		/^ *[0-9]+$/b
		s/(^|[^=:0-9])[0-9]+/\10/g' | tr -s ' \t\n' ' ')
	text=${text# }
	echo "${text% }"
}

# compare COMMAND WANTED GOT
compare() {
	local wanted got

	wanted=$(form <<<"$2")
	got=$(form <<<"$3")
	case $wanted in
	*...)	[[ $got && $got == "${wanted%...}"* ]] ;;
	*)	[[ $got == "$wanted" ]] ;;
	esac || fail "$1: the document shows '$2', it prints '$3'"
}

# run COMMAND WANTED: in this shell, as the next one may need what it does to it.
run() {
	note "$1"
	printf '%s\n' "$1" >>"$tmp/ran"
	${before[$1]:-:}
	if [[ ${endless[$1]:-} ]]; then
		: >"$tmp/said"
		background bash -c "exec $1" >"$tmp/said" 2>&1
		"${endless[$1]}"
		kill "$bg_pid"
		return
	fi
	eval "$1" >"$tmp/said" 2>&1 || fail "$1: it ends with $?: $(<"$tmp/said")"
	compare "$1" "$2" "$(<"$tmp/said")"
}

# run_section TITLE: all of its commands
run_section() {
	local title='' command='' wanted='' kind text ran=0

	parse
	while IFS=$'\x1f' read -r kind text; do
		if [[ $command && $kind != output ]]; then
			run "$command" "$wanted"
			ran=$((ran + 1)) command='' wanted=''
		fi
		case $kind in
		section) title=$text ;;
		command) [[ $title != "$1" ]] || command=$text ;;
		output) [[ ! $command ]] || wanted+=$text$'\n' ;;
		esac
	done <"$tmp/shown"
	[[ ! $command ]] || { run "$command" "$wanted"; ran=$((ran + 1)); }
	ok_if "commands in the section '$1'" "ran > 0"
	cd /
}

# Four hosts: optimized, non-optimized, standby, and one with a removable medium.
rig_docs() {
	rig_debug on 3
	wait_for 10 state_is 1:0:0:0 non-optimized || fail "1:0:0:0 is $(state 1:0:0:0)"
	wait_for 10 state_is 2:0:0:0 standby || fail "2:0:0:0 is $(state 2:0:0:0)"
	echo 1 >$debug_driver/removable
	echo 1 >$debug_driver/add_host
	wait_for 10 test -e /sys/block/sdb || fail "there is no sdb"
	# It is looked at whenever a device is scanned.
	echo 0 >$debug_driver/removable
	is "disks" "sda sda:0 sda:1 sda:2 sdb" "$(echo $(sd_names))"
}

t_short() {
	run_section "In short"
	is "the time to wait" 60 "$(head_attr delayed_removal_secs)"
	echo 0 >/sys/block/sda/delayed_removal_secs
}

t_on() { run_section "Turning it on"; }

t_modprobe() {
	scsi_is_module || skip "SCSI is built in"
	need_guide
	scsi_unload || fail "SCSI modules are in use"
	mkdir "$tmp/modprobe.d"
	shown_lines '^options scsi_mod ' >"$tmp/modprobe.d/scsi.conf"
	[[ -s $tmp/modprobe.d/scsi.conf ]] || fail "no line for modprobe"
	modprobe -C "$tmp/modprobe.d" scsi_mod
	is "multipath" on "$(scsi_mode)"
	scsi_unload
}

t_see() { run_section "What there is to see"; }
t_files() { run_section "Files"; }

t_policies() {
	local default=/sys/module/scsi_mod/parameters/multipath_iopolicy

	run_section "Policies"
	is "policy" queue-depth "$(<"$(lun_dir)/iopolicy")"
	is "policy of new disks" round-robin "$(<$default)"
	policy numa
	echo numa >$default
}

t_off() {
	run_section "Switching a path off"
	is "the path" non-optimized "$(state 1:0:0:0)"
}

t_alua() {
	run_section "ALUA states"
	is "seconds" 5 "$(<$probe_secs)"
	echo 0 >$probe_secs
}

# No commands, but rules for udev, and it is udev that has to take them.
t_rules() {
	local daemon=/usr/lib/systemd/systemd-udevd

	need_guide
	[[ -x $daemon ]] || skip "no udev"
	rig_down
	rules=/run/udev/rules.d/99-scsi_multipath.rules
	trap 'rm -f $rules' EXIT
	mkdir -p "${rules%/*}"
	shown_lines '^ACTION==' >$rules
	is "rules" 4 "$(wc -l <$rules)"
	pidof systemd-udevd >/dev/null || background $daemon >"$tmp/udev.log" 2>&1
	wait_for 10 udev_reload || fail "udev does not answer"
	rig_debug on 2
	wait_for 20 rules_work ||
		fail "after the rules: $(head_attr delayed_removal_secs) $(<"$(lun_dir)/iopolicy")"
	# It leaves out what it does not understand.
	! grep -s "${rules##*/}" "$tmp/udev.log" || fail "udev does not take the rules"
	rm $rules
	udev_reload
	udevadm settle
	echo 0 >"/sys/block/$(head_disk)/delayed_removal_secs"
	rig_down
	rig_docs
}
udev_reload() { udevadm control --reload 2>/dev/null; }
rules_work() {
	[[ $(head_attr delayed_removal_secs) == 60 && $(<"$(lun_dir)/iopolicy") == round-robin ]]
}

said() { grep -qE "$1" "$tmp/said"; }

watch_events() {
	wait_for 20 said '^KERNEL - ' || fail "udevadm does not listen"
	echo 1 >/sys/block/sda:1/mpath_disabled
	wait_for 20 said '^MPATH_EVENT=path-unusable$' ||
		fail "no event of the path: $(<"$tmp/said")"
	said '^MPATH_DISK=sda$' || fail "it is not of the disk: $(<"$tmp/said")"
	said '^MPATH_PATH=sda:1$' || fail "it is not of the path: $(<"$tmp/said")"
	echo 0 >/sys/block/sda:1/mpath_disabled
	wait_for 20 said '^MPATH_EVENT=path-usable$' || fail "no event of the path: $(<"$tmp/said")"
}

# 8,0 is the disk.
watch_trace() {
	read_block sda
	wait_for 20 said 'mpath_select: 8,0 ' || fail "no bio in the trace: $(<"$tmp/said")"
}

t_events() {
	run_section "Events"
	is "tracepoints" 0 "$(</sys/kernel/tracing/events/multipath/enable)"
}

t_sizes() {
	run_section "Sizes and limits"
	wait_for 20 have_paths 3 || fail "there are not three paths"
	wait_for 20 usable 1:0:0:0 || fail "1:0:0:0 is $(state 1:0:0:0)"
}

t_luns() {
	run_section "Adding and removing a LUN"
	is "disks" "" "$(heads)"
	rig_down
	rig_docs
}

t_limits() { run_section "Limits of this version"; }
t_log() { run_section "Messages in the log"; }

t_trouble() {
	echo offline >/sys/block/sda:1/device/state
	wait_for 10 state_is 1:0:0:0 offline || fail "1:0:0:0 is $(state 1:0:0:0)"
	run_section "When something is not as expected"
	wait_for 20 usable 1:0:0:0 || fail "1:0:0:0 is $(state 1:0:0:0)"
}

log_in_again() {
	local i

	for i in 1 2; do
		iscsi_logout $i
		wait_for 20 have_paths 1 || fail "there is no path left"
		iscsi_login $i
		wait_for 20 have_paths 2 || fail "there are not two paths"
	done
}

t_iscsi() {
	local i

	run_section "Timers of the transport"
	for i in 1 2; do is "timers of session $i" "2 3 120" "$(iscsi_timers $i)"; done
}

# Nor is it by commands that open-iscsi gets these.
t_iscsid_conf() {
	shown_lines '^node\.' >"$tmp/iscsid.conf"
	is "settings" 3 "$(wc -l <"$tmp/iscsid.conf")"
	iscsi_logout 1
	iscsi_node 1 -o delete
	iscsiadm -m discovery -t sendtargets -p "$(iscsi_ip 1)" >"$tmp/iscsiadm.log"
	iscsi_login 1
	is "timers" "$(echo $(awk '{ print $3 }' "$tmp/iscsid.conf"))" "$(iscsi_timers 1)"
	wait_for 20 have_paths 2 || fail "there are not two paths"
}

# These need a system of their own, and are run by its test.
elsewhere=("Moving from dm-multipath and back")

t_all() {
	local title='' kind text e

	parse
	while IFS=$'\x1f' read -r kind text; do
		if [[ $kind == section ]]; then title=$text; fi
		[[ $kind == command ]] || continue
		for e in "${elsewhere[@]}"; do [[ $e != "$title" ]] || continue 2; done
		grep -qxF -- "$text" "$tmp/ran" || fail "no case runs '$text', in '$title'"
	done <"$tmp/shown"
	# Within the text it would not be found.
	# shellcheck disable=SC2016
	while read -r text; do
		! type -t "${text%% *}" >/dev/null || fail "'$text' has to be in a literal block"
	done < <(tr -s '\n ' ' ' <"$guide" | grep -oE '``[a-z_-]+ [^`]*``' | tr -d '`')
}

testcase t_short rig_docs "commands: In short"
testcase t_on rig_docs "commands: Turning it on"
testcase t_see rig_docs "commands: What there is to see"
testcase t_files rig_docs "commands: Files"
testcase t_policies rig_docs "commands: Policies"
testcase t_off rig_docs "commands: Switching a path off"
testcase t_alua rig_docs "commands: ALUA states"
testcase t_events rig_docs "commands: Events"
testcase t_sizes rig_docs "commands: Sizes and limits"
testcase t_luns rig_docs "commands: Adding and removing a LUN"
testcase t_limits rig_docs "commands: Limits of this version"
testcase t_log rig_docs "commands: Messages in the log"
testcase t_rules rig_docs "udev takes the rules that are shown"
testcase t_trouble rig_docs "commands: When something is not as expected"
testcase t_iscsi "rig_iscsi on 2" "commands: Timers of the transport"
testcase t_iscsid_conf "rig_iscsi on 2" "open-iscsi takes the settings that are shown"
testcase t_modprobe rig_none "modprobe takes the line that is shown"
testcase t_all rig_none "no command is shown that has not been run"

run_tests "$@"
