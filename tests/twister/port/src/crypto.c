/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <psa/crypto.h>
#include <string.h>
#include <zephyr/settings/settings.h>
#include <zephyr/ztest.h>

#include "vectors.h"

/* Where Zephyr's secure storage keeps the device key: Mbed TLS is its caller number 2. */
static const char *stored_key(void)
{
	static char name[32];

	snprintk(name, sizeof(name), CONFIG_SECURE_STORAGE_ITS_STORE_SETTINGS_PREFIX "2/%x", CONFIG_MENDER_MCU_KEY_ID);
	return name;
}

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	psa_destroy_key(CONFIG_MENDER_MCU_KEY_ID);
	/* PSA does not destroy a key that it cannot read. */
	(void)settings_delete(stored_key());
}

ZTEST(crypto, test_a_device_key_is_absent_then_made_then_there)
{
	uint8_t point[65];

	zassert_equal(mender_port_crypto_device_key(), 0);
	zassert_true(mender_port_crypto_public_key(point) < 0);
	zassert_ok(mender_port_crypto_make_device_key());
	zassert_equal(mender_port_crypto_device_key(), 1);
	zassert_ok(mender_port_crypto_public_key(point));
	zassert_equal(point[0], 4);
	zassert_true(mender_port_crypto_make_device_key() < 0, "a key that is there is never replaced");
}

ZTEST(crypto, test_a_key_that_cannot_be_read_is_not_taken_for_absent)
{
	static const uint8_t garbage[64] = {1, 2, 3};
	uint8_t stored[sizeof(garbage)];

	zassert_ok(mender_port_crypto_make_device_key());
	zassert_true(settings_get_val_len(stored_key()) > 0, "the key is elsewhere");
	zassert_ok(settings_save_one(stored_key(), garbage, sizeof(garbage)));
	/* PSA would answer from its memory. */
	zassert_ok(psa_purge_key(CONFIG_MENDER_MCU_KEY_ID));
	zassert_true(mender_port_crypto_device_key() < 0);
	zassert_true(mender_port_crypto_make_device_key() < 0, "to the server it would be another device");
	zassert_equal(settings_load_one(stored_key(), stored, sizeof(stored)), sizeof(garbage));
	zassert_mem_equal(stored, garbage, sizeof(garbage));
}

ZTEST(crypto, test_the_private_key_does_not_leave_psa)
{
	uint8_t key[32];
	size_t len;

	zassert_ok(mender_port_crypto_make_device_key());
	zassert_equal(psa_export_key(CONFIG_MENDER_MCU_KEY_ID, key, sizeof(key), &len),
		      PSA_ERROR_NOT_PERMITTED);
}

ZTEST(crypto, test_signatures_verify_under_the_public_key)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id;
	uint8_t point[65];
	uint8_t signature[64];

	zassert_ok(mender_port_crypto_make_device_key());
	zassert_ok(mender_port_crypto_public_key(point));
	zassert_ok(mender_port_crypto_sign(hash, signature));
	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
	zassert_ok(psa_import_key(&attributes, point, sizeof(point), &id));
	zassert_ok(psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, 32, signature, 64));
	psa_destroy_key(id);
}

ZTEST(crypto, test_verification_keys_are_numbered_without_gaps)
{
	zassert_equal(mender_port_crypto_verification_key(0), MENDER_KEY_P256);
	zassert_equal(mender_port_crypto_verification_key(1), MENDER_KEY_RSA);
	zassert_equal(mender_port_crypto_verification_key(2), MENDER_KEY_NONE);
	zassert_true(mender_port_crypto_verify(2, hash, p256_signature, sizeof(p256_signature)) < 0);
}

ZTEST(crypto, test_known_signatures_are_good_and_changed_ones_are_not)
{
	uint8_t other[32];

	memcpy(other, hash, sizeof(other));
	other[31] ^= 1;
	zassert_equal(mender_port_crypto_verify(0, hash, p256_signature, sizeof(p256_signature)), 1);
	zassert_equal(mender_port_crypto_verify(0, other, p256_signature, sizeof(p256_signature)), 0);
	zassert_equal(mender_port_crypto_verify(1, hash, rsa_signature, sizeof(rsa_signature)), 1);
	zassert_equal(mender_port_crypto_verify(1, other, rsa_signature, sizeof(rsa_signature)), 0);
	zassert_not_equal(mender_port_crypto_verify(1, hash, p256_signature, sizeof(p256_signature)), 1);
	zassert_not_equal(mender_port_crypto_verify(0, hash, rsa_signature, sizeof(rsa_signature)), 1);
}

ZTEST(crypto, test_random_numbers_differ)
{
	zassert_not_equal(mender_port_crypto_random(), mender_port_crypto_random());
}

ZTEST_SUITE(crypto, NULL, NULL, before, NULL, NULL);
