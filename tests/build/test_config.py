# SPDX-License-Identifier: Apache-2.0
"""What a wrong configuration is told, without Zephyr: Kconfig's names and help, what the compiler says, and embedded certificates."""

import base64
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ZEPHYR = REPOSITORY / "zephyr"
FIXTURES = REPOSITORY / "tests/twister/net/fixtures"

# As zephyr/sys/util.h and zephyr/toolchain/gcc.h have them.
KERNEL_H = """
#pragma once
#define XXXX1 YYYY,
#define IS_ENABLED(x) IS_ENABLED1(x)
#define IS_ENABLED1(x) IS_ENABLED2(XXXX##x)
#define IS_ENABLED2(x) IS_ENABLED3(x 1, 0)
#define IS_ENABLED3(ignored, x, ...) x
#define BUILD_ASSERT(good, text) _Static_assert(good, text)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ARG_UNUSED(x) (void)(x)
#define K_FOREVER 0
struct k_mutex { int any; };
int k_mutex_lock(struct k_mutex *, int);
int k_mutex_unlock(struct k_mutex *);
"""

# So much of Zephyr and PSA that the ports can be read.
HEADERS = {
    "zephyr/kernel.h": KERNEL_H,
    "zephyr/devicetree.h": "#define DT_HAS_CHOSEN(name) 0\n#define DT_NODELABEL(label) 1\n#define DT_NODE_EXISTS(node) 1\n"
                           "#define DT_MTD_FROM_FIXED_PARTITION(node) 1\n#define DT_PROP_OR(node, name, other) ERASE_BLOCK\n",
    # As Zephyr's configuration of Mbed TLS has them, unless the application's header changes them.
    "mbedtls/ssl.h": "".join(f"#ifndef MBEDTLS_SSL_{way}_CONTENT_LEN\n#define MBEDTLS_SSL_{way}_CONTENT_LEN "
                             "CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN\n#endif\n" for way in ("IN", "OUT")),
    "zephyr/logging/log.h": "#define LOG_MODULE_DECLARE(...) extern int log_module\n#define LOG_ERR(...) (void)0\n",
    "zephyr/net/net_ip.h": "#define AF_INET 2\n",
    "zephyr/net/socket.h": "#define SOL_TLS 1\n#define TLS_SEC_TAG_LIST 1\n#define TLS_HOSTNAME 2\n#define TLS_PEER_VERIFY 3\n"
                           "#define TLS_PEER_VERIFY_REQUIRED 2\nint zsock_setsockopt(int, int, int, const void *, size_t);\n",
    "zephyr/net/tls_credentials.h": """
typedef int sec_tag_t;
enum tls_credential_type { TLS_CREDENTIAL_CA_CERTIFICATE, TLS_CREDENTIAL_PUBLIC_CERTIFICATE, TLS_CREDENTIAL_PRIVATE_KEY };
int tls_credential_add(sec_tag_t, enum tls_credential_type, const void *, size_t);
int tls_credential_get(sec_tag_t, enum tls_credential_type, void *, size_t *);
""",
    "psa/crypto.h": """
#include <stddef.h>
#include <stdint.h>
typedef int32_t psa_status_t;
typedef uint32_t psa_key_id_t, psa_algorithm_t, psa_key_type_t;
typedef struct { int any; } psa_key_attributes_t;
typedef struct { unsigned char any[PSA_HASH_SIZE]; } psa_hash_operation_t;
#define PSA_KEY_ATTRIBUTES_INIT {0}
#define PSA_SUCCESS 0
#define PSA_ERROR_INVALID_HANDLE -136
#define PSA_ERROR_DOES_NOT_EXIST -140
#define PSA_ERROR_INVALID_ARGUMENT -135
#define PSA_ERROR_INVALID_SIGNATURE -149
#define PSA_KEY_LIFETIME_PERSISTENT 1
#define PSA_KEY_USAGE_SIGN_HASH 1
#define PSA_KEY_USAGE_VERIFY_HASH 2
#define PSA_ECC_FAMILY_SECP_R1 1
#define PSA_ALG_SHA_256 1
#define PSA_ALG_ECDSA(hash) 1
#define PSA_ALG_RSA_PKCS1V15_SIGN(hash) 2
#define PSA_KEY_TYPE_ECC_KEY_PAIR(family) 1
#define PSA_KEY_TYPE_ECC_PUBLIC_KEY(family) 2
#define PSA_KEY_TYPE_RSA_PUBLIC_KEY 3
psa_status_t psa_get_key_attributes(psa_key_id_t, psa_key_attributes_t *);
void psa_reset_key_attributes(psa_key_attributes_t *);
void psa_set_key_id(psa_key_attributes_t *, psa_key_id_t);
void psa_set_key_lifetime(psa_key_attributes_t *, uint32_t);
void psa_set_key_type(psa_key_attributes_t *, psa_key_type_t);
void psa_set_key_bits(psa_key_attributes_t *, size_t);
void psa_set_key_algorithm(psa_key_attributes_t *, psa_algorithm_t);
void psa_set_key_usage_flags(psa_key_attributes_t *, uint32_t);
psa_status_t psa_generate_key(const psa_key_attributes_t *, psa_key_id_t *);
psa_status_t psa_export_public_key(psa_key_id_t, uint8_t *, size_t, size_t *);
psa_status_t psa_sign_hash(psa_key_id_t, psa_algorithm_t, const uint8_t *, size_t, uint8_t *, size_t, size_t *);
psa_status_t psa_verify_hash(psa_key_id_t, psa_algorithm_t, const uint8_t *, size_t, const uint8_t *, size_t);
psa_status_t psa_import_key(const psa_key_attributes_t *, const uint8_t *, size_t, psa_key_id_t *);
psa_status_t psa_destroy_key(psa_key_id_t);
psa_status_t psa_generate_random(uint8_t *, size_t);
psa_hash_operation_t psa_hash_operation_init(void);
psa_status_t psa_hash_setup(psa_hash_operation_t *, psa_algorithm_t);
psa_status_t psa_hash_abort(psa_hash_operation_t *);
psa_status_t psa_hash_update(psa_hash_operation_t *, const uint8_t *, size_t);
psa_status_t psa_hash_finish(psa_hash_operation_t *, uint8_t *, size_t, size_t *);
""",
}

