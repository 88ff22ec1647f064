# SPDX-License-Identifier: Apache-2.0
"""What the module's build files choose and say, without Zephyr and without a compiler: `python3 -m unittest discover tests/build`."""

import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "zephyr/scripts"))
sys.dont_write_bytecode = True

import clang_args  # noqa: E402  (found by the line above)

CORTEX_M = ["CONFIG_ARM", "CONFIG_CPU_CORTEX_M"]
RV32IMAC = ["CONFIG_RISCV", "CONFIG_RISCV_ISA_EXT_A", "CONFIG_RISCV_ISA_EXT_M", "CONFIG_RISCV_ISA_EXT_C"]
TARGETS = [
    ("thumbv6m-none-eabi", [*CORTEX_M, "CONFIG_CPU_CORTEX_M0PLUS", "CONFIG_ARMV6_M_ARMV8_M_BASELINE"]),
    ("thumbv7m-none-eabi", [*CORTEX_M, "CONFIG_CPU_CORTEX_M3", "CONFIG_ARMV7_M_ARMV8_M_MAINLINE"]),
    ("thumbv7em-none-eabi", [*CORTEX_M, "CONFIG_CPU_CORTEX_M4", "CONFIG_ARMV7_M_ARMV8_M_MAINLINE"]),
    ("thumbv7em-none-eabi", [*CORTEX_M, "CONFIG_CPU_CORTEX_M4", "CONFIG_FPU", "CONFIG_FP_SOFTABI"]),
    ("thumbv7em-none-eabihf", [*CORTEX_M, "CONFIG_CPU_CORTEX_M4", "CONFIG_FPU", "CONFIG_FP_HARDABI"]),
    ("thumbv7em-none-eabihf", [*CORTEX_M, "CONFIG_CPU_CORTEX_M7", "CONFIG_FPU", "CONFIG_FP_HARDABI"]),
    ("thumbv8m.base-none-eabi",
     [*CORTEX_M, "CONFIG_CPU_CORTEX_M23", "CONFIG_ARMV6_M_ARMV8_M_BASELINE", "CONFIG_ARMV8_M_BASELINE"]),
    ("thumbv8m.main-none-eabi", [*CORTEX_M, "CONFIG_CPU_CORTEX_M33", "CONFIG_ARMV8_M_MAINLINE"]),
    ("thumbv8m.main-none-eabihf",
     [*CORTEX_M, "CONFIG_CPU_CORTEX_M33", "CONFIG_ARMV8_M_MAINLINE", "CONFIG_FPU", "CONFIG_FP_HARDABI"]),
    ("riscv32imac-unknown-none-elf", RV32IMAC),
    ("riscv32imc-unknown-none-elf", ["CONFIG_RISCV", "CONFIG_RISCV_ISA_EXT_M", "CONFIG_RISCV_ISA_EXT_C"]),
    ("riscv32i-unknown-none-elf", ["CONFIG_RISCV"]),
    # With an FPU, but calls as without one.
    ("riscv32imac-unknown-none-elf", [*RV32IMAC, "CONFIG_FPU"]),
    ("riscv32imac-unknown-none-elf", [*RV32IMAC, "CONFIG_FPU", "CONFIG_CPU_HAS_FPU_DOUBLE_PRECISION"]),
    ("riscv32imafc-unknown-none-elf", [*RV32IMAC, "CONFIG_FPU", "CONFIG_FLOAT_HARD"]),
    ("i586-unknown-linux-gnu", ["CONFIG_X86"]),
]


def choose(environment=None, **definitions):
    """Output of choose.cmake, and whether it came to its end."""
    command = ["cmake", f"-DREPOSITORY={REPOSITORY}", f"-DPYTHON_EXECUTABLE={sys.executable}"]
    command += [f"-D{name}={value}" for name, value in definitions.items()]
    command += ["-P", str(REPOSITORY / "tests/build/choose.cmake")]
    environment = {name: value for name, value in {**os.environ, **(environment or {})}.items() if value is not None}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    # CMake breaks long messages.
    return " ".join((told.stdout + told.stderr).split()), told.returncode == 0


def limit(name):
    """A bound of the client."""
    text = (REPOSITORY / "rust/base/src/limits.rs").read_text(encoding="utf-8")
    return int(re.search(rf"^pub const {name}: \w+ = (\d+);", text, re.MULTILINE).group(1))


