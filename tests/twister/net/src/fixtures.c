/* SPDX-License-Identifier: Apache-2.0 */
#include "fixtures.h"

#include <psa/crypto.h>
#include <time.h>
#include <zephyr/ztest.h>

#include "flash.h"
#include "peer.h"

#include <zephyr/fs/nvs.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/settings/settings.h>
#include <zephyr/sys/clock.h>

static const uint8_t key[] = {
#include <server-key.der.inc>
};

static const uint8_t api[] = {
#include <api.der.inc>
};

static const uint8_t api_2[] = {
#include <api-2.der.inc>
};

static const uint8_t client_ca[] = {
#include <client-ca.der.inc>
};

static const uint8_t storage[] = {
#include <storage.der.inc>
};

static const uint8_t elsewhere[] = {
#include <elsewhere.der.inc>
};

static const uint8_t untrusted[] = {
#include <untrusted.der.inc>
};

const uint8_t artifact[] = {
#include <release-2.mender.inc>
};
const uint32_t artifact_len = sizeof(artifact);

static void add(int tag, const uint8_t *certificate, size_t len)
{
	zassert_ok(tls_credential_add(tag, TLS_CREDENTIAL_PUBLIC_CERTIFICATE, certificate, len));
	zassert_ok(tls_credential_add(tag, TLS_CREDENTIAL_PRIVATE_KEY, key, sizeof(key)));
}

void fixtures_set_clock(int64_t unix_s)
{
	const struct timespec now = {.tv_sec = unix_s};

	zassert_ok(sys_clock_settime(SYS_CLOCK_REALTIME, &now));
}

void fixtures_begin(void)
{
	static bool begun;

	if (begun) {
		return;
	}
	begun = true;
	add(TAG_API, api, sizeof(api));
	add(TAG_STORAGE, storage, sizeof(storage));
	add(TAG_ELSEWHERE, elsewhere, sizeof(elsewhere));
	add(TAG_UNTRUSTED, untrusted, sizeof(untrusted));
	add(TAG_API_2, api_2, sizeof(api_2));
	zassert_ok(tls_credential_add(TAG_CLIENT_CA, TLS_CREDENTIAL_CA_CERTIFICATE, client_ca, sizeof(client_ca)));
	peer_network_up();
}

static void mount_empty_storage(void)
{
	struct nvs_fs *fs;

	zassert_ok(settings_subsys_init());
	zassert_ok(settings_storage_get((void **)&fs));
	flash_set_all(FIXED_PARTITION_ID(storage_partition), 0xff);
	zassert_ok(nvs_mount(fs));
}

void fixtures_make_key(void)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id;

	psa_set_key_id(&attributes, CONFIG_MENDER_MCU_KEY_ID);
	psa_set_key_lifetime(&attributes, PSA_KEY_LIFETIME_PERSISTENT);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_bits(&attributes, 256);
	/* Wider than the client's own. */
	psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_ANY_HASH));
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_VERIFY_HASH);
	zassert_ok(psa_generate_key(&attributes, &id));
}

void fixtures_before(void *fixture)
{
	ARG_UNUSED(fixture);
	fixtures_set_clock(GOOD_DAY);
	(void)psa_destroy_key(CONFIG_MENDER_MCU_KEY_ID);
	mount_empty_storage();
	fixtures_make_key();
}
