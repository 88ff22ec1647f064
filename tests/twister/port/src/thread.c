/* SPDX-License-Identifier: Apache-2.0 */
/* The module's own thread; no other suite of this program makes a client. */
#include <mender_mcu.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/ztest.h>

#include "peer.h"

/* A request is signed first, which takes a slow CPU seconds. */
#define PATIENCE_MS 20000
#define UNTIL(condition)                                                                                               \
	for (int left = PATIENCE_MS; left > 0 && !(condition); left -= 50) {                                           \
		k_msleep(50);                                                                                          \
	}

PEER_DEFINE(server);

static char url[64];

static void *setup(void)
{
	peer_network_up();
	return NULL;
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	(void)mender_client_exit();
	UNTIL(mender_client_last_error() == MENDER_E_NOT_INITIALISED);
	peer_stop(&server);
}

static void refuse(struct peer *self, int socket)
{
	static const char no[] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	uint8_t bytes[1024];

	if (peer_read(self, socket, bytes, sizeof(bytes)) > 0) {
		(void)peer_send(socket, no, sizeof(no) - 1);
	}
}

static void begin(const char *scheme, bool allow_http)
{
	struct mender_config config = {
		.server_url = url,
		.device_type = "test-device",
		.allow_http = allow_http,
		.first_check_max_ms = 1,
		.retry_interval_ms = 60000,
		.retry_interval_max_ms = 60000,
	};

	peer_start(&server, AF_INET, 0, refuse);
	snprintf(url, sizeof(url), "%s://127.0.0.1:%u", scheme, server.port);
	zassert_ok(mender_client_init(&config));
	zassert_ok(mender_client_activate());
}

ZTEST(thread, test_the_thread_polls_a_client_as_soon_as_it_is_active)
{
	k_msleep(1000);
	begin("http", true);
	UNTIL(server.received > 0);
	zassert_true(strncmp((const char *)server.first, "POST /api/devices/", 18) == 0, "%.40s", server.first);
}

ZTEST(thread, test_an_exit_while_the_thread_waits_lets_another_client_begin)
{
	for (int i = 0; i < 3; i++) {
		int32_t rc;

		begin("http", true);
		k_msleep(300);
		rc = mender_client_exit();
		zassert_true(rc == 0 || rc == MENDER_PENDING, "%d", rc);
		UNTIL(mender_client_last_error() == MENDER_E_NOT_INITIALISED);
		peer_stop(&server);
	}
}

ZTEST(thread, test_a_check_that_is_asked_for_wakes_the_thread)
{
	struct mender_status status;
	uint32_t connections;

	begin("http", true);
	UNTIL(mender_client_last_error() != 0);
	zassert_ok(mender_client_status(&status));
	connections = server.connections;
	zassert_true(connections > 0);
	zassert_ok(mender_client_check_now());
	UNTIL(server.connections > connections);
	zassert_true(server.connections > connections);
}

ZTEST(thread, test_without_tls_the_client_gives_up_https_and_not_a_byte_leaves)
{
	begin("https", false);
	UNTIL(mender_client_last_error() != 0);
	zassert_equal(mender_client_last_error(), MENDER_E_CONNECT);
	k_msleep(5000);
	zassert_equal(server.connections, 0);
	zassert_equal(server.received, 0);
}

ZTEST_SUITE(thread, NULL, setup, NULL, after, NULL);