# What the ports are compiled with beside the embedded files.
PORTS = {
    "CONFIG_MENDER_MCU_KEY_ID": "0x30004d45",
    "CONFIG_MENDER_MCU_TLS_TAG_BASE": 19712,
    "CONFIG_MENDER_MCU_TLS_CA_TAG": -1,
    "CONFIG_MENDER_MCU_TLS_CLIENT_TAG": -1,
    "CONFIG_NET_SOCKETS_TLS_MAX_CREDENTIALS": 8,
    "CONFIG_TLS_MAX_CREDENTIALS_NUMBER": 8,
    "PSA_HASH_SIZE": 120,
}
CA = ("--api", FIXTURES / "ca.der")
CLIENT = ("--certificate", FIXTURES / "api.der", "--key", FIXTURES / "server-key.der")
KEYS = REPOSITORY / "tests/conformance/fixtures/keys"
P256, RSA = ("--keys", KEYS / "p256.pub.pem"), ("--keys", KEYS / "rsa2048.pub.pem")
SIGNED = {"CONFIG_MENDER_MCU_SIGNATURES": 1}

# A port, the files embedded, what is configured otherwise, and what must be said.
PORT_CASES = [
    ("tls.c", CA, {}, None),
    ("tls.c", (), {}, "CONFIG_MENDER_MCU_CA_FILES"),
    ("tls.c", (), {"CONFIG_MENDER_MCU_TLS_CA_TAG": 1}, None),
    ("tls.c", CA, {"CONFIG_NET_SOCKETS_TLS_MAX_CREDENTIALS": 2}, "CONFIG_NET_SOCKETS_TLS_MAX_CREDENTIALS"),
    ("tls.c", CA, {"CONFIG_NET_SOCKETS_TLS_MAX_CREDENTIALS": 3}, None),
    ("tls.c", CA + CLIENT, {"CONFIG_TLS_MAX_CREDENTIALS_NUMBER": 2}, "CONFIG_TLS_MAX_CREDENTIALS_NUMBER"),
    ("tls.c", CA + CLIENT, {"CONFIG_TLS_MAX_CREDENTIALS_NUMBER": 3}, None),
    ("tls.c", CA, {"CONFIG_TLS_MAX_CREDENTIALS_NUMBER": 3, "CONFIG_MENDER_MCU_TLS_CA_TAG": 1, "CONFIG_MENDER_MCU_TLS_CLIENT_TAG": 2},
     "CONFIG_TLS_MAX_CREDENTIALS_NUMBER"),
    ("tls.c", CA, {"CONFIG_TLS_MAX_CREDENTIALS_NUMBER": 4, "CONFIG_MENDER_MCU_TLS_CA_TAG": 1, "CONFIG_MENDER_MCU_TLS_CLIENT_TAG": 2}, None),
    ("tls.c", CA + CLIENT, {"CONFIG_MENDER_MCU_TLS_CLIENT_TAG": 2}, "either CONFIG_MENDER_MCU_TLS_CLIENT_CERT_FILE or"),
    ("tls.c", CA, {"CONFIG_MENDER_MCU_TLS_CLIENT_TAG": 2}, None),
    ("port_crypto.c", (), {}, None),
    ("port_crypto.c", (), {"CONFIG_MENDER_MCU_KEY_FROM_APPLICATION": 1}, None),
    ("port_crypto.c", P256, SIGNED, None),
    ("port_crypto.c", (), SIGNED, "set CONFIG_MENDER_MCU_VERIFY_KEY_FILES"),
    ("port_crypto.c", P256, {}, "set CONFIG_MENDER_MCU_SIGNATURES=y"),
    ("port_crypto.c", RSA, SIGNED, "set CONFIG_MENDER_MCU_VERIFY_RSA=y"),
    ("port_crypto.c", RSA, SIGNED | {"CONFIG_PSA_WANT_ALG_RSA_PKCS1V15_SIGN": 1}, "set CONFIG_MENDER_MCU_VERIFY_RSA=y"),
    ("port_crypto.c", RSA, SIGNED | {"CONFIG_PSA_WANT_ALG_RSA_PKCS1V15_SIGN": 1, "CONFIG_PSA_WANT_KEY_TYPE_RSA_PUBLIC_KEY": 1}, None),
    ("port_hash.c", (), {}, None),
    ("port_hash.c", (), {"PSA_HASH_SIZE": 400}, "set CONFIG_MENDER_MCU_SHA256_PSA=n"),
]

