# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2046,SC2119,SC2154
#
# The means by which a path, H:C:T:L, is taken away and brought back. Those from
# relink on are for the targets of rig_loop.

down_state() { echo offline >"$(sdev "$1")/state"; }
up_state() { echo running >"$(sdev "$1")/state"; }

down_delete() { echo 1 >"$(sdev "$1")/delete"; }
up_delete() { rescan "$1"; }

down_unbind() { echo "$1" >/sys/bus/scsi/drivers/sd/unbind; }
up_unbind() { echo "$1" >/sys/bus/scsi/drivers/sd/bind; }

down_relink() { loop_unlink "$(loop_of "$1")"; }
up_relink() {
	local i

	i=$(loop_of "$1")
	loop_link "$i" "$backstore" "tpg$i"
}

# tcm_loop has no "enable": this, and the LUN unlinked, stand in for a target
# port group that is disabled.
down_link() { echo offline >"$(loop_tpg "$(loop_of "$1")")/transport_status"; }
up_link() { echo online >"$(loop_tpg "$(loop_of "$1")")/transport_status"; }

# alua H:C:T:L STATE: 0 optimized, 1 non-optimized, 2 standby, 3 unavailable, 15
# transitioning
alua() { echo "$2" >"$backstore/alua/tpg$(loop_of "$1")/alua_access_state"; }

# A target that is not asked does not say that its state has changed.
ask_state() { echo 1 >"$(sdev "$1")/rescan"; }

down_standby() { alua "$1" 2; }
up_standby() { alua "$1" 0; ask_state "$1"; }

down_unavailable() { alua "$1" 3; }
up_unavailable() { alua "$1" 0; ask_state "$1"; }

# unbind_rounds TIMES: unbind sd from two paths in turn, with I/O on its way to
# them, and bind it again
unbind_rounds() {
	local i h all n

	mapfile -t all < <(hctls)
	policy round-robin
	fio_start
	for ((i = 0; i < $1; i++)); do
		h=${all[i % 2]}
		down_unbind "$h"
		n=$(requests "$h")
		up_unbind "$h"
		wait_for 20 usable "$h" || fail "round $i: $h is $(state "$h")"
		((i % 10 < 2)) || continue
		wait_for 20 requests_above "$h" $((n + 30)) || fail "round $i: $h gets no I/O"
		fio_alive
	done
	fio_stop
	none_parked || fail "parked: $(parked)"
	is "paths" 2 "$(count $(hctls))"
}
