#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds an application of somebody else's, outside this repository, with this repository as an extra module.

The application (tests/foreign/app) has the three lines of configuration that the README asks for and what its board needs; it is
copied away first. Beside this module it has one whose folder is called as the official C client's, with a Kconfig symbol of
that client. Fails on any warning about our files. Without sysbuild cargo is offline, after what it needs was fetched; then a
value of Kconfig is changed, and the library is to be made anew. Needs ZEPHYR_BASE, and where there is no Zephyr SDK the
variables of another toolchain.

  python3 tests/foreign/build.py --out /tmp/foreign --board native_sim/native/64
  python3 tests/foreign/build.py --out /tmp/foreign --board nucleo_l4a6zg --sysbuild -DSHIELD=arceli_eth_w5500
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def run(command):
    """Runs to the end and returns what was said."""
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if told.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{told.stdout}")
    return told.stdout


def make_neighbour(folder):
    """A module named by its folder, as the official client's checkout is."""
    (folder / "zephyr").mkdir(parents=True)
    (folder / "zephyr/module.yml").write_text("build:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n", encoding="utf-8")
    (folder / "zephyr/CMakeLists.txt").write_text("", encoding="utf-8")
    (folder / "zephyr/Kconfig").write_text("config MENDER_MCU_CLIENT\n\tbool\n", encoding="utf-8")


def warnings(text):
    """Lines that complain about what is ours; CMake names the file in the line after."""
    lines = text.splitlines()
    ours = (str(REPOSITORY), "mender")
    # Asked for by the configuration of the emulator, and meant to be seen.
    wanted = "Not secure symbol MENDER_MCU_KEYS_NOT_SECURE is enabled"
    found = [line for line in lines
             if "warning:" in line.lower() and any(name in line.lower() for name in ours) and wanted not in line]
    found += [f"{line} {lines[i + 1:i + 4]}" for i, line in enumerate(lines)
              if line.startswith("CMake") and "Warning" in line and any(name in " ".join(lines[i:i + 4]) for name in ours)]
    return found


def check_modules(build, neighbour):
    """Both modules are there, each under its own name."""
    listed = next(build.rglob("zephyr_modules.txt")).read_text(encoding="utf-8")
    for name, folder in (("mender-mcu-rust", REPOSITORY), ("mender-mcu", neighbour)):
        if f'"{name}":"{folder}"' not in listed:
            sys.exit(f"no module {name} in {folder}:\n{listed}")


def check_image(image, config):
    """What the symbol alone and the snippet must have brought about."""
    text = config.read_text(encoding="utf-8")
    for line in ("CONFIG_NET_SOCKETS_SOCKOPT_TLS=y", "CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN=16384", "CONFIG_IMG_MANAGER=y",
                 "CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS=2", "CONFIG_NET_SOCKETS_CONNECT_TIMEOUT=15000", "CONFIG_MAIN_STACK_SIZE=8192",
                 "CONFIG_MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED=y", "CONFIG_PSA_WANT_ALG_GCM=y"):
        if line not in text:
            sys.exit(f"{config}: no {line}")
    # No CBC may be offered, and no key exchange but ECDHE and that of RSA (docs/building.md).
    known = "MBEDTLS_KEY_EXCHANGE_(?:ECDHE_ECDSA|ECDHE_RSA|RSA)_ENABLED"
    offered = re.findall(rf"^CONFIG_(?!{known})(MBEDTLS_KEY_EXCHANGE_\w+|\w*_CBC(?:_\w+)?)=y$", text, re.MULTILINE)
    if offered:
        sys.exit(f"{config}: TLS offers {offered}")
    symbols = run([os.environ.get("NM", "nm"), "--defined-only", str(image)])
    for symbol in ("mender_client_poll", "mender_port_slot_write"):
        if f" {symbol}\n" not in symbols:
            sys.exit(f"{image}: no {symbol}")


def check_symbols(build):
    """An application may have any name that does not begin with ours. The compiler's helpers are called as all others are."""
    archive = next(build.rglob("libmender_mcu_port.a"))
    symbols = {line.split()[-1] for line in run([os.environ.get("NM", "nm"), "-g", "--defined-only", archive]).splitlines()
               if len(line.split()) == 3}
    strange = {name for name in symbols if not re.match(r"mender_|__aeabi_mem|bcmp$|_k_thread_\w+_mender_mcu$|log_const_mender_mcu$", name)}
    if strange or "mender_port_slot_write" not in symbols:
        sys.exit(f"{archive}: other names than ours: {sorted(strange)}")


