#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Paths with a transport that blocks them for a while when a link is cut, then
# gives them up, and finds them again: iSCSI.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_blocked|t_unbind
# guest-timeout: 700

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=iscsi.sh
. "$(dirname "$0")/iscsi.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# Sets h1 and h2, the paths by the portals 1 and 2.
paths() {
	h1=$(iscsi_hctl 1)
	h2=$(iscsi_hctl 2)
	policy round-robin
}

# gets_io H:C:T:L
gets_io() {
	local n

	n=$(requests "$1")
	wait_for 30 requests_above "$1" $((n + 50)) || fail "$1 gets no I/O"
}

goes_on() {
	local disk n

	disk=$(head_disk)
	n=$(disk_stat "$disk" 1)
	wait_for 30 disk_reads_above "$disk" $((n + 200)) || {
		fio_alive
		fail "I/O does not go on"
	}
}

both_are() { state_is "$h1" "$1" && state_is "$h2" "$1"; }

# down_to_blocked NUMBER: cut the link of a path, and sets blocked_ms: how long
# the transport took to notice
down_to_blocked() {
	local h start=$EPOCHREALTIME

	h=$(iscsi_hctl "$1")
	iscsi_link "$1" down
	wait_for 30 state_is "$h" blocked || fail "$h is $(state "$h")"
	blocked_ms=$(elapsed "$start")
	note "blocked after $blocked_ms ms"
}

# After fio_stop: what the path held went elsewhere as soon as it was blocked, and did
# not wait until it was given up, which is half a minute later at least.
stall_was_short() {
	ok_if "I/O has waited for the transport to notice, not for more" \
		"fio_stall < blocked_ms + 20000"
}

# Is all that the disk has parked, and nothing in the queues of its paths?
all_parked() {
	local r w

	read -r r w <"/sys/block/$(head_disk)/inflight"
	((r + w > 0 && $(parked) == r + w))
}