class Targets(unittest.TestCase):
    def test_every_cpu_that_zephyr_names_has_its_rust_target(self):
        for target, symbols in TARGETS:
            with self.subTest(symbols=symbols):
                text, ok = choose(**{symbol: "y" for symbol in symbols})
                self.assertTrue(ok, text)
                self.assertEqual(text, f"target: {target}")

    def test_native_sim_gets_the_host_s_own_target(self):
        text, ok = choose(CONFIG_ARCH_POSIX="y", CONFIG_64BIT="y")
        self.assertTrue(ok, text)
        self.assertRegex(text, "target: (x86_64|aarch64)-unknown-linux-gnu")

    def test_risc_v_whose_calls_no_rust_target_has_is_refused(self):
        # Linked with another target they would be wrong without a word, or fail at the last step of the build.
        hard = ["CONFIG_FPU", "CONFIG_FLOAT_HARD"]
        for symbols, sentence in (
            ([*RV32IMAC, *hard, "CONFIG_CPU_HAS_FPU_DOUBLE_PRECISION"], "set CONFIG_FLOAT_HARD=n"),
            ([*RV32IMAC[:1], *RV32IMAC[2:], *hard], "set CONFIG_FLOAT_HARD=n"),
            ([*RV32IMAC, "CONFIG_RISCV_ISA_RV32E"], "RV32E (some_board) has no Rust target"),
            ([*RV32IMAC, "CONFIG_64BIT"], "no Rust target is known"),
        ):
            with self.subTest(symbols=symbols):
                definitions = {symbol: "y" for symbol in symbols}
                text, ok = choose(BOARD="some_board", **definitions)
                self.assertFalse(ok, text)
                self.assertIn(sentence, text)
                self.assertTrue(choose(MENDER_MCU_RUST_TARGET="riscv32emc-unknown-none-elf", **definitions)[1])

    def test_a_cpu_without_a_target_is_told_to_name_one(self):
        text, ok = choose(CONFIG_XTENSA="y", ARCH="xtensa", BOARD="some_board")
        self.assertFalse(ok)
        self.assertIn("no Rust target is known for ARCH=xtensa, board some_board; name one by -DMENDER_MCU_RUST_TARGET=<triple>", text)
        text, ok = choose(CONFIG_XTENSA="y", MENDER_MCU_RUST_TARGET="thumbv7em-none-eabi")
        self.assertTrue(ok, text)


