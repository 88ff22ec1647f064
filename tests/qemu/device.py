# SPDX-License-Identifier: Apache-2.0
"""A machine, its flash, and the server it talks to."""

import collections
import datetime
import json
import shutil
import time
import urllib.request

import machine
from machine import PAGE, SLOT0, SLOT1, SLOT_SIZE, Machine, Memory, updates
from updates import FINAL, MAGIC, Failed, expect

DEVICE_TYPE = "mps2"
HOST = "10.0.2.2"
# In which a report that is told again would come.
SETTLE_S = 2
# The same after a restart.
SETTLE_AGAIN_S = 6
# A client that waits for a reply for 30 s closes the connection and asks again. On a busy machine that happens.
LOST_REPLY_S = 29
# Flash of a device and folder of its server, at one moment.
Snapshot = collections.namedtuple("Snapshot", "flash server")
HEADER_MAGIC = bytes.fromhex("3db8f396")
LEFT_OUT = ("flash.bin", "serial.log", "qmp.sock", "ready.json")


def release(version):
    return f"release-{version}"


class Disturbed(Failed):
    """The run was not what it was to be, by nobody's fault: it is made again, a few times."""


class Server(updates.Server):
    """mender-server, asked without a process for each question."""

    PLACES = {
        "deployments": "/api/management/v1/deployments/deployments",
        "devices": "/api/management/v2/devauth/devices",
    }

    def list(self, *what):
        with urllib.request.urlopen(self.management + self.PLACES[what[0]]) as reply:
            return json.load(reply)


class Build:
    """What firmware.py made for one mode of MCUboot."""

    def __init__(self, builds, mode):
        self.mode = mode
        self.folder = builds / mode
        self.mcuboot = self.folder / "mcuboot.elf"
        self.images = {version: (self.folder / f"v{version}.bin").read_bytes() for version in (1, 2, 3)}

    def shifts(self):
        """Where in slot 1 an image may begin: swap using offset leaves the first page out in one direction."""
        return (0, PAGE) if self.mode == "offset" else (0,)


