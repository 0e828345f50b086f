#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: powercut-log.py LOG IMAGE SEED

Do to IMAGE, as it was before, what a disk with a volatile cache may have done to
its medium when the power failed: all that was written before the last flush
ended, and of what was written since, any part.  LOG is by QEMU's blklogwrites,
in the format of Documentation/admin-guide/device-mapper/log-writes.rst.
"""

import random
import struct
import sys

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


def entries(log):
    """(flags, offset, data) of each entry, as far as they are complete."""
    magic, version, _, sector_size = struct.unpack("<QQQI", log.read(28))
    if not magic:  # QEMU begins it with the first flush
        return
    if (magic, version) != (MAGIC, 1):
        sys.exit("not a log of writes")
    log.seek(sector_size)
    while True:
        header = log.read(sector_size)
        if len(header) < sector_size:
            return
        sector, nr_sectors, flags, data_len = struct.unpack("<QQQQ", header[:32])
        if not (nr_sectors or flags):
            return
        length = nr_sectors * sector_size
        data = b"" if flags & DISCARD else log.read(length)
        if flags & DISCARD:
            data = bytes(length)
        if len(data) < length:
            return
        yield flags, sector * sector_size, data


def main():
    log_name, image_name, seed = sys.argv[1:]
    choose = random.Random(int(seed))
    with open(log_name, "rb") as log:
        log_entries = list(entries(log))
    safe = max((i for i, e in enumerate(log_entries) if e[0] & FLUSH), default=-1)
    kept = 0
    with open(image_name, "r+b") as image:
        for i, (flags, offset, data) in enumerate(log_entries):
            if i > safe and not flags & FUA and choose.random() < 0.5:
                continue
            kept += i > safe
            image.seek(offset)
            image.write(data)
    late = len(log_entries) - 1 - safe
    print(f"{safe + 1} writes and flushes are on the medium, {kept} of {late} later ones")


main()