GOOD = {
    "CONFIG_MENDER_MCU_PROBE_TIMEOUT_S": 900,
    "CONFIG_MENDER_MCU_COMMIT_DEADLINE_S": 1800,
    "CONFIG_MENDER_MCU_RETRY_INTERVAL_S": 60,
    "CONFIG_MENDER_MCU_RETRY_INTERVAL_MAX_S": 300,
    "CONFIG_MENDER_MCU_TLS_RECORD_MAX": 16384,
    "CONFIG_SECURE_STORAGE": 1,
    "CONFIG_SETTINGS_NVS": 1,
    "CONFIG_SETTINGS_NVS_SECTOR_SIZE_MULT": 1,
    "ERASE_BLOCK": 2048,
    "CONFIG_FLASH_HAS_EXPLICIT_ERASE": 1,
    "CONFIG_NET_SOCKETS_SOCKOPT_TLS": 1,
    "CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS": 2,
    "CONFIG_NET_SOCKETS_CONNECT_TIMEOUT": 15000,
    "CONFIG_MBEDTLS_BUILTIN": 1,
    "CONFIG_MBEDTLS_SERVER_NAME_INDICATION": 1,
    "CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN": 16384,
    "CONFIG_MBEDTLS_ENABLE_HEAP": 1,
    "CONFIG_MBEDTLS_HEAP_SIZE": 90000,
}

