#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of make-fixtures.sh that look into artifacts.

fixtures.py fixed-time FILE...         give header.tar*, header-augment.tar* and data/0000.tar* one fixed time
fixtures.py forge KEY SIGNED FOLDER     write SIGNED once per way of padding an RSA signature wrongly
fixtures.py settle [--check] FROM TO   move new artifacts to TO, but keep those that differ in an ECDSA signature only;
                                       with --check move nothing and exit 1 if anything differs
"""

import base64
import hashlib
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


def private_numbers(pem):
    """Modulus and private exponent of a PKCS#1 key."""
    der = base64.b64decode("".join(pem.read_text().splitlines()[1:-1]))

    def element(offset):
        size, start = der[offset + 1], offset + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(der[offset + 2 : start], "big")
        return start, start + size

    numbers, offset = [], element(0)[0]
    while offset < len(der):
        start, offset = element(offset)
        numbers.append(int.from_bytes(der[start:offset], "big"))
    return numbers[1], numbers[3]


def forged_blocks(digest, size):
    """Name and encoded message of each forgery; RFC 8017, 9.2 allows exactly one encoding."""
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    without_null = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest
    long_length = bytes.fromhex("308131300d060960864801650304020105000420") + digest
    short = b"\x00\x01" + b"\xff" * 8 + b"\x00"
    full = lambda first, content: first + b"\xff" * (size - len(first) - 1 - len(content)) + b"\x00" + content
    yield "garbage-after-hash", short + info + b"\xaa" * (size - len(short) - len(info))
    yield "short-padding", short + b"\x00" * (size - len(short) - len(info)) + info
    yield "without-null", full(b"\x00\x01", without_null)
    yield "long-form-length", full(b"\x00\x01", long_length)
    yield "block-type-2", full(b"\x00\x02", info)
    yield "bare-hash", full(b"\x00\x01", digest)


def forge(key, signed, folder):
    modulus, exponent = private_numbers(key)
    size = (modulus.bit_length() + 7) // 8
    artifact = signed.read_bytes()
    place = {name: slice(at + BLOCK, at + BLOCK + length) for at, name, length in members(artifact)}
    digest = hashlib.sha256(artifact[place[b"manifest"]]).digest()
    for name, block in forged_blocks(digest, size):
        signature = pow(int.from_bytes(block, "big"), exponent, modulus).to_bytes(size, "big")
        forged = bytearray(artifact)
        forged[place[b"manifest.sig"]] = base64.b64encode(signature)
        (folder / f"50-rsa-{name}.mender").write_bytes(forged)


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
    if arguments[0] == "forge":
        forge(*(pathlib.Path(name) for name in arguments[1:]))
        return 0
    check = "--check" in arguments
    source, target = (pathlib.Path(name) for name in arguments[1:] if name != "--check")
    return settle(source, target, check)


sys.exit(main(sys.argv[1:]))
