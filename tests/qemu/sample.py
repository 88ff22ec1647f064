#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""samples/ota itself on mps2/an385 in QEMU, under MCUboot and with an address by DHCP: it meets the server, and then waits for its next
check for longer than its watchdog would let it sleep.

    sample.py --server target/debug/mender-server --build BUILD --ca DIR

BUILD is what sysbuild made of the sample for https://10.0.2.2:18743; it must trust the server's CA (tests/native_sim/updates.py
--make-ca DIR). Nothing else may listen on the ports 18743 and 18744 of localhost. Prints a line that begins with `ok`; exit code 1: it did not go well. `cargo xtask zephyr` builds and runs it.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from machine import SLOT0, Memory, qemu, updates

LISTEN = "127.0.0.1:18743"
# samples/common/watchdog.h: 30 s. The reset would come so much later at the most.
WATCHED_S = 36
BANNER = "*** Booting Zephyr OS"


def meets(server, process):
    """The device has authenticated, and its inventory is there."""
    known = lambda: any(device.get("inventory") for device in server.list("devices"))
    updates.wait_for(known, "the device's inventory", process)


def run(given, folder):
    for file in given.ca.glob("ca.*"):
        shutil.copy(file, folder)
    serial = folder / "serial.log"
    memory = Memory(folder / "flash.bin", b"\xff" * 0x200000)
    memory.put(SLOT0, (given.build / "ota/zephyr/zephyr.signed.bin").read_bytes())
    server = updates.Server(given.server, folder, LISTEN, "--host", "10.0.2.2")
    process = subprocess.Popen([*qemu(memory.path, serial), "-kernel", given.build / "mcuboot/zephyr/zephyr.elf"])
    said = lambda: serial.read_text(errors="replace") if serial.exists() else ""
    try:
        meets(server, process)
        time.sleep(WATCHED_S)
        starts = said().count(BANNER)
        updates.expect(starts == 1, f"it has started {starts} times")
    except updates.Failed as failure:
        raise updates.Failed(f"{failure}\n{said()}") from failure
    finally:
        process.kill()
        process.wait()
        server.stop()
        memory.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--server", "--build", "--ca"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(given, pathlib.Path(folder))
        except updates.Failed as failure:
            sys.exit(f"FAILED: {failure}")
    print(f"ok address by DHCP, inventory sent, {WATCHED_S} s without a restart")


if __name__ == "__main__":
    main()
