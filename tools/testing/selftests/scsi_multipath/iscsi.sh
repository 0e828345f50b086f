# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2046,SC2119,SC2154
#
# A rig whose paths have a transport that blocks: iSCSI sessions from here to a
# target in here, each with a link and a portal of its own. The target's end of
# each link is in a network namespace, as packets would take no link otherwise.

iscsi_iqn=iqn.2003-01.org.linux-iscsi.mpath
iscsi_target=$target/iscsi/$iscsi_iqn
iscsi_ns=scsi_mpath
iscsi_db=/etc/iscsi/nodes/$iscsi_iqn

# Addresses that no network has: they are for benchmarks, says RFC 2544.
iscsi_ip() { echo "198.18.$1.2"; }
iscsi_node() { iscsiadm -m node -T $iscsi_iqn -p "$(iscsi_ip "$1"):3260,$1" "${@:2}"; }

# rig_iscsi MODE PATHS: LIO, a ramdisk behind PATHS iSCSI portals, each of which
# is a port group of its own
rig_iscsi() {
	local mode=$1 paths=$2 i program

	for program in iscsid iscsiadm ip nsenter; do
		command -v $program >/dev/null || skip "no $program"
	done
	# It has sessions that are not ours.
	[[ -s $tmp/iscsid.pid ]] || ! pidof iscsid >/dev/null || skip "iscsid runs already"
	: >"$tmp/iscsi"
	scsi_load "$mode"
	lio_load
	modprobe iscsi_target_mod || skip "no iSCSI target"
	modprobe -a iscsi_tcp veth || skip "no iSCSI initiator, or no veth"

	mkdir -p "$backstore"
	echo rd_pages=8192 >"$backstore/control"
	echo abc1 >"$backstore/wwn/vpd_unit_serial"
	echo 1 >"$backstore/enable"
	for ((i = 1; i <= paths; i++)); do
		mkdir "$backstore/alua/tpg$i"
		echo "$i" >"$backstore/alua/tpg$i/tg_pt_gp_id"
		iscsi_portal "$i"
	done

	echo "InitiatorName=$iscsi_iqn:initiator" >"$tmp/initiatorname"
	: >"$tmp/iscsid.conf"
	# It outlives the case that starts it, and ends with its group.
	setsid iscsid -f -c "$tmp/iscsid.conf" -i "$tmp/initiatorname" \
		>"$tmp/iscsid.log" 2>&1 3>&- &
	echo $! >"$tmp/iscsid.pid"
	wait_for 20 iscsid_answers || fail "iscsid does not run: $(tail -n 3 "$tmp/iscsid.log")"
	for ((i = 1; i <= paths; i++)); do
		iscsi_node_new "$i" "${iscsi_quick[@]}"
		iscsi_login "$i"
	done
	wait_for 20 have_paths "$paths" || fail "there are not $paths paths"
	wait_for 20 all_are optimized || fail "not all paths are optimized"
}

# By its socket; iscsiadm would start another one if it found none.
iscsid_answers() { grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix; }

# iscsi_portal NUMBER: a link and a portal at its end
iscsi_portal() {
	local i=$1 tpg=$iscsi_target/tpgt_$1 a

	ip netns add "$iscsi_ns$i"
	ip link add "mpath-i$i" type veth peer name "mpath-t$i" netns "$iscsi_ns$i"
	ip address add "198.18.$i.1/24" dev "mpath-i$i"
	ip -n "$iscsi_ns$i" address add "$(iscsi_ip "$i")/24" dev "mpath-t$i"
	ip link set "mpath-i$i" up
	iscsi_link "$i" up

	mkdir -p "$tpg"
	# A socket is made in the namespace of the one who asks for the portal.
	nsenter --net="/run/netns/$iscsi_ns$i" mkdir "$tpg/np/$(iscsi_ip "$i"):3260"
	for a in authentication=0 generate_node_acls=1 cache_dynamic_acls=1 \
		demo_mode_write_protect=0; do
		echo "${a#*=}" >"$tpg/attrib/${a%=*}"
	done
	mkdir "$tpg/lun/lun_0"
	ln -s "$backstore" "$tpg/lun/lun_0/mpath"
	echo "tpg$i" >"$tpg/lun/lun_0/alua_tg_pt_gp"
	# Both have to ask for it. A session whose link is cut is kept until there is a
	# new one. When its time is over, LIO takes session_lock in a timer, and within it
	# tpg_state_lock, which is not safe there: lockdep would report that.
	echo 3600 >"$tpg/param/DefaultTime2Retain"
	echo 1 >"$tpg/enable"
}

# With all debugging, a machine that has other things to do takes more than ten
# seconds for a login. One that is given up is begun anew, and takes as long.
iscsi_login_timeout=5
[[ ! -e /proc/lockdep ]] || iscsi_login_timeout=30

