/* SPDX-License-Identifier: Apache-2.0 */
#include <mender_port.h>
#include <string.h>
#include <zephyr/ztest.h>

#include "fixtures.h"
#include "peer.h"

#define API     MENDER_CHANNEL_API
#define STORAGE MENDER_CHANNEL_STORAGE
#define LEN     60000

PEER_DEFINE(peer);

static uint8_t buf[4096];

static uint8_t pattern(uint32_t offset)
{
	return (offset * 2654435761U) >> 13;
}

static void fill(uint8_t *to, uint32_t offset, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		to[i] = pattern(offset + i);
	}
}

static void *setup(void)
{
	fixtures_begin();
	return NULL;
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	mender_port_transport_close(API);
	mender_port_transport_close(STORAGE);
	peer_stop(&peer);
}

static int32_t receive(int32_t channel, uint32_t size)
{
	const int64_t end = k_uptime_get() + 20 * MSEC_PER_SEC;
	int32_t got;

	do {
		got = mender_port_transport_receive(channel, buf, size);
		if (got == MENDER_AGAIN) {
			mender_port_clock_wait(1000);
		}
	} while (got == MENDER_AGAIN && k_uptime_get() < end);
	return got;
}

/* It fails within the time that Kconfig sets for connecting, TCP and handshake together, and leaves nothing open. */
static void assert_not_opened(int32_t channel, const char *host)
{
	const int64_t begun = k_uptime_get();
	const int32_t rc = mender_port_transport_open(channel, host, peer.port, true);

	zassert_true(rc < 0 && rc != MENDER_AGAIN, "%d", rc);
	zassert_true(k_uptime_get() - begun < 2 * CONFIG_NET_SOCKETS_CONNECT_TIMEOUT + 1000, "it took too long");
	zassert_equal(mender_port_transport_send(channel, buf, 1), -ENOTCONN);
}

static void echo(struct peer *self, int socket)
{
	uint8_t bytes[256];
	uint32_t len;

	do {
		len = peer_read(self, socket, bytes, sizeof(bytes));
	} while (len > 0 && peer_send(socket, bytes, len));
}

ZTEST(tls, test_a_server_with_the_right_chain_and_name_is_talked_to)
{
	peer_start(&peer, AF_INET, TAG_API, echo);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	zassert_equal(mender_port_transport_send(API, (const uint8_t *)"hello", 5), 5);
	zassert_equal(receive(API, sizeof(buf)), 5);
	zassert_mem_equal(buf, "hello", 5);
}

ZTEST(tls, test_an_authority_that_is_not_trusted_is_refused)
{
	peer_start(&peer, AF_INET, TAG_UNTRUSTED, NULL);
	assert_not_opened(API, "localhost");
	zassert_true(peer.connections > 0, "nothing was tried");
	zassert_equal(peer.received, 0);
}

ZTEST(tls, test_a_certificate_for_another_host_is_refused)
{
	peer_start(&peer, AF_INET, TAG_ELSEWHERE, NULL);
	assert_not_opened(API, "localhost");
	zassert_true(peer.connections > 0, "nothing was tried");
	zassert_equal(peer.received, 0);
}

ZTEST(tls, test_api_and_store_have_authorities_of_their_own)
{
	peer_start(&peer, AF_INET, TAG_STORAGE, NULL);
	assert_not_opened(API, "localhost");
	zassert_ok(mender_port_transport_open(STORAGE, "localhost", peer.port, true));
	mender_port_transport_close(STORAGE);
	peer_stop(&peer);
	peer_start(&peer, AF_INET, TAG_API, NULL);
	assert_not_opened(STORAGE, "localhost");
}

ZTEST(tls, test_a_server_that_speaks_no_tls_sees_a_client_hello_and_nothing_else)
{
	static const char needle[] = "localhost";
	bool named = false;

	peer_start(&peer, AF_INET, 0, NULL);
	assert_not_opened(API, "localhost");
	zassert_true(peer.received > 5 && peer.received < sizeof(peer.first), "%u bytes", peer.received);
	/* RFC 5246, 6.2.1: type handshake, version, and the length of the one record there is. */
	zassert_equal(peer.first[0], 22);
	zassert_equal(peer.first[1], 3);
	zassert_equal(peer.received, 5 + 256 * peer.first[3] + peer.first[4]);
	zassert_equal(peer.first[5], 1, "no ClientHello");
	for (uint32_t i = 0; i + sizeof(needle) <= peer.received; i++) {
		named |= memcmp(peer.first + i, needle, sizeof(needle) - 1) == 0;
	}
	zassert_true(named, "no server name (RFC 6066)");
}

