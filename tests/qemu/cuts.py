# SPDX-License-Identifier: Apache-2.0
"""Power cuts: a run without one says which flash operations there are, further runs lose the power in one of them."""

import collections
import random

import machine
from device import Device, Disturbed
from machine import TEARS
from updates import MAGIC, Failed, expect

# A run from one of these moments, until the power fails in an operation; then to the end without another cut.
FIRST, KNOWN, FULL, ARMED, REVERT = "first", "known", "full", "armed", "revert"
PHASES = {
    FIRST: ("first start",),
    KNOWN: ("download", "record", "arming"),
    FULL: ("page of records",),
    ARMED: ("swap", "record", "confirm"),
    REVERT: ("revert", "record"),
}
# Records of no use after which the settings have been through all of their pages.
FILL = 40
# How many operations around the erase of a page belong to it: NVS copies what is still good before that.
BEFORE_ERASE, AFTER_ERASE = 6, 3
# What an operation is called by its moment, where that says more than its place.
CALLED = {FIRST: {"record": "first start"}, REVERT: {"swap": "revert"}}
# Of each phase, how many cuts are made, spread over all of it.
FEW = {
    "first start": 1,
    "page of records": 1,
    "download": 1,
    "record": 1,
    "arming": 1,
    "swap": 2,
    "confirm": 1,
    "revert": 1,
    "two cuts": 2,
}
MANY = {
    "first start": 12,
    "page of records": 15,
    "download": 6,
    "record": 6,
    "arming": 6,
    "swap": 24,
    "confirm": 3,
    "revert": 12,
    "two cuts": 24,
}
# In the long run also each of the first and the last operations of a swap and of a revert, in every way.
EDGE = 6
# Operations from a torn magic at the beginning of a revert to the second cut.
SECOND_CUT_AFTER = 3

# Whether the boot table leads on to success: from a download, which is begun anew, and from a swap, which MCUboot resumes. (The last operations
# complete it; what was complete and did not run is reverted.)
Cut = collections.namedtuple("Cut", "moment number tear phase succeeds", defaults=(False,))


class Missed(Disturbed):
    """The power failed in another phase than it was to: a run has now and then one operation more or less than another."""


def phase(memory, moment, number):
    found = memory.phase(number)
    return CALLED.get(moment, {}).get(found, found)


class Pairs:
    """Two cuts in one swap or revert, at random."""

    def __init__(self, reference, mode, number, seed):
        chance = random.Random(f"{seed}-{mode}-{number}")
        moment, kind = ((ARMED, "swap"), (REVERT, "revert"))[number % 2]
        total = reference.operations[moment].count(kind)
        first = chance.randint(1, total - 1)
        self.cut = Cut(moment, first, chance.choice(TEARS), kind)
        # What the first run had still to do is done in the second one in any case.
        self.second, self.tear = chance.randint(1, total - first), chance.choice(TEARS)
        self.name = f"two-cuts-{mode}-{seed}-{number}"

    def story(self, device):
        fails(device, self.cut)
        memory = device.memory
        memory.set(cut_at=memory.get("count") + self.second, tear=TEARS.index(self.tear))
        device.start().until_end("the power to fail again")
        expect(memory.get("was_cut") == 1, "QEMU ended without a second power cut")
        memory.set(cut_at=0, was_cut=0, version=0)
        told = comes_back(device, self.cut, further=False)
        first = f"{self.cut.phase}, {self.cut.tear} of operation {self.cut.number} done"
        return "two cuts", f"{first}, then {self.tear} of the {self.second}. after it: {told}"


