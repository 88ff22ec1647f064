/* SPDX-License-Identifier: Apache-2.0 */
#include "fixtures.h"

#include <zephyr/ztest.h>

#include "peer.h"

#include <zephyr/net/tls_credentials.h>

static const uint8_t key[] = {
#include <server-key.der.inc>
};

static const uint8_t api[] = {
#include <api.der.inc>
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
	peer_network_up();
}
