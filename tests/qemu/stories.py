# SPDX-License-Identifier: Apache-2.0
"""What happens to a device with version 1 that its server knows; artifacts of versions 2 and 3 are on the server.

Each story says what must come of it. It may give the line itself.
"""

import random
import time

import machine
from updates import expect

# A tenth of a download.
SOME_OPERATIONS = 60
# Of a flash operation in a download that something happens to; the whole of it then takes two seconds at least.
SLOW_US = 4000
LINK_DOWN_S = 3
# Shorter than the start of the network, longer than that of the application.
HANG_MS = 3000
DEADLINE_MS = 6000
KILLS = 4
# The longest time from power-on to a confirmed image.
KILL_WITHIN_S = 12


def in_mid_download(device):
    """Begins an update, with flash so slow that the download cannot be over."""
    device.memory.set(slow_us=SLOW_US)
    device.offer(2)
    device.start()
    device.until_operations(SOME_OPERATIONS)
    expect(not device.memory.by_mcuboot(), "the download is over already")


def good(device):
    """An update is downloaded, swapped in by MCUboot, confirmed and reported; so is the next one."""
    device.offer(2)
    device.start()
    device.ends(2, "success")
    device.holds(2, other=1)
    device.updates_next(other=2)


def reverts(device, code):
    """Version 2 does not prove itself: MCUboot brings version 1 back, the server hears why, the next update works."""
    device.ends(2, "failure")
    device.holds(1, other=2)
    device.says_why(2, code)
    device.updates_next(other=1)


def self_test_fails(device):
    """The new image's self-test fails: it restarts, MCUboot reverts, and the server hears of a failure."""
    device.memory.set(trial=machine.SELF_TEST_FAILS)
    device.offer(2)
    device.start()
    reverts(device, "elf-test")


def no_way_back(device):
    """The new image's self-test fails where MCUboot overwrites: it stays, and the server hears that it is inconsistent."""
    device.memory.set(trial=machine.SELF_TEST_FAILS)
    device.offer(2)
    device.start()
    device.ends(2, "failure")
    device.holds(2)
    device.is_named("release-2_INCONSISTENT")
    device.updates_next(other=2)


def reset_before_confirm(device):
    """The new image is reset from outside before it is confirmed: MCUboot reverts, the server hears of a failure."""
    device.offer(2)
    device.start()
    device.until_version(2)
    device.machine.reset()
    reverts(device, "everted")


def reset_by_watchdog(device, trial):
    """The new image feeds its watchdog no more."""
    device.memory.set(trial=trial)
    device.offer(2)
    device.start()
    device.until_version(1)
    device.memory.set(watchdog_ms=HANG_MS)
    device.until_version(2)
    device.memory.set(watchdog_ms=machine.WATCHDOG_MS)
    reverts(device, "everted")


def hangs(device):
    """The new image hangs before it begins: the watchdog resets it, MCUboot reverts, the server hears of a failure."""
    reset_by_watchdog(device, machine.HANGS)


def does_not_start(device):
    """The new image's client does not start: the watchdog resets it, MCUboot reverts, the server hears of a failure."""
    reset_by_watchdog(device, machine.DOES_NOT_START)


def faults(device):
    """The new image faults before it begins: it restarts, MCUboot reverts, and the server hears of a failure."""
    device.memory.set(trial=machine.FAULTS)
    device.offer(2)
    device.start()
    reverts(device, "everted")


def server_unreachable(device):
    """The new image cannot reach its server until the commit deadline: MCUboot reverts, the server hears later."""
    device.memory.set(commit_deadline_ms=DEADLINE_MS)
    device.offer(2)
    device.start()
    device.machine.until(device.memory.by_mcuboot, "the swap")
    device.machine.link(False)
    device.until_version(2)
    device.until_version(1)
    device.machine.link(True)
    reverts(device, "deadline")