class Reference:
    """A first start, an update from beginning to end, and one that is reverted; snapshots of the moments between."""

    def __init__(self, given, build, folder, port):
        self.snapshots = {}
        self.operations = {}
        self.first_start(given, build, folder, port)
        self.first_part(given, build, folder, port)
        self.second_part(given, build, folder, port)
        if build.mode != "overwrite":
            self.with_full_pages(given, build, folder, port)
            self.reverted(given, build, folder, port)

    def take(self, device, moment):
        memory = device.memory
        numbers = range(1, memory.get("count") + 1)
        self.operations[moment] = [phase(memory, moment, number) for number in numbers]
        if moment == REVERT:
            self.magic = next(number for number in numbers if memory.operation(number)[1] == len(MAGIC))
            last_page = (machine.SLOT1 + machine.SLOT_SIZE - machine.PAGE, machine.PAGE, "E", "B")
            erases = (number for number in numbers[self.magic :] if memory.operation(number) == last_page)
            self.trailer_erase = next(erases, None)

    def first_start(self, given, build, folder, port):
        """Version 1 from the factory, and the artifacts of the others on the server."""
        device = Device(given, build, folder / f"{build.mode}-first-start", port)
        try:
            device.memory.put(machine.SLOT0, build.images[1])
            for version in (2, 3):
                device.upload(version)
            self.snapshots[FIRST] = device.snapshot(f"{build.mode}-first")
            device.server.start()
            device.start()
            device.is_known()
            self.take(device, FIRST)
            self.snapshots[KNOWN] = device.snapshot(f"{build.mode}-known")
        except Failed as failure:
            raise Failed(f"{failure}\n{device.said()}") from failure
        finally:
            device.close()

    def with_full_pages(self, given, build, folder, port):
        """An update within which the settings erase a page."""
        device = Device(given, build, folder / f"{build.mode}-fill", port, self.snapshots[KNOWN])
        try:
            device.memory.set(fill=FILL)
            device.start().until(lambda: device.memory.get("fill") == 0, "the settings to be filled")
            self.snapshots[FULL] = device.snapshot(f"{build.mode}-full")
        finally:
            device.close()
        device = Device(given, build, folder / f"{build.mode}-full-pages", port, self.snapshots[FULL])
        try:
            device.offer(2)
            device.start()
            device.ends(2, "success")
            memory = device.memory
            self.take(device, FULL)
            numbers = range(1, memory.get("count") + 1)
            records = [number for number in numbers if memory.phase(number) == "record"]
            erases = [number for number in records if memory.operation(number)[2] == "E"]
            expect(erases, "no page of the settings was erased")
            for erase in erases:
                at = records.index(erase)
                for number in records[max(0, at - BEFORE_ERASE) : at + AFTER_ERASE + 1]:
                    self.operations[FULL][number - 1] = "page of records"
        finally:
            device.close()

    def first_part(self, given, build, folder, port):
        device = Device(given, build, folder / f"{build.mode}-first-part", port, self.snapshots[KNOWN])
        try:
            device.offer(2)
            device.start(reboots=False).until_end("the restart into the new image")
            self.take(device, KNOWN)
            self.snapshots[ARMED] = device.snapshot(f"{build.mode}-armed")
        finally:
            device.close()

    def second_part(self, given, build, folder, port):
        device = Device(given, build, folder / f"{build.mode}-second-part", port, self.snapshots[ARMED])
        try:
            device.start()
            device.ends(2, "success")
            self.take(device, ARMED)
        finally:
            device.close()

    def reverted(self, given, build, folder, port):
        device = Device(given, build, folder / f"{build.mode}-revert-part", port, self.snapshots[ARMED])
        try:
            device.memory.set(trial=machine.FAULTS)
            device.start(reboots=False).until_end("the restart of the new image")
            self.snapshots[REVERT] = device.snapshot(f"{build.mode}-revert")
        finally:
            device.close()
        device = Device(given, build, folder / f"{build.mode}-reverted", port, self.snapshots[REVERT])
        try:
            device.start()
            device.ends(2, "failure")
            self.take(device, REVERT)
        finally:
            device.close()

    def cuts(self, long):
        """Cuts spread over each phase, with the tears by turns."""
        chosen = []
        for moment in self.operations:
            for phase in PHASES[moment]:
                numbers = [at for at, each in enumerate(self.operations[moment], 1) if each == phase]
                pairs = spread(numbers, (MANY if long else FEW)[phase])
                if long and phase in ("swap", "revert"):
                    pairs += [(number, tear) for number in numbers[:EDGE] + numbers[-EDGE:] for tear in TEARS]
                goes_on = {"download": numbers, "swap": numbers[:-EDGE]}.get(phase, [])
                chosen += [Cut(moment, *pair, phase, pair[0] in goes_on) for pair in dict.fromkeys(pairs)]
        return chosen


def phases(mode):
    """Of which there must be cuts in that mode of MCUboot."""
    no_way_back = ("page of records", "revert", "two cuts")
    return [phase for phase in FEW if mode != "overwrite" or phase not in no_way_back]


