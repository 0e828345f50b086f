# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the bench's scripts in the guest share. To be sourced.

set -eEuo pipefail
trap 'echo "${0##*/}: line $LINENO: $BASH_COMMAND: failed"' ERR

# result NAME VALUE UNIT: what dev/bench collects
result() { printf '##result %s\t%s\t%s\n' "$1" "$2" "$3"; }

die() { printf '%s: %s\n' "${0##*/}" "$*"; exit 1; }

exec {never}<> <(:)
nap() { read -r -t "$1" -u "$never" || :; }

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift

	until "$@"; do
		((${EPOCHREALTIME/./} < deadline)) || die "in vain: $*"
		nap 0.005
	done
}

# What SCSI was booted with; plain: a kernel that cannot.
# shellcheck disable=SC2034
mode=$(cat /sys/module/scsi_mod/parameters/multipath 2>/dev/null || echo plain)

# The disks over paths there are, or those without multipath.
sd_disks() {
	local d

	for d in /sys/block/sd*; do
		if [[ -e $d ]] && (($(<"$d/hidden") == 0)); then echo "${d##*/}"; fi
	done
}
nr_sd_disks() {
	local all

	mapfile -t all < <(sd_disks)
	((${#all[@]} == $1))
}

# The disk of H:C:T:L, a path or not.
disk_of() {
	local d

	for d in "/sys/class/scsi_device/$1/device/block"/*; do echo "${d##*/}"; done
}

# Memory for 1 MiB of which no two pages that follow each other do so in the
# machine: each is a segment, and the same I/O costs the same every time.
buffer=/dev/shm/buffer
make_buffer() {
	local offset

	rm -f $buffer
	truncate -s 2m $buffer
	for offset in 0 4; do
		fio --name=buffer --filename=$buffer --rw=write:4k --bs=4k --offset=${offset}k \
			--size=$((2048 - offset))k --io_size=1m --fallocate=none --disk_util=0 \
			--output=/dev/null
	done
}

# load FILE NAME I/OS [ARGUMENT...]: I/Os of kind NAME, one at a time, by each of the
# threads if ARGUMENT says that there are several
load() {
	local file=$1 rw=randread bs=4 ios=$3 n total=$3

	[[ -e $buffer ]] || make_buffer
	case $2 in
	read4k) ;;
	write4k) rw=randwrite ;;
	read1m) bs=1024 ;;
	*) die "$2: no such load" ;;
	esac
	fio --output-format=json --output=/tmp/load --name=load --filename="$file" --ioengine=libaio \
		--direct=1 --iodepth=1 --rw=$rw --bs=${bs}k --io_size=$((ios * bs))k --norandommap \
		--clocksource=clock_gettime --disk_util=0 --thread --mem=mmapshared:$buffer "${@:4}"
	n=$(jq '.jobs[0] | if .error == 0 then .read.total_ios + .write.total_ios else "error" end' /tmp/load)
	[[ ! "${*:4}" =~ numjobs=([0-9]+) ]] || total=$((ios * BASH_REMATCH[1]))
	[[ $n == "$total" ]] || die "$file: $2: $n of $total I/Os"
}

# load_cost FILE NAME I/OS: time of such an I/O, on standard output. It is the
# mean without those that other work has fallen into: they take more than twice
# the median.
load_cost() {
	load "$@" --write_lat_log=/tmp/load >/dev/null
	sort -t , -nk 2 /tmp/load_lat.1.log | awk -F , '
		{ v[NR] = $2 }
		END {
			for (i = 1; i <= NR && v[i] < 2 * v[int((NR + 1) / 2)]; i++) sum += v[i]
			printf "%.0f", sum / (i - 1)
		}'
}