KEY_ON_ZMS = {"CONFIG_SECURE_STORAGE_ITS_STORE_IMPLEMENTATION_ZMS": 1}
PUBLIC = {"CONFIG_MENDER_MCU_TLS_PUBLIC_CA": 1, "CONFIG_MENDER_MCU_THREAD": 1, "CONFIG_MENDER_MCU_THREAD_STACK_SIZE": 5120}
# By a header of the application.
SMALL_OUT = {"MBEDTLS_SSL_OUT_CONTENT_LEN": 2048, "CONFIG_MBEDTLS_HEAP_SIZE": 61000}
ZMS = {"CONFIG_SETTINGS_NVS": None, "CONFIG_SETTINGS_ZMS": 1}

# What is configured otherwise, and what must then be said; nothing: it is allowed.
CASES = [
    ({}, None),
    ({"CONFIG_MCUBOOT_BOOTLOADER_USES_SHA512": 1}, "SHA-256"),
    ({"CONFIG_MCUBOOT_BOOTLOADER_SIGNATURE_TYPE_PURE": 1}, "SHA-256"),
    ({"CONFIG_TEST_RANDOM_GENERATOR": 1}, "CONFIG_MENDER_MCU_KEYS_NOT_SECURE"),
    ({"CONFIG_FAKE_ENTROPY_NATIVE_SIM": 1}, "CONFIG_MENDER_MCU_KEYS_NOT_SECURE"),
    ({"CONFIG_TEST_RANDOM_GENERATOR": 1, "CONFIG_MENDER_MCU_KEYS_NOT_SECURE": 1}, None),
    ({"CONFIG_SECURE_STORAGE": None}, "CONFIG_SECURE_STORAGE"),
    ({"CONFIG_SECURE_STORAGE_ITS_STORE_IMPLEMENTATION_NONE": 1}, "storage partition"),
    ({"CONFIG_SECURE_STORAGE": None, "CONFIG_PSA_CRYPTO_PROVIDER_CUSTOM": 1}, None),
    ({"CONFIG_SECURE_STORAGE": None, "CONFIG_MENDER_MCU_KEY_FROM_APPLICATION": 1}, None),
    ({"CONFIG_SETTINGS_NVS": None}, "CONFIG_SETTINGS_NVS"),
    # Data flash of Renesas's RA.
    ({"ERASE_BLOCK": 64}, "raise CONFIG_SETTINGS_NVS_SECTOR_SIZE_MULT"),
    ({"ERASE_BLOCK": 64, "CONFIG_SETTINGS_NVS_SECTOR_SIZE_MULT": 32}, None),
    (ZMS, "power cuts"),
    (ZMS | {"CONFIG_FLASH_HAS_EXPLICIT_ERASE": None, "CONFIG_FLASH_HAS_NO_EXPLICIT_ERASE": 1}, None),
    (KEY_ON_ZMS, "device key would lie on ZMS"),
    (KEY_ON_ZMS | {"CONFIG_FLASH_HAS_NO_EXPLICIT_ERASE": 1}, None),
    (PUBLIC, None),
    (PUBLIC | {"CONFIG_MENDER_MCU_THREAD_STACK_SIZE": 4096}, "set CONFIG_MENDER_MCU_THREAD_STACK_SIZE to 5120"),
    (PUBLIC | {"CONFIG_MENDER_MCU_THREAD_STACK_SIZE": 4096, "CONFIG_MENDER_MCU_TLS_PUBLIC_CA": None}, None),
    (PUBLIC | {"CONFIG_MENDER_MCU_THREAD": None, "CONFIG_MENDER_MCU_THREAD_STACK_SIZE": None}, None),
    ({"CONFIG_MENDER_MCU_PROBE_TIMEOUT_S": 1800}, "set CONFIG_MENDER_MCU_COMMIT_DEADLINE_S"),
    ({"CONFIG_MENDER_MCU_PROBE_TIMEOUT_S": 1799}, None),
    ({"CONFIG_MENDER_MCU_RETRY_INTERVAL_S": 301}, "set CONFIG_MENDER_MCU_RETRY_INTERVAL_MAX_S"),
    ({"CONFIG_MENDER_MCU_RETRY_INTERVAL_S": 300}, None),
    ({"CONFIG_NET_SOCKETS_SOCKOPT_TLS": None}, "CONFIG_NET_SOCKETS_SOCKOPT_TLS"),
    ({"CONFIG_NET_SOCKETS_SOCKOPT_TLS": None, "CONFIG_MENDER_MCU_ALLOW_HTTP": 1}, None),
    ({"CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS": 1}, "CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS"),
    # Zephyr's own, and the least.
    ({"CONFIG_NET_SOCKETS_CONNECT_TIMEOUT": 3000}, "set CONFIG_NET_SOCKETS_CONNECT_TIMEOUT=15000"),
    ({"CONFIG_NET_SOCKETS_CONNECT_TIMEOUT": 5000}, None),
    ({"CONFIG_NET_SOCKETS_CONNECT_TIMEOUT": 3000, "CONFIG_MENDER_MCU_TLS_APPLICATION": 1}, None),
    ({"CONFIG_NET_SOCKETS_CONNECT_TIMEOUT": 3000, "CONFIG_NET_SOCKETS_SOCKOPT_TLS": None, "CONFIG_MENDER_MCU_ALLOW_HTTP": 1}, None),
    ({"CONFIG_MBEDTLS_SERVER_NAME_INDICATION": None}, "CONFIG_MBEDTLS_SERVER_NAME_INDICATION"),
    ({"CONFIG_MBEDTLS_PSA_P256M_DRIVER_ENABLED": 1}, "CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED"),
    ({"CONFIG_MBEDTLS_PSA_P256M_DRIVER_ENABLED": 1, "CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED": 1}, None),
    ({"CONFIG_MENDER_MCU_TRUSTED_CLOCK": 1}, "CONFIG_MBEDTLS_HAVE_TIME_DATE"),
    ({"CONFIG_MENDER_MCU_TRUSTED_CLOCK": 1, "CONFIG_MBEDTLS_HAVE_TIME_DATE": 1}, None),
    ({"CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN": 1500}, "-S mender-mcu"),
    ({"CONFIG_MBEDTLS_HEAP_SIZE": 60000}, "-S mender-mcu"),
    ({"CONFIG_MENDER_MCU_TLS_RECORD_MAX": 4096, "CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN": 4096,
      "CONFIG_MBEDTLS_HEAP_SIZE": 45000}, None),
    # Buffers are as large as Mbed TLS has them, whatever comes from the server.
    ({"CONFIG_MENDER_MCU_TLS_RECORD_MAX": 4096, "CONFIG_MBEDTLS_HEAP_SIZE": 45000}, "-S mender-mcu"),
    (SMALL_OUT, None),
    (SMALL_OUT | {"CONFIG_MBEDTLS_HEAP_SIZE": 60000}, "CONFIG_MBEDTLS_HEAP_SIZE"),
    ({"MBEDTLS_SSL_IN_CONTENT_LEN": 4096}, "CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN"),
]


