#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds MCUboot and the application in this folder for mps2/an385, and signs images of it.

    firmware.py --mode offset --out DIR --ca CA.pem [CMAKE_OPTION...]

DIR then has mcuboot.elf and v1.bin, v2.bin, v3.bin: one application, linked to other addresses from version 2 on, signed with
MCUboot's own P-256 key. Zephyr is that of ZEPHYR_BASE, with MCUboot at ../bootloader/mcuboot of it.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE = HERE.parent.parent / "samples" / "ota"
BOARD = "mps2/an385"
# What the two builds call the same mode.
MODES = {
    "offset": ("BOOT_SWAP_USING_OFFSET", "SWAP_USING_OFFSET"),
    "move": ("BOOT_SWAP_USING_MOVE", "SWAP_USING_MOVE"),
    "scratch": ("BOOT_SWAP_USING_SCRATCH", "SWAP_SCRATCH"),
    "overwrite": ("BOOT_UPGRADE_ONLY", "OVERWRITE_ONLY"),
}
# dts/overlays/mps2_an385_nvm.dtsi
SLOT_SIZE = 0xC0000
HEADER_SIZE = 0x200
GRANULE = 8
SHIFT = 1236


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n{' '.join(map(str, command))}: exit code {done.returncode}")


def mcuboot():
    return pathlib.Path(os.environ["ZEPHYR_BASE"]).parent / "bootloader" / "mcuboot"


def build(source, folder, *options):
    if not (folder / "build.ninja").exists():
        run("cmake", "-GNinja", "-S", source, "-B", folder, f"-DBOARD={BOARD}", *options)
    run("ninja", "-C", folder)
    return folder / "zephyr"


def sign(image, version, signed):
    tool = [sys.executable, mcuboot() / "scripts" / "imgtool.py", "sign", "--key", mcuboot() / "root-ec-p256.pem"]
    size = ["--header-size", hex(HEADER_SIZE), "--slot-size", hex(SLOT_SIZE), "--align", str(GRANULE)]
    run(*tool, *size, "--version", f"{version}.0.0", image, signed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--ca", type=pathlib.Path, required=True)
    given, options = parser.parse_known_args()
    out = given.out.resolve()
    loader_mode, app_mode = MODES[given.mode]
    loader = build(
        mcuboot() / "boot" / "zephyr",
        out / "mcuboot",
        f"-DEXTRA_ZEPHYR_MODULES={HERE / 'flash'}",
        f"-DEXTRA_CONF_FILE={SAMPLE / 'sysbuild' / 'mcuboot_mps2_an385.conf'};{HERE / 'mcuboot.conf'}",
        f"-DDTC_OVERLAY_FILE={HERE / 'mcuboot.overlay'}",
        f"-DCONFIG_{loader_mode}=y",
    )
    shutil.copy(loader / "zephyr.elf", out / "mcuboot.elf")
    ca = f'-DCONFIG_MENDER_MCU_CA_FILES="{given.ca.resolve()}"'
    settings = [f"-DCONFIG_MCUBOOT_BOOTLOADER_MODE_{app_mode}=y", ca]
    for version, shift in ((1, 0), (2, SHIFT)):
        header = out / "app" / "shift" / "shift.h"
        if header.exists():
            header.write_text(f"#define SHIFT {shift}\n")
        image = build(HERE / "app", out / "app", *settings, *options) / "zephyr.bin"
        sign(image, version, out / f"v{version}.bin")
    sign(image, 3, out / "v3.bin")


if __name__ == "__main__":
    main()
