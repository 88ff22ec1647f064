#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole updates of firmware on native_sim, against mender-server over TLS.

native_sim has no bootloader. Its program ends at sys_reboot(), and this script does to the flash file what MCUboot would do:
swap, revert, or refuse. Then it starts the program that belongs to the image in slot 0: samples/ota for version 1, the
firmware in this folder for version 2, which shows its version in the inventory and can be made to fail its trial.

    updates.py --server target/debug/mender-server --testkit target/debug/mender-testkit
               --firmware OTA_BUILD/zephyr/zephyr.exe --new-firmware FIRMWARE_BUILD/zephyr/zephyr.exe --ca DIR

Both are built with updates.conf (-DEXTRA_CONF_FILE) and must trust the server's CA: `--make-ca DIR` makes DIR/ca.pem and its key
before the build, `--ca DIR` then uses them. Nothing else may listen on the ports 18443 and 18444 of localhost. One line per
scenario; exit code 0: all went well, 1: some did not.
"""

import argparse
import concurrent.futures
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

# boards/native/native_sim in Zephyr: two slots, and MCUboot's flags in units of 8 bytes at their ends.
SLOT0, SLOT1, SLOT_SIZE, FLASH_SIZE = 0xC000, 0x75000, 0x69000, 0x200000
MAGIC = bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")
MAGIC_AT, IMAGE_OK_AT, COPY_DONE_AT, SWAP_INFO_AT = (SLOT_SIZE - n for n in (16, 24, 32, 40))
# MCUboot's image header: the major version.
VERSION_AT = 20
TEST, REVERT = 2, 4
DEVICE_TYPE = "native_sim"
LISTEN = "127.0.0.1:18443"
IMAGE_SIZE = 100000
# Of an update that goes well (docs/flash-wear.md).
RECORD_WRITES_MAX = 6
# NVS on 4 KiB pages, and the ids that zephyr/src/port_store.c gives to records.
STORAGE, STORAGE_SIZE, PAGE = 0xFC000, 0x4000, 4096
RECORDS = range(0x4D00, 0x4D10)
PATIENCE_S = 60
AT_ONCE = 3
FINAL = ("success", "failure")


class Failed(Exception):
    """Something did not happen, or the wrong thing did."""


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

    def version(self):
        """The major version of the image that runs."""
        return self.bytes[SLOT0 + VERSION_AT]

    def flag(self, slot, at):
        return self.bytes[slot + at]

    def records(self):
        """The bytes of each record write that the storage holds. NVS has a table from the end of each page downwards."""
        lengths = []
        for page in range(STORAGE, STORAGE + STORAGE_SIZE, PAGE):
            # The first entry closes the page.
            for at in range(page + PAGE - 16, page, -8):
                item, _, length = struct.unpack_from("<HHH", self.bytes, at)
                if item == 0xFFFF and length == 0xFFFF:
                    break
                if item in RECORDS and length > 0:
                    lengths.append(length)
        return lengths

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

    def __init__(self, program, data, listen=LISTEN, *options):
        self.program = program
        self.data = data
        self.options = ["--listen", listen, "--management-listen", "127.0.0.1:0", *options]
        self.start()

    def start(self):
        ready = self.data / "ready.json"
        ready.unlink(missing_ok=True)
        command = [self.program, "run", "--https", "--accept-all", "--quiet", "--data", self.data, "--ready-file", ready]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        wait_for(ready.exists, "mender-server to be ready", self.process)
        # The host is the one that devices see.
        self.management = "http://127.0.0.1:" + json.loads(ready.read_text())["management"].rsplit(":", 1)[1]

    def ask(self, *words):
        run = subprocess.run(
            [self.program, *words, "--server", self.management], capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            raise Failed(f"mender-server {' '.join(map(str, words))}: {run.stderr}")
        return run.stdout

    def list(self, *what):
        return json.loads(self.ask(*what, "--json"))

    def deployment(self, release):
        return next(each for each in self.list("deployments") if each["spec"]["artifact_name"] == release)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wait_for(condition, what, process=None):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            return
        if process is not None and process.poll() is not None:
            raise Failed(f"ended while waiting for {what}")
        time.sleep(0.1)
    raise Failed(f"waited {PATIENCE_S} s for {what}")


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Device:
    """The firmware, its flash, and the bootloader between its runs."""

    def __init__(self, given, server, folder, number):
        self.given = given
        self.server = server
        self.folder = folder
        self.flash = folder / f"flash-{number}.bin"
        self.log = (folder / f"device-{number}.log").open("w+")
        self.number = number
        self.id = None
        self.process = None

    def start(self, *options):
        """Runs the program that belongs to the image in slot 0."""
        program = self.given.firmware if Flash(self.flash).version() == 1 else self.given.new_firmware
        command = [program, f"--flash={self.flash}", f"--device_id={self.number}", *options]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)

    def boot(self, wanted, refuse=False):
        done = Flash(self.flash).boot(refuse)
        expect(done == wanted, f"the bootloader {done}, not {wanted}")

    def until_reboot(self):
        wait_for(lambda: self.process.poll() is not None, "a restart")
        expect(self.process.returncode >= 0, f"the firmware ended by signal {-self.process.returncode}")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def known(self):
        """What the server knows of it."""
        return next((each for each in self.server.list("devices") if each["id"] == self.id), None)

    def make_known(self):
        """Waits until it has authenticated and sent its inventory."""
        found = []

        def newcomer():
            same = lambda each: int.from_bytes(bytes.fromhex(json.loads(each["identity"])["hwid"])) == self.number
            found[:] = [each for each in self.server.list("devices") if same(each) and each["inventory_at"]]
            return found

        wait_for(newcomer, "the device's inventory", self.process)
        self.id = found[0]["id"]

    def offer(self, release, version="2.0.0"):
        """Makes an artifact and deploys it."""
        image, artifact = (self.folder / f"{release}.{suffix}" for suffix in ("bin", "mender"))
        testkit(self.given, "image", "--version", version, "--size", str(IMAGE_SIZE), "-o", image)
        name = ["--name", release, "--device-type", DEVICE_TYPE]
        testkit(self.given, "artifact", "--tool", "own", *name, "-f", image, "-o", artifact)
        self.server.ask("upload", artifact)
        self.server.ask("deploy", "--artifact", release, "--device", self.id)

    def deployment(self, release):
        return self.server.deployment(release)["devices"].get(self.id)

    def ends(self, release, wanted):
        """Waits for the report, which must come exactly once, and for the log of a failure."""
        status = lambda: (self.deployment(release) or {}).get("status")
        wait_for(lambda: status() in FINAL, f"the report of {release}", self.process)
        logged = lambda: wanted == "success" or self.deployment(release)["log_uploads"] > 0
        wait_for(logged, f"the log of {release}", self.process)
        found = self.deployment(release)
        finals = [each["status"] for each in found["reports"] if each["status"] in FINAL]
        expect(finals == [wanted], f"{release} ended as {finals}, not {wanted}")
        expect(wanted == "success" or found["log"], f"the log of {release} is empty")
        return found


def testkit(given, *words):
    subprocess.run([given.testkit, *words], check=True, capture_output=True)


def swapped(device, *options):
    """The offered image is downloaded, swapped in and started."""
    device.until_reboot()
    device.boot("swapped")
    device.start(*options)


def good(device, release):
    """It is downloaded, swapped in, confirmed, and reported; the new release shows in the inventory."""
    before = len(Flash(device.flash).records())
    swapped(device)
    device.ends(release, "success")
    attribute = lambda: device.known()["inventory"].get("release")
    wait_for(lambda: attribute() == "2.0.0", "the inventory of the new firmware", device.process)
    flash = Flash(device.flash)
    expect(flash.flag(SLOT0, IMAGE_OK_AT) == 1, "the image was not confirmed")
    written = flash.records()
    expect(len(written) - before <= RECORD_WRITES_MAX, f"{len(written) - before} record writes: {written}")


def second(device, release):
    """The updated device takes the next update, and tells the server what the first one left it with."""
    good(device, release)
    device.offer("release-next", "2.1.0")
    swapped(device)
    provides = device.ends("release-next", "success")["provides"]
    expect(provides["artifact_name"] == release, f"it provides {provides}")
    expect(provides["rootfs-image.zephyr-image.version"] == release, f"it provides {provides}")
    device.stop()
    device.boot("started")


def reverted(device, release):
    """The new firmware hangs until a watchdog resets it: MCUboot goes back, and the old one reports a failure."""
    swapped(device, "--trial=hang")
    wait_for(lambda: "release 2.0.0" in device.said(), "the new firmware", device.process)
    device.stop()
    device.boot("reverted")
    device.start()
    device.ends(release, "failure")


def self_test(device, release):
    """The new firmware's self-test fails: it restarts unconfirmed, and the old one reports a failure."""
    swapped(device, "--trial=fail")
    device.until_reboot()
    device.boot("reverted")
    device.start()
    log = device.ends(release, "failure")["log"]
    expect(any("elf-test" in line["message"] for line in log), f"the log does not say why: {log}")