# It notices after some 3 s that there is no answer.
iscsi_quick=(
	'node.conn[0].timeo.noop_out_interval' 1
	'node.conn[0].timeo.noop_out_timeout' 2
	'node.conn[0].timeo.login_timeout' "$iscsi_login_timeout"
)

# iscsi_node_new NUMBER [NAME VALUE]...: what the initiator has to know of the
# portal, and settings that are not open-iscsi's
iscsi_node_new() {
	local i=$1
	shift

	iscsi_node "$i" -o new >/dev/null
	iscsi_node "$i" -o update -n node.session.iscsi.DefaultTime2Retain -v 3600
	while (($#)); do
		iscsi_node "$i" -o update -n "$1" -v "$2"
		shift 2
	done
}

# iscsi_renew NUMBER [NAME VALUE]...: another session, with these settings
iscsi_renew() {
	iscsi_logout "$1"
	iscsi_node "$1" -o delete
	iscsi_node_new "$@"
	iscsi_login "$1"
}

# iscsi_timers NUMBER: ping, answer to it, recovery (seconds), as they are in force
iscsi_timers() {
	local session connection ping answer recovery

	session=$(iscsi_session "$1")
	connection=$(echo "$session"/connection*)
	read -r ping <"$connection/iscsi_connection/${connection##*/}/recv_tmo"
	read -r answer <"$connection/iscsi_connection/${connection##*/}/ping_tmo"
	read -r recovery <"$session/iscsi_session/${session##*/}/recovery_tmo"
	echo "$ping $answer $recovery"
}

iscsi_login() { iscsi_node "$1" --login >"$tmp/iscsiadm.log"; }
iscsi_logout() { iscsi_node "$1" --logout >"$tmp/iscsiadm.log"; }

# iscsi_link NUMBER up|down
iscsi_link() { ip -n "$iscsi_ns$1" link set "mpath-t$1" "$2"; }

# iscsi_netem NUMBER [NETEM...]: what comes from the target; as it was, without more. A
# change would leave what it does not name.
iscsi_netem() {
	local tc=(nsenter --net="/run/netns/$iscsi_ns$1" tc qdisc)

	"${tc[@]}" del dev "mpath-t$1" root 2>/dev/null || :
	(($# == 1)) || "${tc[@]}" add dev "mpath-t$1" root netem limit 10000 "${@:2}"
}

# The session with portal NUMBER, a directory. Its host is the one above.
iscsi_session() {
	local d address

	for d in /sys/class/iscsi_connection/connection*; do
		read -r address <"$d/persistent_address" || continue
		[[ $address == "$(iscsi_ip "$1")" ]] || continue
		(cd -P "$d/../../.." && echo "$PWD")
		return
	done 2>/dev/null
	return 1
}

iscsi_hctl() {
	local session

	session=$(iscsi_session "$1") && session=${session%/*} && echo "${session##*/host}:0:0:0"
}

# iscsi_wait_for NUMBER SECONDS: how long a session is waited for, before its
# device is not blocked any more but offline
iscsi_wait_for() {
	local d

	d=$(iscsi_session "$1")
	echo "$2" >"$d/iscsi_session/${d##*/}/recovery_tmo"
}

iscsi_sessions() {
	local d

	for d in /sys/class/iscsi_session/session*; do [[ ! -e $d ]] || echo "${d##*/}"; done
}
no_iscsi_sessions() { [[ -z $(iscsi_sessions) ]]; }

# Take down whatever there is, for rig_down.
iscsi_down() {
	local d pid

	[[ -e $tmp/iscsi ]] || return 0
	if [[ -s $tmp/iscsid.pid ]]; then
		read -r pid <"$tmp/iscsid.pid"
		if ! gone "$pid"; then
			for d in {1..8}; do iscsi_link "$d" up; done
			for d in {1..8}; do
				[[ -d $iscsi_db/$(iscsi_ip "$d"),3260,$d ]] || continue
				iscsi_logout "$d"
				iscsi_node "$d" -o delete
			done
			wait_for 20 no_iscsi_sessions
			kill "$pid"
			wait_for 5 gone "$pid" || kill -KILL "$pid"
		fi
		rm -f "$tmp/iscsid.pid"
	fi 2>/dev/null
	rm -rf "$iscsi_db"
	for d in "$iscsi_target"/tpgt_*; do
		[[ -d $d ]] || continue
		echo 0 >"$d/enable"
		rm -f "$d"/lun/lun_*/mpath
		rmdir "$d"/lun/lun_* "$d"/np/* "$d"
	done
	rmdir "$iscsi_target" "$target/iscsi" 2>/dev/null
	for d in /sys/class/net/mpath-i*; do [[ ! -e $d ]] || ip link del "${d##*/}"; done
	for d in "/run/netns/$iscsi_ns"*; do [[ ! -e $d ]] || ip netns del "${d##*/}"; done
	unload iscsi_tcp libiscsi_tcp libiscsi scsi_transport_iscsi iscsi_target_mod &&
		rm "$tmp/iscsi"
}
