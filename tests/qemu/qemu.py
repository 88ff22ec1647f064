#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Updates and power cuts of firmware under MCUboot itself, in QEMU's mps2-an385, against mender-server over TLS.

    qemu.py --server target/debug/mender-server --testkit target/debug/mender-testkit --ca DIR --builds DIR
            [--mode MODE]... [--long] [--only TEXT] [--seed N]

BUILDS/MODE is what firmware.py made, with the CA of the server (tests/native_sim/updates.py --make-ca DIR). One line for each
scenario and each cut, then a table of them; exit code 0: all went well, 1: some did not. Listens on ports of localhost from
--port on.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import queue
import shutil
import sys
import tempfile
import time
import traceback

import cuts
import stories
from device import Build, Device, Disturbed
from machine import updates
from updates import Failed

FIRST_PORT = 18600
# They sleep most of the time.
WORKERS = min(16, 8 * (os.cpu_count() or 1))
PATIENCE_S = 150
MODES = ("offset", "move", "scratch", "overwrite")
# After every so many cuts the next update is made, too.
FURTHER_EVERY = 8
# Random runs in the long form.
SEEDS = 5
# How often a run is made again that was not what it was to be, such as a cut that hit another phase.
TRIES = 4


class Pool:
    """Runs devices at the same time, each on ports of its own."""

    def __init__(self, given, folder):
        self.given, self.folder = given, folder
        self.ports = queue.Queue()
        for number in range(given.workers):
            self.ports.put(given.port + 2 * number)
        self.executor = concurrent.futures.ThreadPoolExecutor(given.workers)

    def submit(self, name, build, snapshot, story):
        return self.executor.submit(self.run, name, build, snapshot, story)

    def prepared(self, prepare, *arguments):
        """What comes before the runs, on a port like theirs."""
        return self.executor.submit(self.with_port, prepare, *arguments)

    def with_port(self, prepare, *arguments):
        port = self.ports.get()
        try:
            return prepare(port, *arguments)
        finally:
            self.ports.put(port)

    def run(self, name, build, snapshot, story):
        """Gives the group that it belongs to, a line, and whether it went well."""
        return self.with_port(self.run_at, name, build, snapshot, story)

    def run_at(self, port, name, build, snapshot, story):
        for _ in range(TRIES):
            try:
                return self.run_once(port, name, build, snapshot, story)
            except Disturbed as disturbed:
                why = disturbed
                print(f"again {name}: {why}", flush=True)
        return "failed", False, f"FAILED {name}: {why}, {TRIES} times"

    def run_once(self, port, name, build, snapshot, story):
        began = time.monotonic()
        device = Device(self.given, build, self.folder / name, port, snapshot)
        try:
            told = story(device) or story.__doc__.strip()
            group, text = told if isinstance(told, tuple) else ("scenarios", told)
            return group, True, f"ok {name}: {text} ({time.monotonic() - began:.0f} s)"
        except Disturbed:
            raise
        except Exception as failure:  # whatever it is, the others go on
            why = str(failure) if isinstance(failure, Failed) else traceback.format_exc()
            line = f"{device.said()}\nFAILED {name}: {why}\nagain: cargo xtask qemu --mode {build.mode} --only {name}"
            return "failed", False, line + (" --long" if self.given.long else "")
        finally:
            device.close()
            shutil.rmtree(device.folder)


def scenarios_of(mode, given):
    """Names and stories, the long ones first."""
    if mode == given.mode[0] != "overwrite":
        yield from ((each.__name__, each) for each in stories.ONCE)
    if mode != "overwrite":
        yield from ((each.__name__, each) for each in stories.SWAPPING)
        for seed in range(given.seed, given.seed + (SEEDS if given.long else 1)):
            yield f"killed-{seed}", stories.killed(seed)
    else:
        yield stories.no_way_back.__name__, stories.no_way_back
    yield from ((each.__name__, each) for each in stories.EVERYWHERE)


def submit_all(given, pool, build, reference):
    """Everything there is for a mode; each comes with its group, which is known when it is over."""

    def submit(name, moment, story):
        if given.only is None or given.only in name:
            yield pool.submit(name, build, reference.snapshots[moment], story)

    for name, story in scenarios_of(build.mode, given):
        yield from submit(f"{name}-{build.mode}", cuts.KNOWN, story)
    for number, cut in enumerate(reference.cuts(given.long)):
        yield from submit(cuts.name_of(build.mode, cut), cut.moment, cuts.story(cut, number % FURTHER_EVERY == 0))
    if build.mode == "overwrite":
        return
    yield from submit(f"torn_magic_twice-{build.mode}", cuts.ARMED, cuts.torn_magic_twice(reference))
    if build.mode != "scratch":
        yield from submit(f"magic_survives-{build.mode}", cuts.ARMED, cuts.magic_survives(reference))
    for number in range((cuts.MANY if given.long else cuts.FEW)["two cuts"]):
        pair = cuts.Pairs(reference, build.mode, number, given.seed)
        yield from submit(pair.name, pair.cut.moment, pair.story)


def run_all(given, folder):
    pool = Pool(given, folder)
    prepare = lambda port, build: cuts.Reference(given, build, folder, port)
    builds = [Build(given.builds, mode) for mode in given.mode]
    prepared = [(build, pool.prepared(prepare, build)) for build in builds]
    running = []
    for build, ready in prepared:
        running += [(build, each) for each in submit_all(given, pool, build, ready.result())]
    for build, each in running:
        yield (build.mode, *each.result())


def table(given, counts):
    """Scenarios and cuts, by mode."""
    groups = ["scenarios", *cuts.MANY]
    lines = [["mode", *groups]]
    lines += [[mode, *(str(counts[mode, group]) for group in groups)] for mode in given.mode]
    for line in lines:
        print("  ".join(word.ljust(15) for word in line).rstrip())
    scenarios = sum(counts[mode, "scenarios"] for mode in given.mode)
    cut = sum(counts[mode, group] for mode in given.mode for group in groups[1:])
    print(f"{scenarios} scenarios and {cut} power cuts as expected, {counts['failed']} not")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--server", "--testkit", "--ca", "--builds"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    parser.add_argument("--mode", action="append", choices=MODES, help="one of MCUboot's modes (all)")
    parser.add_argument("--long", action="store_true", help="over 200 power cuts")
    parser.add_argument("--only", metavar="TEXT", help="what has this in its name")
    parser.add_argument("--seed", type=int, default=1, help="of what is random: kills, pairs of cuts")
    parser.add_argument("--port", type=int, default=FIRST_PORT)
    parser.add_argument("--workers", type=int, default=WORKERS, help="machines at the same time")
    given = parser.parse_args()
    given.mode = given.mode or MODES
    updates.PATIENCE_S = PATIENCE_S
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for mode, group, well, line in run_all(given, pathlib.Path(folder)):
            counts[(mode, group) if well else "failed"] += 1
            print(line, flush=True)
    table(given, counts)
    missing = [] if given.only else [(mode, each) for mode in given.mode for each in cuts.phases(mode) if not counts[mode, each]]
    for mode, each in missing:
        print(f"no power cut in {each}, {mode}")
    sys.exit(1 if counts["failed"] or missing or not counts else 0)


if __name__ == "__main__":
    main()
