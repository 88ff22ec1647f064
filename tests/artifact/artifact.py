#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The .mender file that a firmware build makes, judged by mender-artifact and by the client's own reader.

    artifact.py --device target/debug/mender-device --testkit target/debug/mender-testkit [--build BUILD_FOLDER]...

Runs zephyr/cmake/artifact.cmake in a build of a few lines, so that every setting is tried in seconds. Each --build is the
folder of a real firmware build, whose zephyr.mender is checked as well. Exit code 0: all is well; 1: something failed;
77: a tool is missing, which the last line names.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KEYS = HERE.parent / "conformance/fixtures/keys"
TOOLS = ("cmake", "ninja", "make", "mender-artifact")
SETTINGS = {
    "BUILD_OUTPUT_BIN": "y",
    "MCUBOOT_SIGNATURE_KEY_FILE": "key.pem",
    "MENDER_MCU_ARTIFACT_NAME": "app-1.2.3",
    "MENDER_MCU_DEVICE_TYPE": "nucleo_l4a6zg",
}


class Failed(Exception):
    pass


def expect(condition, what, told=""):
    if not condition:
        raise Failed(f"{what}\n{told}")


def run(*command, env=None):
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=env
    )
    # Messages are wrapped where CMake likes.
    return done.returncode == 0, " ".join(done.stdout.split())


class Build:
    """A build folder of the few lines in CMakeLists.txt."""

    def __init__(self, folder, device, testkit):
        self.folder = folder / "build"
        self.image = folder / "image.bin"
        good, told = run(testkit, "image", "--version", "1.2.3", "--size", "20000", "-o", self.image)
        expect(good, "no image", told)
        self.artifact = self.folder / "zephyr/zephyr.mender"
        self.device = device

    def configure(self, *options, env=None, tool="ninja", **settings):
        shutil.rmtree(self.folder, ignore_errors=True)
        defined = [f"-DCONFIG_{name}={value}" for name, value in {**SETTINGS, **settings}.items()]
        generator = {"ninja": "Ninja", "make": "Unix Makefiles"}[tool]
        chosen = f"-G{generator}", f"-DCMAKE_MAKE_PROGRAM={shutil.which(tool)}"
        command = [shutil.which("cmake"), *chosen, "-S", HERE, "-B", self.folder]
        return run(*command, f"-DIMAGE={self.image}", *defined, *options, env=env)

    def build(self, *targets, tool="ninja"):
        return run(tool, "-j4", "-C", self.folder, *targets)

    def made(self, *options, **settings):
        """Configures and builds, which must go well and without a warning."""
        good, told = self.configure(*options, **settings)
        expect(good and "mender-mcu:" not in told, "it does not configure", told)
        good, told = self.build()
        expect(good, "it does not build", told)
        expect(self.artifact.exists(), "there is no zephyr.mender", told)
        return read(self.artifact)

    def inspect(self, *options):
        return run(self.device, "inspect", self.artifact, *options)


def read(artifact, *options):
    good, told = run("mender-artifact", "read", artifact, *options)
    expect(good, "mender-artifact does not read it", told)
    return told


def validate(artifact, *options):
    good, told = run("mender-artifact", "validate", artifact, *options)
    expect(good, "mender-artifact does not validate it", told)


def payload(artifact):
    """The one file in the artifact."""
    with tarfile.open(artifact) as outer:
        member = next(each for each in outer.getnames() if each.startswith("data/0000"))
        with tarfile.open(fileobj=outer.extractfile(member)) as inner:
            names = inner.getnames()
            expect(len(names) == 1, f"it has {len(names)} files")
            return inner.extractfile(names[0]).read()


def defaults(build):
    """The defaults give an artifact of this image for this device type, which the client takes."""
    told = build.made()
    for text in ("Name: app-1.2.3", "Compatible devices: '[nucleo_l4a6zg]'", "zephyr-image", "zephyr.signed.bin"):
        expect(text in told, f"no {text}", told)
    expect("rootfs-image.zephyr-image.version: app-1.2.3" in told, "the software version is missing", told)
    validate(build.artifact)
    expect(payload(build.artifact) == build.image.read_bytes(), "the payload is not the image")
    good, told = build.inspect("--device-type", "nucleo_l4a6zg")
    expect(good, "the client refuses it", told)
    good, _ = build.inspect("--device-type", "another")
    expect(not good, "a device of another type takes it")


def everything(build):
    """Several device types, provides, depends, a group and a signature are in it; blanks and quotes are kept."""
    told = build.made(
        MENDER_MCU_ARTIFACT_NAME="release 7",
        MENDER_MCU_ARTIFACT_DEVICE_TYPES="board-a 'board b'",
        MENDER_MCU_ARTIFACT_PROVIDES="radio.version:9 'colour:dark red'",
        MENDER_MCU_ARTIFACT_DEPENDS="hw:3",
        MENDER_MCU_ARTIFACT_SIGNING_KEY=KEYS / "p256.pem",
        MENDER_MCU_ARTIFACT_EXTRA_ARGS="--provides-group stable",
    )
    wanted = (
        "Name: release 7", "'[board-a board b]'", "radio.version: 9", "colour: dark red", "hw: 3", "stable", "signed",
    )  # fmt: skip
    for text in wanted:
        expect(text in told, f"no {text}", told)
    validate(build.artifact, "-k", KEYS / "p256.pub.pem")
    good, told = build.inspect("--key", KEYS / "p256.pub.pem", "--device-type", "board b")
    expect(good, "the client refuses it", told)
    good, _ = build.inspect("--key", KEYS / "rsa2048.pub.pem")
    expect(not good, "the client takes it by another key")


