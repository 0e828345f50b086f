# SPDX-License-Identifier: GPL-2.0
"""What the tools of a Debian system do on a disk, for dev/debian.py.

Each row is a script, which is run on a plain disk and on a multipath disk.  What it
prints on them is compared without what changes from run to run.  A row either does
the same on both, or says how it differs, in lines and in words; it fails if it
differs in another way.  The rows make a table in Documentation.
"""

import difflib
import re
import textwrap
from typing import NamedTuple


class Row(NamedTuple):
    """{disk}, {name}, {system}: /dev/sdb and sdb, the empty disk, and sda, the system's."""

    # What the table shows, each program after a comma.
    shown: str
    script: str
    # Lines of the plain disk ("-") and of the multipath disk ("+"), and what the
    # table says of it.
    differs: tuple = ()
    words: str = "the same"
    # What numbers they are does not count.
    measured: bool = False


ROWS = [
    # What there is
    Row("lsblk", "lsblk -o NAME,SIZE,RM,RO,TYPE,MOUNTPOINTS {disk} /dev/{system}"),
    Row("lsblk -S", "lsblk -S {disk} || true",
        ("- NAME HCTL TYPE VENDOR MODEL REV SERIAL TRAN", "- DISK 0:0:0:1 disk QEMU QEMU HARDDISK 2.5+ DATA"),
        "no line for it, as it has no H:C:T:L"),
    Row("lsblk -s", "lsblk -s -o NAME,SIZE,TYPE $(findmnt -no SOURCE /)"),
    Row("lsblk -o VENDOR,MODEL,REV,SERIAL,WWN", "lsblk -do NAME,VENDOR,MODEL,REV,SERIAL,WWN {disk}"),
    Row("lsblk -o HCTL,TRAN", "lsblk -do NAME,HCTL,TRAN {disk}", ("- DISK 0:0:0:1", "+ DISK"),
        "empty: each path has its own"),
    Row("lsblk -t", "lsblk -t {disk}", ("- DISK 0 512 0 512 512 1 none 256 128 0B", "+ DISK 0 512 0 512 512 1 128 0B"),
        "SCHED and RQ-SIZE are empty: the paths have schedulers, and their requests"),
    Row("lsblk -D", "lsblk -D {disk}"),
    Row("lsscsi", "lsscsi '*:*:*:1'",
        ("- [0:0:0:1] disk QEMU QEMU HARDDISK 2.5+ /dev/DISK", "+ [0:0:0:1] disk QEMU QEMU HARDDISK 2.5+ -",
         "+ [1:0:0:1] disk QEMU QEMU HARDDISK 2.5+ -"),
        "a line for each path, which has \"-\" for its node"),
    Row("fdisk -l", "fdisk -l {disk}"),
    Row("findmnt", "findmnt -o TARGET,SOURCE,FSTYPE /"),
    Row("df", "df --output=source,target /"),
    Row("grub-probe", "grub-probe -t device /; grub-probe -t fs_uuid /"),
    # What is counted
    Row("iostat -d /dev/sdX", "iostat -d -x {disk}", measured=True),
    Row("iostat -d", """
        dd if=/dev/zero of={disk} bs=4k count=1 conv=fsync status=none
        iostat -d | awk '/^{name}/ {{ print $1, ($6 + $7 > 0) }}' | sort""", ("+ DISK:N 0",),
        "also a path that has had a flush, with zeros"),
    Row("vmstat -d", "vmstat -d | awk '/^{name}/ {{ print $1, ($2 + $6 > 0) }}' | sort -u", ("+ DISK:N 0", "+ DISK:N 0"),
        "also the paths, with zeros"),
    # What the device says
    Row("smartctl -i", "smartctl -i {disk} | grep -v '^Local Time'"),
    Row("sg_inq", "sg_inq {disk}"),
    Row("sg_vpd", "for page in sv sn di bl bdc lbpv; do sg_vpd -p $page {disk}; done"),
    Row("sg_readcap", "sg_readcap -l {disk}"),
    Row("hdparm", "hdparm {disk} || true"),
    Row("hdparm -t", "hdparm -t {disk}", measured=True),
    Row("blockdev --report", "blockdev --report {disk}"),
    Row("blockdev", "blockdev --getsize64 --getss --getpbsz --getiomin --getioopt --getalignoff --getdiscardzeroes "
        "--getro --getra --flushbufs {disk}"),
    # What udev knows
    Row("udevadm info", "udevadm info -q property {disk} | grep -E '^(ID_|SCSI_|SYSTEMD_|TAGS)' | sort",
        ("- ID_PATH=pci-0000:01:00.0-scsi-0:0:0:1", "- ID_PATH_TAG=pci-0000_01_00_0-scsi-0_0_0_1", "- ID_SCSI_INQUIRY=1"),
        "no ID_PATH; no ID_SCSI_INQUIRY, as its INQUIRY data is not in sysfs"),
    Row("udevadm info -q symlink", "udevadm info -q symlink {disk} | tr ' ' '\\n' | grep -v diskseq | sort",
        ("- disk/by-path/pci-0000:01:00.0-scsi-0:0:0:1",), "no link in /dev/disk/by-path"),
    Row("systemctl status dev-sdX.device", "systemctl show -P ActiveState dev-{name}.device"),
    # Partitions and file systems
    Row("sfdisk, partprobe", """
        printf 'label: gpt\\nsize=400M\\nsize=400M\\n' | sfdisk -q {disk}
        partprobe {disk}; udevadm settle
        lsblk -o NAME,SIZE,TYPE {disk}; sfdisk -q -l -o Device,Start,End {disk}"""),
    Row("parted", "parted -s {disk} unit s print"),
    Row("blkid", "blkid -p {disk}"),
    Row("mkfs.ext4, e2fsck", """
        mkfs.ext4 -q {disk}1; udevadm settle; blkid -o value -s TYPE {disk}1
        mount {disk}1 /mnt; findmnt -no SOURCE,FSTYPE /mnt; dd if=/dev/urandom of=/mnt/file bs=1M count=8 status=none
        fstrim -v /mnt | sed 's/[0-9.]\\+/N/g'; umount /mnt
        e2fsck -fn {disk}1 2>&1 | grep -c ^Pass"""),
    Row("mkfs.xfs, xfs_repair", """
        mkfs.xfs -q -f {disk}2; udevadm settle; blkid -o value -s TYPE {disk}2
        mount {disk}2 /mnt; findmnt -no SOURCE,FSTYPE /mnt; xfs_info /mnt; cp /bin/bash /mnt/; umount /mnt
        xfs_repair -n {disk}2 2>&1 | grep -c ^Phase"""),
    Row("mkswap, swapon", """
        mkswap -q -f {disk}2; swapon {disk}2; swapon --show=NAME,TYPE,SIZE --noheadings; swapoff {disk}2"""),
    Row("pvcreate, vgcreate, lvcreate", """
        pvcreate -qq -f -y {disk}1; vgcreate -qq tools {disk}1; lvcreate -qq -L 64M -n one tools; udevadm settle
        pvs --noheadings -o pv_name,vg_name,pv_size; lsblk -s -o NAME,TYPE /dev/tools/one
        mkfs.ext4 -q /dev/tools/one; mount /dev/tools/one /mnt; umount /mnt
        vgchange -qq -an tools; vgchange -qq -ay tools; lvs --noheadings -o lv_path,lv_active_locally
        vgremove -qq -f tools; pvremove -qq {disk}1"""),
    Row("mdadm", """
        mdadm -q --create /dev/md9 --run --level=1 --raid-devices=2 {disk}1 missing; udevadm settle
        mdadm --detail /dev/md9 | grep -E 'Level|Array Size|Raid Devices|active sync'; mdadm -q --stop /dev/md9
        mdadm -q --assemble --run /dev/md9 {disk}1; udevadm settle; mdadm -q --stop /dev/md9
        mdadm --zero-superblock {disk}1"""),
    Row("cryptsetup", """
        echo key >/run/key
        cryptsetup -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 luksFormat {disk}1 /run/key
        cryptsetup -d /run/key open {disk}1 tools; lsblk -s -o NAME,TYPE /dev/mapper/tools
        mkfs.ext4 -q /dev/mapper/tools; mount /dev/mapper/tools /mnt; umount /mnt
        cryptsetup close tools; cryptsetup isLuks {disk}1"""),
    Row("wipefs", "wipefs -qa {disk}1 {disk}2; wipefs -qa {disk}; partprobe {disk}; udevadm settle; lsblk -no NAME {disk}"),
    Row("growpart, resize2fs", """
        echo 'label: gpt\n size=+' | sfdisk -q {disk}; udevadm settle
        mkfs.ext4 -q {disk}1; mount {disk}1 /mnt; blockdev --getsize64 {disk}
        {grow}
        blockdev --getsize64 {disk}; growpart {disk} 1; udevadm settle; lsblk -no NAME,SIZE {disk}
        resize2fs {disk}1 >/dev/null 2>&1; df --output=source,size -BM /mnt; umount /mnt
        wipefs -qa {disk}1 {disk}; partprobe {disk}; udevadm settle""", words="the same, when all paths have been scanned"),
]

