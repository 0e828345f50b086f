#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: bench-report.py RESULTS.TSV KERNEL

Print what dev/bench has measured as tables, in Markdown.
"""

import collections
import datetime
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


def failover(results):
    titles = {
        "failover": "Slowest read when a path goes, ms",
        "gap": "Longest time without a read that ends when a path goes, ms",
        "recover": "Until a path that has come back has carried 50 reads, ms",
    }
    for part, title in titles.items():
        events = tree(results, part)
        if not events:
            continue
        columns = [f"{kind}.{what}" for kind in ("mpath", "dm") for what in ("median", "worst")]
        print(f"## {title}\n")
        table(["event"] + [c.replace(".", ", ") for c in columns],
              [[event] + [number(values.get(c)) for c in columns] for event, values in events.items()])


def scale(results):
    luns = tree(results, "scale")
    if not luns:
        return
    print("## Scale: LUNs of four paths\n")
    rows = []
    for n, values in sorted(luns.items(), key=lambda item: int(item[0])):
        get = values.get
        rows.append([n] + [number(get(c)) for c in (
            "attach_us", "attach_us_off", "bytes", "bytes_off", "failover_ms", "cost", "cost_off")])
    table(["LUNs", "attach, us a path", "without multipath", "bytes a path", "without multipath",
           "failover, ms", "4 KiB read, instructions", "without multipath"], rows)


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
    results = {}
    with open(sys.argv[1]) as lines:
        for line in lines:
            name, value, _ = line.rstrip("\n").split("\t")
            results[name] = value
    print(f"# Figures\n\n{sys.argv[2]}, {datetime.date.today()}\n")
    for part in (cost, failover, balance, scale):
        part(results)


main()
