#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: debian.py DIRECTORY LOGS QEMU...

Boot the Debian system of DIRECTORY/disk in QEMU, with its disk behind one or two
virtio-scsi adapters, and see that it lives as it should.  The output is TAP.
ONLY="N ...": these tests alone, if what they need is there.  What the tools have
done is kept there in tools-*.json, and what is then to be the table of them in
Documentation, in scsi-multipath-tools.txt.
"""

import base64
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import debian_tools

DIR = pathlib.Path(sys.argv[1])
LOGS = pathlib.Path(sys.argv[2])
QEMU = sys.argv[3:]
ROOT = pathlib.Path(__file__).resolve().parent.parent
GUIDE = ROOT / "Documentation/scsi/scsi-multipath.rst"
TESTS = ROOT / "tools/testing/selftests/scsi_multipath"
# The root file system, for e2fsprogs.
IMAGE = f"{DIR}/disk.raw?offset=1048576"

# The disks: name, id in VPD page 0x83, serial number.
SYSTEM = ("disk", "0x5000c50015ea71ac", "SYSTEM")
DATA = ("data", "0x5000c50015ea71ad", "DATA")
DATA_SIZE = 1 << 30
# A disk with ALUA, as options of scsi_debug.
ALUA_DISK = "vpd_use_hostno=0 dev_size_mb=64"
ROOT_WORDS = "root=UUID=6d70617a-6d70-6174-6873-000000000001 ro"

# An emulated machine beside others may take this many seconds for what takes a
# real one seconds, and the system is not to give it up before.
SLOW = 1200
PATIENCE = (f"udev.event_timeout={SLOW} systemd.default_timeout_start_sec={SLOW} "
            f"systemd.default_device_timeout_sec={SLOW} sysctl.kernel.hung_task_timeout_secs={SLOW}")


class Failed(Exception):
    """What a test has found."""


class Skipped(Exception):
    """Why this kernel has no use for a test."""


class Guest:
    """A boot of the system; adapters are numbers of PCIe ports."""

    boots = 0

    def __init__(self, append, adapters, initrd="initrd.img", driver="virtio-scsi-pci"):
        Guest.boots += 1
        self.adapters = adapters
        self.name = f"debian-{Guest.boots}"
        self.log = LOGS / f"{self.name}.serial.log"
        self.events = []
        self.answers = b""
        sockets = [DIR / "qmp", DIR / "agent"]
        for path in sockets:
            path.unlink(missing_ok=True)
        append += f" console=ttyS0 panic=-1 random.trust_cpu=on printk.devkmsg=on {PATIENCE}"
        words = [
            *QEMU[: QEMU.index("--")],
            "-kernel", str(DIR / "vmlinuz"), *(["-initrd", str(DIR / initrd)] if initrd else []),
            "-append", " ".join([append, *QEMU[QEMU.index("--") + 1:]]),
            "-serial", f"file:{self.log}", "-device", "virtio-serial-pci",
            "-qmp", f"unix:{sockets[0]},server=on,wait=off",
            "-chardev", f"socket,id=agent,path={sockets[1]},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=agent",
        ]
        # A disk that is reached by two adapters is one image that is opened twice.
        for port in 0, 1:
            words += ["-device", f"pcie-root-port,id=port{port},chassis={port + 1},slot={port + 1}"]
            for image, _, _ in SYSTEM, DATA:
                words += ["-blockdev", f"driver=file,filename={DIR}/{image}.raw,node-name={image}-file{port},locking=off",
                          "-blockdev", f"driver=raw,node-name={image}{port},file={image}-file{port}"]
        for port in adapters:
            words += ["-device", f"{driver}," + as_words(self.adapter(port))]
            for options in self.disks(port):
                # These have more than one target, but no LUNs.
                if driver == "pvscsi":
                    options["scsi-id"] = options.pop("lun")
                words += ["-device", "scsi-hd," + as_words(options)]
        diag(f"{self.name}: {append}; adapters {adapters}")
        self.qemu_log = open(LOGS / f"{self.name}.qemu.log", "wb")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.qemu_log, stderr=self.qemu_log)
        try:
            self.qmp_file = self.connect(sockets[0]).makefile("rw")
            self.qmp_line()
            self.qmp("qmp_capabilities")
            self.agent = self.connect(sockets[1])
            self.line()
        except BaseException:
            # The next one is to have the disk for itself.
            self.kill()
            raise

    @staticmethod
    def adapter(port):
        return {"id": f"hba{port}", "bus": f"port{port}"}

    @staticmethod
    def disks(port):
        for lun, (image, wwn, serial) in enumerate((SYSTEM, DATA)):
            yield {"id": f"{image}-path{port}", "bus": f"hba{port}.0", "lun": lun, "drive": f"{image}{port}",
                   "share-rw": "on", "wwn": wwn, "serial": serial}

    def connect(self, path):
        """QEMU makes its sockets when it starts."""
        deadline = time.monotonic() + 60
        while True:
            try:
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(str(path))
                sock.settimeout(SLOW)
                return sock
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"QEMU does not run: see {self.qemu_log.name}") from None
                time.sleep(0.05)

    # QMP

    def qmp_line(self):
        line = self.qmp_file.readline()
        if not line:
            raise Failed("QEMU has ended")
        return json.loads(line)

    def qmp(self, command, **arguments):
        json.dump({"execute": command, "arguments": arguments}, self.qmp_file)
        self.qmp_file.flush()
        while True:
            answer = self.qmp_line()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Failed(f"{command}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def event(self, name, **data):
        """Wait for an event, or take one that has been."""
        while True:
            for event in self.events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return
            answer = self.qmp_line()
            if "event" in answer:
                self.events.append(answer)

    def unplug(self, port):
        self.qmp("device_del", id=f"hba{port}")
        self.event("DEVICE_DELETED", device=f"hba{port}")

    def plug(self, port):
        self.qmp("device_add", driver="virtio-scsi-pci", **self.adapter(port))
        for options in self.disks(port):
            options["share-rw"] = True
            self.qmp("device_add", driver="scsi-hd", **options)

    # Commands

    def receive(self):
        self.agent.settimeout(SLOW)
        try:
            data = self.agent.recv(65536)
        except socket.timeout:
            # A late answer would be taken for that to the next question.
            self.kill()
            raise Failed(f"the guest does not answer: see {self.log}") from None
        if not data:
            raise Failed(f"the guest has gone: see {self.log}")
        self.answers += data

    def line(self):
        while b"\n" not in self.answers:
            self.receive()
        line, self.answers = self.answers.split(b"\n", 1)
        return line.decode()

    def ask(self, script):
        """(exit status, output) of a bash script."""
        self.agent.sendall(base64.b64encode(script.encode()) + b"\n")
        status, length = map(int, self.line().split())
        while len(self.answers) < length:
            self.receive()
        output, self.answers = self.answers[:length], self.answers[length:]
        return status, output.decode(errors="replace")

    def run(self, script):
        """The output of a script all of whose commands must succeed."""
        status, output = self.ask("set -euo pipefail\n" + script)
        if status:
            raise Failed(f"{script!r} ends with {status}: {output[-2000:]}")
        return output.strip()

    def wait(self, condition):
        """Until a condition is true in the guest."""
        status, output = self.ask(f"timeout {SLOW // 2} bash -c 'until {condition}; do sleep 0.1; done'")
        if status:
            raise Failed(f"not within {SLOW // 2} s: {condition} {output}")

    # The end

    def end(self, how="reboot"):
        """Let it shut down; its kernel's log and its file system have nothing to say."""
        self.agent.sendall(base64.b64encode(f"systemctl --no-block {how}".encode()) + b"\n")
        try:
            self.process.wait(SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"the guest does not shut down: see {self.log}") from None
        self.check_log()
        # Without reading it the superblock alone tells whether it was unmounted.
        superblock = host("dumpe2fs", "-h", IMAGE)
        if not re.search(r"^Filesystem state: +clean$", superblock, re.M) or "needs_recovery" in superblock:
            raise Failed("the root file system was not unmounted")
        host("e2fsck", "-fn", IMAGE)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def check_log(self):
        found = subprocess.run([ROOT / "dev/guest", "scan-log", self.log], capture_output=True, text=True, check=False)
        if found.returncode:
            raise Failed(f"the kernel reported a fault: {self.log}\n{found.stdout}")


