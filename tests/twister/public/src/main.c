/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes with chains as public certification authorities have them, and with all that CONFIG_MENDER_MCU_SERVER_HOSTED_EU turns on;
 * and with an authority and a certificate of the device that the application registers itself.
 */
#include <mender_port.h>
#include <string.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/ztest.h>

#include "peer.h"
#include "stream.h"

BUILD_ASSERT(IS_ENABLED(CONFIG_MENDER_MCU_TLS_PUBLIC_CA), "the preset of a hosted server");

static const uint8_t rsa[] = {
#include <rsa.der.inc>
};
static const uint8_t rsa_key[] = {
#include <rsa-key.der.inc>
};
static const uint8_t p256[] = {
#include <p256.der.inc>
};
static const uint8_t p256_key[] = {
#include <p256-key.der.inc>
};
static const uint8_t p384[] = {
#include <p384.der.inc>
};
static const uint8_t p384_key[] = {
#include <p384-key.der.inc>
};
static const uint8_t mixed[] = {
#include <mixed.der.inc>
};
static const uint8_t mixed_key[] = {
#include <mixed-key.der.inc>
};
static const uint8_t stranger[] = {
#include <stranger.der.inc>
};
static const uint8_t stranger_key[] = {
#include <stranger-key.der.inc>
};

/* The application's authority, a server under it, and what that server knows the device by. */
static const uint8_t ca[] = {
#include <ca.der.inc>
};
static const uint8_t api[] = {
#include <api.der.inc>
};
static const uint8_t server_key[] = {
#include <server-key.der.inc>
};
static const uint8_t client_ca[] = {
#include <client-ca.der.inc>
};
static const uint8_t client[] = {
#include <client.der.inc>
};
static const uint8_t client_key[] = {
#include <client-key.der.inc>
};

enum {
	TAG_RSA = 1,
	TAG_P256,
	TAG_P384,
	TAG_MIXED,
	TAG_STRANGER,
	TAG_APPLICATION_CA,
	TAG_APPLICATION_CLIENT,
	TAG_API,
	TAG_CLIENT_CA,
};

BUILD_ASSERT(CONFIG_MENDER_MCU_TLS_CA_TAG == TAG_APPLICATION_CA);
BUILD_ASSERT(CONFIG_MENDER_MCU_TLS_CLIENT_TAG == TAG_APPLICATION_CLIENT);

PEER_DEFINE(peer);

static void add(int tag, const uint8_t *certificate, size_t len, const uint8_t *key, size_t key_len)
{
	zassert_ok(tls_credential_add(tag, TLS_CREDENTIAL_PUBLIC_CERTIFICATE, certificate, len));
	zassert_ok(tls_credential_add(tag, TLS_CREDENTIAL_PRIVATE_KEY, key, key_len));
}

static void *setup(void)
{
	add(TAG_RSA, rsa, sizeof(rsa), rsa_key, sizeof(rsa_key));
	add(TAG_P256, p256, sizeof(p256), p256_key, sizeof(p256_key));
	add(TAG_P384, p384, sizeof(p384), p384_key, sizeof(p384_key));
	add(TAG_MIXED, mixed, sizeof(mixed), mixed_key, sizeof(mixed_key));
	add(TAG_STRANGER, stranger, sizeof(stranger), stranger_key, sizeof(stranger_key));
	add(TAG_API, api, sizeof(api), server_key, sizeof(server_key));
	zassert_ok(tls_credential_add(TAG_CLIENT_CA, TLS_CREDENTIAL_CA_CERTIFICATE, client_ca, sizeof(client_ca)));
	zassert_ok(tls_credential_add(TAG_APPLICATION_CA, TLS_CREDENTIAL_CA_CERTIFICATE, ca, sizeof(ca)));
	add(TAG_APPLICATION_CLIENT, client, sizeof(client), client_key, sizeof(client_key));
	peer_network_up();
	return NULL;
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	mender_port_transport_close(MENDER_CHANNEL_API);
	mender_port_transport_close(MENDER_CHANNEL_STORAGE);
	peer_stop(&peer);
}

static void assert_talked_to(int tag)
{
	peer_start(&peer, AF_INET, tag, stream_echo);
	zassert_ok(mender_port_transport_open(MENDER_CHANNEL_API, "localhost", peer.port, true));
	zassert_equal(mender_port_transport_send(MENDER_CHANNEL_API, (const uint8_t *)"hello", 5), 5);
	zassert_equal(stream_receive(MENDER_CHANNEL_API, sizeof(stream_buf)), 5);
	zassert_mem_equal(stream_buf, "hello", 5);
}

/* As Amazon's, and Let's Encrypt's older one. */
ZTEST(public, test_an_rsa_key_of_2048_bits_under_a_root_of_4096_is_talked_to)
{
	assert_talked_to(TAG_RSA);
}

/* As Google's GTS Root R4, and Let's Encrypt's newer one. */
ZTEST(public, test_a_p256_key_under_a_p384_root_is_talked_to)
{
	assert_talked_to(TAG_P256);
}

ZTEST(public, test_a_p384_key_is_talked_to)
{
	assert_talked_to(TAG_P384);
}

ZTEST(public, test_a_p256_key_under_an_rsa_root_with_sha384_is_talked_to)
{
	assert_talked_to(TAG_MIXED);
}

ZTEST(public, test_another_rsa_root_is_refused)
{
	peer_start(&peer, AF_INET, TAG_STRANGER, NULL);
	zassert_true(mender_port_transport_open(MENDER_CHANNEL_API, "localhost", peer.port, true) < 0);
	zassert_true(peer.connections > 0, "nothing was tried");
	zassert_equal(peer.received, 0);
}

ZTEST(public, test_an_authority_that_the_application_registered_is_trusted_too)
{
	assert_talked_to(TAG_API);
}

ZTEST(public, test_one_that_is_not_there_yet_does_not_stand_in_the_way_of_the_files)
{
	zassert_ok(tls_credential_delete(TAG_APPLICATION_CA, TLS_CREDENTIAL_CA_CERTIFICATE));
	assert_talked_to(TAG_P256);
	zassert_ok(tls_credential_add(TAG_APPLICATION_CA, TLS_CREDENTIAL_CA_CERTIFICATE, ca, sizeof(ca)));
}

ZTEST(public, test_a_server_that_asks_gets_the_certificate_that_the_application_registered)
{
	peer_start_mutual(&peer, TAG_API, TAG_CLIENT_CA);
	zassert_ok(mender_port_transport_open(MENDER_CHANNEL_API, "localhost", peer.port, true));
}

ZTEST(public, test_a_store_that_asks_does_not_get_it)
{
	peer_start_mutual(&peer, TAG_API, TAG_CLIENT_CA);
	zassert_true(mender_port_transport_open(MENDER_CHANNEL_STORAGE, "localhost", peer.port, true) < 0);
	zassert_true(peer.connections > 0, "nothing was tried");
	zassert_equal(peer.received, 0);
}

ZTEST_SUITE(public, NULL, setup, NULL, after, NULL);
