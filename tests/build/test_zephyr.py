# SPDX-License-Identifier: Apache-2.0
"""What the module says of Zephyr's Kconfig and manifest, against Zephyr itself where there is one; nothing is configured or built."""

import os
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

REPOSITORY = Path(__file__).resolve().parents[2]


def zephyr_base():
    """The `zephyr` folder: named, in a west workspace around this repository, or registered with CMake."""
    candidates = [Path(os.environ["ZEPHYR_BASE"])] if os.environ.get("ZEPHYR_BASE") else []
    candidates += [folder / "zephyr" for folder in REPOSITORY.parents if (folder / ".west/config").is_file()]
    for package in sorted((Path.home() / ".cmake/packages/Zephyr").glob("*")):
        candidates += Path(package.read_text(encoding="utf-8").strip()).parents
    return next((base for base in candidates if (base / "scripts/kconfig/kconfiglib.py").is_file()), None)


BASE = zephyr_base()
# As modules/Kconfig.mcuboot has them: MCUboot's modes that leave a second slot for what is downloaded.
MODES = {"SWAP_USING_OFFSET", "SWAP_USING_MOVE", "SWAP_WITHOUT_SCRATCH", "SWAP_SCRATCH", "OVERWRITE_ONLY"}


@unittest.skipUnless(BASE, "no Zephyr found")
class Symbols(unittest.TestCase):
    def configured(self, *symbols, others=""):
        """The module's symbols, MENDER_MCU set, where these symbols are y."""
        sys.path.insert(0, str(BASE / "scripts/kconfig"))
        import kconfiglib  # noqa: PLC0415  (Zephyr's)

        environment = {"srctree": str(BASE), "BOARD": "some_board", "APPVERSION": "", "VERSION_MAJOR": ""}
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, environment):
            top = Path(folder) / "Kconfig"
            text = "".join(f"config {symbol}\n\tbool\n\tdefault y\n\n" for symbol in symbols)
            top.write_text(text + others + f'source "{REPOSITORY}/zephyr/Kconfig"\n', encoding="utf-8")
            kconfig = kconfiglib.Kconfig(str(top), warn=False)
        kconfig.syms["MENDER_MCU"].set_value("y")
        return kconfig.syms

    def available(self, *symbols):
        """Whether MENDER_MCU can be set where these symbols are y."""
        return self.configured(*symbols)["MENDER_MCU"].str_value == "y"

    def test_each_mode_of_mcuboot_is_either_supported_or_refused(self):
        text = (BASE / "modules/Kconfig.mcuboot").read_text(encoding="utf-8")
        modes = set(re.findall(r"^config MCUBOOT_BOOTLOADER_MODE_(\w+)", text, re.MULTILINE)) - {"HAS_NO_DOWNGRADE"}
        self.assertTrue(modes > MODES, modes)
        for mode in sorted(modes):
            with self.subTest(mode=mode):
                self.assertEqual(self.available("CPU_CORTEX_M", f"MCUBOOT_BOOTLOADER_MODE_{mode}"), mode in MODES)

    def test_it_is_there_for_the_cpus_that_have_a_rust_target(self):
        for symbols in (["CPU_CORTEX_M"], ["RISCV"], ["X86"], ["ARCH_POSIX", "64BIT"]):
            self.assertTrue(self.available(*symbols), symbols)
        for symbols in ([], ["CPU_CORTEX_M", "TRUSTED_EXECUTION_NONSECURE"], ["XTENSA"], ["RISCV", "64BIT"], ["X86", "X86_64", "64BIT"], ["ARCH_POSIX"], ["ARM64", "64BIT"]):
            self.assertFalse(self.available(*symbols), symbols)

    def test_the_deployment_log_has_what_knows_why_the_device_restarted(self):
        symbols = self.configured("CPU_CORTEX_M", others='config HWINFO\n\tbool "hwinfo"\n\n')
        self.assertEqual(symbols["HWINFO"].str_value, "y")
        symbols["MENDER_MCU_DEPLOYMENT_LOG"].set_value("n")
        self.assertEqual(symbols["HWINFO"].str_value, "n")

    def test_what_is_turned_on_exists(self):
        # Kconfig takes a name that nobody defines without a word.
        ours = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "zephyr").glob("Kconfig*"))
        named = set(re.findall(r"^\t(?:select|imply) (\w+)", ours, re.MULTILINE))
        named |= set(re.findall(r"^configdefault (\w+)", ours, re.MULTILINE))
        named |= set(re.findall(r"\bMCUBOOT_\w+", ours))
        snippets = (REPOSITORY / "zephyr/snippets").rglob("*.conf")
        named |= {name for path in snippets for name in re.findall(r"^CONFIG_(\w+)=", path.read_text(encoding="utf-8"), re.MULTILINE)}
        defined = set(re.findall(r"^(?:menu)?config (\w+)", ours, re.MULTILINE))
        files = [BASE / "Kconfig.zephyr"]
        files += [path for folder in ("arch", "drivers", "kernel", "lib", "modules", "subsys") for path in (BASE / folder).rglob("Kconfig*")]
        for path in files:
            defined |= set(re.findall(r"^\s*(?:menu)?config (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        self.assertEqual(named - defined, set())


@unittest.skipUnless(BASE, "no Zephyr found")
class Manifest(unittest.TestCase):
    # Whose boards take which module for their CPU.
    VENDORS = {"arm": "cmsis", "st": "hal_stm32", "native": None, "qemu": None}

    def setUp(self):
        text = (REPOSITORY / "west.yml").read_text(encoding="utf-8")
        allowed = text.partition("name-allowlist:\n")[2].partition("\n\n")[0]
        self.allowed = re.findall(r"^ +- (\S+)", allowed, re.MULTILINE)
        self.assertTrue(self.allowed)

    def test_it_lists_projects_of_zephyr_s_own(self):
        # west leaves a name that Zephyr does not have without a word.
        projects = re.findall(r"^ +- name: (\S+)", (BASE / "west.yml").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertGreater(len(projects), 20)
        self.assertEqual(sorted(set(self.allowed) - set(projects)), [])

    def test_it_has_what_the_samples_boards_take(self):
        needed = {"mbedtls", "mcuboot", "zcbor", "picolibc", "cmsis_6"}
        for sample in (REPOSITORY / "samples").glob("*/sample.yaml"):
            listed = re.findall(r"platform_allow:\n((?: +- \S+\n)+)", sample.read_text(encoding="utf-8"))
            for board in re.findall(r"- (\w+)", "".join(listed)):
                file = next((path for path in (BASE / "boards").glob("*/*/board.yml")
                             if re.search(rf"name: {board}$", path.read_text(encoding="utf-8"), re.MULTILINE)), None)
                self.assertIsNotNone(file, f"no board {board}")
                needed.add(self.VENDORS[file.parts[-3]])
        self.assertEqual(sorted(needed - {None} - set(self.allowed)), [])


if __name__ == "__main__":
    unittest.main()