def compressed(build):
    """A compressed artifact is one that this client refuses, as the help says."""
    build.made(MENDER_MCU_ARTIFACT_COMPRESSION_GZIP="y")
    validate(build.artifact)
    good, told = build.inspect()
    expect(not good and "gzip" in told, "the client does not refuse it", told)


def encrypted(build):
    """Where images are encrypted, the encrypted one is the payload."""
    build.made(MCUBOOT_ENCRYPTION_KEY_FILE="key.pem")
    expect(payload(build.artifact) == (HERE / "CMakeLists.txt").read_bytes(), "the payload is the plain image")


def remade(build):
    """A new image gives a new artifact, and nothing is done when nothing changed."""
    build.made()
    before = build.artifact.stat().st_mtime_ns
    good, told = build.build()
    expect(good and "no work to do" in told, "it is made again", told)
    build.image.write_bytes(b"another image")
    good, told = build.build("mender_artifact")
    expect(good and build.artifact.stat().st_mtime_ns > before, "it is not made again", told)
    expect(payload(build.artifact) == b"another image", "the payload is the old image")


def by_make(build):
    """Make, which looks at one folder after the other, makes it after the image, too."""
    good, told = build.configure(tool="make")
    expect(good, "it does not configure", told)
    for image, target in ((b"one image", "all"), (b"another image", "all"), (b"a third image", "mender_artifact")):
        build.image.write_bytes(image)
        good, told = build.build(target, tool="make")
        expect(good, "it does not build", told)
        expect(payload(build.artifact) == image, f"the payload is not {image}", told)


def does_without(build, reason, *options, env=None, **settings):
    """The build goes on without an artifact and says why, the target fails, and a required one stops the build."""
    good, told = build.configure(*options, env=env, **settings)
    expect(good and reason in told, f"not told: {reason}", told)
    good, told = build.build()
    expect(good and not build.artifact.exists(), "the firmware build fails", told)
    good, told = build.build("mender_artifact")
    expect(not good and reason in told, f"not told by the target: {reason}", told)
    good, told = build.configure(*options, env=env, MENDER_MCU_ARTIFACT_REQUIRED="y", **settings)
    expect(not good and reason in told, "a required artifact does not stop the build", told)


def without_the_tool(build):
    """Without mender-artifact the firmware is built all the same, with a word about it."""
    env = {**os.environ, "PATH": "/nowhere"}
    reason = "mender-artifact 3.9.0 or later (https://docs.mender.io/downloads) is not installed"
    does_without(build, reason, "-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF", env=env)


def with_an_old_tool(build):
    """A mender-artifact that is too old, or none at all, is not used."""
    for version, reason in (("version 3.8.1", "is version 3.8.1"), ("nothing", "does not say its version")):
        tool = build.folder.parent / "tool"
        tool.write_text(f"#!/bin/sh\necho mender-artifact {version}\n")
        tool.chmod(0o755)
        does_without(build, reason, f"-DMENDER_ARTIFACT={tool}")


def without_a_signature(build):
    """An image that MCUboot would not take becomes no artifact."""
    does_without(build, "signs no image for MCUboot", MCUBOOT_SIGNATURE_KEY_FILE="")
    does_without(build, "needs CONFIG_BUILD_OUTPUT_BIN", BUILD_OUTPUT_BIN="n")


def without_its_key(build):
    """A signing key that does not exist is an error that names it."""
    good, told = build.configure(MENDER_MCU_ARTIFACT_SIGNING_KEY="missing.pem")
    expect(not good and "ARTIFACT_SIGNING_KEY does not exist" in told, "not told", told)


CASES = (
    defaults, everything, compressed, encrypted, remade, by_make,
    without_the_tool, with_an_old_tool, without_a_signature, without_its_key,
)  # fmt: skip


def real(folder, device):
    """What a firmware build made: its signed image, for its device type, under its name."""
    artifact = folder / "zephyr/zephyr.mender"
    expect(artifact.exists(), f"there is no {artifact}")
    config = (folder / "zephyr/.config").read_text()
    setting = lambda name: next(
        line.split("=", 1)[1].strip('"') for line in config.splitlines() if line.startswith(f"CONFIG_{name}=")
    )
    told = read(artifact)
    expect(f"Name: {setting('MENDER_MCU_ARTIFACT_NAME')}" in told, "it has another name", told)
    validate(artifact)
    signed = (folder / "zephyr/zephyr.signed.bin").read_bytes()
    expect(payload(artifact) == signed, "the payload is not zephyr.signed.bin")
    types = setting("MENDER_MCU_ARTIFACT_DEVICE_TYPES").split() or [setting("MENDER_MCU_DEVICE_TYPE")]
    good, told = run(device, "inspect", artifact, "--device-type", types[0])
    expect(good, "the client refuses it", told)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=pathlib.Path, required=True)
    parser.add_argument("--testkit", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, action="append", default=[])
    given = parser.parse_args()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}")
        sys.exit(77)
    small = lambda case: lambda folder: case(Build(folder, given.device, given.testkit))
    tests = [(case.__name__, case.__doc__, small(case)) for case in CASES]
    tests += [(str(path), real.__doc__, lambda _, path=path: real(path, given.device)) for path in given.build]
    failed = 0
    for name, sentence, test in tests:
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok {name}: {sentence}", flush=True)
            except Failed as failure:
                failed += 1
                print(f"FAILED {name}: {failure}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
