#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: balance.sh
#
# How well the policies use two paths, which are iSCSI sessions: if one of them
# takes 30 ms longer, as a share of what the other one gives alone; and if they
# are equal, as a share of what both give, each alone. Then each link takes no
# more than 40 Mbit/s, for it to be the links that limit.

# shellcheck disable=SC2154
cd /tests || exit
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=lib.sh
. ./lib.sh
# shellcheck source-path=SCRIPTDIR/../../tools/testing/selftests/scsi_multipath source=iscsi.sh
. ./iscsi.sh
set -eE -o pipefail
trap 'echo "balance.sh: line $LINENO: $BASH_COMMAND: failed"' ERR
mkdir -p "$tmp"

# KiB/s
throughput() {
	fio --output-format=json --name=load --filename="/dev/$(head_disk)" --direct=1 \
		--ioengine=libaio --rw=randread --bs=16k --size=16m --iodepth=8 --norandommap \
		--time_based --ramp_time=2 --runtime=8 --disk_util=0 --thread |
		jq '.jobs[0] | if .error == 0 then .read.bw else error end'
}

# Throughput of path $1 alone.
alone() {
	local other

	for other in 1 2; do
		echo $((other != $1)) >"/sys/block/$(disk_of "$(iscsi_hctl $other)")/mpath_disabled"
	done
	throughput
	for other in 1 2; do
		echo 0 >"/sys/block/$(disk_of "$(iscsi_hctl $other)")/mpath_disabled"
	done
}

# shares NAME WHOLE: of each policy
shares() {
	local p

	for p in numa round-robin queue-depth; do
		policy $p
		printf '##result %s\t%d\t%%\n' "balance.$1.$p" $((100 * $(throughput) / $2))
	done
}

rig_iscsi on 2
modprobe sch_netem
for i in 1 2; do iscsi_netem $i rate 40mbit; done
first=$(alone 1)
second=$(alone 2)
note "equal links, each alone: $first and $second KiB/s"
shares equal $((first + second))

iscsi_netem 1 delay 30ms
iscsi_netem 2 delay 0ms
first=$(alone 1)
second=$(alone 2)
note "a slow link and a fast one, each alone: $first and $second KiB/s"
shares slow "$second"
rig_down || :
