# SPDX-License-Identifier: Apache-2.0
"""QEMU's mps2-an385 with MCUboot, and the file that is its flash."""

import json
import mmap
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "native_sim"))
import updates  # noqa: E402
from updates import expect  # noqa: E402

# map.dtsi, and the region that QEMU wants whole.
SLOT0, SLOT1, SLOT_SIZE, FLASH_SIZE, FILE_SIZE = 0x10000, 0xD0000, 0xC0000, 0x1A8000, 0x1000000
SCRATCH, STORAGE, PAGE = 0x190000, 0x1A0000, 4096
# flash/include/cut_flash.h
CONTROL, LOG, LOG_MAX = 0xF00000, 0xF10000, 0xF000
FIELDS = (
    "count cut_at tear was_cut refused slow_us port trial watchdog_ms commit_deadline_ms fill starts version".split()
)
TEARS = ("nothing", "half", "all")
# Of an erase alone.
BUT_MAGIC = 3
ENTRY = struct.Struct("<IIcc6x")
# app/src/main.c
GOOD, SELF_TEST_FAILS, HANGS, FAULTS, DOES_NOT_START = range(5)
WATCHDOG_MS = 60000
LOOK_EVERY_S = 0.1


def qemu(flash, serial):
    """QEMU's command line: the board, with this file as its flash and this one for its console."""
    nvm = f"memory-backend-file,id=nvm,share=on,mem-path={flash},size=16M"
    command = ["qemu-system-arm", "-display", "none", "-monitor", "none", "-object", nvm]
    command += ["-machine", "mps2-an385,memory-backend=nvm", "-nic", "user,id=net,model=lan9118"]
    return [*command, "-chardev", f"file,id=serial,path={serial},append=on", "-serial", "chardev:serial"]


def erased():
    return b"\xff" * FLASH_SIZE


class Memory:
    """The file: flash, control page, list of operations."""

    def __init__(self, path, flash):
        self.path = path
        with path.open("wb") as file:
            file.write(flash)
            file.truncate(FILE_SIZE)
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), FILE_SIZE)
        self.set(watchdog_ms=WATCHDOG_MS)

    def set(self, **fields):
        for name, value in fields.items():
            struct.pack_into("<I", self.map, CONTROL + 4 * FIELDS.index(name), value)

    def get(self, name):
        return struct.unpack_from("<I", self.map, CONTROL + 4 * FIELDS.index(name))[0]

    def flash(self):
        return self.map[:FLASH_SIZE]

    def put(self, at, data):
        self.map[at : at + len(data)] = data

    def operation(self, number):
        """Place, length, kind and program of a flash operation."""
        offset, length, kind, by = ENTRY.unpack_from(self.map, LOG + ENTRY.size * (number % LOG_MAX))
        return offset, length, kind.decode(), by.decode()

    def by_mcuboot(self):
        """Whether MCUboot has written since the power came."""
        programs = self.map[LOG + ENTRY.size + 9 : LOG + ENTRY.size * (self.get("count") + 1) : ENTRY.size]
        return b"B" in programs

    def phase(self, number):
        """What an update does with this operation."""
        offset, _, kind, by = self.operation(number)
        if by == "B":
            return "swap"
        if offset >= STORAGE:
            return "record"
        if offset < SLOT1:
            return "confirm"
        return "arming" if kind == "W" and offset >= SLOT1 + SLOT_SIZE - PAGE else "download"

    def differs(self, slot, image, shifts=(0,)):
        """Pages of the image that the slot does not hold, at its beginning or after a page; the fewer ones."""
        pages = lambda shift: [
            at // PAGE
            for at in range(0, len(image), PAGE)
            if self.map[slot + shift + at : slot + shift + min(at + PAGE, len(image))] != image[at : at + PAGE]
        ]
        return min((pages(shift) for shift in shifts), key=len)

    def close(self):
        self.map.close()


class Machine:
    """QEMU, from one power-on to the next."""

    def __init__(self, mcuboot, memory, folder, reboots=True):
        self.memory = memory
        self.log = folder / "serial.log"
        self.control = folder / "qmp.sock"
        self.control.unlink(missing_ok=True)
        command = [*qemu(memory.path, self.log), "-kernel", mcuboot]
        command += ["-semihosting-config", "enable=on,target=native"]
        command += ["-qmp", f"unix:{self.control},server=on,wait=off"]
        self.process = subprocess.Popen(command if reboots else [*command, "-no-reboot"], stderr=subprocess.DEVNULL)

    def ended(self):
        return self.process.poll() is not None

    def until(self, condition, what, patience_s=None):
        """Waits for it; QEMU must go on meanwhile."""
        end = time.monotonic() + (patience_s or updates.PATIENCE_S)
        while not condition():
            expect(not self.ended(), f"QEMU ended while waiting for {what}")
            expect(time.monotonic() < end, f"waited too long for {what}")
            time.sleep(LOOK_EVERY_S)

    def until_end(self, what):
        """Waits until QEMU ends by itself: at a reset where it may not, or when the power fails."""
        try:
            self.process.wait(updates.PATIENCE_S)
        except subprocess.TimeoutExpired as late:
            raise updates.Failed(f"waited too long for {what}") from late

    def ask(self, command, **arguments):
        """A command of QEMU's machine protocol."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.control))
            with connection.makefile("rw") as lines:
                lines.readline()
                for each in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                    lines.write(json.dumps(each) + "\n")
                    lines.flush()
                    while "return" not in (reply := json.loads(lines.readline())):
                        expect("error" not in reply, f"{command}: {reply}")

    def link(self, up):
        self.ask("set_link", name="net", up=up)

    def reset(self):
        self.ask("system_reset")

    def stop(self):
        """Kills it: what the guest wrote stays, for the file is shared memory."""
        if not self.ended():
            self.process.kill()
        self.process.wait()
