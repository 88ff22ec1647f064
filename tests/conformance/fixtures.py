#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of make-fixtures.sh that look into artifacts.

fixtures.py fixed-time FILE...         give header.tar*, header-augment.tar* and data/0000.tar* one fixed time
fixtures.py settle [--check] FROM TO   move new artifacts to TO, but keep those that differ in an ECDSA signature only;
                                       with --check move nothing and exit 1 if anything differs
"""

import pathlib
import sys

BLOCK = 512
FIXED_TIME = 1704164645  # 2024-01-02T03:04:05Z, as the input files
STAMPED = (b"header.tar", b"header-augment.tar", b"data/0000.tar")
ECDSA_SIGNATURE_SIZE = 88  # base64 of 64 bytes


def members(artifact):
    """Yields (offset of the header, name, size of the content)."""
    offset = 0
    while artifact[offset : offset + BLOCK].strip(b"\0"):
        name = bytes(artifact[offset : offset + 100]).split(b"\0")[0]
        size = int(bytes(artifact[offset + 124 : offset + 135]), 8)
        yield offset, name, size
        offset += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK


def fix_time(path):
    artifact = bytearray(path.read_bytes())
    for offset, name, _ in members(artifact):
        if name.startswith(STAMPED):
            artifact[offset + 136 : offset + 147] = b"%011o" % FIXED_TIME
            artifact[offset + 148 : offset + 156] = b" " * 8
            artifact[offset + 148 : offset + 156] = b"%06o\0 " % sum(artifact[offset : offset + BLOCK])
    path.write_bytes(artifact)


def without_random_signature(artifact):
    artifact = bytearray(artifact)
    for offset, name, size in members(artifact):
        if name == b"manifest.sig" and size == ECDSA_SIGNATURE_SIZE:
            artifact[offset + BLOCK : offset + BLOCK + size] = b"?" * size
    return artifact


def settle(source, target, check):
    made = sorted(source.glob("*.mender"))
    different = []
    for path in made:
        old = target / path.name
        new = path.read_bytes()
        if old.exists() and without_random_signature(old.read_bytes()) == without_random_signature(new):
            continue
        different.append(path.name)
        if not check:
            old.write_bytes(new)
    print(f"{len(made)} fixtures made, {len(different)} differ from those kept", *different)
    return 1 if check and different else 0


def main(arguments):
    if arguments[0] == "fixed-time":
        for name in arguments[1:]:
            fix_time(pathlib.Path(name))
        return 0
    check = "--check" in arguments
    source, target = (pathlib.Path(name) for name in arguments[1:] if name != "--check")
    return settle(source, target, check)


sys.exit(main(sys.argv[1:]))
