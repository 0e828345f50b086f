#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine with two nodes, each with a host adapter of its own to the one disk.
#
# guest-kernel: lean
# guest-append: scsi_mod.multipath=always
# guest-qemu: -smp 2,sockets=2
# guest-qemu: -drive if=none,id=r,format=raw,snapshot=on,
# guest-qemu: file.driver=null-co,file.size=64M,file.read-zeroes=on
# guest-qemu: -drive if=none,id=a,driver=blkdebug,image=r
# guest-qemu: -drive if=none,id=b,driver=blkdebug,image=r
# guest-qemu: -object memory-backend-ram,id=m0,size=512M
# guest-qemu: -object memory-backend-ram,id=m1,size=512M -numa node,nodeid=0,cpus=0,memdev=m0
# guest-qemu: -numa node,nodeid=1,cpus=1,memdev=m1
# guest-qemu: -device pxb-pcie,id=pxb0,bus_nr=64,bus=pcie.0,numa_node=0
# guest-qemu: -device pxb-pcie,id=pxb1,bus_nr=128,bus=pcie.0,numa_node=1
# guest-qemu: -device pcie-root-port,id=rp0,bus=pxb0,chassis=1
# guest-qemu: -device pcie-root-port,id=rp1,bus=pxb1,chassis=2
# guest-qemu: -device virtio-scsi-pci,id=hba0,bus=rp0 -device virtio-scsi-pci,id=hba1,bus=rp1
# guest-qemu: -device scsi-hd,bus=hba0.0,drive=a,share-rw=on,wwn=0x5000c50015ea71ac
# guest-qemu: -device scsi-hd,bus=hba1.0,drive=b,share-rw=on,wwn=0x5000c50015ea71ac
# guest-timeout: 200

# shellcheck disable=SC2005,SC2012,SC2034,SC2046,SC2086,SC2119,SC2317
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=means.sh
. "$(dirname "$0")/means.sh"

# The adapters are there for as long as their driver is.
rig_nodes() {
	local node=/sys/devices/system/node

	[[ -d $node/node1 && $(</proc/cmdline) == *multipath=always* ]] ||
		skip "there is one node, or multipath is not on"
	scsi_load always
	unload virtio_scsi || fail "virtio_scsi is in use"
	modprobe virtio_scsi || skip "no virtio-scsi"
	wait_for 20 have_paths 2 || fail "there are not two paths"
	wait_for 20 all_are optimized || fail "not all paths can be used"
	is "processors of the nodes" "0 1" "$(<$node/node0/cpulist) $(<$node/node1/cpulist)"
}

# path_of NODE: the path by the adapter that is attached to it
path_of() {
	local h n d

	for h in $(hctls); do
		d=$(cd -P "$(sdev $h)" && pwd)
		while [[ ! -e $d/numa_node ]]; do d=${d%/*}; done
		read -r n <$d/numa_node
		[[ $n != "$1" ]] || { echo "$h"; return; }
	done
	return 1
}
nodes_of() { cat "/sys/block/$(disk_of "$1")/mpath_numa_nodes"; }

# What 10 reads and 10 writes on the processor of a node cost each path.
io_on() { # NODE
	local a b i d

	d=$(head_disk)
	a=$(path_ios $p0) b=$(path_ios $p1)
	for ((i = 0; i < 10; i++)); do
		taskset -c $1 dd if=/dev/zero of=/dev/$d bs=4k count=1 seek=$i oflag=direct \
			conv=notrunc status=none
		taskset -c $1 dd if=/dev/$d of=/dev/null bs=4k count=1 skip=$i iflag=direct \
			status=none
	done
	echo $(($(path_ios $p0) - a)) $(($(path_ios $p1) - b))
}
set_off() { echo "$2" >"/sys/block/$(disk_of "$1")/mpath_disabled"; }
find_paths() {
	p0=$(path_of 0)
	p1=$(path_of 1)
	[[ $p0 != "$p1" ]] || fail "both paths are on one node"
}

t_numa() {
	find_paths
	policy numa
	is "nodes" "0 1" "$(nodes_of $p0) $(nodes_of $p1)"
	is "I/O from node 0" "20 0" "$(io_on 0)"
	is "I/O from node 1" "0 20" "$(io_on 1)"
}

t_lost() {
	local p other node here there

	find_paths
	policy numa
	for node in 0 1; do
		p=$p0 other=$p1 here="20 0" there="0 20"
		((!node)) || p=$p1 other=$p0 here="0 20" there="20 0"
		set_off $p 1
		is "nodes" ",0-1" "$(nodes_of $p),$(nodes_of $other)"
		is "I/O from node $node" "$there" "$(io_on $node)"
		set_off $p 0
		is "nodes" "0 1" "$(nodes_of $p0) $(nodes_of $p1)"
		down_state $p
		is "nodes" ",0-1" "$(nodes_of $p),$(nodes_of $other)"
		is "I/O from node $node" "$there" "$(io_on $node)"
		up_state $p
		wait_for 20 usable $p || fail "$p is $(state $p)"
		is "nodes" "0 1" "$(nodes_of $p0) $(nodes_of $p1)"
		is "I/O from node $node" "$here" "$(io_on $node)"
	done
	set_off $p0 1
	set_off $p1 1
	is "nodes with no path" "," "$(nodes_of $p0),$(nodes_of $p1)"
	set_off $p0 0
	set_off $p1 0
}

t_round_robin() {
	local node a b

	find_paths
	for policy in round-robin queue-depth; do
		policy $policy
		is "nodes with $policy" "0-1 0-1" "$(nodes_of $p0) $(nodes_of $p1)"
	done
	policy round-robin
	for node in 0 1; do
		read -r a b < <(io_on $node)
		is "I/O from node $node" 20 $((a + b))
		# The turn is the processor's, and both have the same.
		is "its share on each path" "10 10" "$a $b"
	done
	set_off $p0 1
	is "nodes" ",0-1" "$(nodes_of $p0),$(nodes_of $p1)"
	set_off $p0 0
	policy numa
	is "nodes" "0 1" "$(nodes_of $p0) $(nodes_of $p1)"
}

# Verified, from both nodes at once, with paths lost.
t_io() {
	local n p

	find_paths
	policy numa
	fio_start "/dev/$(head_disk)" --numjobs=1 --cpus_allowed=0-1 --cpus_allowed_policy=split
	for p in $p0 $p1 $p0 $p1; do
		down_state $p
		n=$(disk_stat "$(head_disk)" 1)
		wait_for 30 disk_reads_above "$(head_disk)" $((n + 100)) ||
			fail "no I/O without $p"
		up_state $p
		wait_for 30 usable $p || fail "$p is $(state $p)"
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
}

# The adapters go, the one after the other, and so does the disk.
t_unplug() {
	find_paths
	down_delete $p0
	is "nodes" "0-1" "$(nodes_of $p1)"
	is "read" none "$(errno_of read_block "$(head_disk)")"
	unload virtio_scsi || fail "virtio_scsi is in use"
	wait_for 10 no_heads || fail "still there: $(heads)"
}

testcase t_numa rig_nodes "each node uses the path that is attached to it"
testcase t_lost rig_nodes "a node uses the path of another one if its own is lost"
testcase t_round_robin rig_nodes "with other policies all nodes use all paths"
testcase t_io rig_nodes "verified I/O from both nodes"
testcase t_unplug rig_nodes "the adapters go"

run_tests "$@"
