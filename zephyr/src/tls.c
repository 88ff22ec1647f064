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

BUILD_ASSERT(CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS >= 2,
	     "an update needs two TLS connections: set CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS=2");
#ifdef CONFIG_MBEDTLS_BUILTIN
BUILD_ASSERT(CONFIG_MBEDTLS_HEAP_SIZE >= 90000 || !IS_ENABLED(CONFIG_MBEDTLS_ENABLE_HEAP),
	     "two TLS connections take up to 90 KB: set CONFIG_MBEDTLS_HEAP_SIZE=90000");
BUILD_ASSERT(CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN >= 16384,
	     "servers send TLS records of 16 KiB: set CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN=16384");
#endif

#define API_COUNT     (ARRAY_SIZE(mender_ca_api) - 1)
#define STORAGE_COUNT (ARRAY_SIZE(mender_ca_storage) - 1)

static int add(const struct mender_certificate *certificates, sec_tag_t tag)
{
	for (; certificates->der != NULL; certificates++, tag++) {
		int rc = tls_credential_add(tag, TLS_CREDENTIAL_CA_CERTIFICATE, certificates->der,
					    certificates->len);

		/* -EEXIST: the one of an earlier connection. */
		if (rc != 0 && rc != -EEXIST) {
			LOG_ERR("tls_credential_add: %d", rc);
			return rc;
		}
	}
	return 0;
}

int tls_configure(int socket, int32_t channel, const char *host)
{
	const bool storage = channel == MENDER_CHANNEL_STORAGE && STORAGE_COUNT > 0;
	const size_t count = storage ? STORAGE_COUNT : API_COUNT;
	const sec_tag_t first = CONFIG_MENDER_MCU_TLS_TAG_BASE + (storage ? API_COUNT : 0);
	const int verify = TLS_PEER_VERIFY_REQUIRED;
	sec_tag_t tags[MAX(API_COUNT, STORAGE_COUNT) + 1];
	int rc = add(storage ? mender_ca_storage : mender_ca_api, first);

	if (rc != 0) {
		return rc;
	}
	for (size_t i = 0; i < count; i++) {
		tags[i] = first + i;
	}
	if (zsock_setsockopt(socket, SOL_TLS, TLS_SEC_TAG_LIST, tags, count * sizeof(tags[0])) != 0 ||
	    zsock_setsockopt(socket, SOL_TLS, TLS_HOSTNAME, host, strlen(host) + 1) != 0 ||
	    zsock_setsockopt(socket, SOL_TLS, TLS_PEER_VERIFY, &verify, sizeof(verify)) != 0) {
		return -errno;
	}
	return 0;
}
