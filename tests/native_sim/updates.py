#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole updates of samples/ota on native_sim, against mender-server over TLS.

native_sim has no bootloader. Its program ends at sys_reboot(), and this script does to the flash file what MCUboot would do:
swap, revert, or refuse. The firmware is always the same program; which image "runs" is what slot 0 holds.

    updates.py --firmware build/zephyr/zephyr.exe --server target/debug/mender-server --testkit target/debug/mender-testkit

The firmware must trust the server's CA: `--make-ca DIR` makes DIR/ca.pem and its key before the build, `--ca DIR` then uses
them. The firmware asks at https://localhost:8443, so nothing else may listen there.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

# boards/native/native_sim in Zephyr: two slots, and MCUboot's flags in units of 8 bytes at their ends.
SLOT0, SLOT1, SLOT_SIZE, FLASH_SIZE = 0xC000, 0x75000, 0x69000, 0x200000
MAGIC = bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")
MAGIC_AT, IMAGE_OK_AT, COPY_DONE_AT, SWAP_INFO_AT = (SLOT_SIZE - n for n in (16, 24, 32, 40))
TEST, REVERT = 2, 4
DEVICE_TYPE = "native_sim"
PATIENCE_S = 60


class Flash:
    """The firmware's flash, between two runs of it."""

    def __init__(self, path):
        self.path = path
        self.bytes = bytearray(path.read_bytes()) if path.exists() else bytearray(b"\xff" * FLASH_SIZE)

    def save(self):
        self.path.write_bytes(self.bytes)

    def image(self, slot):
        return bytes(self.bytes[slot : slot + SWAP_INFO_AT - 4096])

    def put(self, slot, image):
        self.bytes[slot : slot + SLOT_SIZE] = image + b"\xff" * (SLOT_SIZE - len(image))

    def flag(self, slot, at):
        return self.bytes[slot + at]

    def magic(self, slot):
        return self.bytes[slot + MAGIC_AT : slot + SLOT_SIZE] == MAGIC

    def boot(self, refuse=False):
        """What MCUboot does at a reset. Returns what that was."""
        if self.magic(SLOT1) and refuse:
            self.put(SLOT1, b"")
            done = "refused"
        elif self.magic(SLOT1):
            self.swap()
            self.mark(TEST, confirmed=False)
            done = "swapped"
        elif self.magic(SLOT0) and self.flag(SLOT0, IMAGE_OK_AT) != 1 and self.flag(SLOT0, COPY_DONE_AT) == 1:
            self.swap()
            self.mark(REVERT, confirmed=True)
            done = "reverted"
        else:
            return "started"
        self.save()
        return done

    def swap(self):
        running, other = self.image(SLOT0), self.image(SLOT1)
        self.put(SLOT0, other)
        self.put(SLOT1, running)

    def mark(self, kind, confirmed):
        self.bytes[SLOT0 + MAGIC_AT : SLOT0 + SLOT_SIZE] = MAGIC
        self.bytes[SLOT0 + COPY_DONE_AT] = 1
        self.bytes[SLOT0 + SWAP_INFO_AT] = kind
        if confirmed:
            self.bytes[SLOT0 + IMAGE_OK_AT] = 1