# Write and verify an area of its own, beside what fio_start does.
more_io() {
	local ms

	fio --output-format=json --output="$tmp/more.json" --filename="/dev/$(head_disk)" \
		--ioengine=libaio --direct=1 --rw=randwrite --bs=4k --offset=16m --size=2m \
		--iodepth=64 --verify=crc32c --do_verify=1 --verify_fatal=1 \
		--verify_state_save=0 --disk_util=0 --name=more >"$tmp/more.err" 2>&1 ||
		fail "more I/O: $(head -n 3 "$tmp/more.err")"
	ms=$(jq '.jobs[0] | if .read.io_bytes > 0
		then [.read.clat_ns.max, .write.clat_ns.max] | max / 1000000 | floor
		else error("nothing verified") end' "$tmp/more.json") || fail "more I/O: no result"
	note "more I/O: longest stall $ms ms"
}

# Read a block in the background.
start_reader() {
	rm -f "$tmp/errno"
	background reader "$(head_disk)"
	reader_pid=$bg_pid
}
reader() { errno_of read_block "$1" >"$tmp/errno.new"; mv "$tmp/errno.new" "$tmp/errno"; }
# reader_ends SECONDS ERRNO
reader_ends() {
	wait_for "$1" gone "$reader_pid" || fail "a read does not end"
	is "the read" "$2" "$(<"$tmp/errno")"
}

t_sessions() {
	paths
	[[ $h1 != "$h2" ]] || fail "one host for both: $h1"
	is "sessions" 2 "$(count $(iscsi_sessions))"
	is "disks" 1 "$(count $(heads))"
	is "port groups" "tpg1 tpg2" "$(group_of 1) $(group_of 2)"
	fio_start
	gets_io "$h1"
	gets_io "$h2"
	fio_stop
	none_parked || fail "parked: $(parked)"
}
group_of() { awk -F ': ' '/Alias/ { print $2 }' "$iscsi_target/tpgt_$1/lun/lun_0/alua_tg_pt_gp"; }

# The link is back before the transport gives the path up. Until then nothing
# waits for it: fio can end only when all that it has begun has ended.
t_blocked() {
	local start n

	paths
	iscsi_wait_for 1 600
	# What is beyond the depth waits in the queue.
	echo 1 >"$(sdev "$h1")/queue_depth"
	fio_start
	gets_io "$h1"
	down_to_blocked 1
	n=$(requests "$h1")
	goes_on
	more_io
	wait_for 5 none_parked || fail "parked: $(parked)"
	fio_stop
	stall_was_short
	ok_if "$h1 gets no I/O" "$(requests "$h1") == n"
	is "the path" blocked "$(state "$h1")"

	fio_start
	start=$EPOCHREALTIME
	iscsi_link 1 up
	wait_for 60 usable "$h1" || fail "$h1 is $(state "$h1")"
	note "back after $(elapsed "$start") ms"
	gets_io "$h1"
	fio_stop
	none_parked || fail "parked: $(parked)"
}

# Its port is in another group when the link is back: the path has the state of that
# one, and not of the one that it was in.
t_moved() {
	local lun=$iscsi_target/tpgt_1/lun/lun_0

	paths
	iscsi_wait_for 1 120
	fio_start
	gets_io "$h1"
	down_to_blocked 1
	mkdir "$backstore/alua/tpg3"
	echo 3 >"$backstore/alua/tpg3/tg_pt_gp_id"
	echo tpg3 >"$lun/alua_tg_pt_gp"
	iscsi_link 1 up
	wait_for 60 usable "$h1" || fail "$h1 is $(state "$h1")"
	gets_io "$h1"
	echo 2 >"$backstore/alua/tpg3/alua_access_state"
	wait_for 20 state_is "$h1" standby || fail "$h1 is $(state "$h1")"
	fio_stop
	none_parked || fail "parked: $(parked)"
	echo tpg1 >"$lun/alua_tg_pt_gp"
	rmdir "$backstore/alua/tpg3"
	echo 1 >"$(sdev "$h1")/rescan"
	wait_for 20 usable "$h1" || fail "$h1 is $(state "$h1")"
}

# sd is unbound from a blocked path, and flushes its cache, which has to wait: with
# nobody left to say that it is a path, whoever unblocks it lets that go on.
t_unbind() {
	paths
	iscsi_wait_for 1 120
	echo "temporary write back" >"$(sdev "$h1")/scsi_disk/$h1/cache_type"
	fio_start
	gets_io "$h1"
	down_to_blocked 1
	background down_unbind "$h1"
	wait_for 20 have_paths 1 || fail "the path stays one"
	goes_on
	! gone "$bg_pid" || fail "nothing was flushed"
	iscsi_link 1 up
	wait_for 60 gone "$bg_pid" || fail "unbinding hangs"
	up_unbind "$h1"
	wait_for 30 have_paths 2 || fail "there are not two paths"
	wait_for 30 usable "$h1" || fail "$h1 is $(state "$h1")"
	gets_io "$h1"
	fio_stop
	none_parked || fail "parked: $(parked)"
}

# give_up SECONDS: the link is back when the transport has given the path up, after
# that long
give_up() {
	local start n

	fio_start
	gets_io "$h1"
	start=$EPOCHREALTIME
	down_to_blocked 1
	wait_for "$1" state_is "$h1" offline || fail "$h1 is $(state "$h1")"
	is "the device" transport-offline "$(<"$(sdev "$h1")/state")"
	note "given up after $(elapsed "$start") ms"
	n=$(requests "$h1")
	goes_on
	more_io
	ok_if "$h1 gets no I/O" "$(requests "$h1") == n"
	is "the path" offline "$(state "$h1")"

	iscsi_link 1 up
	wait_for 60 usable "$h1" || fail "$h1 is $(state "$h1")"
	gets_io "$h1"
	fio_stop
	stall_was_short
	none_parked || fail "parked: $(parked)"
}

t_given_up() {
	paths
	iscsi_wait_for 1 30
	give_up 30
}

# cut_all SECONDS, in which the transport notices: no path for a while, but it has
# given up none, so all waits. Ends fio.
cut_all() {
	iscsi_link 1 down
	iscsi_link 2 down
	wait_for "$1" both_are blocked || fail "states: $(state "$h1") $(state "$h2")"
	start_reader
	wait_for 10 all_parked ||
		fail "parked: $(parked) of $(xargs <"/sys/block/$(head_disk)/inflight")"
	! gone "$reader_pid" || fail "a read has ended with $(<"$tmp/errno")"
	fio_alive

	iscsi_link 1 up
	iscsi_link 2 up
	reader_ends 60 none
	wait_for 60 both_are optimized || fail "states: $(state "$h1") $(state "$h2")"
	gets_io "$h1"
	gets_io "$h2"
	fio_stop
	none_parked || fail "parked: $(parked)"
}

t_all_blocked() {
	paths
	iscsi_wait_for 1 120
	iscsi_wait_for 2 120
	fio_start
	gets_io "$h1"
	gets_io "$h2"
	cut_all 30
}

# The transport gives all paths up: what has waited for them fails then.
t_all_given_up() {
	paths
	iscsi_wait_for 1 8
	iscsi_wait_for 2 8
	iscsi_link 1 down
	iscsi_link 2 down
	wait_for 30 both_are blocked || fail "states: $(state "$h1") $(state "$h2")"
	start_reader
	wait_for 5 some_parked || fail "nothing is parked"
	reader_ends 30 EIO
	is "states" "offline offline" "$(state "$h1") $(state "$h2")"
	is "another read" EIO "$(errno_of read_block "$(head_disk)")"
	none_parked || fail "parked: $(parked)"

	# and with time to come back, waits
	echo 600 >"/sys/block/$(head_disk)/delayed_removal_secs"
	start_reader
	wait_for 5 some_parked || fail "nothing is parked"
	iscsi_link 1 up
	reader_ends 60 none
	iscsi_link 2 up
	wait_for 60 both_are optimized || fail "states: $(state "$h1") $(state "$h2")"
	echo 0 >"/sys/block/$(head_disk)/delayed_removal_secs"
	none_parked || fail "parked: $(parked)"
}

t_logout() {
	local disk

	paths
	disk=$(head_disk)
	fio_start
	gets_io "$h1"
	iscsi_logout 1
	wait_for 20 state_is "$h1" gone || fail "$h1 is $(state "$h1")"
	is "paths" "$h2" "$(hctls)"
	goes_on
	iscsi_login 1
	wait_for 30 have_paths 2 || fail "there are not two paths"
	h1=$(iscsi_hctl 1)
	wait_for 30 usable "$h1" || fail "$h1 is $(state "$h1")"
	is "the disk" "$disk" "$(head_disk)"
	gets_io "$h1"
	fio_stop
	none_parked || fail "parked: $(parked)"
}

# renew WANTED [NAME VALUE]...: have both sessions anew, with these timers
renew() {
	local wanted=$1 i hctl
	shift

	for i in 1 2; do
		iscsi_renew $i "$@"
		wait_for 30 have_paths 2 || fail "there are not two paths"
		hctl=$(iscsi_hctl $i)
		wait_for 30 usable "$hctl" || fail "path $i is $(state "$hctl")"
		is "timers of session $i" "$wanted" "$(iscsi_timers $i)"
	done
	paths
}

# One link is cut for a while, then all of them.
cut_links() {
	local n

	fio_start
	gets_io "$h1"
	gets_io "$h2"
	iscsi_link 1 down
	wait_for 60 state_is "$h1" blocked || fail "$h1 is $(state "$h1")"
	n=$(requests "$h1")
	goes_on
	more_io
	is "the path" blocked "$(state "$h1")"
	ok_if "$h1 gets no I/O" "$(requests "$h1") == n"
	iscsi_link 1 up
	wait_for 60 usable "$h1" || fail "$h1 is $(state "$h1")"
	gets_io "$h1"
	cut_all 60
}

# The target takes its time to say how its groups stand, longer than it is until it is
# asked again: a group is activated all the same.
t_slow_answers() {
	local i

	modprobe -q sch_netem || skip "no netem"
	paths
	echo 1 >$probe_secs
	for i in 1 2; do
		iscsi_netem $i delay 700ms
		echo 2 >"$backstore/alua/tpg$i/alua_access_state"
	done
	start_reader
	reader_ends 60 none
	ok_if "a group that serves" \
		"$(cat "$backstore"/alua/tpg[12]/alua_access_state | sort -n | head -n 1) < 2"
	echo 0 >$probe_secs
	for i in 1 2; do
		iscsi_netem $i
		echo 0 >"$backstore/alua/tpg$i/alua_access_state"
		ask_state "$(iscsi_hctl $i)"
	done
	wait_for 60 both_are optimized || fail "states: $(state "$h1") $(state "$h2")"
	none_parked || fail "parked: $(parked)"
}

# What open-iscsi has if it is told nothing.
t_defaults() {
	renew "5 5 120"
	cut_links
	give_up 120
	renew "1 2 120" "${iscsi_quick[@]}"
}

t_advised() {
	local settings

	need_guide
	mapfile -t settings < <(shown_lines '^node\.[^ ]+ = [0-9]+$' | sed 's/ = /\n/')
	is "settings" 6 "${#settings[@]}"
	renew "${settings[1]} ${settings[3]} ${settings[5]}" "${settings[@]}"
	cut_links
	renew "1 2 120" "${iscsi_quick[@]}"
}

testcase t_sessions "rig_iscsi on 2" "two sessions are two paths to one disk"
testcase t_blocked "rig_iscsi on 2" "B9, B15: a link is cut, and back before the path is given up"
testcase t_moved "rig_iscsi on 2" "D11: a path comes back in another port group"
testcase t_unbind "rig_iscsi on 2" "A19, B15: sd is unbound from a blocked path"
testcase t_given_up "rig_iscsi on 2" "B9: a path is given up, and comes back when its link does"
testcase t_all_blocked "rig_iscsi on 2" "B9: all links are cut for a while, I/O waits"
testcase t_all_given_up "rig_iscsi on 2" "B9: all paths are given up, I/O fails"
testcase t_advised "rig_iscsi on 2" "links are cut, with the timers that the documentation advises"
testcase t_defaults "rig_iscsi on 2" \
	"links are cut and given up, with the timers that open-iscsi has by default"
testcase t_slow_answers "rig_iscsi on 2" "a group is activated by a target that answers slowly"
testcase t_logout "rig_iscsi on 2" "a session is ended under I/O, and begun again"

run_tests "$@"