@unittest.skipUnless(shutil.which("cc"), "no C compiler")
class Checks(unittest.TestCase):
    def sentences(self, source, configuration, embedded=()):
        """What a C file says of a configuration, and nothing else is wrong with it."""
        defines = [f"-D{name}={value}" for name, value in configuration.items() if value is not None]
        with tempfile.TemporaryDirectory() as folder:
            for name, text in HEADERS.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="ascii")
            embed = [sys.executable, ZEPHYR / "scripts/embed_credentials.py", "--out", Path(folder) / "mender_credentials.h"]
            subprocess.run([*embed, *embedded], check=True)
            include = [f"-I{path}" for path in (folder, REPOSITORY / "include", ZEPHYR / "src")]
            command = ["cc", "-std=c11", "-fsyntax-only", "-Werror", *include, *defines, ZEPHYR / "src" / source]
            told = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.findall(r'static assertion failed: "(.*)"', told.stderr)
        self.assertEqual(bool(found), told.returncode != 0, told.stderr)
        return found

    def test_a_wrong_configuration_is_told_one_sentence_that_says_what_to_do(self):
        for changes, expected in CASES:
            with self.subTest(changes=changes):
                found = self.sentences("checks.c", GOOD | changes)
                self.assertEqual(len(found), 0 if expected is None else 1, found)
                if expected is not None:
                    self.assertIn(expected, found[0])

    def test_what_a_port_cannot_do_is_told_by_one_sentence(self):
        for source, embedded, changes, expected in PORT_CASES:
            with self.subTest(source=source, embedded=embedded, changes=changes):
                found = self.sentences(source, PORTS | changes, embedded)
                self.assertEqual(len(found), 0 if expected is None else 1, found)
                if expected is not None:
                    self.assertIn(expected, found[0])

    def test_no_assertion_is_without_its_case(self):
        expected = [sentence for _, sentence in CASES] + [sentence for *_, sentence in PORT_CASES]
        for path in sorted((ZEPHYR / "src").glob("*.c")):
            for text in re.findall(r"^BUILD_ASSERT\((.*?)\);$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
                said = "".join(words or "-S mender-mcu " for words, _ in re.findall(r'"(.*?)"|(\bSNIPPET\b)', text))
                self.assertTrue(any(sentence and sentence in said for sentence in expected), f"{path.name}: {said}")


class Loops(unittest.TestCase):
    def test_no_macro_of_zephyr_polls_twice(self):
        # MIN() and its like evaluate one of their arguments twice. The second poll's answer would be taken for the first one's.
        for path in sorted(path for folder in ("samples", "tests", "zephyr") for path in (REPOSITORY / folder).rglob("*.c")):
            found = re.search(r"\b(MIN|MAX|CLAMP)\([^;]*\bmender_client_\w+\(", path.read_text(encoding="utf-8"))
            self.assertIsNone(found, path)


class Kconfig(unittest.TestCase):
    def test_every_symbol_of_ours_is_named_after_the_module(self):
        # Other clients define MENDER_MCU_CLIENT and the like; a symbol that two modules define is one with two meanings.
        text = "\n".join(path.read_text(encoding="utf-8") for path in ZEPHYR.glob("Kconfig*"))
        names = re.findall(r"^\s*(?:menu)?config (\w+)", text, re.MULTILINE)
        self.assertIn("MENDER_MCU", names)
        self.assertEqual([name for name in names if not re.fullmatch(r"MENDER_MCU(_\w+)?", name)], [])
        self.assertNotIn("MENDER_MCU_CLIENT", names)

    def entries(self):
        """What a user can set: keyword, name, and lines of each symbol or choice that has a prompt."""
        for path in sorted(ZEPHYR.glob("Kconfig*")):
            blocks = re.split(r"^(?=(?:menuconfig|config|choice) )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            for block in blocks[1:]:
                keyword, name = re.match(r"(\w+) (\w+)", block).groups()
                kind, prompt = re.search(r'^\t(bool|int|hex|string|prompt)\b(?: "(.*?)")?', block, re.MULTILINE | re.ASCII).groups() \
                    if keyword != "configdefault" else (None, None)
                if prompt:
                    choice = keyword == "config" and self.in_choice(path, name)
                    _, _, text = block.partition("\thelp\n")
                    lines = [line.strip() for line in text.split("\n") if line.startswith("\t  ")]
                    yield name, "member" if choice else kind, prompt, block, " ".join(lines)

    def in_choice(self, path, name):
        before = path.read_text(encoding="utf-8").partition(f"config {name}\n")[0]
        return before.count("\nchoice ") > before.count("\nendchoice")

    def test_every_help_has_the_reason_of_the_default_the_cost_and_the_range(self):
        found = list(self.entries())
        self.assertGreater(len(found), 50)
        for name, kind, prompt, block, text in found:
            with self.subTest(symbol=name):
                self.assertGreater(len(text), 10, "no help")
                if kind == "member":
                    # The choice has the rest.
                    continue
                self.assertRegex(text, r"\bdefault\b", "no word on the default")
                self.assertRegex(text, r"\b(flash|RAM)\b|\b[Cc]osts\b|each of two connections", "no cost")
                if kind in ("int", "hex"):
                    self.assertRegex(block, r"\n\trange ", "no range")
                if kind == "int" and not re.search("[Tt]ries|tag|own|Priority", prompt):
                    self.assertRegex(prompt, r"in (seconds|bytes)$", "no unit")


    def test_no_stack_can_be_set_that_a_handshake_overflows(self):
        block = next(block for name, _, _, block, _ in self.entries() if name == "MENDER_MCU_THREAD_STACK_SIZE")
        # docs/footprint.md has what the least chain uses.
        self.assertGreater(int(re.search(r"\n\trange (\d+) ", block).group(1)), 2560)


class Credentials(unittest.TestCase):
    def embed(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            header = Path(folder) / "mender_credentials.h"
            command = [sys.executable, ZEPHYR / "scripts/embed_credentials.py", "--out", header, *options]
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            return told.stderr, header.read_text(encoding="ascii") if told.returncode == 0 else ""

    def make(self, folder, *kind):
        path = Path(folder) / "ca.pem"
        command = ["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", Path(folder) / "key.pem", "-out", path]
        subprocess.run([*command, "-subj", "/CN=ca"], check=True, capture_output=True)
        return path

    @unittest.skipUnless(shutil.which("openssl"), "no openssl")
    def test_an_authority_that_the_preset_cannot_read_is_refused_by_name(self):
        for kind in (["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]):
            with tempfile.TemporaryDirectory() as folder:
                path = self.make(folder, *kind)
                told, _ = self.embed("--only-p256", "--api", path)
                self.assertIn("set CONFIG_MENDER_MCU_TLS_PUBLIC_CA=y", told)
                self.assertEqual(self.embed("--api", path)[0], "")

    def test_a_file_that_is_no_certificate_is_refused_by_name(self):
        good = base64.encodebytes((FIXTURES / "ca.der").read_bytes()).decode("ascii")
        key = base64.encodebytes((FIXTURES / "server-key.der").read_bytes()).decode("ascii")
        cases = ((good.rstrip()[:-1], "base64 is damaged"), (good.replace("M", "!", 1), "base64 is damaged"), (key, "is not a certificate"),
                 ("AgEB", "is not a certificate"), ("", "cut short"), (good[:5 * 77], "cut short"))
        for text, why in cases:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "ca.pem"
                path.write_text(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n", encoding="ascii")
                told, _ = self.embed("--api", path)
                self.assertRegex(told, rf"^mender-mcu: {path}: .*{why}.*\n$")

    @unittest.skipUnless(shutil.which("openssl"), "no openssl")
    def test_an_encrypted_key_is_told_how_to_decrypt_it(self):
        with tempfile.TemporaryDirectory() as folder:
            plain, path = Path(folder) / "plain.pem", Path(folder) / "key.pem"
            subprocess.run(["openssl", "ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", plain], check=True)
            # The older form, with Proc-Type, and PKCS #8.
            for how in (["ec", "-aes128"], ["pkcs8", "-topk8"]):
                command = ["openssl", *how, "-in", plain, "-passout", "pass:secret", "-out", path]
                subprocess.run(command, check=True, capture_output=True)
                self.assertIn("ENCRYPTED", path.read_text(encoding="ascii"))
                told, _ = self.embed("--api", FIXTURES / "ca.der", "--certificate", FIXTURES / "client.der", "--key", path)
                self.assertRegex(told, rf"^mender-mcu: {path}: is encrypted.*`openssl pkey -in key.pem -out decrypted.pem`\n$")
                subprocess.run(["openssl", "pkey", "-in", path, "-passin", "pass:secret", "-out", plain], check=True)
                told, header = self.embed("--api", FIXTURES / "ca.der", "--certificate", FIXTURES / "client.der", "--key", plain)
                self.assertEqual(told, "")
                self.assertIn("mender_client_key_0", header)

    def test_a_client_certificate_is_embedded_with_its_key(self):
        certificate, key = FIXTURES / "api.der", FIXTURES / "server-key.der"
        told, header = self.embed("--only-p256", "--api", FIXTURES / "ca.der", "--certificate", certificate, "--key", key)
        self.assertEqual(told, "")
        for name in ("mender_ca_api", "mender_client_certificate", "mender_client_key"):
            self.assertIn(f"{{{name}_0, sizeof({name}_0)}}", header)


if __name__ == "__main__":
    unittest.main()