def check_mcuboot(build, image):
    """The image is signed; MCUboot has the application's partition map, and none of its sizes."""
    if not (image / "zephyr.signed.bin").is_file():
        sys.exit("no signed image")
    tree, config = ((build / "mcuboot/zephyr" / name).read_text(encoding="utf-8") for name in ("zephyr.dts", ".config"))
    if "slot1_partition:" not in tree:
        sys.exit("MCUboot has another partition map")
    if "CONFIG_MBEDTLS_HEAP_SIZE=90000" in config:
        sys.exit("MCUboot has the snippet, too")


def check_changes(build):
    """Nothing changed: the library stays. Another value in Kconfig: it is made anew. So it is by each crate's manifest."""
    library = next(build.rglob("rust/libmender_mcu.a"))
    built = next((library.parent / "target").glob("*/release/libmender_mcu.a")).relative_to(build)
    inputs = run(["ninja", "-C", build, "-t", "query", built])
    missing = [str(manifest) for manifest in REPOSITORY.glob("rust/*/Cargo.toml") if str(manifest) not in inputs]
    if missing:
        sys.exit(f"{library} does not depend on {missing}")
    first = library.stat().st_mtime_ns
    run(["ninja", "-C", build, "mender_mcu_rust_build"])
    if library.stat().st_mtime_ns != first:
        sys.exit(f"{library} was made again, though nothing had changed")
    run(["cmake", "-DCONFIG_MENDER_MCU_IO_BUFFER_SIZE=4096", build])
    run(["ninja", "-C", build, "mender_mcu_rust_build"])
    if library.stat().st_mtime_ns == first:
        sys.exit(f"{library} is not made anew when Kconfig changes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for application and build; removed first")
    parser.add_argument("--board", required=True)
    parser.add_argument("--sysbuild", action="store_true", help="build MCUboot, too")
    args, options = parser.parse_known_args()
    out = args.out.resolve()
    if out == REPOSITORY or REPOSITORY in out.parents and "target" not in out.relative_to(REPOSITORY).parts[:1]:
        sys.exit(f"{out} is in this repository")
    shutil.rmtree(out, ignore_errors=True)
    app, build, neighbour = out / "foreign", out / "build", out / "mender-mcu"
    shutil.copytree(REPOSITORY / "tests/foreign/app", app)
    make_neighbour(neighbour)

    if not args.sysbuild:
        run(["cargo", "fetch", "--quiet", "--locked", "--manifest-path", REPOSITORY / "Cargo.toml"])
        os.environ["CARGO_NET_OFFLINE"] = "true"
    base = Path(os.environ["ZEPHYR_BASE"])
    # With sysbuild, SB_CONFIG_MENDER_MCU applies the snippet, to the application alone.
    source = (["-S", base / "share/sysbuild", f"-DAPP_DIR={app}"] if args.sysbuild
              else ["-S", app, "-DSNIPPET=mender-mcu"])
    text = run(["cmake", "-GNinja", "-B", build, f"-DBOARD={args.board}", *source,
                f"-DEXTRA_ZEPHYR_MODULES={REPOSITORY};{neighbour}", *options])
    text += run(["ninja", "-C", build])
    found = warnings(text)
    if found:
        sys.exit("\n".join(found))
    check_modules(build, neighbour)
    image = build / "foreign/zephyr" if args.sysbuild else build / "zephyr"
    check_image(image / "zephyr.elf", image / ".config")
    check_symbols(build)
    if any(option.startswith("-DMENDER_MCU_CARGO_TARGET_DIR=") for option in options) and any(build.rglob("target/*/release/deps")):
        sys.exit("cargo did not use the folder that it was given")
    if args.sysbuild:
        check_mcuboot(build, image)
        if "CONFIG_MENDER_MCU_IDENTITY_HWINFO=y" not in (image / ".config").read_text(encoding="utf-8"):
            sys.exit("the device is known by the address of a W5500, which has none of its own")
    if not args.sysbuild:
        check_changes(build)
    print(f"ok {args.board}: {image / 'zephyr.elf'}")


if __name__ == "__main__":
    main()
