#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much stack the client's thread takes on a Cortex-M3: the firmware in this folder takes a whole update over TLS in QEMU.

    stack.py --server target/debug/mender-server --testkit target/debug/mender-testkit --elf BUILD/zephyr/zephyr.elf --ca DIR
             [--reserve BYTES]

The firmware prints each thread's high-water mark. It is built for mps2/an385 and must trust the server's CA, as in
tests/native_sim/updates.py, which also plays MCUboot here. Nothing else may listen on the ports 18543 and 18544 of localhost.
Prints a line per thread, first for the run up to the swap and then for the trial and the commit, and one that begins with `ok` for
each thread that has a limit: the client's and `main`, which calls mender_client_init(). Exit code 1: an update that did not succeed,
or less than --reserve bytes left in one of the two. `cargo xtask zephyr` builds and runs it.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "native_sim"))
import updates  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "qemu"))
from machine import qemu  # noqa: E402

# dts/overlays/mps2_an385_nvm.dtsi, in a region of 16 MiB that QEMU wants whole.
MAP = {"SLOT0": 0x10000, "SLOT1": 0xD0000, "SLOT_SIZE": 0xC0000, "FLASH_SIZE": 0x1000000}
LISTEN = "127.0.0.1:18543"
DEVICE_TYPE = "mps2"
RELEASE = "release-2"
# Those with a limit.
THREADS = ("mender_mcu", "main")
LAST_LOOK_S = 2


def use_map():
    """The addresses of this board in the script that plays MCUboot."""
    size = MAP["SLOT_SIZE"]
    flags = {"MAGIC_AT": 16, "IMAGE_OK_AT": 24, "COPY_DONE_AT": 32, "SWAP_INFO_AT": 40}
    for name, value in {**MAP, **{name: size - back for name, back in flags.items()}}.items():
        setattr(updates, name, value)


class Machine:
    """QEMU with the firmware and its flash."""

    def __init__(self, elf, flash, log):
        self.process = subprocess.Popen([*qemu(flash, log), "-no-reboot", "-kernel", elf])
        self.log = log

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        self.process.kill()
        self.process.wait()


def marks(said):
    """The last figure of each thread: used, size."""
    found = {}
    for name, used, size in re.findall(r"^stack (\S+) (\d+) of (\d+)", said, re.MULTILINE):
        found[name] = (int(used), int(size))
    return found


def update(given, server, folder):
    """Runs an update; gives the marks before and after the swap."""
    old, new, artifact = (folder / name for name in ("old.bin", "new.bin", "new.mender"))
    updates.testkit(given, "image", "--version", "1.0.0", "-o", old)
    updates.testkit(given, "image", "--version", "2.0.0", "--size", "100000", "-o", new)
    name = ["--name", RELEASE, "--device-type", given.device_type]
    updates.testkit(given, "artifact", "--tool", "own", *name, "-f", new, "-o", artifact)
    flash = updates.Flash(folder / "flash.bin")
    flash.put(updates.SLOT0, old.read_bytes())
    flash.save()
    server.ask("upload", artifact)
    server.ask("deploy", "--artifact", RELEASE)
    found = []
    for run in (1, 2):
        machine = Machine(given.elf, flash.path, folder / f"serial-{run}.log")
        try:
            if run == 1:
                updates.wait_for(lambda: machine.process.poll() is not None, "the restart into the new image")
                updates.expect(updates.Flash(flash.path).boot() == "swapped", f"no swap was asked for\n{machine.said()}")
            else:
                states = lambda: list(server.deployment(RELEASE)["devices"].values())
                updates.wait_for(lambda: states()[0]["status"] in updates.FINAL, "the report", machine.process)
                status = states()[0]["status"]
                updates.expect(status == "success", f"it ended as {status}\n{machine.said()}")
                # The firmware looks every 100 ms, in the time of QEMU.
                time.sleep(LAST_LOOK_S)
        except updates.Failed as failure:
            raise updates.Failed(f"{failure}\n{machine.said()}") from failure
        finally:
            machine.stop()
        found.append(marks(machine.said()))
    return found


def judge(name, runs, reserve):
    """Says how much a thread used, or returns what is wrong with it."""
    found = [run[name] for run in runs if name in run]
    if not found:
        return f"no figure of {name}"
    used, size = max(found)
    if used + reserve > size:
        return f"{name} used {used} of {size} bytes of its stack, and {reserve} are to be left"
    print(f"ok {name} {used} of {size} bytes")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--server", "--testkit", "--elf", "--ca"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    parser.add_argument("--device-type", default=DEVICE_TYPE)
    parser.add_argument("--reserve", type=int, default=0)
    given = parser.parse_args()
    use_map()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in given.ca.glob("ca.*"):
            shutil.copy(file, folder)
        server = updates.Server(given.server, folder, LISTEN, "--host", "10.0.2.2")
        try:
            runs = update(given, server, folder)
        except updates.Failed as failure:
            sys.exit(f"FAILED: {failure}")
        finally:
            server.stop()
    for when, found in zip(("up to the swap", "trial and commit"), runs):
        for name, (used, size) in sorted(found.items()):
            print(f"{when}: {name} {used} of {size} bytes")
    wrong = [fault for fault in (judge(name, runs, given.reserve) for name in THREADS) if fault]
    if wrong:
        sys.exit("\n".join(f"FAILED: {fault}" for fault in wrong))


if __name__ == "__main__":
    main()
