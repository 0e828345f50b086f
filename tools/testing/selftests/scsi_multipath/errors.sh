#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which errors are a path's and go to another path, and which are passed on.
# Host 0 of the rig is optimized and host 1 is not, so that all I/O goes to host
# 0 as long as it is usable.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_recovery|t_rain|t_partial|t_bad_reads
# guest-timeout: 1000

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

h0=0:0:0:0 h1=1:0:0:0
read=0x28 write=0x2a

rig_errors() {
	rig_debug on 2 "$@"
	wait_for 10 state_is $h0 optimized
	wait_for 10 state_is $h1 non-optimized
}

# A path that has failed often is tested seldom. Make it a new one.
renew() {
	down_unbind "$1"
	up_unbind "$1"
	wait_for 20 usable "$1" || fail "$1 is $(state "$1")"
}

# try OPCODE RULE: do one command with RULE at work on host 0; sets got (errno),
# moved (failovers) and helped (commands on host 1)
try() {
	local disk before others

	disk=$(head_disk) before=$(failovers) others=$(requests $h1)
	inject $h0 "$2"
	case $1 in
	"$read") got=$(errno_of read_block "$disk" 5) ;;
	"$write") got=$(errno_of write_block "$disk" 5) ;;
	esac
	moved=$(($(failovers) - before)) helped=$(($(requests $h1) - others))
}

# One line per error: what is injected (host byte, status, key, asc, ascq), name.
# The four tables have all host bytes of a command that has not been aborted, all
# statuses, and all sense keys (SPC-5, 4.4), with those of their codes that are
# looked at: by the midlayer, sd, or the device handler. But for those of zones, which
# these disks have not; and for a group that is in transition, see t_transitioning of paths.sh.

# The path's: another one is tried at once.
path_errors="
01 0 0 0 0	DID_NO_CONNECT
04 0 0 0 0	DID_BAD_TARGET
05 0 0 0 0	DID_ABORT
02 0 0 0 0	DID_BUS_BUSY
0f 0 0 0 0	DID_TRANSPORT_FAILFAST
14 0 0 0 0	DID_TRANSPORT_MARGINAL
0e 0 0 0 0	DID_TRANSPORT_DISRUPTED
00 2 2 4 b	standby
00 2 2 4 c	unavailable
00 2 2 4 12	offline
00 2 2 4 2	not started
00 2 2 4 3	manual intervention
00 2 2 3a 0	no medium
00 2 2 4 24	depopulation
00 2 2 4 25	depopulation restore
00 2 5 25 0	no such logical unit
00 2 9 0 0	vendor specific
00 2 c 0 0	equal
00 2 f 0 0	completed
00 30 0 0 0	ACA ACTIVE"

t_path_errors() {
	local host status key asc ascq name op

	while read -r host status key asc ascq name; do
		[[ -n $name ]] || continue
		for op in $read $write; do
			try $op "2 -1 $op 0x$host 0 0x$status 0x$key 0x$asc 0x$ascq"
			is "$name, $op: left of the rule" 0 "$(rule_left $h0 2 $op)"
			is "$name, $op: the issuer sees" none "$got"
			is "$name, $op: failovers" 1 "$moved"
			ok_if "$name, $op: another path has helped" "helped > 0"
			renew $h0
		done
	done <<<"$path_errors"
}

# The same for what has no data.
t_other_commands() {
	local op error command before

	while read -r op command; do
		[[ -n $op ]] || continue
		for error in "1 0 0 0 0 0" "0xf 0 0 0 0 0" "0 0 2 2 4 0xc"; do
			before=$(failovers)
			inject $h0 "2 -1 $op $error"
			$command "/dev/$(head_disk)" || fail "$command, $error: it has failed"
			is "$command, $error: left of the rule" 0 "$(rule_left $h0 2 $op)"
			is "$command, $error: failovers" $((before + 1)) "$(failovers)"
			renew $h0
		done
	done <<-END
		0x35 sync
		0x42 blkdiscard -o 1M -l 1M
		0x93 blkdiscard -z -o 2M -l 1M
	END
}

