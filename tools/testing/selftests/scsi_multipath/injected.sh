#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The block layer makes bios fail, or loses completions, below and above the
# disk: the one is tried on the other path, the other is the issuer's.
#
# guest-timeout: 400

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

h0=0:0:0:0 h3=3:0:0:0
bios=/sys/kernel/debug/fail_make_request
completions=/sys/kernel/debug/fail_io_timeout

# Hosts 0 and 3 are optimized, 1 and 2 are not, so nothing goes there as long as
# one of the others is usable. They are not wanted here.
rig_injected() {
	local h

	rig_debug on 4
	for h in 1:0:0:0 2:0:0:0; do echo 1 >"$(sdev $h)/delete"; done
	wait_for 20 have_paths 2 || fail "there are not two paths"
	wait_for 20 all_are optimized || fail "not all paths are optimized"
	policy round-robin
}

path_attr() { echo "/sys/block/$(disk_of "$1")/$2"; }
path_errors() { echo $(<"$(path_attr "$1" mpath_errors)"); }
path_errors_above() { (($(path_errors "$1") > $2)); }
timeouts_above() { (($(timeouts "$1") > $2)); }

# inject_on WHAT TIMES: all that is marked fails, so many times, or -1
inject_on() {
	echo N >"$1/task-filter"
	echo 0 >"$1/verbose"
	echo 0 >"$1/space"
	echo 1 >"$1/interval"
	echo "$2" >"$1/times"
	echo 100 >"$1/probability"
}
injected_all() { [[ $(<"$1/times") == 0 ]]; }
inject_off() {
	local file

	echo 0 >"$1/probability"
	for file in /sys/block/sd*/"$2"; do echo 0 >"$file"; done
}

io_goes_on() {
	local disk n

	disk=$(head_disk)
	n=$(disk_stat "$disk" 1)
	wait_for 60 disk_reads_above "$disk" $((n + 30)) || fail "$1: no I/O"
	fio_alive
}

# The path that has been at fault is one again, and gets I/O.
is_back() {
	local n

	wait_for 60 usable "$2" || fail "$1: $2 is $(state "$2")"
	n=$(requests "$2")
	wait_for 60 requests_above "$2" $((n + 20)) || fail "$1: $2 gets no I/O"
	fio_alive
}

# Nothing is left: what fio has written is there, no bio waits, none is counted.
all_is_well() {
	local d

	fio_stop
	none_parked || fail "parked: $(parked)"
	is "in flight" "0 0" "$(xargs <"/sys/block/$(head_disk)/inflight")"
	for d in $(path_disks "$(head_disk)"); do
		is "commands on $d" 0 "$(</sys/block/$d/mpath_queue_depth)"
		is "counted for the port of $d" 0 "$(</sys/block/$d/mpath_port_depth)"
	done
	is "paths" 2 "$(count $(hctls))"
	is "refused" "$refused" "$(head_attr mpath_refused)"
}