class Toolchains(unittest.TestCase):
    """With compilers that only say who they are."""

    TARGET = "thumbv7em-none-eabi"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def rustc(self, name, release="1.95.0", target=None, source=False, without="none"):
        """A toolchain with an installed target, with the source of core, or with neither; its LLVM knows all options but one."""
        sysroot, bin_folder = self.folder / name / "sysroot", self.folder / name / "bin"
        for folder in (sysroot, bin_folder):
            folder.mkdir(parents=True)
        if target:
            lib = sysroot / "lib/rustlib" / target / "lib"
            lib.mkdir(parents=True)
            (lib / "libcore-0123.rlib").touch()
        if source:
            src = sysroot / "lib/rustlib/src/rust/library/core/src"
            src.mkdir(parents=True)
            (src / "lib.rs").touch()
        script = bin_folder / "rustc"
        script.write_text(f'#!/bin/sh\ncase "$1" in\n-vV) echo "rustc {release}"; echo "release: {release}";;\n'
                          f"--print) echo {sysroot};;\n-Cllvm-args={without}) exit 1;;\nesac\n", encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        (bin_folder / "cargo").touch()
        return script

    def find(self, *rustc, **definitions):
        return choose(TARGET=self.TARGET, FIND_RUST="y", MENDER_MCU_RUSTC=";".join(map(str, rustc)), **definitions)

    def test_an_installed_target_is_taken_as_it_is(self):
        rustc = self.rustc("installed", target=self.TARGET, source=True)
        text, ok = self.find(rustc)
        self.assertTrue(ok, text)
        self.assertIn(f"mender-mcu: Rust 1.95.0 ({rustc}), {self.TARGET}, installed target", text)
        self.assertIn(f"cargo: {rustc.parent}/cargo", text)
        self.assertNotIn("build-std", text)
        self.assertNotIn("RUSTC_BOOTSTRAP", text)

    def test_without_an_installed_target_core_is_built_from_source(self):
        text, ok = self.find(self.rustc("source", source=True))
        self.assertTrue(ok, text)
        self.assertIn("core from source", text)
        self.assertIn("-Zbuild-std=core", text)
        self.assertIn("RUSTC_BOOTSTRAP=1", text)

    def test_a_nightly_toolchain_needs_no_bootstrap_for_it(self):
        text, ok = self.find(self.rustc("nightly", release="1.97.0-nightly", source=True))
        self.assertTrue(ok, text)
        self.assertIn("-Zbuild-std=core", text)
        self.assertNotIn("RUSTC_BOOTSTRAP", text)

    def test_core_is_built_from_source_where_that_is_asked_for(self):
        rustc = self.rustc("both", target=self.TARGET, source=True)
        text, ok = self.find(rustc, MENDER_MCU_RUST_BUILD_STD="ON")
        self.assertTrue(ok, text)
        self.assertIn("-Zbuild-std=core", text)

    def test_an_option_that_the_compiler_does_not_know_is_left_out(self):
        text, _ = self.find(self.rustc("all", source=True))
        self.assertIn("rustflags: -C llvm-args=-apply-ext-tsp-for-size -C llvm-args=-disable-machine-licm", text)
        text, _ = self.find(self.rustc("some", source=True, without="-apply-ext-tsp-for-size"))
        self.assertRegex(text, r"rustflags: -C llvm-args=-disable-machine-licm$")

    def test_a_toolchain_that_has_neither_is_told_what_to_install(self):
        for options in ({}, {"MENDER_MCU_RUST_BUILD_STD": "OFF"}):
            rustc = self.rustc(f"bare{len(options)}", source=bool(options))
            text, ok = self.find(rustc, **options)
            self.assertFalse(ok)
            self.assertIn(f"no Rust toolchain here can build for {self.TARGET}", text)
            self.assertIn(f"{rustc} (1.95.0", text)
            self.assertIn(f"rustup target add {self.TARGET}", text)
            self.assertIn("apt install rustc rust-src cargo", text)

    def test_a_toolchain_that_is_too_old_is_passed_over(self):
        minimum = re.search(r'^rust-version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE).group(1)
        old = self.rustc("old", release="1.63.0", target=self.TARGET, source=True)
        before = self.rustc("before", release="1.94.1", source=True)
        new = self.rustc("new", release=f"{minimum}.0", source=True)
        text, ok = self.find(old, before, new)
        self.assertTrue(ok, text)
        self.assertIn(f"mender-mcu: Rust {minimum}.0 ({new}), {self.TARGET}, core from source", text)

    def test_where_all_are_too_old_that_is_said(self):
        old = self.rustc("old", release="1.63.0", target=self.TARGET, source=True)
        text, ok = self.find(old)
        self.assertFalse(ok)
        self.assertIn("(Rust 1.95 or later)", text)
        self.assertIn(f"{old} (1.63.0, {old.parents[1]}/sysroot) (too old)", text)
        self.assertIn("rustup update", text)
        # A distribution's may be older still.
        self.assertIn("apt install rustc rust-src cargo (likewise, where `apt show rustc` says 1.95 or later)", text)

    def test_a_machine_without_rust_is_told_what_to_install(self):
        absent = self.folder / "absent"
        text, ok = self.find(absent)
        self.assertFalse(ok)
        self.assertIn("no Rust toolchain here can build for", text)
        self.assertIn(f"{absent} (does not run)", text)
        self.assertNotIn("rustup update", text)


class Board(unittest.TestCase):
    GOOD = {"DT_slot1_partition": "/p", "DT_storage_partition": "/p", "CONFIG_BOOTLOADER_MCUBOOT": "y"}

    def check(self, **changes):
        definitions = {name: value for name, value in {**self.GOOD, **changes}.items() if value is not None}
        return choose(CHECK="board", BOARD="some_board", **definitions)

    def test_a_board_with_slots_and_storage_is_told_nothing(self):
        self.assertEqual(self.check(), ("", True))
        self.assertEqual(self.check(DT_storage_partition=None, DT_zephyr_settings_partition="/p"), ("", True))
        for emulator in ("CONFIG_ARCH_POSIX", "CONFIG_QEMU_TARGET"):
            self.assertEqual(self.check(CONFIG_BOOTLOADER_MCUBOOT=None, **{emulator: "y"}), ("", True))

    def test_a_board_without_slots_or_storage_is_told_where_examples_are(self):
        for label in ("slot1_partition", "storage_partition"):
            text, ok = self.check(**{f"DT_{label}": None})
            self.assertFalse(ok, text)
            self.assertIn("some_board has no", text)
            self.assertIn(label, text)
            self.assertIn("dts/overlays of the module has examples", text)

    def test_an_image_that_cannot_be_updated_or_reverted_is_a_warning(self):
        text, ok = self.check(CONFIG_MCUBOOT_BOOTLOADER_MODE_OVERWRITE_ONLY="y")
        self.assertTrue(ok, text)
        self.assertIn("an update that does not work cannot be reverted", text)
        text, ok = self.check(CONFIG_BOOTLOADER_MCUBOOT=None)
        self.assertTrue(ok, text)
        self.assertIn("the image is not built for MCUboot", text)


class Clients(unittest.TestCase):
    def test_another_mender_client_in_the_image_is_refused(self):
        text, ok = choose(CHECK="clients", CONFIG_MENDER_MCU_CLIENT="y")
        self.assertFalse(ok, text)
        self.assertIn("two Mender clients are in one image: set CONFIG_MENDER_MCU_CLIENT=n", text)
        # Its module alone does no harm.
        self.assertEqual(choose(CHECK="clients", CONFIG_MENDER_MCU_CLIENT="n"), ("", True))

    def test_every_check_is_called(self):
        defined = set()
        for path in (REPOSITORY / "zephyr/cmake").glob("*.cmake"):
            defined |= set(re.findall(r"^function\((mender_mcu_check_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        called = re.findall(r"^ +(mender_mcu_check_\w+)\(\)$", (REPOSITORY / "zephyr/CMakeLists.txt").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertGreater(len(defined), 3)
        self.assertEqual(sorted(called), sorted(defined))


class Identity(unittest.TestCase):
    def test_an_address_that_changes_is_a_warning(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder) / "zephyr.dts"
            for text, told in (("zephyr,random-mac-address;", True), ("local-mac-address = [ 00 ];", False)):
                tree.write_text(f"w5500 {{\n\t{text}\n}};\n", encoding="utf-8")
                for by_address in ("y", "n"):
                    text, ok = choose(CHECK="board", BOARD="b", ZEPHYR_DTS=tree, CONFIG_MENDER_MCU_IDENTITY_MAC=by_address, **Board.GOOD)
                    self.assertTrue(ok, text)
                    self.assertEqual("CONFIG_MENDER_MCU_IDENTITY_HWINFO=y" in text, told and by_address == "y", text)


class Tls(unittest.TestCase):
    def test_key_exchange_without_forward_secrecy_is_a_warning_where_it_is_not_needed(self):
        for preset, exchange, told in (("PUBLIC_CA", "y", True), ("PUBLIC_CA", "n", False), ("OWN_SERVER", "y", False)):
            text, ok = choose(CHECK="tls", CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED=exchange, **{f"CONFIG_MENDER_MCU_TLS_{preset}": "y"})
            self.assertTrue(ok, text)
            self.assertEqual("set CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED=n" in text, told, text)

    def test_no_configuration_of_ours_is_warned_of_it(self):
        found = 0
        for path in sorted(path for folder in ("samples", "tests") for path in (REPOSITORY / folder).rglob("*.conf")):
            text = path.read_text(encoding="utf-8")
            if re.search(r"^CONFIG_MENDER_MCU_(TLS_PUBLIC_CA|SERVER_HOSTED_\w+)=y$", text, re.MULTILINE):
                self.assertIn("\nCONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED=n\n", text, path)
                found += 1
        self.assertGreater(found, 1)


class KeyAtRest(unittest.TestCase):
    PROVIDER = "CONFIG_SECURE_STORAGE_ITS_TRANSFORM_AEAD_KEY_PROVIDER_ENTRY_UID_HASH"

    def test_a_device_key_that_anybody_can_decrypt_is_a_warning(self):
        text, ok = choose(CHECK="key_at_rest", **{self.PROVIDER: "y"})
        self.assertTrue(ok, text)
        self.assertIn(f"({self.PROVIDER}): set CONFIG_HWINFO=y", text)

    def test_where_it_is_known_or_not_there_nothing_is_said(self):
        self.assertEqual(choose(CHECK="key_at_rest"), ("", True))
        for symbol in ("KEYS_NOT_SECURE", "KEY_FROM_APPLICATION"):
            self.assertEqual(choose(CHECK="key_at_rest", **{self.PROVIDER: "y", f"CONFIG_MENDER_MCU_{symbol}": "y"}), ("", True))


class Stack(unittest.TestCase):
    def test_a_stack_that_would_overflow_is_a_warning(self):
        for thread, public, size, told in (("n", "n", 2048, "=8192"), ("n", "n", 4096, ""), ("n", "y", 4096, "=8192"), ("n", "y", 5120, ""),
                                           ("y", "n", 1024, "=3072"), ("y", "y", 2048, "")):
            text, ok = choose(CHECK="stack", CONFIG_MENDER_MCU_THREAD=thread, CONFIG_MENDER_MCU_TLS_PUBLIC_CA=public,
                              CONFIG_MAIN_STACK_SIZE=size)
            self.assertTrue(ok, text)
            self.assertEqual(f"CONFIG_MAIN_STACK_SIZE{told}" in text, told != "", text)


class Texts(unittest.TestCase):
    """What only the device would find to be wrong, after a whole build."""

    def check(self, **changes):
        good = {"SERVER_URL": "https://mender.example.com:444", "ARTIFACT_NAME": "app-1", "DEVICE_TYPE": "board"}
        return choose(CHECK="texts", **{f"CONFIG_MENDER_MCU_{name}": value for name, value in {**good, **changes}.items()})

    def test_good_ones_are_told_nothing(self):
        for url in ("https://mender.example.com", "https://mender.example.com/", "https://[::1]:8443"):
            self.assertEqual(self.check(SERVER_URL=url), ("", True), url)
        self.assertEqual(self.check(SERVER_URL="http://10.0.0.1:8080", ALLOW_HTTP="y"), ("", True))

    def test_a_server_that_is_no_url_is_refused_and_named(self):
        for url in ("mender.example.com", "localhost:8443", "https://a/path", "ftp://a", "https://u@a", "https://a b"):
            text, ok = self.check(SERVER_URL=url)
            self.assertFalse(ok, text)
            self.assertIn(f'must be https://host[:port], and is "{url}"', text)
        text, ok = self.check(SERVER_URL="http://10.0.0.1")
        self.assertFalse(ok, text)
        self.assertIn("CONFIG_MENDER_MCU_ALLOW_HTTP=y", text)

    def test_a_missing_one_is_told_what_to_set(self):
        for name, told in (("SERVER_URL", "there is no server: set"), ("ARTIFACT_NAME", "give the application a VERSION file"),
                           ("DEVICE_TYPE", "set CONFIG_MENDER_MCU_DEVICE_TYPE")):
            text, ok = self.check(**{name: ""})
            self.assertFalse(ok, text)
            self.assertIn(told, text)

    def test_a_name_that_the_client_does_not_take_is_refused(self):
        for name in ("ARTIFACT_NAME", "DEVICE_TYPE"):
            self.assertEqual(self.check(**{name: "n" * limit("NAME_MAX")}), ("", True))
            # In bytes.
            for long in ("n" * (limit("NAME_MAX") + 1), "ü" * (limit("NAME_MAX") // 2) + "n"):
                text, ok = self.check(**{name: long})
                self.assertFalse(ok, text)
                self.assertIn(f"CONFIG_MENDER_MCU_{name} has 257 bytes: give it 256 or less", text)


class Provides(unittest.TestCase):
    """What the device has after an update must fit into the room that it has for that."""

    def check(self, name, **changes):
        changes = {"NAME": name, **changes}
        text, ok = choose(CHECK="provides", **{f"CONFIG_MENDER_MCU_ARTIFACT_{symbol}": value for symbol, value in changes.items()})
        self.assertTrue(ok, text)
        return text

    def test_an_artifact_name_that_would_not_be_kept_is_a_warning(self):
        self.assertEqual(limit("PROVIDES_STORED"), 243)
        self.assertEqual(self.check("n" * 95), "")
        text = self.check("n" * 96)
        self.assertIn("refuse zephyr.mender, for what it provides takes 244 bytes of 243: give CONFIG_MENDER_MCU_ARTIFACT_NAME 95 or less", text)

    def test_what_else_it_provides_counts(self):
        self.assertEqual(self.check("n" * 89, PROVIDES="colour:blue"), "")
        self.assertIn("takes 244 bytes of 243: give CONFIG_MENDER_MCU_ARTIFACT_NAME 88 or less",
                      self.check("n" * 89, PROVIDES="colour:blues"))
        self.assertIn("takes 244 bytes of 243", self.check("n" * 82, PROVIDES="colour:blue 'of what:a b c'"))

    def test_nothing_is_said_where_arguments_of_the_tool_change_it(self):
        self.assertEqual(self.check("n" * 96, EXTRA_ARGS="--no-default-software-version"), "")


class Snippet(unittest.TestCase):
    """What the application asks for and the snippet takes back is said."""

    WITH = {"CONFIG_MBEDTLS_HEAP_SIZE": 90000, "CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN": 16384}

    def check(self, *lines, **config):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "prj.conf").write_text("\n".join(lines), encoding="utf-8")
            # Relative, as on the command line.
            named = {"CONF_FILE_AS_LIST": "prj.conf", "APPLICATION_CONFIG_DIR": folder}
            text, ok = choose(CHECK="snippet", **named, **{**self.WITH, **config})
        self.assertTrue(ok, text)
        return text

    def test_an_application_that_asks_for_no_more_is_told_nothing(self):
        self.assertEqual(self.check("CONFIG_MENDER_MCU=y"), "")
        self.assertEqual(self.check("CONFIG_MBEDTLS_HEAP_SIZE=90000", "CONFIG_MBEDTLS_PKCS1_V21=n"), "")

    def test_what_the_snippet_overrides_is_named(self):
        text = self.check("CONFIG_MBEDTLS_HEAP_SIZE=200000")
        self.assertIn("has set CONFIG_MBEDTLS_HEAP_SIZE=90000, where prj.conf says 200000: build without the snippet", text)
        self.assertIn("where prj.conf says 4096", self.check("CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN=4096"))
        text = self.check("CONFIG_PSA_WANT_ALG_CBC_NO_PADDING=y")
        self.assertIn("has set CONFIG_PSA_WANT_ALG_CBC_NO_PADDING=n, where prj.conf says y", text)

    def test_without_the_snippet_nothing_is_said(self):
        self.assertEqual(self.check("CONFIG_MBEDTLS_HEAP_SIZE=200000", CONFIG_MBEDTLS_HEAP_SIZE=200000), "")
        text = self.check("CONFIG_PSA_WANT_ALG_CBC_NO_PADDING=y", CONFIG_PSA_WANT_ALG_CBC_NO_PADDING="y")
        self.assertEqual(text, "")


class Sysbuild(unittest.TestCase):
    """What SB_CONFIG_MENDER_MCU adds to an application's images."""

    def files(self, *present, **definitions):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "sysbuild").mkdir()
            for name in present:
                (Path(folder) / "sysbuild" / name).touch()
            common = {"SYSBUILD": "y", "SB_CONFIG_MENDER_MCU": "y", "DEFAULT_IMAGE": "app", "APP_DIR": folder}
            common |= {"BOARD": "board", "BOARD_QUALIFIERS": "/soc/cpu"}
            text, ok = choose(**common, **{name: value.replace("APP", folder) for name, value in definitions.items()})
        self.assertTrue(ok, text)
        return text.replace(f"{folder}/sysbuild/", "")

    def test_mcuboot_gets_the_files_of_the_board_and_keeps_its_others(self):
        self.assertIn("conf: overlay: .", self.files())
        self.assertIn("conf: mcuboot_board.conf overlay: mcuboot_board.overlay.", self.files("mcuboot_board.conf", "mcuboot_board.overlay"))
        both = ("mcuboot_board.conf", "mcuboot_board_soc_cpu.conf")
        self.assertIn("conf: mcuboot_board.conf;mcuboot_board_soc_cpu.conf overlay", self.files(*both))
        # What sysbuild has found by itself, and what it would have found.
        every = ("mcuboot.conf", "mcuboot_board.conf")
        expected = "conf: mcuboot.conf;mcuboot_board.conf overlay"
        self.assertIn(expected, self.files(*every))
        self.assertIn(expected, self.files(*every, mcuboot_EXTRA_CONF_FILE="APP/sysbuild/mcuboot.conf"))
        # What the command line names has the last word, and is in place of what is for all boards.
        named = self.files(*every, mcuboot_EXTRA_CONF_FILE="mine.conf", mcuboot_EXTRA_DTC_OVERLAY_FILE="mine.overlay")
        self.assertIn("conf: mcuboot_board.conf;mine.conf overlay: mine.overlay.", named)

    def test_the_application_gets_the_snippet_beside_its_others(self):
        self.assertIn("snippets: mender-mcu conf", self.files())
        self.assertIn("snippets: rtt-console;mender-mcu conf", self.files(SNIPPET="rtt-console"))
        self.assertIn("snippets: own;mender-mcu conf", self.files(SNIPPET="rtt-console", app_SNIPPET="own"))
        self.assertIn("snippets: mender-mcu conf", self.files(app_SNIPPET="mender-mcu"))


class Files(unittest.TestCase):
    """What Kconfig names is looked for when the build is configured."""

    FIXTURES = REPOSITORY / "tests/twister/net/fixtures"

    def embed(self, **options):
        options = {f"CONFIG_MENDER_MCU_{name}": value for name, value in {"TLS_CA_TAG": -1, **options}.items()}
        return choose(EMBED="y", APPLICATION_CONFIG_DIR=self.FIXTURES, CONFIG_NET_SOCKETS_SOCKOPT_TLS="y", **options)

    def test_files_are_relative_to_the_application(self):
        text, ok = self.embed(CA_FILES="ca.der ca-2.der", TLS_CLIENT_CERT_FILE="client.der", TLS_CLIENT_KEY_FILE="client-key.der")
        self.assertTrue(ok, text)
        self.assertIn(f"--api;{self.FIXTURES}/ca.der;{self.FIXTURES}/ca-2.der;--storage", text)
        self.assertNotIn("--only-p256", text)
        self.assertIn("--only-p256", self.embed(CA_FILES="ca.der", TLS_OWN_SERVER="y")[0])

    def test_a_file_that_is_not_there_is_named_with_what_it_should_be(self):
        for symbol, what in (("CA_FILES", "the root certificate that the server's chain ends in, PEM or DER"),
                             ("STORAGE_CA_FILES", "the root certificate that the chain of the artifact storage ends in, PEM or DER"),
                             ("VERIFY_KEY_FILES", "the public key that artifacts are verified with, PEM"),
                             ("TLS_CLIENT_CERT_FILE", "the certificate that the device shows to the server, PEM or DER"),
                             ("TLS_CLIENT_KEY_FILE", "the private key of that certificate, PEM or DER")):
            text, ok = self.embed(**{"CA_FILES": "ca.der", symbol: "absent.pem"})
            self.assertFalse(ok, text)
            self.assertIn(f"CONFIG_MENDER_MCU_{symbol} names absent.pem, which does not exist (looked for {self.FIXTURES}/absent.pem): "
                          f"it is {what}", text)

    def test_a_server_that_nothing_can_be_trusted_of_is_refused(self):
        text, ok = self.embed()
        self.assertFalse(ok, text)
        self.assertIn("CONFIG_MENDER_MCU_CA_FILES is empty", text)
        text, ok = self.embed(TLS_CA_TAG=1)
        self.assertTrue(ok, text)

    def test_a_client_certificate_without_its_key_is_refused(self):
        for option in ({"TLS_CLIENT_CERT_FILE": "client.der"}, {"TLS_CLIENT_KEY_FILE": "client-key.der"}):
            text, ok = self.embed(CA_FILES="ca.der", **option)
            self.assertFalse(ok, text)
            self.assertIn("belong together", text)


class Libclang(unittest.TestCase):
    def find(self, folder, libclang_path=None):
        return choose({"LIBCLANG_PATH": libclang_path, "PYTHONPATH": str(folder)}, TARGET="any", FIND_LIBCLANG="y",
                      MENDER_MCU_LIBCLANG_DIRS=f"{folder}/lib*")

    @unittest.skipUnless(sys.platform == "linux", "bindgen looks by itself elsewhere")
    def test_a_missing_libclang_is_said_before_anything_is_built(self):
        with tempfile.TemporaryDirectory() as folder:
            # Python's package, if it is installed, would serve.
            package = Path(folder) / "clang"
            package.mkdir()
            (package / "__init__.py").touch()
            text, ok = self.find(folder)
            self.assertFalse(ok)
            self.assertIn("no libclang was found", text)
            self.assertIn("`apt install libclang-dev`", text)
            self.assertTrue(self.find(folder, libclang_path="/anywhere")[1])
            (package / "native").mkdir()
            (package / "native/libclang.so").touch()
            text, ok = self.find(folder)
            self.assertTrue(ok, text)
            self.assertIn(f"libclang: LIBCLANG_PATH={package}/native", text)
            lib = Path(folder) / "lib"
            lib.mkdir()
            (lib / "libclang-14.so.1").touch()
            self.assertEqual(self.find(folder), ("target: any libclang:", True))


class ClangArguments(unittest.TestCase):
    def test_only_what_changes_a_header_goes_to_clang(self):
        command = ("cc -DKERNEL -D__ZEPHYR__=1 -Ione -isystem /two -Os -imacros auto.h -ffreestanding --param=min-pagesize=0 "
                   "-mcpu=cortex-m4 -mthumb -mabi=aapcs -mfp16-format=ieee -mpreferred-stack-boundary=2 -std=c17").split()
        self.assertEqual(clang_args.flags(command, "thumbv7em-none-eabi"),
                         ("--target=thumbv7em-none-eabi -DKERNEL -D__ZEPHYR__=1 -imacros auto.h -ffreestanding "
                          "-mthumb -std=c17").split())
        self.assertEqual(clang_args.flags([], "riscv32imac-unknown-none-elf"), ["--target=riscv32-unknown-none-elf"])

    def test_folders_come_from_the_compiler_and_its_own_headers_last(self):
        with tempfile.TemporaryDirectory() as folder:
            arguments = clang_args.arguments(["cc", f"-I{folder}"], "x86_64-unknown-linux-gnu")
        self.assertIn(os.path.realpath(folder), arguments)
        own = os.path.realpath(subprocess.check_output(["cc", "-print-file-name=include"], text=True).strip())
        self.assertEqual(arguments[arguments.index(own) - 1], "-idirafter")
        self.assertEqual(arguments.count(own), 1)

    def test_the_command_is_that_of_the_file(self):
        source = Path("/a/b.c")
        database = [{"file": "/a/a.c", "command": "cc -DA -o a.o -c /a/a.c", "output": "a.o"},
                    {"file": "/a/b.c", "command": "ccache cc -DB='\"x y\"' -o b.o -c /a/b.c", "output": "b.o"}]
        self.assertEqual(clang_args.command_of(database, source), ["ccache", "cc", '-DB="x y"'])
        with self.assertRaisesRegex(SystemExit, "the compilation database has no command for /a/c.c"):
            clang_args.command_of(database, Path("/a/c.c"))

    def test_a_compiler_that_does_not_say_its_folders_stops_the_build_with_its_words(self):
        with self.assertRaisesRegex(SystemExit, "(?s)mender-mcu: cc --no-such-option .*error"):
            clang_args.folders(["cc", "--no-such-option"])


class Module(unittest.TestCase):
    def test_the_module_names_each_crate_in_the_firmware_for_scanners(self):
        tree = ["cargo", "tree", "-q", "--locked", "-p", "mender-staticlib", "--features", "firmware", "--edges", "normal",
                "--target", "thumbv7em-none-eabi", "--prefix", "none", "--format", "{p}"]
        told = subprocess.run(tree, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        words = [line.split() for line in told.splitlines()]
        crates = {f"pkg:cargo/{name}@{version[1:]}" for name, version, *where in words if not "".join(where).startswith("(/")}
        text = (REPOSITORY / "zephyr/module.yml").read_text(encoding="utf-8")
        self.assertEqual(set(re.findall(r"- (pkg:cargo/\S+)", text)), crates)
        package = json.loads(subprocess.check_output(["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"],
                                                     cwd=REPOSITORY, text=True))["packages"][0]
        self.assertIn(f"pkg:generic/mender-mcu-rust@{package['version']}\n", text)

    def test_the_module_does_not_have_the_official_client_s_name(self):
        # Its checkout folder makes it mender-mcu; names that differ in case or punctuation give the same CMake variables.
        text = (REPOSITORY / "zephyr/module.yml").read_text(encoding="utf-8")
        name = re.search(r"^name: (\S+)", text, re.MULTILINE).group(1)
        manifest = (REPOSITORY / "west.yml").read_text(encoding="utf-8")
        folder = re.search(r"^  self:\n(?:    #.*\n)*    path: (\S+)", manifest, re.MULTILINE).group(1)
        for ours in (name, folder):
            self.assertNotEqual(re.sub("[^a-z0-9]", "_", ours.lower()), "mender_mcu")


if __name__ == "__main__":
    unittest.main()