def refused(device, release):
    """MCUboot does not accept the image's signature: a failure."""
    device.until_reboot()
    device.boot("refused", refuse=True)
    device.start()
    device.ends(release, "failure")


def killed(device, release):
    """Power fails while the new image proves itself: it is reverted or was just confirmed, and is reported as that."""
    swapped(device)
    time.sleep(0.2)
    device.stop()
    again = Flash(device.flash).boot()
    device.start()
    device.ends(release, "failure" if again == "reverted" else "success")


def aborted(device, release):
    """The deployment is aborted during the trial: the new firmware does not confirm, and the old one comes back."""
    device.until_reboot()
    device.boot("swapped")
    device.server.ask("abort", device.server.deployment(release)["id"])
    device.start()
    device.until_reboot()
    device.boot("reverted")
    device.start()
    time.sleep(7)
    found = device.deployment(release)
    expect(found["status"] == "aborted", f"it is {found['status']}")
    told = [each["status"] for each in found["reports"] if each["status"] in FINAL]
    expect(not told, f"after the abort it reported {told}")


SCENARIOS = (second, reverted, self_test, refused, killed, aborted)


def wrong_ca(device, release):
    """A server with a certificate of another CA gets no request; when the right one is back, so is the device."""
    server = device.server
    known = lambda: [each for each in server.list("requests") if each["device"] == device.id]
    server.ask("certificate", "unknown_ca")
    before, failed = len(known()), server.list("connections")["api"]["tls_failed"]
    device.offer(release)
    refused = lambda: server.list("connections")["api"]["tls_failed"] >= failed + 2
    wait_for(refused, "two refused handshakes", device.process)
    expect(len(known()) == before, "something was sent to a server of another CA")
    server.ask("certificate", "good")
    swapped(device)
    device.ends(release, "success")