static void answer_in_clear_text(struct peer *self, int socket)
{
	static const char reply[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	uint8_t bytes[512];

	(void)peer_read(self, socket, bytes, sizeof(bytes));
	(void)peer_send(socket, reply, sizeof(reply) - 1);
	(void)peer_read(self, socket, bytes, sizeof(bytes));
}

ZTEST(tls, test_an_answer_in_clear_text_is_refused)
{
	peer_start(&peer, AF_INET, 0, answer_in_clear_text);
	assert_not_opened(API, "localhost");
}

static void hang_up(struct peer *self, int socket)
{
	uint8_t bytes[512];

	(void)peer_read(self, socket, bytes, sizeof(bytes));
}

ZTEST(tls, test_a_peer_that_hangs_up_in_the_handshake_is_an_error)
{
	peer_start(&peer, AF_INET, 0, hang_up);
	assert_not_opened(API, "localhost");
}

static void send_pattern(struct peer *self, int socket)
{
	uint8_t bytes[3000];

	for (uint32_t offset = 0; offset < LEN; offset += sizeof(bytes)) {
		fill(bytes, offset, sizeof(bytes));
		if (!peer_send(socket, bytes, sizeof(bytes))) {
			return;
		}
	}
	ARG_UNUSED(self);
}

ZTEST(tls, test_records_are_delivered_whole_through_small_buffers)
{
	uint32_t offset = 0;
	int32_t got;

	peer_start(&peer, AF_INET, TAG_API, send_pattern);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	const int64_t begun = k_uptime_get();

	while ((got = receive(API, 333)) > 0) {
		for (int32_t i = 0; i < got; i++) {
			zassert_equal(buf[i], pattern(offset + i), "at %u", offset + i);
		}
		offset += got;
	}
	zassert_equal(got, 0, "%d", got);
	zassert_equal(offset, LEN);
	/* What is decrypted already does not show on the socket: nobody may wait for it. */
	zassert_true(k_uptime_get() - begun < 10000, "%u ms", (uint32_t)(k_uptime_get() - begun));
}

static void read_late(struct peer *self, int socket)
{
	uint8_t bytes[500];
	uint32_t offset = 0;
	uint32_t len;

	k_sem_take(&self->go, K_SECONDS(30));
	while ((len = peer_read(self, socket, bytes, sizeof(bytes))) > 0) {
		for (uint32_t i = 0; i < len; i++) {
			zassert_equal(bytes[i], pattern(offset + i), "at %u", offset + i);
		}
		offset += len;
	}
}

ZTEST(tls, test_what_a_full_window_holds_back_is_sent_once_and_in_order)
{
	uint32_t offset = 0;
	uint32_t refused = 0;

	peer_start(&peer, AF_INET, TAG_API, read_late);
	zassert_ok(mender_port_transport_open(API, "localhost", peer.port, true));
	while (offset < LEN) {
		const uint32_t len = MIN(700, LEN - offset);

		fill(buf, offset, len);
		const int32_t sent = mender_port_transport_send(API, buf, len);

		zassert_true(sent >= 0 || sent == MENDER_AGAIN, "%d", sent);
		if (sent <= 0) {
			refused++;
			if (refused == 3) {
				k_sem_give(&peer.go);
			}
			zassert_true(refused < 2000);
			mender_port_clock_wait(50);
		} else {
			offset += sent;
		}
	}
	zassert_true(refused >= 3, "the peer's window is larger than the test");
	for (int i = 0; i < 200 && peer.received < LEN; i++) {
		k_msleep(50);
	}
	zassert_equal(peer.received, LEN);
}

ZTEST_SUITE(tls, NULL, setup, NULL, after, NULL);