class Device:
    def __init__(self, given, build, folder, port, snapshot=None):
        self.given, self.build, self.folder = given, build, folder
        if snapshot is None:
            folder.mkdir()
            for file in given.ca.glob("ca.*"):
                shutil.copy(file, folder)
        else:
            shutil.copytree(snapshot.server, folder)
        self.memory = Memory(folder / "flash.bin", machine.erased() if snapshot is None else snapshot.flash)
        self.memory.set(port=port)
        self.server = Server(given.server, folder, f"127.0.0.1:{port}", "--host", HOST)
        self.machine = None
        self.mcuboot = build.mcuboot

    def machine_of(self, mode):
        """The next machine has MCUboot of another mode."""
        self.mcuboot = self.build.folder.parent / mode / "mcuboot.elf"

    def start(self, **options):
        self.machine = Machine(self.mcuboot, self.memory, self.folder, **options)
        return self.machine

    def close(self):
        if self.machine is not None:
            self.machine.stop()
        self.server.stop()
        self.memory.close()

    def snapshot(self, name):
        """Ends the device; what it and its server have is what others begin with."""
        if self.machine is not None:
            self.machine.stop()
        self.server.stop()
        kept = self.folder.parent / name
        shutil.copytree(self.folder, kept, ignore=shutil.ignore_patterns(*LEFT_OUT))
        return Snapshot(self.memory.flash(), kept)

    def said(self):
        log = self.folder / "serial.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def upload(self, version, image=None):
        artifact = self.folder / f"{release(version)}.mender"
        name = ["--name", release(version), "--device-type", DEVICE_TYPE]
        image = image or self.build.folder / f"v{version}.bin"
        updates.testkit(self.given, "artifact", "--tool", "own", *name, "-f", image, "-o", artifact)
        self.server.ask("upload", artifact)

    def offer(self, version):
        self.server.ask("deploy", "--artifact", release(version))

    def is_known(self):
        """Waits until the device has authenticated and sent its inventory."""
        known = lambda: any(each["inventory_at"] for each in self.server.list("devices"))
        self.machine.until(known, "the inventory")

    def deployment(self, version):
        return next(iter(self.server.deployment(release(version))["devices"].values()), {})

    def finals(self, version):
        """Reports of the end. Where one says the same again for a reply that was lost, the run is to be made again."""
        finals = [each for each in self.deployment(version).get("reports", []) if each["status"] in FINAL]
        at = [datetime.datetime.fromisoformat(each["at"].replace("Z", "+00:00")) for each in finals]
        pauses = [(then - before).total_seconds() for before, then in zip(at, at[1:])]
        told = [each["status"] for each in finals]
        if len(set(told)) == 1 and any(pause > LOST_REPLY_S for pause in pauses):
            raise Disturbed(f"{release(version)} was told {told}, {max(pauses):.0f} s apart")
        return told

    def until_version(self, version):
        """Waits until the application of this version has begun."""
        self.machine.until(lambda: self.memory.get("version") == version, f"version {version}")

    def until_operations(self, more):
        wanted = self.memory.get("count") + more
        self.machine.until(lambda: self.memory.get("count") >= wanted, f"{more} flash operations")

    def ends(self, version, wanted=None):
        """Waits for the report of the end, which comes once; gives it.

        One that was told before this start may come again: its reply was perhaps not on record when the power failed.
        """
        known = len(self.finals(version))
        self.machine.until(lambda: self.memory.get("version") != 0, "an application")
        self.machine.until(lambda: self.finals(version), f"the report of {release(version)}")
        time.sleep(SETTLE_S if known == 0 else SETTLE_AGAIN_S)
        told = self.finals(version)
        expect(len(told) <= known + 1, f"{release(version)} ended {len(told)} times: {told}")
        expect(len(set(told)) == 1, f"{release(version)} ended in two ways: {told}")
        expect(wanted in (None, told[0]), f"{release(version)} ended as {told[0]}, not {wanted}")
        return told[0]

    def holds(self, version, other=None):
        """This version is in slot 0 and runs, and the other one is in slot 1; without one, nothing there is armed."""
        running = self.memory.get("version")
        expect(running == version, f"version {running} runs, not {version}")
        wrong = self.memory.differs(SLOT0, self.build.images[version])
        expect(not wrong, f"slot 0 is not version {version}: pages {wrong}")
        if other is not None and self.build.mode != "overwrite":
            wrong = self.memory.differs(SLOT1, self.build.images[other], self.build.shifts())
            if running == 1:
                # The client erases the header of an image that did not prove itself.
                wrong = [page for page in wrong if page != 0 or not self.header_is_erased()]
            expect(not wrong, f"slot 1 is not version {other}: pages {wrong}")
        # MCUboot that overwrites erases header and trailer, in this order: of the trailer alone nothing comes.
        may_be_asked = self.build.mode == "overwrite" and not self.has_candidate()
        expect(may_be_asked or not self.is_asked_for_a_swap(), "another swap is asked for")
        refused = self.memory.get("refused")
        expect(refused == 0, f"{refused} programs of what was programmed already")

    def is_asked_for_a_swap(self):
        return not self.memory.differs(SLOT1 + SLOT_SIZE - len(MAGIC), MAGIC)

    def has_candidate(self):
        """Whether there is what MCUboot could take for an image: without a header it looks no further."""
        return not self.memory.differs(SLOT1, HEADER_MAGIC)

    def is_named(self, artifact_name):
        """Waits until the server knows the device by this artifact name."""
        named = lambda: self.server.list("devices")[0]["inventory"].get("artifact_name") == artifact_name
        self.machine.until(named, f"the artifact name {artifact_name}")

    def header_is_erased(self):
        first = self.memory.flash()[SLOT1 : SLOT1 + PAGE + self.build.shifts()[-1]]
        return first.strip(b"\xff") == b""

    def updates_next(self, other):
        """The next update succeeds, whatever came before."""
        self.memory.set(trial=machine.GOOD, commit_deadline_ms=0, slow_us=0)
        self.offer(3)
        self.ends(3, "success")
        self.holds(3, other)

    def says_why(self, version, code):
        """The deployment's log names the error."""
        lines = lambda: (self.deployment(version).get("log") or [])
        self.machine.until(lines, "the deployment's log")
        text = "\n".join(line["message"] for line in lines())
        expect(code in text, f"the log has no '{code}':\n{text}")