def refused(device):
    """MCUboot does not accept the new image's signature: it starts the old one, and the server hears of a failure."""
    broken = bytearray(device.build.images[2])
    broken[-1] ^= 1
    image = device.folder / "broken.bin"
    image.write_bytes(broken)
    device.upload(4, image)
    device.offer(4)
    device.start()
    device.ends(4, "failure")
    device.holds(1)
    device.says_why(4, "efused")
    device.updates_next(other=1)


def another_mode(device):
    """MCUboot swaps in another mode than the application is built for: said before anything is erased, and nothing is lost."""
    device.machine_of("move" if device.build.mode != "move" else "offset")
    before = device.memory.flash()[machine.SLOT1 : machine.SLOT1 + machine.SLOT_SIZE]
    device.offer(2)
    device.start()
    device.ends(2, "failure")
    device.machine.until(lambda: "build both with sysbuild" in device.said(), "the word for it")
    after = device.memory.flash()[machine.SLOT1 : machine.SLOT1 + machine.SLOT_SIZE]
    expect(before == after, "the inactive slot was written")
    device.holds(1)


def aborted_in_download(device):
    """The deployment is aborted during the download: nothing is armed, and nothing more is told."""
    in_mid_download(device)
    device.server.ask("abort", device.server.deployment("release-2")["id"])
    device.machine.until(lambda: device.deployment(2)["status"] == "aborted", "the abort")
    device.updates_next(other=1)
    expect("version 2," not in device.said(), "the aborted version ran")
    expect(not device.finals(2), f"after the abort it reported {device.finals(2)}")


def aborted_in_trial(device):
    """The deployment is aborted while the new image is on trial: MCUboot reverts, and nothing more is told."""
    device.offer(2)
    device.start()
    device.machine.until(device.memory.by_mcuboot, "the swap")
    device.machine.link(False)
    device.server.ask("abort", device.server.deployment("release-2")["id"])
    device.until_version(2)
    device.machine.link(True)
    device.until_version(1)
    device.machine.until(lambda: "aborted" in device.said().lower(), "the client to hear of the abort")
    device.holds(1, other=2)
    device.updates_next(other=1)
    expect(not device.finals(2), f"after the abort it reported {device.finals(2)}")


def link_down(device):
    """The link is down for 3 s in mid-download: the update succeeds."""
    in_mid_download(device)
    device.machine.link(False)
    time.sleep(LINK_DOWN_S)
    device.memory.set(slow_us=0)
    device.machine.link(True)
    device.ends(2, "success")
    device.holds(2, other=1)


def reset_in_download(device):
    """The device is reset in mid-download: version 1 starts, what it tells is true, and the next update works."""
    in_mid_download(device)
    device.machine.reset()
    device.memory.set(slow_us=0)
    told = device.ends(2)
    version, other = (2, 1) if told == "success" else (1, None)
    device.holds(version, other)
    device.updates_next(version)
    return f"The device is reset in mid-download: {told}, and that is true; the next update works."


def killed(seed):
    """QEMU is killed at random moments: what is told in the end is true, and the next update works."""

    def run(device):
        chance = random.Random(f"{seed}-{device.build.mode}")
        device.offer(2)
        for _ in range(KILLS):
            device.start()
            time.sleep(chance.uniform(0, KILL_WITHIN_S))
            device.machine.stop()
        device.memory.set(version=0)
        device.start()
        told = device.ends(2)
        version = 2 if told == "success" else 1
        device.until_version(version)
        device.holds(version, 1 if told == "success" else None)
        device.updates_next(version)
        return f"QEMU is killed {KILLS} times at random, seed {seed}: {told}, and that is true; the next update works."

    return run


# In every mode of MCUboot.
EVERYWHERE = (good,)
# Where there is a way back.
SWAPPING = (self_test_fails,)
# What does not depend on the mode.
ONCE = (
    server_unreachable,
    hangs,
    does_not_start,
    reset_before_confirm,
    faults,
    refused,
    another_mode,
    reset_in_download,
    aborted_in_download,
    aborted_in_trial,
    link_down,
)
