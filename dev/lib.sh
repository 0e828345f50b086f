# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts of this folder share.  To be sourced.

set -euo pipefail
export LC_ALL=C
# Debian's tools, whatever else the machine has under their names.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
src=$build/linux
logs=$build/logs
mkdir -p "$logs"

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# git in the kernel tree, with nobody's settings, so that the same input gives
# the same output everywhere.
kgit() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		git -C "$src" -c core.fsmonitor=false -c gc.auto=0 -c advice.detachedHead=false "$@"
}

# lock NAME: wait until no other script of this checkout has NAME, and keep it
# until the end of this one.
lock() {
	local fd

	exec {fd}>"$build/.lock-$1"
	flock -n "$fd" || { say "waiting for another run (of $1) to end"; flock "$fd"; }
}

# need PACKAGE...: install by apt those that are missing.
need() {
	local missing fd

	find_missing "$@"
	((${#missing[@]})) || return 0
	# Others may be at it.
	exec {fd}>"$build/.lock-apt"
	flock "$fd"
	find_missing "$@"
	((!${#missing[@]})) || install_missing
	exec {fd}>&-
}

find_missing() {
	local p

	missing=()
	for p; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) == installed ]] || missing+=("$p")
	done
}

install_missing() {
	# A step has no terminal that sudo could ask for the password, so sudo is
	# around all of it.
	if ((EUID)); then
		# shellcheck disable=SC2016
		sudo V="${V:-0}" bash -c '. "$1"; shift; apt_install "$@"' "$0" "$root/dev/lib.sh" "${missing[@]}" 1>&2
	else
		apt_install "${missing[@]}" 1>&2
	fi || die "apt could not install ${missing[*]}"
}

apt_install() {
	say "installing $*"
	# shellcheck disable=SC2016
	step_unit='^(Get:|Unpacking |Setting up )' step apt "apt" env DEBIAN_FRONTEND=noninteractive bash -c '
		try() { apt-get install -qy --no-install-recommends "$@"; }
		try "$@" || { apt-get update -q; try "$@"; }' apt "$@"
}

# A duration in seconds, for people.
hms() {
	if (($1 < 60)); then printf '%d s' "$1"; else printf '%d:%02d min' $(($1 / 60)) $(($1 % 60)); fi
}

# progress TEXT: one line that is rewritten on a terminal, and a line every
# 15 s where there is none.  progress_end finishes it.
progress_last=-15
progress() {
	if [[ -t 1 ]]; then
		printf '\r\033[K%s' "$1"
	elif ((SECONDS - progress_last >= 15)); then
		progress_last=$SECONDS
		printf '%s\n' "$1"
	fi
}
progress_end() {
	if [[ -t 1 ]]; then printf '\r\033[K'; fi
	printf '%s\n' "$1"
}

# The lines of a log that tell why a step failed.
why() {
	local log=$1 pattern='^E: |[Ee]rror:|ERROR|warning:|undefined|No such file|not found|annot |fatal:|\*\*\*|Killed|No space'

	# make repeats a failure at each level.
	grep -vE '^make(\[[0-9]+\])?: (\*\*\* (\[|Waiting)|Target|Entering|Leaving)' "$log" | grep -E -A 3 "$pattern" |
		grep -vE '^(--| +(CC|LD|AR|AS|HOSTCC|CHECK) )' | tail -n 20 | grep . || tail -n 20 "$log"
}

# step NAME WHAT COMMAND...: run a long command with its output in
# logs/NAME.log, showing how far it is and for how long it has been running.
# How far: the lines that match $step_unit, out of $step_total if that is not
# 0.  With V=1 the output is shown instead.
step_unit='^ +[A-Z]+ +' step_total=0 step_done=0
step() {
	local what=$2 log=$logs/$1.log start=$SECONDS pid n rc=0
	shift 2

	if [[ ${V:-0} == 1 ]]; then
		say "$what"
		"$@" 2>&1 | tee "$log"
		return
	fi
	# A group of its own, to be able to end all of it.
	: >"$log"
	setsid "$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# shellcheck disable=SC2064
	trap "kill -TERM -$pid 2>/dev/null || :; wait $pid; exit 130" INT TERM HUP
	while kill -0 $pid 2>/dev/null; do
		n=$(grep -cE "$step_unit" "$log" || :)
		n=$((n + step_done))
		if ((step_total)); then
			((n <= step_total)) || step_total=$n
			progress "$what: $n of about $step_total, $(hms $((SECONDS - start)))"
		elif ((n)); then
			progress "$what: $n, $(hms $((SECONDS - start)))"
		else
			progress "$what: $(hms $((SECONDS - start)))"
		fi
		if [[ -t 1 ]]; then sleep 0.2; else sleep 2; fi
	done
	wait $pid || rc=$?
	trap - INT TERM HUP
	step_done=0 step_total=0
	if ((rc)); then
		progress_end "$what: FAILED after $(hms $((SECONDS - start)))"
		why "$log" >&2
		printf 'The whole log is %s\n' "$log" >&2
		return $rc
	fi
	# Not worth a line when there was nothing to do.
	((SECONDS - start < 2)) || progress_end "$what: done in $(hms $((SECONDS - start)))"
}

# The variables of every make in the kernel tree.  Nothing in them depends on
# when, where and by whom it is built, so that ccache finds what it has.
kmake_vars=()
use_ccache() {
	export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
	export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' KBUILD_BUILD_USER=mpath KBUILD_BUILD_HOST=mpath
	# shellcheck disable=SC2034
	kmake_vars=(CC='ccache gcc' LOCALVERSION=)
}
# ... and those of kernel $1 of dev/build.  With kcsan the accesses to memory are
# watched of our own files, and of those that we have put hooks in.
use_kernel_vars() {
	case $1 in
	uml) kmake_vars+=(ARCH=um) ;;
	kcsan)	kmake_vars+=(KCSAN_SANITIZE=n KCSAN_SANITIZE_{multipath,scsi_multipath,sd_multipath}.o=y
			KCSAN_SANITIZE_{scsi_dh_alua,scsi,scsi_error,scsi_lib,scsi_scan,scsi_sysfs,sd}.o=y) ;;
	esac
}

# kunit NAME TREE DIR [ARGUMENT...]: build KUnit's kernel of TREE in DIR and run it,
# with what finds faults of locks and of memory.  Its log is DIR/test.log; NAME is
# as that of step.
kunit() {
	local o more=()

	for o in KASAN FRAME_POINTER DEBUG_KERNEL PROVE_LOCKING PROVE_RCU RCU_EXPERT PROVE_RCU_LIST DEBUG_ATOMIC_SLEEP DEBUG_LIST \
		DEBUG_OBJECTS DEBUG_OBJECTS_{FREE,TIMERS,WORK,RCU_HEAD}; do
		more+=(--kconfig_add "CONFIG_$o=y")
	done
	# KASAN takes more of it there; and UML warns of a bus that is not configured.
	more+=(--kconfig_add CONFIG_KERNEL_STACK_ORDER=3 --kconfig_add CONFIG_FRAME_WARN=4096
	       --kconfig_add CONFIG_UML_PCI_OVER_VIRTIO=n)
	rm -f "$3/test.log"
	(cd "$2" && step "$1" "building and running KUnit on UML" python3 tools/testing/kunit/kunit.py run \
		--kunitconfig=drivers/scsi/.kunitconfig --build_dir="$3" --jobs="$(nproc)" "${more[@]}" \
		--make_options 'CC=ccache gcc' --make_options LOCALVERSION= "${@:4}")
}

# soak NAME KERNEL TIMEOUT SETTINGS TEST [CHECK...]: build KERNEL and run there, for long,
# TEST, a command that does what comes by lot.  It takes SETTINGS, of which each is a
# number, and SEED; TIMEOUT is an expression that may name them, and so may CHECK, which
# is one more when it has run.
soak() {
	local name=$1 kernel=$2 timeout settings test append=scsi_mod.multipath=on setting rc=0

	settings="SEED=${SEED:-$((RANDOM * 32 + RANDOM % 32))} $4"
	for setting in $settings; do
		[[ $setting =~ =[0-9]{1,7}$ ]] || die "this takes a number: $setting"
		local "$setting"
	done
	timeout=$(($3)) test="cd /tests && $settings $5"
	"$root/dev/tree" apply
	"$root/dev/build" "$kernel"
	say "$settings, on the $kernel kernel"
	if [[ $kernel == uml ]]; then
		"$root/dev/uml" uml "$name" $timeout $append "$test" || rc=$?
	else
		"$root/dev/guest" run --kernel "$kernel" --name "$name" --timeout $timeout --append $append -- "$test" || rc=$?
	fi
	"${@:6}" || rc=1
	"$root/dev/guest" scan-log "$logs/$name.serial.log" || rc=1
	((rc == 0)) || die "failed with $settings: $logs/$name.serial.log"
	say "passed with $settings"
}

# What kconfig fragments say, one line a symbol.  Of a symbol that more than
# one names, the last word counts.
wanted_config() {
	cat "$@" | awk -F= '/^CONFIG_/ { v[$1] = $0 } END { for (s in v) print v[s] }' | sort
}

# The files of ours that the kernel compiles or reads, from the manifest.
our_manifest() {
	[[ ! -f $root/patches/files ]] || awk '!/^#/ { for (i = 2; i <= NF; i++) print $i }' "$root/patches/files" | sort
}
