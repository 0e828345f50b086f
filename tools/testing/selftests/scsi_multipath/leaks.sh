#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Made and taken down over and over: nothing is left.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=on
# guest-debug: t_kmemleak
# guest-timeout: 1100

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# Use a disk, fail over, park bios, and take it down in one way or the other.
round() {
	local h all means=state

	if (($1 % 2)); then
		rig_debug on 2
	else
		rig_loop on 2
		means='link'
	fi
	mapfile -t all < <(hctls)
	background dd if="/dev/$(head_disk)" of=/dev/null bs=64k iflag=direct status=none
	echo 600 >"/sys/block/$(head_disk)/delayed_removal_secs"
	for h in "${all[@]}"; do down_$means "$h"; done
	for h in "${all[@]}"; do up_$means "$h"; done
	wait_for 30 gone "$bg_pid" || fail "a reader hangs"
	case $(($1 % 4)) in
	0|1)	for h in "${all[@]}"; do down_unbind "$h"; done
		for h in "${all[@]}"; do up_unbind "$h"; done ;;
	esac
	rig_down
	is "heads" "" "$(heads)"
	is "logical units" "" "$(compgen -G '/sys/class/scsi_mpath_device/*' || :)"
	if scsi_is_module; then
		scsi_unload || fail "the SCSI modules cannot be unloaded: $(lsmod)"
	fi
}

# Caches of bios are made for a disk and go with the last one that wants them.
bio_caches() { awk '/^bio-/ { n++ } END { print n + 0 }' /proc/slabinfo; }
percpu_kb() { awk '/^Percpu:/ { print $2 }' /proc/meminfo; }
slab_kb() { awk '/^SUnreclaim:/ { print $2 }' /proc/meminfo; }

# The objects of each cache of the slab, when those are gone that nobody uses.
objects() {
	local file

	echo 3 >/proc/sys/vm/drop_caches
	for file in /sys/kernel/slab/*/shrink; do echo 1 >"$file"; done
	awk 'NR > 2 { print $1, $2 }' /proc/slabinfo
}
# Is there no cache with $1 more? Some are freed later.
nothing_left() {
	objects >"$tmp/after"
	awk 'NR == FNR { before[$1] = $2; next }
		$2 > before[$1] { print $2 - before[$1], $1 }' "$tmp/before" "$tmp/after" |
		sort -rn >"$tmp/left"
	awk -v enough="$1" '$1 >= enough { exit 1 }' "$tmp/left"
}

t_rounds() {
	local i n=${ROUNDS:-100} seconds=1000 caches percpu slab start

	# With all debugging there is no time for more than a few of all four kinds.
	[[ ! -e /proc/lockdep ]] || n=${ROUNDS:-20} seconds=40
	# what is kept for good after the first time
	for i in {0..3}; do round "$i"; done
	caches=$(bio_caches) percpu=$(percpu_kb) slab=$(slab_kb)
	objects >"$tmp/before"
	start=$EPOCHREALTIME
	for ((i = 1; i <= n; i++)); do
		((i <= 4 || $(elapsed "$start") < seconds * 1000)) || break
		round "$i"
	done
	i=$((i - 1))
	note "after $i rounds: bio caches $caches -> $(bio_caches)," \
		"per-CPU $percpu -> $(percpu_kb) kB, slab $slab -> $(slab_kb) kB"
	is "caches of bios" "$caches" "$(bio_caches)"
	ok_if "per-CPU memory has not grown" "$(percpu_kb) - percpu <= 200"
	# What comes and goes by itself hides a few objects, as many as there are rounds
	# with all debugging, where kmemleak sees them.
	((n >= 100)) || return 0
	ok_if "rounds in $seconds s" "i >= n"
	wait_for 30 nothing_left $((i / 4)) ||
		fail "objects that are left: $(head -n 5 "$tmp/left" | xargs)"
	note "objects more than before: $(head -n 5 "$tmp/left" | xargs)"
}

testcase t_rounds rig_none "A16, B4: 100 rounds of making and taking down leave nothing"
testcase t_kmemleak rig_none "A1, A2, A10: no leaks"

run_tests "$@"
