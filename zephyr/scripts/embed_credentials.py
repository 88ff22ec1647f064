# SPDX-License-Identifier: Apache-2.0
"""Writes trust anchors and artifact verification keys as C arrays. Needs nothing beyond Python's standard library."""

import argparse
import base64
import pathlib
import re
import sys

OID_ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")
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
    # PKCS #8 says it in the label (RFC 7468), the older forms in a header (RFC 1421).
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in raw or re.search(rb"^Proc-Type: *4, *ENCRYPTED", raw, re.MULTILINE):
        fail(path, "is encrypted, and a device has nobody to enter the passphrase: decrypt it first, "
             f"`openssl pkey -in {path.name} -out decrypted.pem`")
    # Keys say of which kind they are: "EC PRIVATE KEY".
    what = rb"(?:EC |RSA )?" + label
    found = re.findall(rb"-----BEGIN " + what + rb"-----(.*?)-----END " + what + rb"-----", raw, re.DOTALL)
    if not found:
        fail(path, f"has no {label.decode()}, neither PEM nor DER")
    try:
        return [base64.b64decode(b"".join(body.split()), validate=True) for body in found]
    except ValueError:
        fail(path, "is not valid PEM: its base64 is damaged")
    return None


def check_certificate(path, der):
    """Refuses what is no certificate (RFC 5280): signed part, algorithm and signature."""
    tag, content, end = element(path, der)
    if tag != 0x30 or end != len(der) or [each for each, *_ in elements(path, content)] != [0x30, 0x30, 0x03]:
        fail(path, "is not a certificate")


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


def elements(path, der):
    """The elements inside a constructed DER element, as (tag, content, encoding)."""
    found, offset = [], 0
    while offset < len(der):
        tag, content, end = element(path, der, offset)
        found.append((tag, content, der[offset:end]))
        offset = end
    return found


def check_only_p256(path, der):
    """Refuses a certificate (RFC 5280) that the preset for own servers has no algorithms for."""
    _, certificate, _ = element(path, der)
    (_, signed, _), (_, algorithm, _), *_ = elements(path, certificate)
    fields = [each for each in elements(path, signed) if each[0] != 0xA0]
    _, key_info, _ = fields[5]
    _, key_algorithm, _ = element(path, key_info)
    _, oid, end = element(path, key_algorithm)
    if oid != OID_EC or element(path, key_algorithm, end)[1] != OID_P256:
        fail(path, "its key is not on P-256: set CONFIG_MENDER_MCU_TLS_PUBLIC_CA=y")
    if element(path, algorithm)[1] != OID_ECDSA_SHA256:
        fail(path, "it is not signed by ECDSA with SHA-256: set CONFIG_MENDER_MCU_TLS_PUBLIC_CA=y")


def array(name, data):
    lines = [", ".join(f"0x{byte:02x}" for byte in data[i : i + 16]) for i in range(0, len(data), 16)]
    return f"static const uint8_t {name}[] = {{\n\t" + ",\n\t".join(lines) + ",\n};\n"


def table(name, kind, rows):
    body = "".join(f"\t{row},\n" for row in rows)
    return f"static const struct {kind} {name}[] = {{\n{body}\t{{0}},\n}};\n"


def certificates(name, paths, only_p256, label=b"CERTIFICATE"):
    out, rows = [], []
    for path in paths:
        for der in blocks(path, label):
            if label == b"CERTIFICATE":
                check_certificate(path, der)
            if only_p256:
                check_only_p256(path, der)
            symbol = f"{name}_{len(rows)}"
            out.append(f"/* {path.name} */\n" + array(symbol, der))
            rows.append(f"{{{symbol}, sizeof({symbol})}}")
    return out + [table(name, "mender_certificate", rows)]


def client(certificate, key):
    """The client certificate and its key; more certificates of its chain would be taken for further ones."""
    for path in certificate:
        if len(blocks(path, b"CERTIFICATE")) != 1:
            fail(path, "has more than one certificate")
    parts = certificates("mender_client_certificate", certificate, False)
    return parts + certificates("mender_client_key", key, False, b"PRIVATE KEY")


def keys(paths):
    out, rows = [], []
    for path in paths:
        for der in blocks(path, b"PUBLIC KEY"):
            kind, key = public_key(path, der)
            symbol = f"mender_verify_key_{len(rows)}"
            out.append(f"/* {path.name} */\n" + array(symbol, key))
            rows.append(f"{{{symbol}, sizeof({symbol}), {kind}}}")
    if any("MENDER_KEY_RSA" in row for row in rows):
        out.append("#define MENDER_HAS_RSA_KEY 1\n")
    return out + [table("mender_verify_keys", "mender_verify_key", rows)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only-p256", action="store_true")
    for name in ("api", "storage", "keys", "certificate", "key"):
        parser.add_argument(f"--{name}", type=pathlib.Path, nargs="*", default=[])
    given = parser.parse_args()
    parts = certificates("mender_ca_api", given.api, given.only_p256)
    parts += certificates("mender_ca_storage", given.storage, given.only_p256)
    parts += keys(given.keys)
    parts += client(given.certificate, given.key)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("/* Made by embed_credentials.py. */\n\n" + "\n".join(parts), encoding="ascii")


if __name__ == "__main__":
    main()