class Server:
    """mender-server, and its command line as the way to talk to it."""

    def __init__(self, program, data):
        self.program = program
        arguments = ["run", "--https", "--accept-all", "--quiet", "--data", data, "--ready-file", data / "ready.json"]
        (data / "ready.json").unlink(missing_ok=True)
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
        wait_for(lambda: (data / "ready.json").exists(), "mender-server to be ready", self.process)
        ready = json.loads((data / "ready.json").read_text())
        self.management = ready["management"]

    def ask(self, *words):
        run = subprocess.run(
            [self.program, *words, "--server", self.management], capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            sys.exit(f"mender-server {' '.join(map(str, words))}: {run.stderr}")
        return run.stdout

    def list(self, what):
        return json.loads(self.ask(what, "--json"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wait_for(condition, what, process=None):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            return
        if process is not None and process.poll() is not None:
            sys.exit(f"ended while waiting for {what}")
        time.sleep(0.1)
    sys.exit(f"waited {PATIENCE_S} s for {what}")


class Device:
    """The firmware, its flash, and the bootloader between its runs."""

    def __init__(self, firmware, folder, number):
        self.firmware = firmware
        self.flash = folder / f"flash-{number}.bin"
        self.log = (folder / f"device-{number}.log").open("w+")
        self.number = number
        self.process = None

    def start(self):
        command = [self.firmware, f"--flash={self.flash}", f"--device_id={self.number}"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)

    def boot(self, refuse=False):
        return Flash(self.flash).boot(refuse)

    def until_reboot(self):
        self.process.wait(timeout=PATIENCE_S)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()


def deployment(server, name):
    return next(d for d in server.list("deployments") if d["artifact_name"] == name)


def outcome(server, name):
    return next((each["status"] for each in deployment(server, name)["devices"].values()), None)


def expect(condition, what, device):
    if not condition:
        print(device.said())
        sys.exit(f"FAILED: {what}")


def good_update(server, device):
    """It is downloaded, swapped in, confirmed, and reported as a success."""
    device.until_reboot()
    expect(device.boot() == "swapped", "no swap was asked for", device)
    device.start()
    wait_for(lambda: outcome(server, "release-good") in ("success", "failure"), "the report", device.process)
    device.stop()
    flash = Flash(device.flash)
    expect(outcome(server, "release-good") == "success", "not a success", device)
    expect(flash.flag(SLOT0, IMAGE_OK_AT) == 1, "the image was not confirmed", device)
    expect(device.boot() == "started", "the image did not stay", device)


def reverted_update(server, device):
    """The new image never gets as far as to confirm itself: MCUboot goes back, and the old one reports a failure."""
    device.until_reboot()
    expect(device.boot() == "swapped", "no swap was asked for", device)
    expect(device.boot() == "reverted", "no revert", device)
    device.start()
    wait_for(lambda: outcome(server, "release-reverted") in ("success", "failure"), "the report", device.process)
    device.stop()
    expect(outcome(server, "release-reverted") == "failure", "not a failure", device)


def refused_update(server, device):
    """MCUboot does not accept the image's signature."""
    device.until_reboot()
    expect(device.boot(refuse=True) == "refused", "no swap was asked for", device)
    device.start()
    wait_for(lambda: outcome(server, "release-refused") in ("success", "failure"), "the report", device.process)
    device.stop()
    expect(outcome(server, "release-refused") == "failure", "not a failure", device)


def killed_in_the_trial(server, device):
    """Power fails while the new image proves itself: a failure, once."""
    device.until_reboot()
    expect(device.boot() == "swapped", "no swap was asked for", device)
    device.start()
    time.sleep(0.2)
    device.stop()
    again = device.boot()
    device.start()
    wait_for(lambda: outcome(server, "release-killed") in ("success", "failure"), "the report", device.process)
    device.stop()
    wanted = "failure" if again == "reverted" else "success"
    expect(outcome(server, "release-killed") == wanted, f"{again}, but not a {wanted}", device)


SCENARIOS = {
    "good": good_update,
    "reverted": reverted_update,
    "refused": refused_update,
    "killed": killed_in_the_trial,
}


def run(number, name, scenario, given, server, folder):
    def testkit(*words):
        subprocess.run([given.testkit, *words], check=True, capture_output=True)

    old, new, artifact = (folder / f"{name}.{suffix}" for suffix in ("old", "new", "mender"))
    testkit("image", "--version", "1.0.0", "-o", old)
    testkit("image", "--version", f"2.0.{number}", "--size", "100000", "-o", new)
    release = f"release-{name}"
    testkit("artifact", "--tool", "own", "--name", release, "--device-type", DEVICE_TYPE, "-f", new, "-o", artifact)
    device = Device(given.firmware, folder, number)
    flash = Flash(device.flash)
    flash.put(SLOT0, old.read_bytes())
    flash.save()
    known = {each["id"] for each in server.list("devices")}
    device.start()
    try:
        newcomers = lambda: [d for d in server.list("devices") if d["id"] not in known and d["inventory_at"]]
        wait_for(newcomers, "the device's inventory", device.process)
        server.ask("upload", artifact)
        server.ask("deploy", "--artifact", release, "--device", newcomers()[0]["id"])
        scenario(server, device)
    except BaseException:
        print(device.said())
        raise
    finally:
        device.stop()
    print(f"ok {name}: {scenario.__doc__.strip()}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firmware", type=pathlib.Path)
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--testkit", type=pathlib.Path)
    parser.add_argument("--ca", type=pathlib.Path)
    parser.add_argument("--make-ca", type=pathlib.Path)
    given = parser.parse_args()
    if given.make_ca:
        given.make_ca.mkdir(parents=True, exist_ok=True)
        Server(given.server, given.make_ca).stop()
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in given.ca.glob("ca.*"):
            shutil.copy(file, folder)
        server = Server(given.server, folder)
        try:
            for number, (name, scenario) in enumerate(SCENARIOS.items(), 1):
                run(number, name, scenario, given, server, folder)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
