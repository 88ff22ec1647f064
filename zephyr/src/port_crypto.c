/* SPDX-License-Identifier: Apache-2.0 */
/* Answers are PSA's own numbers, -132 and below. */
#include <mender_port.h>
#include <psa/crypto.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "credentials.h"
#include "tls_in_use.h"

#include <mender_credentials.h>

LOG_MODULE_DECLARE(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

#ifdef MENDER_HAS_RSA_KEY
BUILD_ASSERT(IS_ENABLED(CONFIG_PSA_WANT_ALG_RSA_PKCS1V15_SIGN) && IS_ENABLED(CONFIG_PSA_WANT_KEY_TYPE_RSA_PUBLIC_KEY),
	     "PSA cannot use the RSA verification key: set CONFIG_MENDER_MCU_VERIFY_RSA=y");
#endif
BUILD_ASSERT(ARRAY_SIZE(mender_verify_keys) > 1 || !IS_ENABLED(CONFIG_MENDER_MCU_SIGNATURES),
	     "artifacts must be signed, and there is no key to verify them: set CONFIG_MENDER_MCU_VERIFY_KEY_FILES");
BUILD_ASSERT(ARRAY_SIZE(mender_verify_keys) == 1 || IS_ENABLED(CONFIG_MENDER_MCU_SIGNATURES),
	     "there is a verification key that would not be used: set CONFIG_MENDER_MCU_SIGNATURES=y");

#define DEVICE_ALG PSA_ALG_ECDSA(PSA_ALG_SHA_256)

int32_t mender_port_crypto_device_key(void)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;

	k_mutex_lock(&mender_tls_in_use, K_FOREVER);
	psa_status_t status = psa_get_key_attributes(CONFIG_MENDER_MCU_KEY_ID, &attributes);

	psa_reset_key_attributes(&attributes);
	k_mutex_unlock(&mender_tls_in_use);
	if (status == PSA_ERROR_INVALID_HANDLE || status == PSA_ERROR_DOES_NOT_EXIST) {
		return 0;
	}
	return status == PSA_SUCCESS ? 1 : status;
}

int32_t mender_port_crypto_make_device_key(void)
{
#ifdef CONFIG_MENDER_MCU_KEY_FROM_APPLICATION
	LOG_ERR("the application has no key 0x%x in PSA", CONFIG_MENDER_MCU_KEY_ID);
	return PSA_ERROR_DOES_NOT_EXIST;
#else
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id;

	psa_set_key_id(&attributes, CONFIG_MENDER_MCU_KEY_ID);
	psa_set_key_lifetime(&attributes, PSA_KEY_LIFETIME_PERSISTENT);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_bits(&attributes, 256);
	psa_set_key_algorithm(&attributes, DEVICE_ALG);
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH);
	k_mutex_lock(&mender_tls_in_use, K_FOREVER);
	psa_status_t status = psa_generate_key(&attributes, &id);

	k_mutex_unlock(&mender_tls_in_use);
	return status;
#endif
}

int32_t mender_port_crypto_public_key(uint8_t *point)
{
	size_t len = 0;

	k_mutex_lock(&mender_tls_in_use, K_FOREVER);
	psa_status_t status = psa_export_public_key(CONFIG_MENDER_MCU_KEY_ID, point, 65, &len);

	k_mutex_unlock(&mender_tls_in_use);
	return status == PSA_SUCCESS && len != 65 ? PSA_ERROR_INVALID_ARGUMENT : status;
}

int32_t mender_port_crypto_sign(const uint8_t *hash, uint8_t *signature)
{
	size_t len = 0;
	psa_status_t status =
		psa_sign_hash(CONFIG_MENDER_MCU_KEY_ID, DEVICE_ALG, hash, 32, signature, 64, &len);

	return status == PSA_SUCCESS && len != 64 ? PSA_ERROR_INVALID_ARGUMENT : status;
}

int32_t mender_port_crypto_verification_key(uint32_t index)
{
	/* The table ends with an empty row. */
	return index < ARRAY_SIZE(mender_verify_keys) - 1 ? mender_verify_keys[index].kind : MENDER_KEY_NONE;
}

int32_t mender_port_crypto_verify(uint32_t index, const uint8_t *hash, const uint8_t *signature, uint32_t len)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_algorithm_t alg = DEVICE_ALG;
	psa_key_type_t type = PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1);
	psa_key_id_t id;
	psa_status_t status;

	if (index >= ARRAY_SIZE(mender_verify_keys) - 1) {
		return -EINVAL;
	}
	if (mender_verify_keys[index].kind == MENDER_KEY_RSA) {
		alg = PSA_ALG_RSA_PKCS1V15_SIGN(PSA_ALG_SHA_256);
		type = PSA_KEY_TYPE_RSA_PUBLIC_KEY;
	}
	psa_set_key_type(&attributes, type);
	psa_set_key_algorithm(&attributes, alg);
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
	status = psa_import_key(&attributes, mender_verify_keys[index].key, mender_verify_keys[index].len, &id);
	if (status != PSA_SUCCESS) {
		return status;
	}
	status = psa_verify_hash(id, alg, hash, 32, signature, len);
	psa_destroy_key(id);
	if (status == PSA_ERROR_INVALID_SIGNATURE) {
		return 0;
	}
	return status == PSA_SUCCESS ? 1 : status;
}

uint32_t mender_port_crypto_random(void)
{
	uint32_t number = 0;

	/* Without a number the waits are merely not random. */
	(void)psa_generate_random((uint8_t *)&number, sizeof(number));
	return number;
}