def spread(numbers, count):
    """That many of the numbers, each from the middle of its share, with a tear; of few numbers, each with several."""
    if count >= len(numbers):
        pairs = [(number, tear) for number in numbers for tear in TEARS]
        return pairs[:: max(1, len(pairs) // count)][:count]
    at = lambda n: numbers[(2 * n + 1) * len(numbers) // (2 * count)]
    return [(at(n), TEARS[(n + at(n)) % len(TEARS)]) for n in range(count)]


def name_of(mode, cut):
    return f"cut-{mode}-{cut.moment}-{cut.number}-{cut.tear}"


def fails(device, cut):
    """The power fails in that operation."""
    memory = device.memory
    memory.set(cut_at=cut.number, tear=TEARS.index(cut.tear))
    if cut.moment in (KNOWN, FULL):
        device.offer(2)
    device.start().until_end("the power to fail")
    expect(memory.get("was_cut") == 1, "QEMU ended without a power cut")
    memory.set(cut_at=0, was_cut=0, version=0)
    found = cut.phase if cut.moment == FULL else phase(memory, cut.moment, memory.get("count"))
    if found != cut.phase:
        raise Missed(f"the power failed in {found}, not in {cut.phase}")


def comes_back(device, cut, further):
    """One of the two images runs whole, the other is what it must be, and the server hears the truth once."""
    device.start()
    told = device.ends(2)
    swapped = cut.moment in (ARMED, REVERT) or told == "success"
    version = 2 if told == "success" else 1
    device.holds(version, (3 - version) if swapped else None)
    expect(told == "failure" or cut.moment != REVERT, "an image that faults was a success")
    expect(told == "success" or not cut.succeeds, f"a good update failed after a cut in the {cut.phase}")
    if further or device.is_asked_for_a_swap():
        device.updates_next(version)
    return f"{told}, and that is true"


def begins_again(device, further):
    """The server knows one device with one key, and its first update works."""
    device.start()
    device.is_known()
    if further:
        device.updates_next(1)
    device.holds(3 if further else 1)
    keys = [each["auth_sets"] for each in device.server.list("devices")]
    expect([len(each) for each in keys] == [1], f"not one device with one key: {keys}")
    return "one device with one key"


def story(cut, further):
    """What is run for one cut."""

    def run(device):
        fails(device, cut)
        came = begins_again(device, further) if cut.moment == FIRST else comes_back(device, cut, further)
        next_one = "; the next update works" if further else ""
        return cut.phase, f"{cut.phase}, {cut.tear} of it done: {came}{next_one}"

    return run


def beginning_of_a_revert(*cuts):
    """A self-test fails, and MCUboot begins to revert: cuts at operations counted from the one before, with their tears."""

    def run(device):
        memory = device.memory
        memory.set(trial=machine.SELF_TEST_FAILS)
        device.start(reboots=False).until_end("the restart of the new image")
        for after, tear in cuts:
            memory.set(cut_at=memory.get("count") + after, tear=tear, was_cut=0)
            device.start().until_end("the power to fail")
            expect(memory.get("was_cut") == 1, "QEMU ended without a power cut")
        memory.set(cut_at=0, was_cut=0, version=0)

    return run


def is_reverted(device, reverted, other):
    """The server hears what became of it, the other image is in slot 1 (None: none is), and the next update works."""
    device.start()
    device.ends(2, "failure")
    device.holds(1 if reverted else 2, other)
    device.is_named("release-1" if reverted else "release-2_INCONSISTENT")
    device.updates_next(1 if reverted else 2)
    return "the revert comes" if reverted else "MCUboot loses the revert, as is known, and the server hears that"


def torn_magic_twice(reference):
    """Two cuts at the beginning of a revert, the first in the magic: what docs/reliability.md says of it."""
    cut = beginning_of_a_revert((reference.magic, TEARS.index("half")), (SECOND_CUT_AFTER, TEARS.index("nothing")))

    def run(device):
        cut(device)
        back = device.build.mode == "scratch"
        end = is_reverted(device, back, 2 if back else 1)
        again = f"the power fails again {SECOND_CUT_AFTER} operations later"
        return f"The magic of a revert is torn, and {again}: {end}; the next update works."

    return run


def magic_survives(reference):
    """Of a trailer that is erased when a revert begins, the magic is left: what docs/reliability.md says of it."""
    cut = beginning_of_a_revert((reference.trailer_erase, machine.BUT_MAGIC))

    def run(device):
        cut(device)
        expect(device.is_asked_for_a_swap(), "no magic was left")
        back = device.build.mode == "move"
        # With an offset MCUboot has erased the header of what it would have swapped in.
        end = is_reverted(device, back, 2 if back else None)
        return f"Of the trailer that asks for a revert the magic alone is not erased: {end}; the next update works."

    return run
