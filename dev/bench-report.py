#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: bench-report.py FOLDER

Print what dev/bench has measured as tables, in Markdown.
"""

import collections
import pathlib
import sys


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def number(value):
    return "–" if value is None else f"{float(value):,.0f}"


def tree(results, part):
    """name.a.b: {a: {b: value}}"""
    found = collections.defaultdict(dict)
    for name, value in results.items():
        first, second, *rest = name.split(".")
        if first == part:
            found[second][".".join(rest)] = value
    return found


def cost(results):
    loads = tree(results, "cost")
    if not loads:
        return
    print("## Instructions per I/O, and what is added to the plain disk\n")
    disks = list(dict.fromkeys(disk for load in loads.values() for disk in load))
    head = ["disk"]
    for load in loads:
        head += [load, "added"]
    rows = []
    for disk in disks:
        row = [disk]
        base = "nvme_single" if disk.startswith("nvme") else "bare"
        for load in loads.values():
            value = load.get(disk)
            row.append(number(value))
            row.append("" if disk == base or None in (value, load.get(base))
                       else number(float(value) - float(load[base])))
        rows.append(row)
    table(head, rows)


def profile(results):
    loads = tree(results, "profile")
    if not loads:
        return
    titles = {
        "again": "a second pass through submit_bio()",
        "clone": "a clone: taken, set up, given back",
        "end": "a second bio_endio()",
        "statistics": "statistics: on the disk, less those on the path",
        "libmultipath": "libmultipath",
        "scsi": "SCSI",
        "others": "others, none of which takes 15",
        "all": "all",
    }
    cases = [(load, policy) for policy in ("numa", "round-robin", "queue-depth") for load in loads]
    print("## Where the instructions go that are added to an I/O of 4 KiB\n")
    table([""] + [f"{policy}, {load[:-2]}" for load, policy in cases],
          [[title] + [number(loads[load].get(f"{policy}.{group}")) for load, policy in cases]
           for group, title in titles.items()])


def cpus(results):
    loads = tree(results, "cpus")
    if not loads:
        return
    print("## Instructions per 4 KiB read by one CPU, and by two at once\n")
    rows = []
    for disk in loads["1"]:
        one, two = (float(loads[n][disk]) for n in "12")
        rows.append([disk, number(one), number(two), f"{100 * two / one:.0f} %"])
    table(["disk", "one", "two", "of one"], rows)


def memory(results):
    parts = tree(results, "memory")
    if not parts:
        return
    titles = {
        "head": "a disk over paths, its own",
        "head_disk": "and what any disk has",
        "path": "a path, beyond its SCSI device",
        "head_cache": "clones that a disk keeps, at most",
    }
    print("## Memory by arithmetic, bytes, for 1, 8 and 128 possible CPUs\n")
    table(["", "1", "8", "128"],
          [[title] + [number(parts[part].get(n)) for n in ("1", "8", "128")] for part, title in titles.items()])


def failover(results):
    titles = {
        "failover": "Slowest read while a path goes and comes back, ms",
        "gap": "Longest time without a read that ends meanwhile, ms",
        "detected": "Of these: until the transport says that it has noticed, ms",
        "recover": "Until a path that has come back has carried 10 I/Os, ms",
        "known": "Of these: until the transport says that it is back, ms",
        "retried": "Reads that failed again on a path that does not get better",
    }
    counts = {"failover": "rounds", "recover": "returns"}
    order = ("idle", "state", "delete", "unbind", "host", "blocked", "blocked_qd", "standby", "standby_long", "cut", "cut_qd",
             "timeout", "badread", "link", "link_long", "group")
    for part, title in titles.items():
        events = tree(results, part)
        if not events:
            continue
        columns = [f"{kind}.{what}" for kind in ("mpath", "dm") for what in ("median", "worst")]
        print(f"## {title}\n")
        rows = []
        for event in sorted(events, key=order.index):
            rows.append([event] + [number(events[event].get(c)) for c in columns])
            if part in counts:
                rows[-1] += [number(results.get(f"{counts[part]}.{event}.{kind}")) for kind in ("mpath", "dm")]
        table(["event"] + [c.replace(".", ", ") for c in columns] +
              (["rounds", "rounds, dm"] if part in counts else []), rows)
    for name, what in ("died", "the guest died"), ("lost", "the path did not come back"):
        for event, values in tree(results, name).items():
            print(f"With dm-multipath {what} in {values['dm']} rounds of {event}.\n")


def scale(results):
    luns = tree(results, "scale")
    if not luns:
        return
    print("## Scale: LUNs of four paths\n")
    rows = []
    for n, values in sorted(luns.items(), key=lambda item: int(item[0])):
        get = values.get
        rows.append([n] + [number(get(c)) for c in (
            "attach_us", "attach_us_off", "bytes", "bytes_off", "cost", "cost_off", "failover_ms",
            "host_removal_ms", "host_removal_ms_off")])
    off = "without multipath"
    table(["LUNs", "attach, us a path", off, "bytes a path", off, "4 KiB read, instructions", off,
           "failover, ms", "a host's removal, ms", off], rows)


def balance(results):
    links = tree(results, "balance")
    if not links:
        return
    print("## Two iSCSI paths: throughput, %\n")
    columns = ["numa", "round-robin", "queue-depth"]
    titles = {"slow": "one 30 ms longer: of what the other gives alone",
              "equal": "equal: of what both give, each alone"}
    table(["paths"] + columns,
          [[titles.get(name, name)] + [number(values.get(c)) for c in columns]
           for name, values in links.items()])


def main():
    folder = pathlib.Path(sys.argv[1])
    results = {}
    for line in (folder / "results.tsv").read_text().splitlines():
        name, value, _ = line.split("\t")
        results[name] = value
    print("# Figures\n")
    for part in (cost, profile, cpus, memory, failover, balance, scale):
        part(results)
        made = folder / f"{part.__name__}.made"
        if made.exists():
            print("Measured on " + "; ".join(dict.fromkeys(made.read_text().splitlines())) + "\n")


main()
