# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2206
#
# The means by which memory is not to be had: fault injection, of objects (failslab)
# and of pages (fail_page_alloc). What fails is all there is, or what the code asks
# for that find_code finds, or objects of some caches.

faults=/sys/kernel/debug/failslab
pages=/sys/kernel/debug/fail_page_alloc

# That memory is short, the kernel says in many ways. What is a fault even so?
real_faults='WARNING:|BUG:|kernel BUG|Oops|general protection|KASAN|UBSAN|ODEBUG|refcount_t:'
real_faults+='|circular locking|inconsistent lock|held lock|suspicious RCU'
real_faults+='|sleeping function|list_(add|del) corruption'
real_faults+='|blocked for more than|lockup|detected stall'
quiet() {
	dmesg -n 1
	dmesg -c >/dev/null
	: >"$tmp/dmesg"
}
# What the kernel has said so far is kept, and what it has said since the last time is
# in $tmp/said.
listen() {
	dmesg -c >"$tmp/said"
	cat "$tmp/said" >>"$tmp/dmesg"
}
loud() {
	local line

	dmesg -n 7
	listen
	! grep -E -A 30 "$real_faults" "$tmp/dmesg" >"$tmp/faults" || {
		while read -r line; do note "$line"; done <"$tmp/faults"
		fail "the kernel has reported a fault"
	}
}

# set_faults FILE VALUE: of both, as far as they have it
set_faults() {
	local d

	for d in $faults $pages; do [[ ! -e $d/$1 ]] || echo "$2" >$d/$1; done
}

# Nothing fails yet, but for who writes to fail-nth, and nothing does after the case.
need_faults() {
	[[ -e /proc/self/fail-nth && -d $faults ]] || skip "no fault injection"
	trap faults_off EXIT
	faults_off
	set_faults ignore-gfp-wait N
	set_faults task-filter N
	set_faults min-order 0
	set_faults interval 1
	set_faults space 0
	set_faults verbose 0
}

# Sets code_start and code_end: where the functions are whose names match $1, an
# expression. Those for the time of loading are somewhere else, so it is where most of
# them are.
find_code() {
	local address n=0 most=0 first last=0 end

	[[ -e $faults/require-start ]] || skip "no fault injection by stack"
	while read -r address; do
		address=$((16#$address))
		((n && address - last < 1 << 16)) || n=0 first=$address
		n=$((n + 1)) last=$address
		((n > most)) || continue
		most=$n
		printf -v code_start '%#x' $first
		printf -v end '%016x' $last
	done < <(awk -v name="$1" '$2 ~ /[tT]/ && $3 ~ name { print $1 }' /proc/kallsyms | sort)
	((most)) || fail "no functions $1"
	# up to the next one; as text, as the numbers are too large for awk
	code_end=$(awk -v last="x$end" '
		$2 ~ /[tT]/ && "x" $1 > last && (!next_one || "x" $1 < next_one) {
			next_one = "x" $1
		}
		END { print "0" (next_one ? next_one : "xffffffffffffffff") }' /proc/kallsyms)
}

# faults_below DEPTH: what fails is below that code, no more calls below it than that
faults_below() {
	set_faults require-start "$code_start"
	set_faults require-end "$code_end"
	set_faults stacktrace-depth "$1"
}

# faults_of CACHES: what fails are objects of the caches of these names, a pattern
faults_of() {
	local f

	fault_caches=(/sys/kernel/slab/$1/failslab)
	[[ -w ${fault_caches[0]} ]] || skip "no fault injection by cache"
	for f in "${fault_caches[@]}"; do echo 1 >"$f"; done
	echo Y >$faults/cache-filter
}
fault_caches=()

# faults_on PERCENT [TIMES]: so much of that fails, whoever it is for, so often
faults_on() {
	fault_times=${2:-500000}
	set_faults times "$fault_times"
	# Pages are of no cache.
	if [[ $(<$faults/cache-filter) == Y ]]; then
		echo "$1" >$faults/probability
	else
		set_faults probability "$1"
	fi
}
# faults_done KIND: how many of $faults, or $pages, there have been since then
faults_done() { echo $((fault_times - $(<"$1/times"))); }

faults_off() {
	local f

	set_faults probability 0
	set_faults require-start 0
	set_faults require-end 0xffffffffffffffff
	set_faults stacktrace-depth 32
	echo N >$faults/cache-filter
	for f in "${fault_caches[@]}"; do [[ ! -e $f ]] || echo 0 >"$f"; done
	fault_caches=()
}