issuers_errors="
00 2 3 11 0	$read	ENODATA		medium error
00 2 3 11 0	$write	ENODATA		medium error
00 2 4 44 0	$read	EREMOTEIO	hardware error
00 2 5 21 0	$read	EREMOTEIO	out of range
00 2 5 22 0	$read	EREMOTEIO	invalid function
00 2 5 24 0	$read	EREMOTEIO	invalid field in CDB
00 2 5 26 0	$read	EREMOTEIO	invalid parameter
00 2 5 27 0	$write	EREMOTEIO	write protected, an illegal request
00 2 3 13 0	$read	ENODATA		no address mark
00 2 5 10 1	$write	EILSEQ		guard check failed, found by the host
00 2 7 27 0	$write	EREMOTEIO	write protected
00 2 7 27 7	$write	ENOSPC		no space left
00 2 8 0 0	$read	EREMOTEIO	blank check
00 2 a 0 0	$read	EREMOTEIO	copy aborted
00 2 d 0 0	$write	EREMOTEIO	volume overflow
00 2 e 1d 0	$read	EREMOTEIO	miscompare
00 2 3 14 1	$read	ENODATA		record not found
00 2 b 10 1	$read	EILSEQ		guard check failed
00 2 b 10 2	$read	EILSEQ		application tag check failed
00 2 b 10 3	$read	EILSEQ		reference tag check failed
00 2 b 2e 1	$read	ETIME		duration limit, not begun
00 2 b 2e 2	$read	ETIME		duration limit
00 2 b 2e 3	$read	ETIME		duration limit, in recovery
00 2 f 55 a	$read	ETIME		duration limit, completed
00 18 0 0 0	$read	EBADE		reservation conflict
00 18 0 0 0	$write	EBADE		reservation conflict"

t_issuers_errors() {
	local host status key asc ascq op errno name before

	while read -r host status key asc ascq op errno name; do
		[[ -n $name ]] || continue
		before=$(requests $h1)
		try $op "2 -1 $op 0x$host 0 0x$status 0x$key 0x$asc 0x$ascq"
		is "$name, $op: left of the rule" 0 "$(rule_left $h0 2 $op)"
		is "$name, $op: the issuer sees" $errno "$got"
		is "$name, $op: failovers" 0 "$moved"
		is "$name, $op: state of the path" optimized "$(state $h0)"
		is "$name, $op: commands on the other path" "$before" "$(requests $h1)"
	done <<<"$issuers_errors"
}

# What the midlayer retries by itself.
passing_errors="
06 0 0 0 0	DID_PARITY
07 0 0 0 0	DID_ERROR
08 0 0 0 0	DID_RESET
0a 0 0 0 0	DID_PASSTHROUGH
0b 0 0 0 0	DID_SOFT_ERROR
0c 0 0 0 0	DID_IMM_RETRY
0d 0 0 0 0	DID_REQUEUE
00 8 0 0 0	BUSY
00 28 0 0 0	TASK SET FULL
00 40 0 0 0	TASK ABORTED
00 4 0 0 0	CONDITION MET
00 10 0 0 0	INTERMEDIATE
00 14 0 0 0	INTERMEDIATE-CONDITION MET
00 22 0 0 0	COMMAND TERMINATED
00 2 0 0 0	no sense
00 2 1 17 1	recovered error
00 2 2 4 1	becoming ready
00 2 2 4 7	operation in progress
00 2 2 4 4	format in progress
00 2 2 4 5	rebuild in progress
00 2 2 4 6	recalculation in progress
00 2 2 4 8	long write in progress
00 2 2 4 9	self-test in progress
00 2 2 4 11	enable spinup required
00 2 2 4 14	space allocation in progress
00 2 2 4 1a	start stop unit in progress
00 2 2 4 1b	sanitize in progress
00 2 2 4 1d	configuration in progress
00 2 3 3 0	write fault
00 2 6 28 0	medium may have changed
00 2 6 29 0	power on or reset
00 2 6 29 4	device internal reset
00 2 6 2a 1	mode parameters changed
00 2 6 2a 6	ALUA state changed
00 2 6 2a 7	implicit transition failed
00 2 b 0 0	command aborted
00 2 b 44 0	internal target failure
00 2 b 4b 3	ACK/NAK timed out"

