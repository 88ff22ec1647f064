# SPDX-License-Identifier: Apache-2.0
"""Writes trust anchors and artifact verification keys as C arrays. Needs nothing beyond Python's standard library."""

import argparse
import base64
import pathlib
import re
import sys

OID_EC = bytes.fromhex("2a8648ce3d0201")
OID_P256 = bytes.fromhex("2a8648ce3d030107")
OID_RSA = bytes.fromhex("2a864886f70d010101")


def fail(path, why):
    sys.exit(f"mender-mcu: {path}: {why}")


def blocks(path, label):
    """The DER of each PEM block with that label, or the file itself where it is DER."""
    raw = path.read_bytes()
    if raw[:1] == b"\x30":
        return [raw]
    found = re.findall(
        rb"-----BEGIN " + label + rb"-----(.*?)-----END " + label + rb"-----", raw, re.DOTALL
    )
    if not found:
        fail(path, f"has no {label.decode()}, neither PEM nor DER")
    return [base64.b64decode(body) for body in found]


def element(path, der, offset=0):
    """Tag, content and end of the DER element at an offset."""
    try:
        tag, length = der[offset], der[offset + 1]
        offset += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(der[offset : offset + count], "big")
            offset += count
    except IndexError:
        fail(path, "is cut short")
    if offset + length > len(der):
        fail(path, "is cut short")
    return tag, der[offset : offset + length], offset + length


def public_key(path, der):
    """Kind and bare key of a SubjectPublicKeyInfo (RFC 5280): what PSA imports."""
    _, info, _ = element(path, der)
    _, algorithm, end = element(path, info)
    _, bits, _ = element(path, info, end)
    _, oid, end = element(path, algorithm)
    key = bits[1:]
    if oid == OID_EC:
        _, curve, _ = element(path, algorithm, end)
        if curve != OID_P256 or len(key) != 65 or key[0] != 4:
            fail(path, "is an EC key, but not an uncompressed one on P-256")
        return "MENDER_KEY_P256", key
    if oid == OID_RSA:
        _, numbers, _ = element(path, key)
        _, modulus, _ = element(path, numbers)
        if not 2048 <= len(modulus.lstrip(b"\0")) * 8 <= 4096:
            fail(path, "is an RSA key, but not one of 2048 to 4096 bits")
        return "MENDER_KEY_RSA", key
    fail(path, "is neither an RSA nor a P-256 public key")
    return None


def array(name, data):
    lines = [", ".join(f"0x{byte:02x}" for byte in data[i : i + 16]) for i in range(0, len(data), 16)]
    return f"static const uint8_t {name}[] = {{\n\t" + ",\n\t".join(lines) + ",\n};\n"


def table(name, kind, rows):
    body = "".join(f"\t{row},\n" for row in rows)
    return f"static const struct {kind} {name}[] = {{\n{body}\t{{0}},\n}};\n"


def certificates(name, paths):
    out, rows = [], []
    for path in paths:
        for der in blocks(path, b"CERTIFICATE"):
            symbol = f"{name}_{len(rows)}"
            out.append(f"/* {path.name} */\n" + array(symbol, der))
            rows.append(f"{{{symbol}, sizeof({symbol})}}")
    return out + [table(name, "mender_certificate", rows)]


def keys(paths):
    out, rows = [], []
    for path in paths:
        for der in blocks(path, b"PUBLIC KEY"):
            kind, key = public_key(path, der)
            symbol = f"mender_verify_key_{len(rows)}"
            out.append(f"/* {path.name} */\n" + array(symbol, key))
            rows.append(f"{{{symbol}, sizeof({symbol}), {kind}}}")
    return out + [table("mender_verify_keys", "mender_verify_key", rows)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    for name in ("api", "storage", "keys"):
        parser.add_argument(f"--{name}", type=pathlib.Path, nargs="*", default=[])
    given = parser.parse_args()
    parts = certificates("mender_ca_api", given.api)
    parts += certificates("mender_ca_storage", given.storage)
    parts += keys(given.keys)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("/* Made by embed_credentials.py. */\n\n" + "\n".join(parts), encoding="ascii")


if __name__ == "__main__":
    main()