# Clones are submitted to the disk of their path, and fail there as others do.
t_make_request() {
	local i n head others

	[[ -d $bios ]] || skip "no fault injection"
	trap 'inject_off $bios make-it-fail' EXIT
	head=$(head_disk) refused=$(head_attr mpath_refused)
	policy queue-depth
	others=$(path_errors $h3)
	fio_start
	# some, and the tests of the path with them
	for n in 1 5; do
		echo 1 >"$(path_attr $h0 make-it-fail)"
		i=$(path_errors $h0)
		inject_on $bios $n
		wait_for 60 injected_all $bios || fail "$n bios: they have not failed"
		wait_for 10 path_errors_above $h0 "$i" || fail "$n bios: no error is counted"
		is_back "$n bios" $h0
		inject_off $bios make-it-fail
	done
	is "latest error" -5 "$(<"$(path_attr $h0 mpath_last_error)")"
	is "errors of the other path" "$others" "$(path_errors $h3)"
	# all, until it is over
	echo 1 >"$(path_attr $h0 make-it-fail)"
	inject_on $bios -1
	wait_for 60 state_is $h0 failed || fail "all bios: $h0 is $(state $h0)"
	io_goes_on "all bios"
	unusable $h0 || fail "all bios: $h0 is $(state $h0)"
	inject_off $bios make-it-fail
	is_back "no bios" $h0
	# on both paths
	n=$(failovers)
	for i in $h0 $h3; do echo 1 >"$(path_attr $i make-it-fail)"; done
	inject_on $bios 6
	wait_for 60 injected_all $bios || fail "both paths: they have not failed"
	io_goes_on "both paths"
	for i in $h0 $h3; do is_back "both paths" $i; done
	ok_if "failovers" "$(failovers) >= n + 2"
	inject_off $bios make-it-fail
	all_is_well
	# Before there is a clone, it is the issuer's error, and none of a path.
	n="$(failovers) $(path_errors $h0) $(path_errors $h3) $(requests $h0) $(requests $h3)"
	echo 1 >"/sys/block/$head/make-it-fail"
	inject_on $bios 4
	for i in 1 2; do
		is "read $i" EIO "$(errno_of read_block "$head" 5)"
		is "write $i" EIO "$(errno_of write_block "$head" 2047)"
	done
	is "faults that are left" 0 "$(<$bios/times)"
	is "failovers, errors and commands of the paths" "$n" \
		"$(failovers) $(path_errors $h0) $(path_errors $h3) $(requests $h0) $(requests $h3)"
	is "states" "optimized optimized" "$(state $h0) $(state $h3)"
	is "read" none "$(errno_of read_block "$head" 5)"
	is "write" none "$(errno_of write_block "$head" 2047)"
	inject_off $bios make-it-fail
	fio_start
	io_goes_on "after all"
	all_is_well
	policy round-robin
}

timed_out() { (($(timeouts $h0) + $(timeouts $h3) >= $1)); }

# lose TIMES H:C:T:L...: so many commands are not seen to end, of these paths
lose() {
	local n=$1 h
	shift

	for h; do echo 1 >"$(path_attr "$h" io-timeout-fail)"; done
	inject_on $completions "$n"
}

# Completions get lost, so that the error handler is what ends the commands.
t_io_timeouts() {
	local h i n before

	[[ -d $completions ]] || skip "no fault injection"
	trap 'inject_off $completions io-timeout-fail' EXIT
	refused=$(head_attr mpath_refused)
	for h in $h0 $h3; do
		echo 1 >"$(sdev $h)/timeout"
		echo 1 >"$(sdev $h)/eh_timeout"
	done
	policy queue-depth
	fio_start
	for n in 1 8; do
		before=$(timeouts $h0)
		lose $n $h0
		wait_for 60 injected_all $completions || fail "$n commands: they are not lost"
		wait_for 60 timeouts_above $h0 $((before + n - 1)) ||
			fail "$n commands: $(($(timeouts $h0) - before)) timeouts"
		is_back "$n commands" $h0
		inject_off $completions io-timeout-fail
	done
	# all, until it is over
	before=$(timeouts $h0)
	lose -1 $h0
	wait_for 60 timeouts_above $h0 $((before + 2)) || fail "all commands: no timeouts"
	io_goes_on "all commands"
	note "all commands: $h0 is $(state $h0), $(($(timeouts $h0) - before)) timeouts"
	inject_off $completions io-timeout-fail
	is_back "no commands" $h0
	# on both paths
	before=$(timeouts $h0) n=$(timeouts $h3)
	lose 8 $h0 $h3
	wait_for 60 injected_all $completions || fail "both paths: they are not lost"
	io_goes_on "both paths"
	for h in $h0 $h3; do is_back "both paths" $h; done
	wait_for 60 timed_out $((before + n + 8)) || fail "both paths: not all have timed out"
	inject_off $completions io-timeout-fail
	all_is_well
	for h in $h0 $h3; do
		echo 30 >"$(sdev $h)/timeout"
		echo 10 >"$(sdev $h)/eh_timeout"
	done
	policy round-robin
}

testcase t_make_request rig_injected \
	"B5, C17: bios fail at a path, which is left, and at the disk, which is the issuer's"
testcase t_io_timeouts rig_injected "B10, C17: commands that are not seen to end"

run_tests "$@"
