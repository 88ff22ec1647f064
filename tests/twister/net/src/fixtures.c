/* SPDX-License-Identifier: Apache-2.0 */
#include "fixtures.h"

#include <time.h>
#include <zephyr/ztest.h>

#include "peer.h"

#include <zephyr/net/tls_credentials.h>
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

void fixtures_before(void *fixture)
{
	ARG_UNUSED(fixture);
	fixtures_set_clock(GOOD_DAY);
}