# What was tried with opcode $1, by a rule of host 0, has passed by itself.
has_passed() {
	is "$name, $1: left of the rule" 0 "$(rule_left $h0 2 $1)"
	is "$name, $1: the issuer sees" none "$got"
	is "$name, $1: failovers" 0 "$moved"
	is "$name, $1: state of the path" optimized "$(state $h0)"
}

t_passing_errors() {
	local host status key asc ascq name op

	while read -r host status key asc ascq name; do
		[[ -n $name ]] || continue
		for op in $read $write; do
			try $op "2 -1 $op 0x$host 0 0x$status 0x$key 0x$asc 0x$ascq"
			has_passed $op
		done
	done <<<"$passing_errors"
	for name in 0x1055 0x1056 0x1058; do
		try $read "1 -3 $read $name"
		is "queuecommand $name: left of the rule" 0 "$(rule_left $h0 1 $read)"
		is "queuecommand $name: the issuer sees" none "$got"
		is "queuecommand $name: failovers" 0 "$moved"
	done
	# From then on its commands are shorter.
	name="invalid operation code"
	for op in $read $write; do
		try $op "2 -1 $op 0 0 2 5 0x20 0"
		has_passed $op
		down_delete $h0
		up_delete $h0
		wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
	done
}

# What passes mostly, and now does not: the path is left after its retries, or
# when a command has taken as long as it may with all of them. What has been done
# all the same is left out.
t_lasting_errors() {
	local host status key asc ascq name op

	echo 1 >"$(sdev $h0)/timeout"
	while read -r host status key asc ascq name; do
		case $name in
		''|DID_PASSTHROUGH|*MET|INTERMEDIATE|*TERMINATED|"no sense"|recovered*) continue ;;
		esac
		for op in $read $write; do
			try $op "2 1 $op 0x$host 0 0x$status 0x$key 0x$asc 0x$ascq"
			is "$name, $op: the issuer sees" none "$got"
			is "$name, $op: failovers" 1 "$moved"
			uninject $h0 2 $op
			renew $h0
		done
	done <<<"$passing_errors"
	echo 30 >"$(sdev $h0)/timeout"
}

# What wakes the error handler, which resets the device; and how often the path is left,
# on which the command is tried again otherwise.
handled_errors="
03 0 0 0 0 1	DID_TIME_OUT
09 0 0 0 0 0	DID_BAD_INTR
00 8f 0 0 0 0	a status that there is not"

t_handled_errors() {
	local host status key asc ascq left name op

	while read -r host status key asc ascq left name; do
		[[ -n $name ]] || continue
		for op in $read $write; do
			try $op "2 -1 $op 0x$host 0 0x$status 0x$key 0x$asc 0x$ascq"
			is "$name, $op: left of the rule" 0 "$(rule_left $h0 2 $op)"
			is "$name, $op: the issuer sees" none "$got"
			is "$name, $op: failovers" "$left" "$moved"
			wait_for 20 usable $h0 || fail "$h0 is $(state $h0)"
			renew $h0
		done
	done <<<"$handled_errors"
}