def cut(device, release):
    """The connection is cut in mid-download: the rest is asked for, and the update succeeds."""
    server = device.server
    server.ask("fault", "download", "times=1", f"cut_body={IMAGE_SIZE // 2}", "cut=reset")
    device.offer(release)
    swapped(device)
    device.ends(release, "success")
    artifact = next(each["id"] for each in server.list("artifacts") if each["name"] == release)
    downloads = [each for each in server.list("requests") if artifact in each["target"]]
    ranges = [value for each in downloads for name, value in each["headers"] if name.lower() == "range"]
    expect(len(downloads) == 2 and len(ranges) == 1, f"{len(downloads)} downloads, ranges {ranges}")


def restarted(device, release):
    """The server restarts with what it kept, in the middle of an update; the report reaches it."""
    device.offer(release)
    device.until_reboot()
    device.server.stop()
    device.server.start()
    device.boot("swapped")
    device.start()
    device.ends(release, "success")


# Those that do something to the server, which all devices would feel: one after the other.
ALONE = (cut, wrong_ca, restarted)


def run(number, scenario, given, server, folder):
    """Gives a line for the scenario, and whether it went well."""
    name = scenario.__name__
    old = folder / f"{name}.old"
    device = Device(given, server, folder, number)
    try:
        testkit(given, "image", "--version", "1.0.0", "-o", old)
        flash = Flash(device.flash)
        flash.put(SLOT0, old.read_bytes())
        flash.save()
        device.start()
        device.make_known()
        release = f"release-{name}"
        if scenario in SCENARIOS:
            device.offer(release)
        scenario(device, release)
        return True, f"ok {name}: {scenario.__doc__.strip()}"
    except Failed as failure:
        return False, f"{device.said()}\nFAILED {name}: {failure}"
    finally:
        device.stop()


def run_all(given, server, folder):
    wanted = lambda scenario: given.only in (None, scenario.__name__)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        together = [pair for pair in enumerate(SCENARIOS, 1) if wanted(pair[1])]
        running = [pool.submit(run, number, each, given, server, folder) for number, each in together]
        for each in running:
            yield each.result()
    for number, each in enumerate(ALONE, 1 + len(SCENARIOS)):
        if wanted(each):
            yield run(number, each, given, server, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--testkit", type=pathlib.Path)
    parser.add_argument("--firmware", type=pathlib.Path)
    parser.add_argument("--new-firmware", type=pathlib.Path)
    parser.add_argument("--ca", type=pathlib.Path)
    parser.add_argument("--make-ca", type=pathlib.Path)
    parser.add_argument("--only", metavar="SCENARIO", help="one of them by its name")
    given = parser.parse_args()
    if given.make_ca:
        given.make_ca.mkdir(parents=True, exist_ok=True)
        Server(given.server, given.make_ca, "127.0.0.1:0").stop()
        return
    if None in (given.testkit, given.firmware, given.new_firmware, given.ca):
        parser.error("--testkit, --firmware, --new-firmware and --ca are needed")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in given.ca.glob("ca.*"):
            shutil.copy(file, folder)
        server = Server(given.server, folder)
        try:
            for good, line in run_all(given, server, folder):
                failed += not good
                print(line, flush=True)
        finally:
            server.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
