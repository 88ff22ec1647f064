/* SPDX-License-Identifier: Apache-2.0 */
/* Who the device is: an identity from settings, and a key that the application keeps, as in a secure element. */
#include <mender_mcu.h>
#include <mender_port.h>
#include <mender_settings.h>
#include <psa/crypto.h>
#include <string.h>
#include <zephyr/net/net_if.h>
#include <zephyr/ztest.h>

#include "fixtures.h"
#include "server.h"

static char url[64];

static void *setup(void)
{
	fixtures_begin();
	return NULL;
}

static void before(void *fixture)
{
	fixtures_before(fixture);
	server_start(url, sizeof(url));
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	(void)mender_client_exit();
	server_stop();
}

static void begin(void)
{
	const struct mender_config config = {
		.server_url = url,
		.first_check_max_ms = 1,
		.retry_interval_ms = 1000,
		.retry_interval_max_ms = 2000,
	};

	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
}

static bool authenticates(void)
{
	const int64_t end = k_uptime_get() + 20 * MSEC_PER_SEC;

	while (server.authentications == 0 && mender_client_last_error() == 0 && k_uptime_get() < end) {
		mender_client_wait(mender_client_poll());
	}
	return server.authentications > 0;
}

static bool has_inventory_and_asks(void)
{
	const int64_t end = k_uptime_get() + 20 * MSEC_PER_SEC;

	while ((server.inventory[0] == '\0' || server.checks == 0) && mender_client_last_error() == 0 && k_uptime_get() < end) {
		mender_client_wait(mender_client_poll());
	}
	return server.inventory[0] != '\0' && server.checks > 0;
}

static psa_key_type_t type_of_key(void)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	const psa_status_t status = psa_get_key_attributes(CONFIG_MENDER_MCU_KEY_ID, &attributes);

	return status == PSA_SUCCESS ? psa_get_key_type(&attributes) : PSA_KEY_TYPE_NONE;
}

ZTEST(device, test_identity_type_and_tenant_from_settings_are_what_the_server_hears)
{
	zassert_ok(mender_settings_set("identity", "serial=4711"));
	zassert_ok(mender_settings_set("device_type", "pump"));
	zassert_ok(mender_settings_set("tenant_token", "abc.def"));
	begin();
	zassert_true(authenticates(), "%d", mender_client_last_error());
	zassert_not_null(strstr(server.authentication, "\"id_data\":\"{\\\"serial\\\":\\\"4711\\\"}\""), "%s",
			 server.authentication);
	zassert_not_null(strstr(server.authentication, "\"tenant_token\":\"abc.def\""), "%s", server.authentication);
	/* The type is no part of that request. */
	zassert_true(has_inventory_and_asks(), "%d", mender_client_last_error());
	zassert_not_null(strstr(server.inventory, "\"pump\""), "%s", server.inventory);
	zassert_is_null(strstr(server.inventory, CONFIG_MENDER_MCU_DEVICE_TYPE), "%s", server.inventory);
	zassert_not_null(strstr(server.question, "\"device_type\":\"pump\""), "%s", server.question);
}

ZTEST(device, test_without_settings_the_server_hears_what_kconfig_says)
{
	begin();
	zassert_true(authenticates(), "%d", mender_client_last_error());
	zassert_not_null(strstr(server.authentication, "\"id_data\":\"{\\\"mac\\\":"), "%s", server.authentication);
	zassert_is_null(strstr(server.authentication, "tenant_token"), "%s", server.authentication);
	zassert_true(has_inventory_and_asks(), "%d", mender_client_last_error());
	zassert_not_null(strstr(server.question, "\"device_type\":\"" CONFIG_MENDER_MCU_DEVICE_TYPE "\""), "%s",
			 server.question);
}

ZTEST(device, test_an_address_that_all_devices_have_is_no_identity)
{
	struct net_linkaddr *address = net_if_get_link_addr(net_if_get_default());
	const struct net_linkaddr own = *address;

	memset(address->addr, 0, sizeof(address->addr));
	begin();
	zassert_false(authenticates());
	*address = own;
	zassert_equal(mender_client_last_error(), MENDER_E_CONFIG_IDENTITY);
}

ZTEST(device, test_a_server_from_settings_is_the_one_that_is_asked)
{
	const struct mender_config config = {.first_check_max_ms = 1};

	zassert_ok(mender_settings_set("server", url));
	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
	zassert_true(authenticates(), "%d", mender_client_last_error());
}

ZTEST(device, test_the_application_s_key_signs_and_is_never_replaced)
{
	static const uint8_t hash[32] = {1, 2, 3};
	uint8_t signature[64];
	uint8_t point[65];
	uint8_t later[65];

	zassert_equal(mender_port_crypto_device_key(), 1);
	zassert_ok(mender_port_crypto_public_key(point));
	zassert_ok(mender_port_crypto_sign(hash, signature));
	zassert_ok(psa_verify_hash(CONFIG_MENDER_MCU_KEY_ID, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, sizeof(hash), signature,
				   sizeof(signature)));
	begin();
	zassert_true(authenticates(), "%d", mender_client_last_error());
	zassert_ok(mender_client_exit());
	zassert_true(mender_port_crypto_make_device_key() < 0);
	zassert_ok(mender_port_crypto_public_key(later));
	zassert_mem_equal(point, later, sizeof(point));
}

ZTEST(device, test_without_the_application_s_key_the_device_says_so_and_waits_for_it)
{
	zassert_ok(psa_destroy_key(CONFIG_MENDER_MCU_KEY_ID));
	begin();
	zassert_false(authenticates());
	zassert_equal(mender_client_last_error(), MENDER_E_KEY_MAKE, "%d", mender_client_last_error());
	zassert_equal(mender_port_crypto_device_key(), 0, "another one was made");
	zassert_ok(mender_client_exit());
	fixtures_make_key();
	begin();
	zassert_true(authenticates(), "%d", mender_client_last_error());
}

ZTEST(device, test_a_key_of_another_kind_is_an_error_and_stays)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id;

	zassert_ok(psa_destroy_key(CONFIG_MENDER_MCU_KEY_ID));
	psa_set_key_id(&attributes, CONFIG_MENDER_MCU_KEY_ID);
	psa_set_key_lifetime(&attributes, PSA_KEY_LIFETIME_PERSISTENT);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
	psa_set_key_bits(&attributes, 128);
	zassert_ok(psa_generate_key(&attributes, &id));
	begin();
	zassert_false(authenticates());
	zassert_equal(mender_client_last_error(), MENDER_E_KEY_READ, "%d", mender_client_last_error());
	zassert_equal(type_of_key(), PSA_KEY_TYPE_AES);
}

ZTEST_SUITE(device, NULL, setup, before, after, NULL);