# What is another one with each run.
CHANGING = [
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"\b[0-9a-zA-Z]{6}(-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6}\b", "UUID"),
    (r"^(Disk identifier: |.*PTUUID=).*", r"\1UUID"),
    # The array that has just been stopped may still be on its way out.
    (r"^mdadm: Fail to create md9 when using .*\n", ""),
]


def normal(output, row, names):
    """The lines of an output, without what changes; names: {name: what it is called here}."""
    for pattern, instead in CHANGING:
        output = re.sub(pattern, instead, output, flags=re.M)
    for name, instead in names.items():
        output = re.sub(rf"\b{name}(?=\d*\b)", instead, output)
        output = re.sub(rf"\b{instead}:\d+", f"{instead}:N", output)
    if row.measured:
        output = re.sub(r"\d[\d.,]*", "N", output)
    # Columns are as wide as what is in them.
    return [" ".join(line.split()) for line in output.splitlines()]


def difference(plain, multipath):
    """What only one of them has, in the order of both."""
    return tuple(line for line in difflib.ndiff(plain, multipath) if line[0] in "-+")


WIDTHS = 41, 38


def table():
    """The table, as Documentation has it."""
    rule = " ".join("=" * width for width in WIDTHS)
    lines = [".. SPDX-License-Identifier: GPL-2.0", "",
             ".. Made by a test that comes with this series, though not in the kernel: it runs",
             "   these on a plain disk and on one over two paths, and compares what comes out.",
             "", rule, "command".ljust(WIDTHS[0] + 1) + "on the multipath disk", rule]
    for row in ROWS:
        shown = ", ".join(f"``{program}``" for program in row.shown.split(", "))
        assert row.words.startswith("the same") == (not row.differs), row.shown
        # In such a table the first cell has one line.
        for words in textwrap.wrap(row.words, WIDTHS[1]):
            lines.append(shown.ljust(WIDTHS[0] + 1) + words)
            shown = ""
    return "\n".join(lines + [rule, ""])