def as_words(options):
    return ",".join(f"{key}={value}" for key, value in options.items())


def host(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, words))} ends with {done.returncode}: {done.stdout[-1000:]} {done.stderr[-1000:]}")
    return done.stdout


def release():
    """Of the kernel that was installed."""
    return (DIR / "release").read_text(encoding="ascii").strip()


def boot_files(initrd):
    """Take the kernel and the initrd from where the system has them."""
    for name in ["vmlinuz"] + ([initrd] if initrd else []):
        (DIR / name).unlink(missing_ok=True)
        host("debugfs", "-R", f"dump /boot/{name}-{release()} {DIR}/{name}", IMAGE)
        if not (DIR / name).stat().st_size:
            raise Failed(f"the system has no {name}-{release()}")


def diag(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


# The tests, in their order.  Each needs what those before it have left.

tests = []
guest = None
links = {}
followed = []


def test(text, without_guest=False):
    def add(function):
        tests.append((text, function, without_guest))
        return function
    return add


def boot(multipath, adapters):
    """Boot with this for multipath.  The second disk is empty."""
    with open(DIR / "data.raw", "wb") as data:
        data.truncate(DATA_SIZE)
    boot_again(multipath, adapters)


def boot_again(multipath, adapters, **how):
    """Likewise, with what is on the second disk."""
    launch(f"{ROOT_WORDS} scsi_mod.multipath={multipath}", adapters, **how)


def boot_as_installed():
    """Boot as the system's boot loader would, with both adapters."""
    config = host("debugfs", "-R", "cat /boot/grub/grub.cfg", IMAGE)
    words = re.search(r"^\s*linux\s+/boot/vmlinuz\S+\s+(.*)$", config, re.M)
    if not words:
        raise Failed("there is no kernel in grub.cfg")
    launch(words[1].strip(), [0, 1])


def launch(append, adapters, initrd="initrd.img", **how):
    global guest
    if guest and guest.process.poll() is None:
        guest.kill()
    guest = None
    boot_files(initrd)
    guest = Guest(append, adapters, initrd, **how)
    state = guest.ask("systemctl is-system-running --wait")[1].strip()
    if state != "running":
        raise Failed(f"the system is {state}: " + guest.ask("systemctl --failed --no-pager --plain")[1])


def head(serial):
    """The name of the disk with this serial number, as udev knows it."""
    wwn = {"SYSTEM": SYSTEM, "DATA": DATA}[serial][1]
    return guest.run(f"basename $(readlink -e /dev/disk/by-id/wwn-{wwn})")


def usable(disk, count):
    """Wait until a disk has this many paths, and all of them can be used."""
    guest.wait(f'[ "$(cat /sys/block/{disk}/multipath/*/mpath_state 2>/dev/null | tr "\\n" " ")" = "{"optimized " * count}" ]')


def shown(pattern):
    """What a group of a pattern matches in a line of a literal block of the guide."""
    found = re.search(f"^ {{8,}}{pattern}$", GUIDE.read_text(encoding="utf-8"), re.M)
    if not found:
        raise Failed(f"{GUIDE.name} does not show {pattern}")
    return found[1]


def root_is(disk, paths):
    source = guest.run("findmnt -no SOURCE /")
    if source != f"/dev/{disk}1":
        raise Failed(f"the root file system is on {source}, not on /dev/{disk}1")
    if paths:
        usable(disk, paths)


def by_id():
    """What is in /dev/disk: {link: serial number of the disk}.  No link leads elsewhere."""
    guest.run("udevadm settle")
    names = {head(d[2]): d[2] for d in (SYSTEM, DATA)}
    found = {}
    for line in guest.run("cd /dev/disk; for l in by-*/*; do echo $l $(readlink -e $l); done").splitlines():
        link, _, node = line.partition(" ")
        if node.startswith("/dev/loop"):
            continue
        disk = re.match(r"/dev/(sd[a-z]+)(\d*)$", node)
        if not disk or disk[1] not in names:
            raise Failed(f"/dev/disk/{link} leads to {node or 'nothing'}")
        if link.startswith("by-id/"):
            found[link] = names[disk[1]] + disk[2]
    for name, wwn, _ in SYSTEM, DATA:
        for link in f"wwn-{wwn}", f"scsi-3{wwn[2:]}":
            if f"by-id/{link}" not in found:
                raise Failed(f"the {name} has no link {link}")
    return found


def node_links(disk):
    """The links of a disk in /dev/disk/by-id."""
    guest.run("udevadm settle")
    return {link for link in guest.run(f"udevadm info -q symlink /dev/{disk}").split() if "/by-id/" in link}


def same_links(what, rules="all"):
    """The links that these rules make, at boot and when they are asked to, are those of a plain disk."""
    atboot = by_id() if rules == "all" else None
    guest.run("udevadm trigger --subsystem-match=block")
    found = by_id()
    if atboot not in (None, found):
        raise Failed(f"{what}: the links in /dev/disk are {found}, and were {atboot} before udev looked again")
    if what == "plain":
        links[rules] = found
    if found != links.get(rules):
        raise Failed(f"{what}: the links in /dev/disk are {found}, and were {links.get(rules)} on a plain disk")


def same_links_without_sg3_utils(what):
    """So they are where sg3-utils-udev is not installed: udev asks the disk by its own scsi_id."""
    rules = "/etc/udev/rules.d/{55-scsi-sg3_id,58-scsi-sg3_symlink}.rules"
    guest.run(f"for rule in {rules}; do ln -s /dev/null $rule; done; udevadm control --reload")
    try:
        same_links(what, "without sg3-utils")
        said = guest.ask(f"udevadm info -q property /dev/{head('DATA')} | grep ^SCSI_")[1]
    finally:
        guest.run(f"rm {rules}; udevadm control --reload; udevadm trigger --subsystem-match=block; udevadm settle")
    if said:
        raise Failed(f"{what}: the rules of sg3-utils were there: {said}")


def grow(disk, size):
    """The device of a disk has grown, and its paths are told to look."""
    for port in guest.adapters:
        guest.qmp("block_resize", **{"node-name": f"data{port}", "size": size})
    guest.run(f"for d in /sys/block/{disk}{{,/multipath/*}}/device; do [ ! -e $d/rescan ] || echo 1 >$d/rescan; done")
    guest.wait(f"[ $(blockdev --getsize64 /dev/{disk}) = {size} ]")


def tools(kind):
    """Run the tools on the empty disk, and keep what they print."""
    (DIR / f"tools-{kind}.json").unlink(missing_ok=True)
    disk, system = head("DATA"), head("SYSTEM")
    said, failed = {}, []
    for row in debian_tools.ROWS:
        output = ""
        for number, script in enumerate(row.script.split("{grow}")):
            if number:
                grow(disk, DATA_SIZE + (256 << 20))
            status, printed = guest.ask("set -euo pipefail; udevadm settle\n" +
                                        script.format(disk=f"/dev/{disk}", name=disk, system=system))
            output += printed
            if status:
                failed.append(f"{row.shown} ends with {status}: {printed}")
                break
        if not output and kind == "plain":
            failed.append(f"{row.shown} prints nothing")
        said[row.shown] = debian_tools.normal(output, row, {disk: "DISK", system: "SYSTEM"})
    (DIR / f"tools-{kind}.json").write_text(json.dumps(said, indent="\t"), encoding="utf-8")
    if failed:
        raise Failed("\n".join(failed))


@test("without multipath the system boots with one adapter", without_guest=True)
def _():
    boot("off", [0])
    root_is(head("SYSTEM"), None)
    guest.run("dd if=/dev/urandom of=/var/tmp/file bs=1M count=16 status=none; sha256sum /var/tmp/file >/var/tmp/file.sum")


@test("udev gives its disks their names")
def _():
    same_links("plain")
    guest.run(f"modprobe scsi_debug {ALUA_DISK}")
    disk = "/sys/bus/pseudo/devices/adapter0/host*/target*/*:*/block/*"
    guest.wait(f"[ -e {disk} ]")
    links["alua"] = node_links(guest.run(f"basename {disk}"))
    guest.run("rmmod scsi_debug")


@test("without the rules of sg3-utils they have names as well")
def _():
    same_links_without_sg3_utils("plain")


@test("the tools work on a plain disk")
def _():
    tools("plain")


@test("it shuts down")
def _():
    guest.end()


def alone(port):
    boot_again("always", [port])
    root_is(head("SYSTEM"), 1)
    guest.run("sha256sum -c /var/tmp/file.sum")
    guest.end()


for adapter, which in (0, "first"), (1, "second"):
    test(f"with multipath it boots with the {which} adapter alone, and shuts down",
         without_guest=True)(lambda adapter=adapter: alone(adapter))


@test("without an initramfs it boots with the words that the guide has for that", without_guest=True)
def _():
    config = host("debugfs", "-R", f"cat /boot/config-{release()}", IMAGE)
    modules = [name for name in ("SCSI", "BLK_DEV_SD", "SCSI_DH_ALUA", "VMWARE_PVSCSI", "EXT4_FS")
               if f"\nCONFIG_{name}=y\n" not in config]
    if modules:
        raise Skipped(f"not built in: {', '.join(modules)}")
    words = shown(r"scsi_mod\.multipath=on( root=.*)")
    launch(f"scsi_mod.multipath=always{words} ro", [0, 1], initrd=None, driver="pvscsi")
    root_is("sda", 2)
    guest.end()


@test("it boots with two adapters, with nothing for that in its initramfs", without_guest=True)
def _():
    boot("always", [0, 1])
    root_is(head("SYSTEM"), 2)
    has_modules(f"/boot/initrd.img-{guest.run('uname -r')}")
    # What is there with the kernel is not for dm-multipath.
    if guest.ask("grep -i multipath /run/initrd.list | grep -v /kernel/lib/multipath.ko || dpkg -s multipath-tools")[0] == 0:
        raise Failed("there is something of dm-multipath")
    # A path that is found before it has no handler, and counts as non-optimized.
    order = re.findall("alua: device handler registered|Direct-Access", guest.run("dmesg"))
    if order[:1] != ["alua: device handler registered"]:
        raise Failed(f"scsi_dh_alua comes late: {order}")


def has_modules(initrd):
    """An initramfs has what the disk takes and the kernel does not have built in."""
    guest.run(f"lsinitramfs {initrd} >/run/initrd.list; [ -s /run/initrd.list ]")
    guest.run("""for m in multipath scsi_mod scsi_dh_alua sd_mod virtio_scsi; do
	[ "$(modinfo -F filename $m)" = "(builtin)" ] || grep "/$m.ko" /run/initrd.list || { echo "no $m"; exit 1; }
done""")


@test("with MODULES=dep the initramfs has what it needs if it is told the driver of the hosts")
def _():
    image = f"/boot/dep.img-{guest.run('uname -r')}"
    guest.run("cp -a /etc/initramfs-tools /run/; sed -i s/^MODULES=.*/MODULES=dep/ /run/initramfs-tools/initramfs.conf\n"
              "for m in /sys/class/scsi_host/host*/device/../driver/module; do\n"
              "	[ ! -e $m ] || basename $(readlink -f $m)\ndone | sort -u >>/run/initramfs-tools/modules\n"
              f"mkinitramfs -d /run/initramfs-tools -o {image}")
    has_modules(image)
    guest.end()
    boot_again("always", [0, 1], initrd="dep.img")
    root_is(head("SYSTEM"), 2)
    guest.run(f"rm {image}")


@test("udev gives the disk over two paths the same names, and none leads to a path")
def _():
    same_links("multipath")


@test("without the rules of sg3-utils the names are the same as well")
def _():
    same_links_without_sg3_utils("multipath")


@test("the tools work on the disk over two paths")
def _():
    tools("multipath")


@test("each tool does the same on both, or what is written down", without_guest=True)
def _():
    plain, multipath = (json.loads((DIR / f"tools-{kind}.json").read_text(encoding="utf-8"))
                        for kind in ("plain", "multipath"))
    other = []
    for row in debian_tools.ROWS:
        found = debian_tools.difference(plain[row.shown], multipath[row.shown])
        if found != row.differs:
            other.append("\n".join([f"{row.shown}, plain (-) and multipath (+):", *found, "and not:", *row.differs]))
    if other:
        raise Failed("\n".join(other))


@test("the table of them in Documentation is made of this", without_guest=True)
def _():
    made, kept = DIR / "scsi-multipath-tools.txt", GUIDE.parent / "scsi-multipath-tools.txt"
    made.write_text(debian_tools.table(), encoding="utf-8")
    found = subprocess.run(["diff", "-u", kept, made], capture_output=True, text=True, check=False)
    if found.returncode:
        raise Failed(f"{found.stdout}{found.stderr}{made} is another one: if it is right, copy it over {kept}")


# Until it is told to stop, write and read back, and keep what fio says of each round.
FIO = """
cat >/run/work <<'END'
until [ -e /run/stop ]; do
	fio --name=work --filename=/var/tmp/work --size=16m --rw=randwrite --bs=16k --ioengine=libaio --direct=1 \
		--iodepth=8 --fsync=64 --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
		--fallocate=none --randrepeat=0 --output-format=json --output=/run/round >/run/work.out 2>&1 || exit
	mv /run/round /run/rounds/$((n++))
done
END
rm -rf /run/stop /run/rounds; mkdir /run/rounds
systemd-run -q --unit=work bash /run/work
"""


def rounds():
    """How many have ended."""
    return int(guest.run("ls /run/rounds | wc -l"))


def another_round():
    """Two more have ended, so that one was begun meanwhile."""
    guest.wait(f"[ $(ls /run/rounds | wc -l) -ge {rounds() + 2} ] || ! systemctl -q is-active work")
    guest.run("systemctl -q is-active work || { cat /run/work.out /run/round; false; }")


def slowest(first):
    """Of the rounds from this one on, all of which was read back: the I/O that took longest, in ms."""
    longest = 0
    for number in range(first, rounds()):
        (job,) = json.loads(guest.run(f"cat /run/rounds/{number}"))["jobs"]
        if job["read"]["io_bytes"] != 16 << 20:
            raise Failed(f"round {number} was not all read back: {job['read']}")
        longest = max(longest, *(job[kind]["lat_ns"]["max"] for kind in ("read", "write", "sync")))
    return longest // 1000000


@test("an adapter is unplugged and plugged in again, and then the other: I/O goes on")
def _():
    disk = head("SYSTEM")
    guest.run(f"echo round-robin >/sys/block/{disk}/device/iopolicy; dmesg --clear")
    guest.run(FIO)
    another_round()
    diag(f"the slowest I/O took {slowest(0)} ms with both adapters")
    counters = f"/sys/block/{disk}/mpath_{{waited,refused,outage_ms}}"
    guest.run(f"for f in {counters}; do echo 0 >$f; done")
    before = {d: node_links(head(d)) for d in ("SYSTEM", "DATA")}

    def same_names(when):
        found = {d: node_links(head(d)) for d in before}
        if found != before:
            raise Failed(f"{when} the links are {found}, and were {before}")

    for port in 0, 1:
        first, start = rounds(), time.monotonic()
        guest.unplug(port)
        usable(disk, 1)
        same_names(f"without adapter {port}")
        diag(f"adapter {port} is out, which took {(time.monotonic() - start) * 1000:.0f} ms")
        another_round()
        diag(f"the slowest I/O meanwhile, and with the other one alone, took {slowest(first)} ms")
        first = rounds()
        guest.plug(port)
        usable(disk, 2)
        same_names(f"with adapter {port} again")
        # The paths are numbered anew; both carry I/O.
        guest.run(f"for p in /sys/block/{disk}/multipath/*; do echo 0 >$p/mpath_ios; done")
        guest.wait(f"! grep -qx 0 /sys/block/{disk}/multipath/*/mpath_ios")
        another_round()
        diag(f"adapter {port} is in, and the slowest I/O took {slowest(first)} ms")
    guest.run("touch /run/stop")
    guest.wait("! systemctl -q is-active work")
    guest.run("[ \"$(systemctl show -P Result work)\" = success ]")
    slowest(0)
    diag(f"{rounds()} rounds of verified I/O")
    guest.run(f"grep . {counters} | grep -v ':0$' || exit 0; false")
    errors = guest.ask("dmesg | grep -E 'I/O error|EXT4-fs (error|warning)|Aborting journal'")[1]
    if errors:
        raise Failed(errors)
    guest.run("[ $(findmnt -no OPTIONS / | cut -d, -f1) = rw ]")


@test("afterwards it shuts down, and boots with either adapter alone, and with both")
def _():
    guest.end()
    for port in 0, 1:
        alone(port)
    boot_again("always", [0, 1])
    root_is(head("SYSTEM"), 2)


@test("looked at without a usable path the disk loses its links, until udev looks again, as the guide's rule makes it")
def _():
    disk = head("DATA")
    before = node_links(disk)
    rule = shown('(ACTION.*"serving".*)')
    look = "udevadm trigger --subsystem-match=block"
    for rules, after in ("", set()), (rule, before):
        guest.run(f"printf '%s\\n' '{rules}' >/etc/udev/rules.d/60-scsi-multipath.rules; udevadm control --reload")
        guest.run(f"for path in /sys/block/{disk}/multipath/*; do echo offline >$path/device/state; done")
        guest.wait(f'[ "$(sort -u /sys/block/{disk}/multipath/*/mpath_state)" = offline ]')
        found = [node_links(disk)]
        guest.run(look)
        found.append(node_links(disk))
        guest.run(f"for path in /sys/block/{disk}/multipath/*; do echo running >$path/device/state; done")
        usable(disk, 2)
        if after:
            guest.wait(f"[ $(udevadm info -q symlink /dev/{disk} | grep -o /by-id/ | wc -l) = {len(after)} ]")
        found.append(node_links(disk))
        guest.run(look)
        found.append(node_links(disk))
        if found != [before, set(), after, before]:
            raise Failed(f"with the rule {rules!r}: {found}")
    guest.run("rm /etc/udev/rules.d/60-scsi-multipath.rules; udevadm control --reload")


def commands(title):
    """The commands of a section or a part of the guide, and what they print."""
    found, section, part = [], "", ""
    for line in host("awk", "-f", TESTS / "guide.awk", GUIDE).splitlines():
        kind, _, text = line.partition("\x1f")
        if kind == "section":
            section, part = text, ""
        elif kind == "part":
            part = text
        elif title not in (section, part):
            continue
        elif kind == "command":
            found.append([text, ""])
        else:
            found[-1][1] += text + "\n"
    if not found:
        raise Failed(f"{GUIDE.name} shows no command in {title!r}")
    return found


def form(text):
    """What is printed, but for what is another one elsewhere."""
    return " ".join(re.sub(r"\d+", "0", re.sub(r"\bsd[a-z]+", "sda", text)).split())


def follow(title):
    """Do what a section of the guide says.  "..." stands for any output."""
    for command, shown in commands(title):
        diag(f"# {command}")
        followed.append(command)
        if command == "reboot":
            guest.end()
            boot_as_installed()
            continue
        status, output = guest.ask(command)
        wanted, got = form(shown), form(output)
        if status or not (got and got.startswith(wanted[:-3]) if wanted.endswith("...") else got == wanted):
            raise Failed(f"{GUIDE.name} shows {shown!r} for {command!r}, which ends with {status}: {output!r}")
    guest.run("sha256sum -c /var/tmp/file.sum")


def left_alone(when):
    """multipath-tools has nothing to do with either disk."""
    disks = [head("SYSTEM"), head("DATA")]
    guest.run("udevadm trigger --subsystem-match=block; udevadm settle; systemctl restart multipathd\n"
              "udevadm trigger --subsystem-match=block; udevadm settle")
    for command in "multipath -ll", "multipathd show paths format %d", "dmsetup ls --target multipath":
        said = guest.run(command)
        if said not in ("", "ok", "No devices found"):
            raise Failed(f"{when}: {command}: {said}")
    for node in guest.run("lsblk -no PATH --list " + " ".join(f"/dev/{disk}" for disk in disks)).split():
        said = guest.run(f"udevadm info -q property {node}")
        if re.search("^(DM_MULTIPATH_DEVICE_PATH=1|SYSTEMD_READY=0|ID_FS_TYPE=mpath_member)", said, re.M):
            raise Failed(f"{when}: {node}: {said}")
    root_is(disks[0], 2)
    journal = guest.run("journalctl --sync\n"
                        "journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID multipathd)")
    found = {re.sub("^sd[a-z]+: ", "", line) for line in journal.splitlines()}
    found = {line for line in found if not re.match("multipathd v|reconfigure: ", line)}
    guide = " ".join(GUIDE.read_text(encoding="utf-8").split())
    if found != {"spurious uevent, path not found", "uevent trigger error"} or not all(f'"{line}"' in guide for line in found):
        raise Failed(f"{when}: multipathd says what {GUIDE.name} does not: {journal}")


@test("an initramfs of dracut has what it needs, also if it is for this machine alone")
def _():
    image = f"/boot/dracut.img-{guest.run('uname -r')}"
    guest.run(f"apt-get install dracut-core; dracut -q --hostonly --kver $(uname -r) {image}")
    has_modules(image)
    guest.end()
    boot_again("always", [0, 1], initrd="dracut.img")
    root_is(head("SYSTEM"), 2)
    guest.run(f"rm {image}; apt-get purge dracut-core")


@test("multipath-tools is installed beside it, and leaves the disks alone")
def _():
    guest.run("apt-get install multipath-tools; systemctl is-active multipathd")
    left_alone("as it is installed")
    ids = "".join(f"/3{disk[1][2:]}/\\n" for disk in (SYSTEM, DATA))
    guest.run("mkdir -p /etc/multipath; printf 'defaults {\\n find_multipaths greedy\\n}\\n' >/etc/multipath.conf\n"
              f"printf '{ids}' >/etc/multipath/wwids")
    left_alone("told to take all, and with their ids in its list")
    # But LVM goes by the list, as the guide says.
    data = head("DATA")
    said = guest.ask(f"pvcreate -qq -f -y /dev/{data}")[1]
    if "multipath component" not in said:
        raise Failed(f"LVM does not refuse what is in /etc/multipath/wwids: {said}")
    follow("With multipath-tools installed")
    guest.run(f"pvcreate -qq -f -y /dev/{data}; pvremove -qq /dev/{data}; rm /etc/multipath/wwids /etc/multipath.conf")


@test("LVM's list of devices, if it has maps of dm-multipath, is made anew as the guide says")
def _():
    disk, wwid, devices = head("DATA"), "3" + DATA[1][2:], "/etc/lvm/devices/system.devices"
    guest.run(f"cp /etc/lvm/lvm.conf /run; sed -i 's/# use_devicesfile = .*/use_devicesfile = 1/' /etc/lvm/lvm.conf\n"
              f"pvcreate -qq -f -y /dev/{disk}; vgcreate -qq vg /dev/{disk}; vgs vg\n"
              f"sed -i -E 's,IDTYPE=sys_wwid IDNAME=\\S+ DEVNAME=\\S+,IDTYPE=mpath_uuid IDNAME=mpath-{wwid} DEVNAME=/dev/mapper/{wwid},'"
              f" {devices}; grep IDTYPE=mpath_uuid {devices}")
    try:
        status, said = guest.ask("vgs vg")
        if not status:
            raise Failed(f"vg is found: {said}")
        follow("LVM's devices file")
        guest.run("vgs vg")
    finally:
        guest.run(f"mv /run/lvm.conf /etc/lvm/; rm -f {devices}; vgremove -qq -f vg; pvremove -qq /dev/{disk}")


# What is on the second disk while the system is moved, as the guide names it.
UUID = "8d1a3a4e-7f0e-4f0e-9c53-2b6a5b1f4c10"
FILL = f"""
printf 'label: gpt\\nsize=400M\\nsize=400M\\n' | sfdisk -q DISK; udevadm settle
mkfs.ext4 -q -U {UUID} DISK1
pvcreate -qq DISK2; vgcreate -qq vg DISK2; lvcreate -qq -L 64M -n lv vg; mkfs.ext4 -q /dev/vg/lv
mkdir -p /srv /var/lv
echo 'UUID={UUID} /srv ext4 defaults 0 2' >>/etc/fstab
echo '/dev/vg/lv /var/lv ext4 defaults 0 2' >>/etc/fstab
systemctl daemon-reload; mount /srv; mount /var/lv; cp /var/tmp/file /srv; cp /var/tmp/file /var/lv
echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX scsi_mod.multipath=always"' >/etc/default/grub.d/scsi-multipath.cfg
"""


def mounted(over):
    """What is mounted is whole, and each is over these types of disks."""
    guest.run("cmp /var/tmp/file /srv/file; cmp /var/tmp/file /var/lv/file")
    for point in "/", "/srv", "/var/lv":
        disks = guest.run(f"lsblk -snro NAME,TYPE $(findmnt -no SOURCE {point}) | grep -Ev ' (part|lvm)$'").splitlines()
        types = sorted(line.split()[1] for line in disks)
        if types != over:
            raise Failed(f"{point} is on {disks}")


@test("it is moved to dm-multipath as the guide says")
def _():
    guest.run(FILL.replace("DISK", f"/dev/{head('DATA')}"))
    follow("Back to dm-multipath")
    mounted(["disk", "disk", "mpath"])


@test("a disk with ALUA is native multipath while those without stay with dm-multipath, as the guide says")
def _():
    guest.run("echo scsi_debug >/etc/modules-load.d/test.conf\n"
              f"echo options scsi_debug {ALUA_DISK} add_host=3 >/etc/modprobe.d/test.conf")
    follow("Some disks stay with dm-multipath")
    mounted(["disk", "disk", "mpath"])
    disk = guest.run("cat /sys/class/scsi_mpath_disk/*/disk")
    # Each host of scsi_debug reports another state.
    guest.wait(f'[ "$(sort /sys/block/{disk}/multipath/*/mpath_state | paste -sd " ")" = "non-optimized optimized standby" ]')
    paths = guest.run("multipathd show paths raw format %d").split()
    if disk in paths or len(paths) != 4:
        raise Failed(f"{disk} is multipath, and multipathd has {paths}")
    found = node_links(disk)
    if not found or found != links["alua"]:
        raise Failed(f"the links are {found}, and {links['alua']} without multipath")
    guest.run(f"pvcreate -qq -f -y /dev/{disk}; pvremove -qq /dev/{disk}\n"
              f"mkfs.ext4 -q /dev/{disk}; mount /dev/{disk} /mnt; cp /var/tmp/file /mnt; umount /mnt\n"
              f"echo 3 >/proc/sys/vm/drop_caches; mount /dev/{disk} /mnt; cmp /var/tmp/file /mnt/file; umount /mnt\n"
              "rm /etc/modules-load.d/test.conf /etc/modprobe.d/test.conf")


@test("it is moved back, where what multipath-tools has left is no harm")
def _():
    wwid = "3" + DATA[1][2:]
    guest.run(f"sed -i 's,^UUID={UUID} ,/dev/mapper/{wwid}-part1 ,' /etc/fstab")
    follow("From dm-multipath")
    guest.run("lsinitramfs /boot/initrd.img-$(uname -r) >/run/initrd.list\n"
              "! grep -E 'multipathd|dm-multipath|etc/multipath' /run/initrd.list")
    guest.end()
    boot_as_installed()
    mounted(["disk"])
    for disk in "SYSTEM", "DATA":
        usable(head(disk), 2)


@test("the system powers off")
def _():
    guest.end("poweroff")


@test("the guide shows no other command for these moves", without_guest=True)
def _():
    other = {command for command, _ in commands("Moving from dm-multipath and back")}.difference(followed)
    if other:
        raise Failed("not run: " + ", ".join(other))


def main():
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    bad = 0
    only = [int(number) for number in os.environ.get("ONLY", "").split()]
    host("cp", "--sparse=always", f"{DIR}/disk", f"{DIR}/disk.raw")
    for number, (text, function, without_guest) in enumerate(tests, 1):
        if only and number not in only:
            print(f"ok {number} {text} # SKIP", flush=True)
            continue
        start, why = time.monotonic(), ""
        try:
            if not guest and not without_guest:
                raise Failed("there is no guest")
            function()
            result = "ok"
        except Skipped as reason:
            result, why = "ok", f" # SKIP {reason}"
        except (Failed, OSError, ValueError, LookupError, AttributeError) as error:
            for line in str(error).splitlines() or [repr(error)]:
                print(f"# FAILED: {line}", flush=True)
            result = "not ok"
            bad = 1
        diag(f"{time.monotonic() - start:.0f} s")
        print(f"{result} {number} {text}{why}", flush=True)
    return bad


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        sys.exit(main())
    finally:
        if guest and guest.process.poll() is None:
            guest.kill()
