#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: bench-profile.py SYSTEM.MAP PREFIX RESULTS GUEST-OUTPUT...

Print what an I/O costs by function, on each disk and as a difference between
disks. To RESULTS goes what the multipath disk adds to an I/O of 4 KiB, by what the
functions are for: each that takes part in it must have its place in GROUPS. What
the plugin wrote is in PREFIX-MODE.N, where MODE comes from the name
of a guest's output, ...-MODE.out. That says by "##window NAME N"
in which order the loads ran, each of N I/Os, and by "##symbol" what modules
there were.
"""

import bisect
import collections
import re
import sys

# What an I/O takes more on a disk over paths, and by which functions.
GROUPS = {
    "again": r"submit_bio.*|__submit_bio.*|blk_(start|finish|flush)_plug.*|__blk_flush_plug|bio_queue_enter|"
             r"__bio_queue_enter|blk_(try_enter|queue)_.*|blk_queue_exit|blk_cgroup_bio_start|bio_clone_blkg_association|"
             r"bio_associate_blkg.*|ktime_get.*|should_fail_bio|bio_check_.*|blk_throtl_.*|__cond_resched|rcu_all_qs|"
             r"blk_mq_flush_plug_list",
    "clone": r"bio_alloc_.*|__?bio_clone|bio_init.*|bio_put.*|bio_uninit|bio_free|bio_reset|mempool_.*",
    "end": r"bio_endio",
    # The disks of paths have none: what they take less is in functions that do other things as well.
    "statistics": r"(bio|bdev)_(start|end)_io_acct.*|mpath_(start|end)_acct|update_io_ticks|blk_account_io_.*|"
                  r"blk_update_request|blk_mq_submit_bio|blk_mq_rq_ctx_init|jiffies.*",
    "libmultipath": r"mpath_.*",
    "scsi": r"__scsi_mpath_.*|scsi_mpath_.*|sd_mpath_.*|scsi_(queue_rq|mq_get_budget|mq_put_budget|done.*|complete)|sd_.*",
}


def read_symbols(lines):
    """Addresses and names of functions, sorted."""
    symbols = []
    for line in lines:
        address, kind, name = line.split()[:3]
        if kind in "tTwW":
            symbols.append((int(address, 16), name))
    return sorted(symbols)


def by_function(path, addresses, names):
    counts = collections.Counter()
    with open(path) as blocks:
        for line in blocks:
            address, n = line.split()
            i = bisect.bisect_right(addresses, int(address, 16)) - 1
            counts[names[i] if i >= 0 else "(user space)"] += int(n)
    return counts


def read_guest(system_map, prefix, output):
    """For each disk, instructions per I/O by function."""
    mode = re.search(r"-(\w+)\.out$", output).group(1)
    windows, symbols = [], list(system_map)
    with open(output) as lines:
        for line in lines:
            if line.startswith("##window "):
                _, name, n = line.split()
                windows.append((name, int(n)))
            elif line.startswith("##symbol "):
                symbols.append(line[len("##symbol "):])
    symbols = read_symbols(symbols)
    addresses = [s[0] for s in symbols]
    names = [s[1] for s in symbols]

    profiles = {}
    # Marks come in pairs around each window; a short window, then a long one.
    for i in range(0, len(windows), 2):
        short, long = (by_function(f"{prefix}-{mode}.{2 * j + 1}", addresses, names)
                       for j in (i, i + 1))
        ios = windows[i + 1][1] - windows[i][1]
        profiles[windows[i][0]] = {
            f: (long[f] - short[f]) / ios for f in set(short) | set(long)
        }
    return profiles


def difference(base, profile):
    """What is added, by function."""
    return {f: profile.get(f, 0) - base.get(f, 0) for f in set(base) | set(profile)}


def show(title, base, profile):
    print(f"{title}\n\n{'added':>8} {'base':>8} {'here':>8}")
    diff = difference(base, profile)
    rest = 0
    for f in sorted(diff, key=lambda f: (-diff[f], f)):
        if abs(diff[f]) < 0.5:
            rest += diff[f]
            continue
        print(f"{diff[f]:8.1f} {base.get(f, 0):8.1f} {profile.get(f, 0):8.1f}  {f}")
    print(f"{rest:8.1f} {'':17}  (all others)\n{sum(diff.values()):8.1f} {sum(base.values()):8.1f} "
          f"{sum(profile.values()):8.1f}  all\n")


def by_group(base, profile):
    """What is added, by group and in all; "others" are functions that have none."""
    added = collections.Counter()
    strange = []
    for f, diff in difference(base, profile).items():
        name = re.sub(r"\.(constprop|isra|part|cold)\..*", "", f)
        group = next((g for g, pattern in GROUPS.items() if re.fullmatch(pattern, name)), "others")
        added[group] += diff
        added["all"] += diff
        if group == "others" and abs(diff) >= 15:
            strange.append(f"{f} ({diff:.1f})")
    return added, strange


def base_of(name):
    """What a load is compared with: on a plain disk; of two CPUs, on one."""
    load, disk = name.split(".", 1)
    if load == "cpus":
        return f"{load}.1{disk[1:]}"
    return load + (".nvme_single" if disk.startswith("nvme") else ".bare")


def main():
    with open(sys.argv[1]) as system_map:
        lines = system_map.readlines()
    profiles = {}
    for output in sys.argv[4:]:
        profiles.update(read_guest(lines, sys.argv[2], output))
    print("Instructions per I/O")
    for name in sorted(profiles):
        print(f"{sum(profiles[name].values()):9.0f}  {name}")
    print()
    for name in sorted(profiles):
        base = base_of(name)
        if name != base:
            show(f"{name} over {base}", profiles[base], profiles[name])
    with open(sys.argv[3], "a") as results:
        for name in sorted(profiles):
            if not re.match(r"(read|write)4k\.mpath\.", name):
                continue
            added, strange = by_group(profiles[base_of(name)], profiles[name])
            if strange:
                sys.exit(f"{name}: what is this for? {', '.join(strange)}")
            for group in [*GROUPS, "others", "all"]:
                results.write(f"profile.{name.replace('.mpath', '')}.{group}\t{added[group]:.0f}\tinstructions\n")


main()
