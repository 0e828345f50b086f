#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: bench-memory.py BUILD DIRECTORY

Print what a disk over several paths, and each of its paths, take of memory on
machines with 1, 8 and 128 possible CPUs, by arithmetic from the sizes of the
structures: as lines of results.tsv, and to DIRECTORY/memory.txt with what goes
where, and with the cache lines of the two structures that I/O goes by.

What only counts objects that any disk, or any device, has as well, such as those
of sysfs, is not in it; "scale" measures all.
"""

import math
import pathlib
import re
import subprocess
import sys

CPUS = (1, 8, 128)


def compile_with_types(build, directory, source):
    """An object as the kernel's, with its types."""
    base, name = source.rsplit("/", 1)
    with open(f"{build}/{base}/.{name}.o.cmd") as cmd:
        command = re.match(r"savedcmd_\S+ := ([^;\n]*)", cmd.read()).group(1)
    out = f"{directory}/{name}.types.o"
    command = re.sub(r" -o \S+", f" -g -gdwarf-4 -o {out}", command)
    command = re.sub(r"-Wp,-MMD,\S+", "", command)
    subprocess.run(command, shell=True, cwd=build, check=True)
    return out


def pahole(*arguments):
    return subprocess.run(("pahole",) + arguments, check=True, capture_output=True, text=True).stdout


def most_idle():
    """How many clones of a disk a CPU keeps."""
    source = pathlib.Path(__file__).parents[1] / "lib/multipath.c"
    return int(re.search(r"^#define MPATH_MAX_IDLE\s+(\d+)$", source.read_text(), re.M).group(1))


def kmalloc(size):
    """What kmalloc() takes for it."""
    for bucket in (8, 16, 32, 64, 96, 128, 192, 256):
        if size <= bucket:
            return bucket
    return 1 << math.ceil(math.log2(size))


class Sizes:
    def __init__(self, build, directory):
        self.objects = [compile_with_types(build, directory, source) for source in (
            "lib/multipath", "lib/percpu-refcount", "drivers/scsi/scsi_multipath",
            "drivers/scsi/sd_multipath", "block/bio", "block/bdev", "block/genhd",
            "block/blk-core", "block/blk-cgroup", "mm/backing-dev")]
        self.sizes = {}
        for obj in self.objects:
            for line in pahole("-s", obj).splitlines():
                name, size, _ = line.split("\t")
                self.sizes[name] = int(size)

    def __getitem__(self, name):
        return self.sizes[name]

    def layout(self, *names):
        return "".join(pahole("-C", name, self.objects[0]) for name in names)


def main():
    build, directory = sys.argv[1:]
    size = Sizes(build, directory)
    # aligned to cache lines
    clone = math.ceil(size["mpath_io"] / 64) * 64
    # name: (what there is once, what there is for each possible CPU)
    ref = (kmalloc(size["percpu_ref_data"]), 8)
    head = {
        "struct scsi_mpath_head": (kmalloc(size["scsi_mpath_head"]), 0),
        "struct sd_mpath_disk": (kmalloc(size["sd_mpath_disk"]), 0),
        "current_path, one node": (8, 0),
        "struct mpath_cpu": (0, size["mpath_cpu"]),
        "bio_pool, 16 clones": (kmalloc(16 * 8) + 16 * clone, 0),
    }
    disk = {
        "struct gendisk": (kmalloc(size["gendisk"]), 0),
        "struct request_queue": (size["request_queue"], 0),
        "its reference count": ref,
        "struct bdev_inode": (size["bdev_inode"], size["disk_stats"]),
        "struct backing_dev_info": (kmalloc(size["backing_dev_info"]), 5 * 4),
        "struct blkcg_gq": (kmalloc(size["blkcg_gq"]), size["blkg_iostat_set"]),
        "its reference count ": ref,
    }
    path = {
        "struct scsi_mpath_device": (kmalloc(size["scsi_mpath_device"]), 0),
        "reference count": ref,
        "what it has done": (0, size["mpath_done"]),
        "page for tests": (4096, 0),
    }
    cached = most_idle() * clone

    with open(f"{directory}/memory.txt", "w") as txt:
        for title, parts, name in (
                ("A disk over paths, what is its own", head, "head"),
                ("and what any disk has", disk, "head_disk"),
                ("A path, beyond the scsi_device and the scsi_disk that it is", path, "path")):
            print(f"{title}: bytes, and for each possible CPU\n", file=txt)
            for part, (once, each) in parts.items():
                print(f"{once:8} {each:6}  {part.strip()}", file=txt)
            once, each = (sum(column) for column in zip(*parts.values()))
            print(f"{once:8} {each:6}  all\n", file=txt)
            for cpus in CPUS:
                print(f"memory.{name}.{cpus}\t{once + each * cpus}\tbytes")
        for cpus in CPUS:
            print(f"memory.head_cache.{cpus}\t{cached * cpus}\tbytes at most")
        print(f"A clone takes {clone} bytes. Of those that have ended on a CPU it keeps up to {most_idle()}\n"
              f"of a disk.\n", file=txt)
        print(size.layout("mpath_head", "mpath_device", "mpath_io", "mpath_cpu"), file=txt)


main()
