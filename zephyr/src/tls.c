/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/socket.h>
#include <zephyr/net/tls_credentials.h>

#include "credentials.h"
#include "port_transport.h"

#include <mender_credentials.h>

LOG_MODULE_DECLARE(mender_mcu, CONFIG_MENDER_MCU_LOG_LEVEL);

#define API_COUNT     (ARRAY_SIZE(mender_ca_api) - 1)
#define STORAGE_COUNT (ARRAY_SIZE(mender_ca_storage) - 1)
#define CLIENT_COUNT  (ARRAY_SIZE(mender_client_certificate) - 1)

/* The client certificate comes first. */
#define CLIENT_TAG  (CONFIG_MENDER_MCU_TLS_CLIENT_TAG >= 0 ? CONFIG_MENDER_MCU_TLS_CLIENT_TAG : CONFIG_MENDER_MCU_TLS_TAG_BASE)
#define API_TAG     (CONFIG_MENDER_MCU_TLS_TAG_BASE + 1)
#define STORAGE_TAG (API_TAG + API_COUNT)
#define TAGS_MAX    (MAX(API_COUNT, STORAGE_COUNT) + 2)

BUILD_ASSERT(API_COUNT > 0 || CONFIG_MENDER_MCU_TLS_CA_TAG >= 0,
	     "no server can be trusted: set CONFIG_MENDER_MCU_CA_FILES to the certificate that your server's chain ends in");
BUILD_ASSERT(TAGS_MAX <= CONFIG_NET_SOCKETS_TLS_MAX_CREDENTIALS,
	     "more certificates than a socket takes: raise CONFIG_NET_SOCKETS_TLS_MAX_CREDENTIALS to the number of CA files plus 2");
/* Those of the application count as well. */
#define CREDENTIALS                                                                                                    \
	(API_COUNT + STORAGE_COUNT + 2 * CLIENT_COUNT + (CONFIG_MENDER_MCU_TLS_CA_TAG >= 0 ? 1 : 0) +                  \
	 (CONFIG_MENDER_MCU_TLS_CLIENT_TAG >= 0 ? 2 : 0))
BUILD_ASSERT(CREDENTIALS <= CONFIG_TLS_MAX_CREDENTIALS_NUMBER,
	     "more certificates than Zephyr keeps: raise CONFIG_TLS_MAX_CREDENTIALS_NUMBER to the number of CA files plus 3");
BUILD_ASSERT(CLIENT_COUNT == 0 || CONFIG_MENDER_MCU_TLS_CLIENT_TAG < 0,
	     "two client certificates: set either CONFIG_MENDER_MCU_TLS_CLIENT_CERT_FILE or CONFIG_MENDER_MCU_TLS_CLIENT_TAG");

static int add(enum tls_credential_type type, const struct mender_certificate *certificates, sec_tag_t tag)
{
	for (; certificates->der != NULL; certificates++, tag++) {
		int rc = tls_credential_add(tag, type, certificates->der, certificates->len);

		if (rc == -EEXIST) {
			LOG_ERR("credential tag %d is the application's: change CONFIG_MENDER_MCU_TLS_TAG_BASE", tag);
		}
		if (rc != 0) {
			return rc;
		}
	}
	return 0;
}

static int add_all(void)
{
	/* Once: what is there already at a second try would look like somebody else's. */
	static int rc = 1;

	if (rc > 0) {
		rc = add(TLS_CREDENTIAL_CA_CERTIFICATE, mender_ca_api, API_TAG);
		rc = rc != 0 ? rc : add(TLS_CREDENTIAL_CA_CERTIFICATE, mender_ca_storage, STORAGE_TAG);
		rc = rc != 0 ? rc : add(TLS_CREDENTIAL_PUBLIC_CERTIFICATE, mender_client_certificate, CLIENT_TAG);
		rc = rc != 0 ? rc : add(TLS_CREDENTIAL_PRIVATE_KEY, mender_client_key, CLIENT_TAG);
	}
	return rc;
}

/* Another anchor beside the files, or the only one. One that is not there would let the socket take none of them. */
static bool has_further_anchor(void)
{
	size_t len = 0;

	return CONFIG_MENDER_MCU_TLS_CA_TAG >= 0 &&
	       (API_COUNT == 0 || tls_credential_get(CONFIG_MENDER_MCU_TLS_CA_TAG, TLS_CREDENTIAL_CA_CERTIFICATE, NULL, &len) != -ENOENT);
}

int mender_tls_configure(int socket, int32_t channel, const char *host)
{
	const bool storage = channel == MENDER_CHANNEL_STORAGE && STORAGE_COUNT > 0;
	const size_t anchors = storage ? STORAGE_COUNT : API_COUNT;
	const int verify = TLS_PEER_VERIFY_REQUIRED;
	sec_tag_t tags[TAGS_MAX];
	size_t count = 0;
	int rc = add_all();

	if (rc != 0) {
		return rc;
	}
	while (count < anchors) {
		tags[count] = (storage ? STORAGE_TAG : API_TAG) + count;
		count++;
	}
	if (has_further_anchor()) {
		tags[count++] = CONFIG_MENDER_MCU_TLS_CA_TAG;
	}
	/* The store's host is not the one that the certificate is meant for. */
	if (channel != MENDER_CHANNEL_STORAGE && (CLIENT_COUNT > 0 || CONFIG_MENDER_MCU_TLS_CLIENT_TAG >= 0)) {
		tags[count++] = CLIENT_TAG;
	}
	if (zsock_setsockopt(socket, SOL_TLS, TLS_SEC_TAG_LIST, tags, count * sizeof(tags[0])) != 0 ||
	    zsock_setsockopt(socket, SOL_TLS, TLS_HOSTNAME, host, strlen(host) + 1) != 0 ||
	    zsock_setsockopt(socket, SOL_TLS, TLS_PEER_VERIFY, &verify, sizeof(verify)) != 0) {
		return -errno;
	}
	return 0;
}