# recovery COMMANDS: the error handler takes its time with one host, which does
# not answer so many. Nothing else waits for it.
recovery() {
	local n

	echo 1 >"$(sdev $h0)/timeout"
	echo 10 >"$(sdev $h0)/eh_timeout"
	fio_start
	inject $h0 "3 -$1 $read"
	inject $h0 "0 -1 0"
	inject $h0 "0 -$1 $read"
	wait_for 20 state_is $h0 blocked || fail "$h0 is $(state $h0)"
	n=$(disk_stat sda 1)
	wait_for 20 disk_reads_above sda $((n + 50)) || fail "no I/O"
	state_is $h0 blocked || fail "$h0 is $(state $h0)"
	wait_for 60 usable $h0 || fail "$h0 is $(state $h0)"
	rule_used_up $h0 0 0 || fail "the error handler was not held up"
	fio_stop
	none_parked || fail "parked: $(parked)"
	renew $h0
}

# A command that is never answered, what the error handler then has no success
# with (see "error" in scsi_debug: 3 abort, 4 device reset, 0 a command that is to
# show that a reset has helped; target reset has a file), the last that it does,
# and what becomes of the path
unanswered="
-	-	command aborts	optimized	abort
3	-	device		optimized	device reset
3,4	-	target		optimized	target reset
3,4	Y	bus		optimized	bus reset
3,4,0	Y	host		optimized	host reset
3,4,00	Y	host		offline		nothing"

t_unanswered() {
	local fails target counter state name op rule n tur
	local reset=/sys/kernel/debug/scsi_debug/target${h0%:*}/fail_reset

	[[ -w $reset && -r /proc/scsi/scsi_debug/0 ]] || skip "no counters of resets"
	echo 1 >"$(sdev $h0)/timeout"
	echo 1 >"$(sdev $h0)/eh_timeout"
	fio_start
	while IFS=$'\t' read -r fails target counter state name; do
		[[ -n $name ]] || continue
		for op in $read $write; do
			n=$(handled "$counter")
			[[ $target == - ]] || echo $target >$reset
			tur=${fails//[^0]/}
			[[ $fails != *3* ]] || inject $h0 "3 1 $op"
			[[ $fails != *4* ]] || inject $h0 "4 1 $op"
			# The device is left alone but for these commands.
			[[ -z $tur ]] || inject $h0 "0 -${#tur} 0"
			inject $h0 "0 -1 $op"
			wait_for 60 handled_above "$counter" "$n" ||
				fail "$name, $op: no such step, $(xargs </proc/scsi/scsi_debug/0)"
			is "$name, $op: left of the rule" 0 "$(rule_left $h0 0 $op)"
			wait_for 60 state_is $h0 "$state" || fail "$name, $op: $h0 is $(state $h0)"
			[[ -z $tur ]] ||
				is "$name, $op: TEST UNIT READYs left" 0 "$(rule_left $h0 0 0)"
			for rule in "3 $op" "4 $op" "0 $op" "0 0"; do
				uninject $h0 $rule 2>/dev/null || :
			done
			echo N >$reset
			n=$(disk_stat sda 1)
			wait_for 20 disk_reads_above sda $((n + 50)) || fail "$name, $op: no I/O"
			[[ $state != offline ]] || up_state $h0
			renew $h0
			fio_alive
		done
	done < <(tr -s '\t' <<<"$unanswered")
	fio_stop
	none_parked || fail "parked: $(parked)"
	echo 30 >"$(sdev $h0)/timeout"
	echo 10 >"$(sdev $h0)/eh_timeout"
}
# How often the error handlers have done that
handled() { sed -n "s/.*\<$1=\([0-9]*\).*/\1/p" /proc/scsi/scsi_debug/0; }
handled_above() { (($(handled "$1") > $2)); }

t_recovery() { recovery 1; }

# It has no room for more than these.
t_full() {
	echo 2 >"$(sdev $h0)/queue_depth"
	recovery 2
	echo 64 >"$(sdev $h0)/queue_depth"
}

# Errors rain on both paths, each of which may go to the other.
t_rain() {
	local i

	fio_start
	for i in {1..5}; do
		# The second gets I/O only for as long as the first fails.
		inject $h1 "2 -2 $write 1 0 0 0 0 0"
		inject $h0 "2 1 $write 1 0 0 0 0 0"
		wait_for 60 rule_used_up $h1 2 $write || fail "round $i: no error on $h1"
		uninject $h0 2 $write
		inject $h0 "2 -1 $read 0xf 0 0 0 0 0"
		renew $h0
		renew $h1
		fio_alive
	done
	fio_stop
	ok_if "bios were failed over" "$(failovers) >= 20"
	none_parked || fail "parked: $(parked)"
}

# Targets may do a part of a command.
t_partial() {
	local trace=/sys/kernel/tracing

	[[ -d $trace/events/scsi ]] || skip "no events to trace"
	echo >$trace/trace
	fio_start
	echo 'opcode == 0x28' >$trace/events/scsi/scsi_dispatch_cmd_start/filter
	echo 1 >$trace/events/scsi/scsi_dispatch_cmd_start/enable
	echo 7 >$debug_driver/every_nth
	echo 0x100 >$debug_driver/opts
	wait_for 60 disk_reads_above "$(head_disk)" $(($(disk_stat "$(head_disk)" 1) + 200)) ||
		fail "no progress"
	# and fail the path while they do
	inject $h0 "2 -3 $read 1 0 0 0 0 0"
	wait_for 30 rule_used_up $h0 2 $read || fail "the rule is not used up"
	wait_for 60 disk_reads_above "$(head_disk)" $(($(disk_stat "$(head_disk)" 1) + 200)) ||
		fail "no progress"
	echo 0 >$debug_driver/opts
	echo 0 >$debug_driver/every_nth
	fio_stop
	echo 0 >$trace/events/scsi/scsi_dispatch_cmd_start/enable
	echo 0 >$trace/events/scsi/scsi_dispatch_cmd_start/filter
	# The rest of a command is a command that begins in the midst of a block.
	ok_if "commands were done in part" "$(rests) > 5"
	is "in flight" "0 0" "$(xargs <"/sys/block/$(head_disk)/inflight")"
	none_parked || fail "parked: $(parked)"
	renew $h0
}
# fio asks for 4 KiB or more of a disk with blocks of 512 bytes.
rests() {
	sed -nE 's/.* lba=([0-9]+) .*/\1/p' /sys/kernel/tracing/trace |
		awk '$1 % 8 { n++ } END { print n + 0 }'
}

# The path answers TEST UNIT READY and fails each read: it is left alone until
# it has answered one.
# From now on all reads on host 0 fail, and so do the tests of its path.
fail_reads() {
	inject $h0 "2 1 $read 1 0 0 0 0 0"
	wait_for 20 state_is $h0 failed || fail "the path is $(state $h0)"
	# what was under way when it failed
	wait_for 20 errors_above $h0 $(($(errors $h0) + 1)) || fail "the path is not tested"
}
state_changes() { cat /sys/block/$(disk_of $h0)/mpath_state_changes; }

t_bad_reads() {
	local before n changes

	fio_start
	fail_reads
	changes=$(state_changes)
	before=$(failovers) n=$(errors $h0)
	wait_for 60 errors_above $h0 $((n + 2)) || fail "the path is not tested any more"
	is "changes of its state" "$changes" "$(state_changes)"
	ok_if "bios keep off the path" "$(failovers) - before <= 1"
	state_is $h0 failed || fail "the path is $(state $h0)"
	fio_alive
	uninject $h0 2 $read
	wait_for 10 state_is $h0 optimized || fail "the path is $(state $h0)"
	n=$(requests $h0)
	wait_for 10 requests_above $h0 $((n + 20)) || fail "no I/O on the path"
	fio_stop
	none_parked || fail "parked: $(parked)"
	renew $h0
}

errors_above() { (($(errors "$1") > $2)); }

# A test is not answered: the next one is sent long before it is given up.
t_unanswered_test() {
	local changes n

	echo 20 >"$(sdev $h0)/timeout"
	n=$(timeouts $h0)
	fio_start
	fail_reads
	inject $h0 "0 -1 $read"
	wait_for 20 rule_used_up $h0 0 $read || fail "the path is not tested any more"
	uninject $h0 2 $read
	wait_for 60 state_is $h0 optimized || fail "the path is $(state $h0)"
	is "tests that have been given up" "$n" "$(timeouts $h0)"
	changes=$(state_changes)
	n=$(handled aborts)
	wait_for 60 handled_above aborts "$n" || fail "the test is not given up"
	n=$(disk_stat sda 1)
	wait_for 20 disk_reads_above sda $((n + 50)) || fail "no I/O"
	fio_stop
	is "changes of its state" "$changes" "$(state_changes)"
	is "state" optimized "$(state $h0)"
	none_parked || fail "parked: $(parked)"
	echo 30 >"$(sdev $h0)/timeout"
	renew $h0
}

# timed MAXIMUM COMMAND...: must fail, and before MAXIMUM seconds are over
timed() {
	local max=$1 start=$EPOCHREALTIME
	shift

	rm -f "$tmp/errno"
	background errno_to "$tmp/errno" "$@"
	wait_for "$max" gone "$bg_pid" || fail "the bio has not ended in $max s"
	is "the issuer sees" EIO "$(<"$tmp/errno")"
	note "it took $(elapsed "$start") ms"
}
errno_to() { local to=$1; shift; errno_of "$@" >"$to"; }

# Tests succeed, the bio does not, on any path.
t_bounded_tries() {
	local h

	for h in $h0 $h1; do inject $h "2 1 $write 1 0 0 0 0 0"; done
	timed 90 write_block "$(head_disk)" 5
	for h in $h0 $h1; do uninject $h 2 $write; done
	wait_for 10 usable $h0 || fail "the path is $(state $h0)"
	is "write" none "$(errno_of write_block "$(head_disk)" 5)"
	none_parked || fail "parked: $(parked)"
	renew $h0
	renew $h1
}

# The tests fail as well: after a time nobody waits for them any more, but they
# go on.
t_bounded_time() {
	local h

	for h in $h0 $h1; do inject $h "2 1 $read 1 0 0 0 0 0"; done
	timed 60 read_block "$(head_disk)" 5
	is "states" "degraded degraded" "$(state $h0) $(state $h1)"
	for h in $h0 $h1; do uninject $h 2 $read; done
	wait_for 10 usable $h0 || fail "the path is $(state $h0)"
	is "read" none "$(errno_of read_block "$(head_disk)" 5)"
	none_parked || fail "parked: $(parked)"
}

testcase t_path_errors rig_errors \
	"B1, B5, B10, C16, C17: an error of the path: the other path at once"
testcase t_other_commands "rig_errors lbpu=1 lbpws=1" \
	"B5: a flush, a discard and zeroes: the other path at once"
testcase t_issuers_errors rig_errors \
	"B5: an error of the medium, the target or the command is the issuer's"
testcase t_passing_errors rig_errors "B5: what passes by itself leaves the path alone"
testcase t_lasting_errors rig_errors "B5, B10: what should pass and does not costs the path its I/O"
testcase t_handled_errors rig_errors "B10: what the error handler is for"
testcase t_unanswered rig_errors "B10: a command that is never answered, whatever ends it"
testcase t_recovery rig_errors "B3, B10: nothing waits for a host's error handler"
testcase t_full rig_errors "B15: nor for a device that has no room"
testcase t_rain rig_errors "B1, C17: errors on both paths under verified I/O"
testcase t_partial rig_errors "B17: commands that are done in part, and then fail"
testcase t_bad_reads rig_errors "B8: a path that fails all reads is held down until one succeeds"
testcase t_unanswered_test rig_errors \
	"B8: a test that is not answered does not keep others from being"
testcase t_bounded_tries rig_errors "B8: a bio that no path takes ends with an error"
testcase t_bounded_time rig_errors \
	"B8, B9: paths that fail all tests are not waited for without end"

run_tests "$@"
